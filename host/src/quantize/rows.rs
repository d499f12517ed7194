//! One row of a matrix: its scale, its integers, and what its inputs are multiplied by.

use firmware::fixed::HIDDEN_ONE;
use firmware::kernels::Bits;

use super::{QuantizeError, accumulator_unit};

/// A quantized row.
#[derive(Clone, Debug)]
pub(super) struct Row {
    /// Real value of one unit of the row's accumulator.
    pub scale: f64,
    /// What the accumulator is multiplied by on top of its scale.
    pub gain: f64,
    /// Weights, -max to max of the width.
    pub weights: Vec<i8>,
    /// Folded inputs, one per symbol (or one bias).
    pub inputs: Vec<i8>,
    /// See [`firmware::image::GateScales::input`].
    pub input_multiplier: i16,
    /// The largest magnitude the products and inputs can add up to, in accumulator units.
    pub reach: f64,
}

impl Row {
    /// Chooses the scale and rounds.
    pub fn new(
        weights: &[f32],
        inputs: &[f32],
        gain: f64,
        bits: Bits,
    ) -> Result<Self, QuantizeError> {
        if !weights.iter().chain(inputs).all(|value| value.is_finite()) {
            return Err(QuantizeError::NotFinite);
        }
        let largest_input = largest(inputs);
        // An input is (byte << 8) * multiplier accumulator units; a row of tiny weights must not need
        // a multiplier beyond 15 bits, so its scale is held up.
        let input_unit = |weight_scale: f64, multiplier: f64| {
            accumulator_unit(weight_scale, bits) * 256.0 * multiplier
        };
        let floor = largest_input / 127.0 / input_unit(1.0, f64::from(i16::MAX - 1));
        let weight_scale = weight_scale(weights, bits).max(floor).max(1e-9);
        let scale = accumulator_unit(weight_scale, bits);

        let multiplier = (largest_input / 127.0 / input_unit(weight_scale, 1.0))
            .ceil()
            .max(1.0);
        let input_step = input_unit(weight_scale, multiplier);
        let max = f64::from(bits.max_weight());
        let weights = round_to(weights, weight_scale, max);
        let inputs = round_to(inputs, input_step, 127.0);

        let sum: f64 = weights.iter().map(|&w| f64::from(w).abs()).sum();
        let reach = sum * f64::from(HIDDEN_ONE) * f64::from(1_u32 << bits.scale_log2())
            + 127.0 * 256.0 * multiplier;
        if reach > f64::from(i32::MAX) {
            return Err(QuantizeError::Overflow { bits: bits.count() });
        }
        Ok(Self {
            scale,
            gain,
            weights,
            inputs,
            input_multiplier: multiplier as i16,
            reach,
        })
    }
}

/// The step between two weights of a row: full range for 8 bits, the least squared error for 4.
pub(super) fn weight_scale(weights: &[f32], bits: Bits) -> f64 {
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
    values
        .iter()
        .map(|&value| {
            if step > 0.0 {
                (f64::from(value) / step).round().clamp(-max, max) as i8
            } else {
                0
            }
        })
        .collect()
}
