//! Adam with decoupled weight decay (AdamW), over one flat tensor.

use tch::{Device, Kind, Tensor};

use super::recipe::Optimizer;
use super::weights::Shape;

/// What Adam remembers: the mean gradient and the mean squared one.
#[derive(Debug)]
pub struct Adam {
    /// The moving mean of gradients.
    pub mean: Tensor,
    /// The moving mean of squared gradients.
    pub square: Tensor,
}

impl Adam {
    /// Before the first step.
    #[must_use]
    pub fn new(shape: &Shape, device: Device) -> Self {
        let zeros = || Tensor::zeros([shape.numel()], (Kind::Float, device));
        Self {
            mean: zeros(),
            square: zeros(),
        }
    }

    /// Changes `weights` against `gradient`; `step` counts from 1.
    pub fn update(
        &mut self,
        weights: &mut Tensor,
        gradient: &Tensor,
        step: u64,
        rate: f64,
        settings: &Optimizer,
    ) {
        let Optimizer { beta1, beta2, .. } = *settings;
        let _ = self.mean.lerp_(gradient, 1.0 - beta1);
        let _ = self.square.lerp_(&gradient.square(), 1.0 - beta2);
        // Both means start from zero; these make up for it.
        let correction = |beta: f64| 1.0 - beta.powf(step as f64);
        let root = (&self.square / correction(beta2)).sqrt_();
        let change = &self.mean / (root + settings.epsilon);
        *weights -= change * (rate / correction(beta1));
    }
}

/// Pulls everything but the biases towards zero by `amount`, in place.
pub fn decay(shape: &Shape, weights: &Tensor, amount: f64) {
    for (entry, mut view) in shape.views(weights) {
        if !entry.is_bias() {
            let _ = view.multiply_scalar_(1.0 - amount);
        }
    }
}

/// Shortens `gradient` to at most `longest` (0: leaves it) and returns how long it was.
pub fn clip(gradient: &mut Tensor, longest: f64) -> f64 {
    let norm = gradient.norm().double_value(&[]);
    if longest > 0.0 && norm > longest {
        *gradient *= longest / norm;
    }
    norm
}

/// The learning rate when `step` (from 0) begins, at `progress` from 0 to 1 through the run.
#[must_use]
pub fn learning_rate(settings: &Optimizer, step: u64, progress: f64) -> f64 {
    use super::recipe::Schedule;
    let warmup = if step < settings.warmup_steps {
        (step + 1) as f64 / settings.warmup_steps as f64
    } else {
        1.0
    };
    let fall = match settings.schedule {
        Schedule::Constant => 1.0,
        Schedule::Cosine => {
            let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos());
            settings.final_rate + (1.0 - settings.final_rate) * cosine
        }
    };
    settings.learning_rate * warmup * fall
}
