//! The optimizer: Adam with decoupled weight decay (AdamW), over one flat tensor.
//!
//! It agrees with libtorch's own, whose memory cannot be saved, so that no run could be resumed exactly.

use tch::{Device, Kind, Tensor};

use crate::shape::Shape;
use host::recipe::{Optimizer, Schedule};

/// What Adam remembers: the moments of the gradient.
#[derive(Debug)]
pub struct Adam {
    /// First moment: the moving mean of gradients.
    pub mean: Tensor,
    /// Second moment: the moving mean of squared gradients.
    pub square: Tensor,
}

impl Adam {
    /// Before the first step.
    #[must_use]
    pub fn new(shape: &Shape, device: Device) -> Self {
        let zeros = || Tensor::zeros([shape.numel() as i64], (Kind::Float, device));
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
        // Bias correction: both means start from zero.
        let correction = |beta: f64| 1.0 - beta.powf(step as f64);
        let root = (&self.square / correction(beta2)).sqrt_();
        let change = &self.mean / (root + settings.epsilon);
        *weights -= change * (rate / correction(beta1));
    }
}

/// Weight decay: pulls everything but the biases towards zero by `amount`, in place.
pub fn decay(shape: &Shape, weights: &Tensor, amount: f64) {
    for (entry, mut view) in shape.views(weights) {
        if !entry.is_bias() {
            let _ = view.multiply_scalar_(1.0 - amount);
        }
    }
}

/// Clips the norm of `gradient` to at most `longest` (0: leaves it) and returns what it was.
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

#[cfg(test)]
mod tests {
    use tch::nn::{self, OptimizerConfig};

    use super::*;
    use host::recipe::Recipe;

    #[test]
    fn updates_agree_with_libtorchs_own_optimizer() {
        let settings = Optimizer {
            epsilon: 1e-6,
            ..Recipe::find("quick").expect("a recipe").optimizer
        };
        let shape = Shape {
            symbols: 3,
            embedding: 2,
            hidden: 2,
            layers: 1,
        };
        // One matrix and no bias, so that everything decays, as it does there.
        let start = Tensor::arange(shape.numel() as i64, (Kind::Float, Device::Cpu)) / 10.0 - 1.0;
        let aim = start.sin();

        let store = nn::VarStore::new(Device::Cpu);
        let theirs = store.root().var_copy("weights", &start);
        let mut optimizer = nn::AdamW {
            beta1: settings.beta1,
            beta2: settings.beta2,
            wd: 0.1,
            eps: settings.epsilon,
            amsgrad: false,
        }
        .build(&store, 0.01)
        .expect("an optimizer");

        let (mut ours, mut adam) = (start.copy(), Adam::new(&shape, Device::Cpu));
        for step in 1..=20 {
            let loss = (&theirs - &aim).pow_tensor_scalar(4).sum(Kind::Float);
            optimizer.backward_step(&loss);
            let gradient = (&ours - &aim).pow_tensor_scalar(3) * 4.0;
            let _ = ours.multiply_scalar_(1.0 - 0.1 * 0.01);
            adam.update(&mut ours, &gradient, step, 0.01, &settings);
        }
        let gap = (ours - theirs).abs().max().double_value(&[]);
        assert!(gap < 1e-6, "{gap}");
    }

    #[test]
    fn biases_are_not_decayed() {
        let shape = Shape {
            symbols: 3,
            embedding: 2,
            hidden: 2,
            layers: 2,
        };
        let weights = Tensor::ones([shape.numel() as i64], (Kind::Float, Device::Cpu));
        decay(&shape, &weights, 0.25);
        for (entry, view) in shape.views(&weights) {
            let expected = if entry.name.contains("bias") {
                1.0
            } else {
                0.75
            };
            assert!(
                view.eq(expected).all().int64_value(&[]) == 1,
                "{}",
                entry.name
            );
        }
    }

    #[test]
    fn long_gradients_are_shortened_and_short_ones_kept() {
        let mut gradient = Tensor::from_slice(&[3.0_f32, 4.0]);
        assert_eq!(clip(&mut gradient, 10.0), 5.0);
        assert_eq!(clip(&mut gradient, 0.0), 5.0);
        assert_eq!(clip(&mut gradient, 0.5), 5.0);
        assert!((clip(&mut gradient, 1.0) - 0.5).abs() < 1e-6);
        let mut gradient = Tensor::from_slice(&[f32::NAN]);
        assert!(clip(&mut gradient, 1.0).is_nan());
    }

    #[test]
    fn the_learning_rate_warms_up_and_falls_to_its_end() {
        let settings = Recipe::find("quick").expect("a recipe").optimizer;
        let rate =
            |step, progress| learning_rate(&settings, step, progress) / settings.learning_rate;
        assert!(rate(0, 0.0) < 0.05);
        assert!(rate(settings.warmup_steps, 0.0) > 0.999);
        assert!((rate(1000, 0.5) - 0.505).abs() < 1e-9);
        assert!((rate(2000, 1.0) - settings.final_rate).abs() < 1e-9);
    }
}
