//! Weights of a few trits: how a row of floats becomes small integers times one step.
//!
//! A weight of `p` planes is a number of `p` balanced ternary digits, `-L..=L` with
//! `L = (3^p - 1) / 2`: one plane has 3 levels, two have 9, three have 27. A row has one step, which
//! all of its integers are multiples of. The first guess at it is a share of the row's mean magnitude;
//! with the integers that it leads to, the step is then the one of least squared error, as in ternary
//! weight networks (Li et al., "Ternary Weight Networks", 2016). Training rounds by the same rule.

use std::ops::RangeInclusive;

use inkling_engine::format::MAX_PLANES;
pub use inkling_engine::format::{Planes, largest};

/// Trits per weight that an image can have.
pub const PLANES: RangeInclusive<u8> = 1..=MAX_PLANES;

/// The first guess at a row's step for 1 to 5 planes, as a share of its mean magnitude.
///
/// For one and two planes those with which training gets furthest: smaller ones than those of least error
/// for normally distributed weights (1.53 and 0.67), so that fewer weights are zero and more are clipped.
/// For more planes, which serve models that were trained without rounding, those of least error.
const STEPS: [f64; 5] = [0.9, 0.4, 0.27, 0.104, 0.039];

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

/// The largest integer that [`round_bytes`] makes.
pub const LARGEST_BYTE: f64 = 127.0;

/// Rounds numbers to bytes from -127 to 127 of one step, which comes first.
#[must_use]
pub fn round_bytes(numbers: &[f32]) -> (f64, Vec<i8>) {
    let largest = numbers
        .iter()
        .fold(0.0_f64, |most, &x| most.max(x.abs().into()));
    let step = if largest > 0.0 {
        largest / LARGEST_BYTE
    } else {
        1.0
    };
    let byte = |&x: &f32| (f64::from(x) / step).round_ties_even() as i8;
    (step, numbers.iter().map(byte).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_plane_keeps_signs_and_the_mean_of_what_is_not_zero() {
        // Mean magnitude 1: weights above 0.45 count, with their mean as the step.
        let rounded = round(&[0.3, -0.6, 0.6, -2.5], 1);
        assert_eq!(rounded.integers, [0, -1, 1, -1]);
        assert!((rounded.step - 3.7 / 3.0).abs() < 1e-6);
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
