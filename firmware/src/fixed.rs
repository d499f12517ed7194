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
/// Right shift from accumulator to gate, behind the multiplier's 16 bits.
pub const GATE_SHIFT: u32 = 8;
/// Right shift from accumulator to logit, behind the multiplier's 16 bits.
pub const LOGIT_SHIFT: u32 = 5;
/// The hidden state is an `i8` in units of 1/127, so that it is symmetric: never -128.
pub const HIDDEN_ONE: i32 = 127;

/// Scales an accumulator: `floor(acc * multiplier / 2^16)`.
///
/// In halves, so that the smallest cores need no 64-bit product; cores with DSP instructions have it as
/// one `SMULWB`.
#[inline(always)]
#[must_use]
pub const fn scale(acc: i32, multiplier: i16) -> i32 {
    let multiplier = multiplier as i32;
    let (high, low) = (acc >> 16, acc & 0xFFFF);
    high * multiplier + ((low * multiplier) >> 16)
}

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

/// Requantizes an accumulator: `saturate(floor(acc * multiplier / 2^(16 + SHIFT)))` to `BITS` bits.
///
/// Rounding is towards minus infinity; the table that consumes a gate holds the function at the
/// middle of each step, which makes up for the half step.
#[inline(always)]
#[must_use]
pub const fn requantize<const BITS: u32, const SHIFT: u32>(acc: i32, multiplier: i16) -> i32 {
    saturate::<BITS>(scale(acc, multiplier) >> SHIFT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scale_rounds_towards_minus_infinity() {
        assert_eq!(scale(65_536, 3), 3);
        assert_eq!(scale(1, 1), 0);
        assert_eq!(scale(-1, 1), -1);
        assert_eq!(scale(i32::MIN, i16::MAX), -(32_767 << 15));
    }

    #[test]
    fn scale_equals_the_64_bit_product() {
        for acc in [i32::MIN, -70_001, -1, 0, 65_535, 123_456_789, i32::MAX] {
            for multiplier in [i16::MIN, -3, 0, 1, 12_345, i16::MAX] {
                let exact = (i64::from(acc) * i64::from(multiplier)) >> 16;
                assert_eq!(i64::from(scale(acc, multiplier)), exact);
            }
        }
    }

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
        for acc in [-1_000_003, -65_537, -1, 0, 1, 77_777, 1_234_567_890] {
            for multiplier in [1_i16, 127, 16_384, i16::MAX] {
                let exact = (i64::from(acc) * i64::from(multiplier)).div_euclid(1 << 20);
                let clamped = exact.clamp(-32_768, 32_767) as i32;
                assert_eq!(requantize::<16, 4>(acc, multiplier), clamped);
            }
        }
    }
}
