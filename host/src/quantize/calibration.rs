//! Calibration: how the numbers that rows are multiplied by vary together while a model writes.
//!
//! It needs no text but the model's own, so that the same float weights always give the same integers.

use firmware::image::BLOCK;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::FloatModel;
use super::float::FloatState;

/// Characters that the model writes.
const LENGTH: usize = 20_000;

/// What is added to a variance, as a share of the mean variance of outputs: a column that hardly varies
/// here may elsewhere.
const DAMPING: f64 = 0.01;

/// Rounds of changing integers; most rows are done after a few.
const MAX_SWEEPS: usize = 20;

/// Means and covariances of the columns of one layer: inputs (one per symbol, 1 for the one that is
/// read), then outputs of the layer below and of the layer itself, padded as in the image.
#[derive(Clone, Debug)]
pub(super) struct Moments {
    /// `[columns]`.
    pub means: Vec<f64>,
    /// `[columns × columns]`, symmetric.
    pub covariances: Vec<f64>,
}

/// One number of a row on its way to an integer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    /// What it is.
    pub exact: f64,
    /// What 1 is worth.
    pub step: f64,
    /// What it is rounded to, in steps.
    pub integer: f64,
}

/// The error of a row's sum.
#[derive(Clone, Copy, Debug)]
pub(super) struct Error {
    /// Its mean.
    pub mean: f64,
    /// The mean square of what it differs from that.
    pub square: f64,
}

/// The moments of every layer, lowest first.
pub(super) fn moments(model: &FloatModel) -> Vec<Moments> {
    let padded = model.hidden.next_multiple_of(BLOCK);
    let symbols = model.alphabet.len();
    let columns = |index| match index {
        0 => symbols + padded,
        _ => 1 + 2 * padded,
    };
    let layers = 0..model.layers.len();
    let mut sums: Vec<Moments> = layers.map(|index| Moments::zero(columns(index))).collect();
    let mut before = FloatState::new(model).hidden().to_vec();
    write(model, |symbol, state| {
        for (index, sums) in sums.iter_mut().enumerate() {
            let (first, one, below) = match index.checked_sub(1) {
                None => (symbols, symbol, None),
                Some(below) => (1, 0, Some(&state.hidden()[below])),
            };
            let outputs = below.into_iter().chain([&before[index]]);
            let outputs = outputs.enumerate().flat_map(|(segment, outputs)| {
                let begin = first + segment * padded;
                let numbered = outputs.iter().enumerate();
                numbered.map(move |(unit, &output)| (begin + unit, output.into()))
            });
            let values: Vec<(usize, f64)> = std::iter::once((one, 1.0)).chain(outputs).collect();
            sums.add(&values);
        }
        before.clone_from_slice(state.hidden());
    });
    sums.into_iter().map(|sums| sums.finish(padded)).collect()
}

