//! Fixed-point arithmetic: the few operations every kernel and the PC must do alike.
//!
//! Formats are written Qm.n: m integer bits, n fraction bits, plus a sign. Rounding and saturation
//! are decided here and nowhere else, so that the same image gives the same bytes on every core.

/// Fraction bits of the table index that a gate's pre-activation becomes (Q3.8, 12 bits).
pub const GATE_FRACTION_BITS: u32 = 8;
/// Fraction bits of the cell state (Q4.11, 16 bits).
pub const CELL_FRACTION_BITS: u32 = 11;
/// Fraction bits of a logit (Q5.10, 16 bits).
pub const LOGIT_FRACTION_BITS: u32 = 10;
/// Fraction bits of a gate's bias (Q5.10, 16 bits).
pub const BIAS_FRACTION_BITS: u32 = 10;
/// Largest right shift from a multiplied sum to a gate: a model with large weights has a smaller one.
pub const MAX_GATE_SHIFT: u32 = 14;
/// Smallest right shift from a multiplied sum to a gate.
pub const MIN_GATE_SHIFT: u32 = 4;
/// Left shift from a multiplied input of the first layer to the multiplied sum; above there is none.
pub const INPUT_SHIFT: u32 = 4;
/// Right shift from a multiplied sum to a logit: the sum is Q9.22.
pub const LOGIT_SHIFT: u32 = 12;
/// The hidden state is an `i8` in units of 1/127, so that it is symmetric: never -128.
pub const HIDDEN_ONE: i32 = 127;

/// Clamps to the signed range of `BITS` bits.
#[inline(always)]
#[must_use]
pub const fn saturate<const BITS: u32>(value: i32) -> i32 {
    let max = (1 << (BITS - 1)) - 1;
    let min = -max - 1;
    if value > max {
        max
    } else if value < min {
        min
    } else {
        value
    }
}

/// Brings a multiplied sum to `BITS` bits: `saturate(floor(sum / 2^shift))`.
///
/// Rounding is towards minus infinity; the table that consumes a gate holds the function at the
/// middle of each step, which makes up for the half step.
#[inline(always)]
#[must_use]
pub const fn requantize<const BITS: u32>(sum: i32, shift: u32) -> i32 {
    saturate::<BITS>(sum >> (shift & 31))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saturate_keeps_the_two_ends() {
        assert_eq!(saturate::<12>(2_047), 2_047);
        assert_eq!(saturate::<12>(2_048), 2_047);
        assert_eq!(saturate::<12>(-2_048), -2_048);
        assert_eq!(saturate::<12>(-2_049), -2_048);
        assert_eq!(saturate::<16>(i32::MIN), -32_768);
    }

    #[test]
    fn requantize_is_one_floor_of_the_exact_quotient() {
        for sum in [i32::MIN, -1_000_003, -65_537, -1, 0, 1, 77_777, i32::MAX] {
            let exact = i64::from(sum).div_euclid(1 << 4);
            let clamped = exact.clamp(-32_768, 32_767) as i32;
            assert_eq!(requantize::<16>(sum, 4), clamped);
        }
    }
}
