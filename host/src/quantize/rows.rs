//! One row of a matrix: its scale, its integers, and what its inputs are multiplied by.

use firmware::fixed::HIDDEN_ONE;
use firmware::kernels::Bits;

use super::QuantizeError;

/// A quantized row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Takes the row's accumulator to its gate or logit.
    pub multiplier: i16,
    /// Weights, -max to max of the width.
    pub weights: Vec<i8>,
    /// What is added whatever the input, in units of the row's accumulator.
    pub bias: i32,
    /// Inputs, one per symbol, -max to max of the width.
    pub inputs: Vec<i8>,
    /// What an input, shifted to the top of 16 bits, is multiplied by.
    pub input_multiplier: i16,
}

/// What a row adds to its products: a constant, and something for each symbol.
#[derive(Clone, Debug)]
pub(super) struct Inputs {
    /// The constant.
    pub bias: f64,
    /// What is left for each symbol.
    pub deviations: Vec<f32>,
    /// How much a symbol's error counts.
    pub importance: Vec<f64>,
}

impl Inputs {
    /// A constant alone.
    pub fn constant(bias: f32) -> Self {
        Self {
            bias: bias.into(),
            deviations: Vec::new(),
            importance: Vec::new(),
        }
    }

    /// One value per symbol, around their weighted mean, so that the deviations need few bits.
    pub fn around_mean(values: &[f32], importance: &[f64]) -> Self {
        let weighted = values.iter().zip(importance);
        let sum: f64 = weighted.map(|(&value, w)| f64::from(value) * w).sum();
        let bias = sum / importance.iter().sum::<f64>();
        let deviations = values.iter().map(|&value| (f64::from(value) - bias) as f32);
        Self {
            bias,
            deviations: deviations.collect(),
            importance: importance.to_vec(),
        }
    }
}

/// What a row's result is measured in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    /// Units of the result for a real 1.0.
    pub one: f64,
    /// Right shift behind the multiplier's 16 bits.
    pub shift: u32,
}

impl Row {
    /// Chooses the scale and rounds. The scale is a whole multiple of what one step of the multiplier
    /// means, so that the multiplier is exact.
    pub fn new(
        weights: &[f32],
        inputs: &Inputs,
        bits: Bits,
        target: Target,
    ) -> Result<Self, QuantizeError> {
        let Inputs {
            bias,
            deviations,
            importance,
        } = inputs;
        let mut numbers = weights.iter().chain(deviations);
        if !(bias.is_finite() && numbers.all(|number| number.is_finite())) {
            return Err(QuantizeError::NotFinite);
        }
        let overflow = || QuantizeError::Overflow { bits: bits.count() };
        // result = acc * multiplier / 2^(16 + shift): one step of the multiplier makes an accumulator's
        // unit worth `step`, and a weight's unit 127 K times that.
        let step = 1.0 / (target.one * f64::from(1_u32 << (16 + target.shift)));
        let weight_step = step * f64::from(HIDDEN_ONE) * f64::from(1_u32 << bits.scale_log2());
        let wanted = scale(weights, std::iter::repeat(1.0), bits) / weight_step;
        // An input is (n << to the top of 16 bits) * multiplier accumulator units; a row of tiny weights
        // must not need an input multiplier beyond 15 bits, so its scale is held up.
        let input_one = f64::from(1_u32 << (16 - bits.count()));
        let input_step = scale(deviations, importance.iter().copied(), bits) / input_one;
        let least = (input_step / step / f64::from(i16::MAX)).ceil();
        let whole = |steps: f64| match bits {
            Bits::Eight => steps.ceil(), // every number stays within range
            Bits::Four => steps.round(), // a few are clipped anyway
        };
        let multiplier = whole(wanted);
        let multiplier = multiplier.max(least).max(1.0);
        if multiplier > f64::from(i16::MAX) {
            return Err(overflow());
        }
        let scale = multiplier * step;
        let input_multiplier = whole(input_step / scale).max(1.0);

        let max = f64::from(bits.max_weight());
        let weights = round_to(weights, multiplier * weight_step, max);
        let inputs = round_to(deviations, input_multiplier * input_one * scale, max);
        let bias = (bias / scale).round();
        let sum: f64 = weights.iter().map(|&w| f64::from(w).abs()).sum();
        let reach = sum * f64::from(HIDDEN_ONE) * f64::from(1_u32 << bits.scale_log2())
            + max * input_one * input_multiplier
            + bias.abs();
        if reach > f64::from(i32::MAX) {
            return Err(overflow());
        }
        Ok(Self {
            multiplier: multiplier as i16,
            weights,
            bias: bias as i32,
            inputs,
            input_multiplier: input_multiplier as i16,
        })
    }
}

/// The step between two numbers of a row: full range for 8 bits, the least squared error for 4.
fn scale(numbers: &[f32], importance: impl Iterator<Item = f64> + Clone, bits: Bits) -> f64 {
    let max = f64::from(bits.max_weight());
    let full = largest(numbers) / max;
    match bits {
        Bits::Eight => full,
        Bits::Four => {
            let error = |scale: f64| -> f64 {
                let rounded = round_to(numbers, scale, max);
                let pairs = numbers.iter().zip(rounded).zip(importance.clone());
                pairs
                    .map(|((&x, q), weight)| (f64::from(x) - f64::from(q) * scale).powi(2) * weight)
                    .sum()
            };
            (40..=100)
                .map(|percent| full * f64::from(percent) / 100.0)
                .min_by(|&a, &b| error(a).total_cmp(&error(b)))
                .unwrap_or(full)
        }
    }
}

fn largest(values: &[f32]) -> f64 {
    values
        .iter()
        .fold(0.0, |max, &value| f64::from(value.abs()).max(max))
}

fn round_to(values: &[f32], step: f64, max: f64) -> Vec<i8> {
    // A step of zero comes with values of zero; the conversion takes their NaN to zero.
    values
        .iter()
        .map(|&value| (f64::from(value) / step).round().clamp(-max, max) as i8)
        .collect()
}
