//! Weights of a few trits: how a row of floats becomes small integers times one step.
//!
//! A weight of `p` planes is a number of `p` balanced ternary digits, `-L..=L` with
//! `L = (3^p - 1) / 2`: one plane has 3 levels, two have 9, three have 27. A row has one step, which
//! all of its integers are multiples of. The first guess at it is a share of the row's mean magnitude,
//! the best for normally distributed weights; with the integers that it leads to, the step is then the
//! one of least squared error. With one plane that is the rule of ternary weight networks
//! (Li et al., "Ternary Weight Networks", 2016). Training rounds by the same rule.

use std::ops::RangeInclusive;

/// Trits per weight that an image can have.
pub const PLANES: RangeInclusive<u8> = 1..=5;

/// The first guess at a row's step for 1 to 5 planes, as a share of its mean magnitude.
const STEPS: [f64; 5] = [1.4, 0.67, 0.27, 0.104, 0.039];

/// Trits per weight of each kind of matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planes {
    /// Recurrent matrices, and those from the layer below.
    pub recurrent: u8,
    /// From the embedded symbol to the first layer.
    pub input: u8,
    /// From the last layer to the logits.
    pub output: u8,
}

impl Planes {
    /// The same everywhere.
    #[must_use]
    pub const fn uniform(planes: u8) -> Self {
        Self {
            recurrent: planes,
            input: planes,
            output: planes,
        }
    }
}

/// The largest integer of so many planes; the smallest is its negative.
#[must_use]
pub const fn largest(planes: u8) -> i32 {
    (3_i32.pow(planes as u32) - 1) / 2
}

/// The first guess at the step of a row whose mean magnitude is 1.
#[must_use]
pub fn first_step(planes: u8) -> f64 {
    STEPS[usize::from(planes.clamp(*PLANES.start(), *PLANES.end())) - 1]
}

/// A row of weights as integers.
#[derive(Clone, Debug, PartialEq)]
pub struct Rounded {
    /// What an integer of 1 is worth; 1 where all are zero.
    pub step: f64,
    /// One per weight, from `-largest(planes)` on.
    pub integers: Vec<i8>,
}

/// Rounds a row.
#[must_use]
pub fn round(row: &[f32], planes: u8) -> Rounded {
    let magnitudes = row.iter().map(|&weight| f64::from(weight.abs()));
    let mean = magnitudes.sum::<f64>() / row.len().max(1) as f64;
    let guess = mean * first_step(planes);
    let most = f64::from(largest(planes));
    // A guess of zero comes with weights of zero; the conversion takes their NaN to zero.
    let integer = |&weight: &f32| {
        (f64::from(weight) / guess)
            .round_ties_even()
            .clamp(-most, most)
    };
    let integers: Vec<i8> = row.iter().map(|weight| integer(weight) as i8).collect();
    let product = |a: f64, b: i8| a * f64::from(b);
    let with_weights = row.iter().zip(&integers);
    let with_weights: f64 = with_weights.map(|(&w, &q)| product(w.into(), q)).sum();
    let squares: f64 = integers.iter().map(|&q| product(q.into(), q)).sum();
    let step = if squares > 0.0 {
        with_weights / squares
    } else {
        1.0
    };
    Rounded { step, integers }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_plane_is_the_rule_of_ternary_weight_networks() {
        // Mean magnitude 1: weights above 0.7 count, with their mean as the step.
        let rounded = round(&[0.1, -0.6, 0.8, -2.5], 1);
        assert_eq!(rounded.integers, [0, 0, 1, -1]);
        assert!((rounded.step - 1.65).abs() < 1e-6);
    }

    #[test]
    fn rows_of_zeros_stay_zeros() {
        let rounded = round(&[0.0; 5], 2);
        assert_eq!((rounded.integers, rounded.step), (vec![0; 5], 1.0));
    }

    proptest! {
        #[test]
        fn no_other_step_suits_the_integers_better(
            row in proptest::collection::vec(-3.0_f32..3.0, 1..60),
            planes in 1_u8..=5,
            other in 0.5_f64..1.5,
        ) {
            let Rounded { step, integers } = round(&row, planes);
            let error = |step: f64| -> f64 {
                let pairs = row.iter().zip(&integers);
                pairs.map(|(&w, &q)| (f64::from(w) - step * f64::from(q)).powi(2)).sum()
            };
            let most = largest(planes);
            prop_assert!(integers.iter().all(|&q| i32::from(q).abs() <= most));
            prop_assert!(step > 0.0);
            prop_assert!(error(step) <= error(step * other) + 1e-9);
        }

        #[test]
        fn more_planes_are_closer(row in proptest::collection::vec(-3.0_f32..3.0, 200)) {
            let error = |planes| -> f64 {
                let Rounded { step, integers } = round(&row, planes);
                let pairs = row.iter().zip(&integers);
                pairs.map(|(&w, &q)| (f64::from(w) - step * f64::from(q)).powi(2)).sum()
            };
            let errors: Vec<f64> = PLANES.map(error).collect();
            prop_assert!(errors.is_sorted_by(|a, b| a > b), "{errors:?}");
        }
    }
}
