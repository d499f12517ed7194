//! One row of a matrix: its scale, its integers, and what its inputs are multiplied by.

use firmware::fixed::HIDDEN_ONE;
use firmware::kernels::Bits;

use super::QuantizeError;

/// A quantized row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Takes the row's accumulator to its gate or logit.
    pub multiplier: i16,
    /// Real value of one unit of the row's accumulator.
    pub scale: f64,
    /// Weights, -max to max of the width.
    pub weights: Vec<i8>,
    /// Folded inputs, one per symbol (or one bias).
    pub inputs: Vec<i8>,
    /// What an input byte, shifted left by 8, is multiplied by.
    pub input_multiplier: i16,
    /// The largest magnitude that products and inputs can add up to, in accumulator units.
    pub reach: f64,
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
        inputs: &[f32],
        bits: Bits,
        target: Target,
    ) -> Result<Self, QuantizeError> {
        if !weights.iter().chain(inputs).all(|value| value.is_finite()) {
            return Err(QuantizeError::NotFinite);
        }
        let overflow = || QuantizeError::Overflow { bits: bits.count() };
        // result = acc * multiplier / 2^(16 + shift): one step of the multiplier makes an accumulator's
        // unit worth `step`, and a weight's unit 127 K times that.
        let step = 1.0 / (target.one * f64::from(1_u32 << (16 + target.shift)));
        let weight_step = step * f64::from(HIDDEN_ONE) * f64::from(1_u32 << bits.scale_log2());
        let wanted = weight_scale(weights, bits) / weight_step;
        // An input is (byte << 8) * multiplier accumulator units; a row of tiny weights must not need
        // an input multiplier beyond 15 bits, so its scale is held up.
        let input_byte = largest(inputs) / 127.0 / 256.0;
        let least = (input_byte / step / f64::from(i16::MAX)).ceil();
        let multiplier = match bits {
            Bits::Eight => wanted.ceil(), // every weight stays within range
            Bits::Four => wanted.round(), // a few are clipped anyway
        };
        let multiplier = multiplier.max(least).max(1.0);
        if multiplier > f64::from(i16::MAX) {
            return Err(overflow());
        }
        let scale = multiplier * step;
        let input_multiplier = (input_byte / scale).ceil().max(1.0);

        let max = f64::from(bits.max_weight());
        let weights = round_to(weights, multiplier * weight_step, max);
        let inputs = round_to(inputs, input_multiplier * 256.0 * scale, 127.0);
        let sum: f64 = weights.iter().map(|&w| f64::from(w).abs()).sum();
        let reach = sum * f64::from(HIDDEN_ONE) * f64::from(1_u32 << bits.scale_log2())
            + 127.0 * 256.0 * input_multiplier;
        if reach > f64::from(i32::MAX) {
            return Err(overflow());
        }
        Ok(Self {
            multiplier: multiplier as i16,
            scale,
            weights,
            inputs,
            input_multiplier: input_multiplier as i16,
            reach,
        })
    }
}

/// The step between two weights of a row: full range for 8 bits, the least squared error for 4.
fn weight_scale(weights: &[f32], bits: Bits) -> f64 {
    let max = f64::from(bits.max_weight());
    let full = largest(weights) / max;
    match bits {
        Bits::Eight => full,
        Bits::Four => {
            let error = |scale: f64| -> f64 {
                let rounded = round_to(weights, scale, max);
                let pairs = weights.iter().zip(rounded);
                pairs
                    .map(|(&w, q)| (f64::from(w) - f64::from(q) * scale).powi(2))
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
