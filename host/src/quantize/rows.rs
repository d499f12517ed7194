//! One row of a matrix: its scale, its integers, and what its inputs are multiplied by.

use firmware::fixed::HIDDEN_ONE;
use firmware::kernels::Bits;

use super::QuantizeError;
use super::calibration::{Column, Moments};

/// Scales that a calibrated row tries, as shares of the one with the least error of single weights.
const SCALES: [f64; 5] = [0.85, 0.92, 1.0, 1.08, 1.16];

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
    /// Chooses the scale and rounds every number to the nearest.
    pub fn new(
        weights: &[f32],
        inputs: &Inputs,
        bits: Bits,
        target: Target,
    ) -> Result<Self, QuantizeError> {
        let steps = Steps::choose(weights, inputs, bits)?;
        Self::rounded(weights, inputs, bits, target, steps)
    }

    /// Chooses scale and integers for the least squared error of the row's sum, as its columns vary by
    /// `moments`: what one weight is wrong by, others make good.
    pub fn calibrated(
        weights: &[f32],
        inputs: &Inputs,
        bits: Bits,
        target: Target,
        moments: &Moments,
    ) -> Result<Self, QuantizeError> {
        let nearest = Steps::choose(weights, inputs, bits)?;
        let rounded = |steps| Self::rounded(weights, inputs, bits, target, steps);
        // Tells what is wrong with a row that cannot be rounded at all.
        let fallback = rounded(nearest)?;
        let mut best: Option<(f64, Self)> = None;
        for share in SCALES {
            let Ok(mut row) = rounded(Steps {
                weight: share * nearest.weight,
                ..nearest
            }) else {
                continue;
            };
            let error = row.settle(weights, inputs, bits, target, moments);
            let fits = row.reach(bits) <= f64::from(i32::MAX);
            if fits && best.as_ref().is_none_or(|&(least, _)| error < least) {
                best = Some((error, row));
            }
        }
        Ok(best.map_or(fallback, |(_, row)| row))
    }

    /// Changes integers as long as that lessens the squared error of the sum, which it returns, and takes
    /// the mean error out of the bias.
    fn settle(
        &mut self,
        weights: &[f32],
        inputs: &Inputs,
        bits: Bits,
        target: Target,
        moments: &Moments,
    ) -> f64 {
        let unit = f64::from(self.multiplier) * target.step();
        let input_step = f64::from(self.input_multiplier) * input_one(bits) * unit;
        let weight_step = weight_one(bits) * unit;
        let column = |step| {
            move |(&exact, &integer): (&f32, &i8)| Column {
                exact: exact.into(),
                step,
                integer: integer.into(),
            }
        };
        let inputs = inputs.deviations.iter().zip(&self.inputs);
        let own = weights.iter().zip(&self.weights);
        let inputs = inputs.map(column(input_step));
        let mut columns: Vec<Column> = inputs.chain(own.map(column(weight_step))).collect();
        let error = moments.settle(&mut columns, bits.max_weight().into());
        let integers = self.inputs.iter_mut().chain(&mut self.weights);
        for (integer, column) in integers.zip(&columns) {
            *integer = column.integer as i8;
        }
        self.bias -= (error.mean / unit).round() as i32;
        error.square
    }

    /// The most that a sum can be, in units of the accumulator.
    fn reach(&self, bits: Bits) -> f64 {
        let sum: f64 = self.weights.iter().map(|&w| f64::from(w).abs()).sum();
        sum * weight_one(bits)
            + f64::from(bits.max_weight()) * input_one(bits) * f64::from(self.input_multiplier)
            + f64::from(self.bias).abs()
    }

    /// Rounds to scales near `steps`. A scale is a whole multiple of what one step of the multiplier
    /// means, so that the multiplier is exact.
    fn rounded(
        weights: &[f32],
        inputs: &Inputs,
        bits: Bits,
        target: Target,
        steps: Steps,
    ) -> Result<Self, QuantizeError> {
        let overflow = || QuantizeError::Overflow { bits: bits.count() };
        let step = target.step();
        let weight_step = step * weight_one(bits);
        // An input is (n << to the top of 16 bits) * multiplier accumulator units; a row of tiny weights
        // must not need an input multiplier beyond 15 bits, so its scale is held up.
        let input_one = input_one(bits);
        let input_step = steps.input / input_one;
        let least = (input_step / step / f64::from(i16::MAX)).ceil();
        let whole = |steps: f64| match bits {
            Bits::Eight => steps.ceil(), // every number stays within range
            Bits::Four => steps.round(), // a few are clipped anyway
        };
        let multiplier = whole(steps.weight / weight_step);
        let multiplier = multiplier.max(least).max(1.0);
        if multiplier > f64::from(i16::MAX) {
            return Err(overflow());
        }
        let scale = multiplier * step;
        let input_multiplier = whole(input_step / scale).max(1.0);

        let max = f64::from(bits.max_weight());
        let weights = round_to(weights, multiplier * weight_step, max);
        let deviations = round_to(
            &inputs.deviations,
            input_multiplier * input_one * scale,
            max,
        );
        let bias = (inputs.bias / scale).round();
        let row = Self {
            multiplier: multiplier as i16,
            weights,
            bias: bias as i32,
            inputs: deviations,
            input_multiplier: input_multiplier as i16,
        };
        if row.reach(bits) > f64::from(i32::MAX) {
            return Err(overflow());
        }
        Ok(row)
    }
}

/// What the integers of a row should be worth.
#[derive(Clone, Copy, Debug)]
struct Steps {
    /// One of a weight.
    weight: f64,
    /// One of an input.
    input: f64,
}

impl Steps {
    /// Those that fit single numbers best.
    fn choose(weights: &[f32], inputs: &Inputs, bits: Bits) -> Result<Self, QuantizeError> {
        let Inputs {
            bias,
            deviations,
            importance,
        } = inputs;
        let mut numbers = weights.iter().chain(deviations);
        if !(bias.is_finite() && numbers.all(|number| number.is_finite())) {
            return Err(QuantizeError::NotFinite);
        }
        Ok(Self {
            weight: scale(weights, std::iter::repeat(1.0), bits),
            input: scale(deviations, importance.iter().copied(), bits),
        })
    }
}

impl Target {
    /// What one step of the multiplier makes an accumulator's unit worth:
    /// result = acc * multiplier / 2^(16 + shift).
    fn step(self) -> f64 {
        1.0 / (self.one * f64::from(1_u32 << (16 + self.shift)))
    }
}

/// Units of the accumulator that a weight of 1 adds for an output of 1.
fn weight_one(bits: Bits) -> f64 {
    f64::from(HIDDEN_ONE) * f64::from(1_u32 << bits.scale_log2())
}

/// What an input of 1 is multiplied with, shifted to the top of 16 bits.
fn input_one(bits: Bits) -> f64 {
    f64::from(1_u32 << (16 - bits.count()))
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