/// Lets the model write; `watch` sees every symbol that it reads and its state behind it.
fn write(model: &FloatModel, mut watch: impl FnMut(usize, &FloatState<'_>)) {
    let mut state = FloatState::new(model);
    let mut rng = SmallRng::seed_from_u64(1);
    let mut symbol = 0;
    for _ in 0..LENGTH {
        state.step(symbol);
        watch(symbol, &state);
        symbol = draw(state.logits(), rng.random());
    }
}

impl Moments {
    /// Changes integers of a row, from -max to max, as long as that lessens the error of its sum: one
    /// after the other, each to the best that there is with the others as they are.
    ///
    /// Behdin et al., "QuantEase: Optimization-based Quantization for Language Models", 2023.
    pub fn settle(&self, row: &mut [Column], max: f64) -> Error {
        let errors = row
            .iter()
            .map(|column| column.integer * column.step - column.exact);
        let mut errors: Vec<f64> = errors.collect();
        let covariances = self.covariances.chunks_exact(row.len());
        // Half the gradient of the square.
        let mut slopes: Vec<f64> = covariances.clone().map(|with| dot(with, &errors)).collect();
        for _ in 0..MAX_SWEEPS {
            let mut is_settled = true;
            for (j, (column, with)) in row.iter_mut().zip(covariances.clone()).enumerate() {
                let best = column.integer - slopes[j] / (column.step * with[j]);
                let best = best.round().clamp(-max, max);
                let change = (best - column.integer) * column.step;
                // A column that never varies leads nowhere.
                if change != 0.0 && change.is_finite() {
                    is_settled = false;
                    column.integer = best;
                    errors[j] += change;
                    let slopes = slopes.iter_mut().zip(with);
                    slopes.for_each(|(slope, covariance)| *slope += covariance * change);
                }
            }
            if is_settled {
                break;
            }
        }
        Error {
            mean: dot(&self.means, &errors),
            square: dot(&slopes, &errors),
        }
    }

    fn zero(columns: usize) -> Self {
        Self {
            means: vec![0.0; columns],
            covariances: vec![0.0; columns * columns],
        }
    }

    /// Adds an observation: the columns that may differ from zero, in rising order.
    fn add(&mut self, values: &[(usize, f64)]) {
        let columns = self.means.len();
        for (at, &(i, x)) in values.iter().enumerate() {
            self.means[i] += x;
            let row = &mut self.covariances[i * columns..(i + 1) * columns];
            values[at..].iter().for_each(|&(j, y)| row[j] += x * y);
        }
    }

    /// From sums to moments; the last `outputs` columns say how much damping is little.
    fn finish(mut self, outputs: usize) -> Self {
        let columns = self.means.len();
        let count = LENGTH as f64;
        self.means.iter_mut().for_each(|sum| *sum /= count);
        for i in 0..columns {
            for j in i..columns {
                let moment = self.covariances[i * columns + j] / count;
                let covariance = moment - self.means[i] * self.means[j];
                self.covariances[i * columns + j] = covariance;
                self.covariances[j * columns + i] = covariance;
            }
        }
        let own = columns - outputs..columns;
        let variance: f64 = own.map(|i| self.covariances[i * columns + i]).sum();
        let damping = DAMPING * variance / outputs as f64;
        for i in 0..columns {
            self.covariances[i * columns + i] += damping;
        }
        self
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The symbol at `share`, from 0 to 1, of the probabilities that the logits mean.
fn draw(logits: &[f32], share: f32) -> usize {
    let highest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let mut powers = logits.iter().map(|logit| (logit - highest).exp());
    let mut left = share * powers.clone().sum::<f32>();
    let found = powers.position(|power| {
        left -= power;
        left < 0.0
    });
    found.unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::synthetic::float_model;

    /// The exact mean and variance of a row's error over all of its columns.
    fn error(moments: &Moments, row: &[Column]) -> f64 {
        let errors = row.iter().map(|c| c.integer * c.step - c.exact);
        let errors: Vec<f64> = errors.collect();
        let rows = moments.covariances.chunks_exact(row.len());
        rows.zip(&errors)
            .map(|(with, error)| error * dot(with, &errors))
            .sum()
    }

    proptest! {
        #[test]
        fn no_single_change_betters_a_settled_row(
            exact in proptest::collection::vec(-5.0_f64..5.0, 6),
            mix in proptest::collection::vec(-1.0_f64..1.0, 36),
            means in proptest::collection::vec(-1.0_f64..1.0, 6),
        ) {
            // A product of a matrix with itself is a covariance.
            let row = |i: usize| &mix[i * 6..(i + 1) * 6];
            let covariances = (0..36).map(|at| dot(row(at / 6), row(at % 6)));
            let moments = Moments { means, covariances: covariances.collect() };
            let nearest = |&exact: &f64| Column { exact, step: 0.7, integer: (exact / 0.7).round() };
            let mut settled: Vec<Column> = exact.iter().map(nearest).collect();
            let before = error(&moments, &settled);
            let reported = moments.settle(&mut settled, 7.0);
            let after = error(&moments, &settled);
            prop_assert!((reported.square - after).abs() < 1e-9);
            prop_assert!(after <= before + 1e-9);
            let errors: Vec<f64> = settled.iter().map(|c| c.integer * c.step - c.exact).collect();
            prop_assert!((reported.mean - dot(&moments.means, &errors)).abs() < 1e-9);
            for j in 0..6 {
                for change in [-1.0, 1.0] {
                    let mut other = settled.clone();
                    other[j].integer += change;
                    let in_range = other[j].integer.abs() <= 7.0;
                    prop_assert!(!in_range || error(&moments, &other) >= after - 1e-9);
                }
            }
        }
    }

    #[test]
    fn moments_are_those_of_what_the_model_writes() {
        let model = float_model(9, 5, 2, 3);
        let [lower, upper] = &moments(&model)[..] else {
            panic!("two layers")
        };
        let padded = 5_usize.next_multiple_of(BLOCK);
        assert_eq!(lower.means.len(), 9 + padded);
        assert_eq!(upper.means.len(), 1 + 2 * padded);
        // One symbol is read at a time; what lies beyond the units is nothing.
        assert!((lower.means[..9].iter().sum::<f64>() - 1.0).abs() < 1e-9);
        assert!((upper.means[0] - 1.0).abs() < 1e-9);
        assert!(lower.means[9 + 5..].iter().all(|&mean| mean == 0.0));
        for moments in [lower, upper] {
            let columns = moments.means.len();
            for i in 0..columns {
                assert!(moments.covariances[i * columns + i] > 0.0);
                for j in 0..columns {
                    let (a, b) = (i * columns + j, j * columns + i);
                    assert_eq!(moments.covariances[a], moments.covariances[b]);
                }
            }
        }
    }
}
