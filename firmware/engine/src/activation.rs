//! The activation table: tanh(x/2) by direct look-up, from which the logistic function follows.
//!
//! `sigmoid(x) = (1 + tanh(x/2)) / 2`, so one table serves all four gates and the cell. Without
//! interpolation a look-up is one load; the 12-bit index makes the error (at most 1/1024 for tanh(x/2),
//! half that for the logistic function) smaller than a step of the 8-bit hidden state it feeds.

use crate::fixed::{CELL_FRACTION_BITS, GATE_FRACTION_BITS, saturate};

/// Bits of a table index: the range is [-8, 8) in steps of 2^-8.
pub const INDEX_BITS: u32 = 12;
const ENTRIES: usize = 1 << INDEX_BITS;
const HALF: i32 = 1 << (INDEX_BITS - 1);

/// `TANH_HALF[i]` = tanh(x/2) in Q0.15 at the middle of step `i - 2048`.
static TANH_HALF: [i16; ENTRIES] = table();

#[allow(long_running_const_eval)] // 4,096 short series, once per build
const fn table() -> [i16; ENTRIES] {
    let mut values = [0; ENTRIES];
    let mut index = 0;
    while index < ENTRIES / 2 {
        let x = (index as f64 + 0.5) / (1 << GATE_FRACTION_BITS) as f64;
        // tanh(x/2) = (1 - e^-x) / (1 + e^-x)
        let e = exp_negative(x);
        let scaled = (1.0 - e) / (1.0 + e) * 32_768.0 + 0.5;
        let value = scaled as i16; // saturates at 32,767
        values[ENTRIES / 2 + index] = value;
        values[ENTRIES / 2 - 1 - index] = -value;
        index += 1;
    }
    values
}

/// e^-x for 0 <= x <= 16 at compile time: the Taylor series of e^(x/32), to the power of -32.
const fn exp_negative(x: f64) -> f64 {
    let y = x / 32.0;
    let mut sum = 1.0;
    let mut term = 1.0;
    let mut n = 1.0;
    while n < 14.0 {
        term *= y / n;
        sum += term;
        n += 1.0;
    }
    let mut power = sum;
    let mut doublings = 0;
    while doublings < 5 {
        power *= power;
        doublings += 1;
    }
    1.0 / power
}

/// tanh(x/2) in Q0.15 for a pre-activation `x` in Q3.8; 0 where `x` is outside 12 bits, which no saturated number is.
#[inline(always)]
#[must_use]
pub fn tanh_half(x: i32) -> i32 {
    let index = x.wrapping_add(HALF) as usize;
    TANH_HALF.get(index).copied().unwrap_or_default().into()
}

/// The logistic function in Q0.16 for a pre-activation `x` in Q3.8: 0 < result < 65,536.
#[inline(always)]
#[must_use]
pub fn sigmoid(x: i32) -> i32 {
    32_768 + tanh_half(x)
}

/// tanh(c) in Q0.15 for a cell state `c` in Q4.11, by tanh(c) = tanh(2c / 2).
#[inline(always)]
#[must_use]
pub fn tanh_cell(c: i32) -> i32 {
    tanh_half(saturate::<INDEX_BITS>(
        c >> (CELL_FRACTION_BITS - GATE_FRACTION_BITS - 1),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_the_rounded_function() {
        for x in -HALF..HALF {
            let exact = (f64::from(x) + 0.5) / 256.0;
            let expected = ((exact / 2.0).tanh() * 32_768.0).round().min(32_767.0);
            assert!(
                (f64::from(tanh_half(x)) - expected).abs() <= 1.0,
                "x = {x}: {} instead of {expected}",
                tanh_half(x)
            );
        }
    }

    #[test]
    fn the_functions_are_odd_and_monotone() {
        for x in 0..HALF {
            assert_eq!(tanh_half(x), -tanh_half(-1 - x));
            assert!(tanh_half(x) >= tanh_half(x - 1));
            assert!((1..65_536).contains(&sigmoid(x)));
        }
    }

    #[test]
    fn the_cell_saturates_instead_of_wrapping() {
        assert_eq!(tanh_cell(i32::from(i16::MAX)), tanh_half(HALF - 1));
        assert_eq!(tanh_cell(i32::from(i16::MIN)), tanh_half(-HALF));
        assert!(tanh_cell(2_048) > 24_000 && tanh_cell(2_048) < 25_000); // tanh(1) = 0.7616
    }
}
