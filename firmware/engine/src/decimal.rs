//! Decimal numbers as they are typed at a console and shown there, without floating point.

use core::fmt;
use core::str::FromStr;

/// A decimal number from 0 to 65.535 in steps of 0.001, as typed at a console.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Thousandths(pub u16);

impl Thousandths {
    /// 1.0
    pub const ONE: Self = Self(1_000);
}

impl fmt::Display for Thousandths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / 1_000, self.0 % 1_000);
        match (rest % 10, rest % 100, rest) {
            (_, _, 0) => write!(f, "{whole}.0"),
            (_, 0, _) => write!(f, "{whole}.{}", rest / 100),
            (0, _, _) => write!(f, "{whole}.{:02}", rest / 10),
            _ => write!(f, "{whole}.{rest:03}"),
        }
    }
}

/// A text that is not a number from 0 to 65.535.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ThousandthsError;

impl fmt::Display for ThousandthsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a number from 0 to 65.535, such as 0.8")
    }
}

impl core::error::Error for ThousandthsError {}

impl FromStr for Thousandths {
    type Err = ThousandthsError;

    /// Reads digits with an optional point; digits behind the third decimal place are dropped.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits_only = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty())
            || !digits_only(whole)
            || !digits_only(fraction)
        {
            return Err(ThousandthsError);
        }
        let mut value: u16 = 0;
        let decimals = fraction.bytes().chain(core::iter::repeat(b'0')).take(3);
        for digit in whole.bytes().chain(decimals) {
            value = value
                .checked_mul(10)
                .and_then(|value| value.checked_add(u16::from(digit - b'0')))
                .ok_or(ThousandthsError)?;
        }
        Ok(Self(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousandths_read_what_people_type() {
        for (text, value) in [("0.8", 800), ("1", 1_000), (".5", 500), ("2.", 2_000)] {
            assert_eq!(text.parse(), Ok(Thousandths(value)));
        }
        assert_eq!("65.5359".parse(), Ok(Thousandths(65_535)));
        for text in [
            "", ".", "-1", "NaN", "inf", "1e3", "65.536", "99999", "0,8", "+1", "1.2.3",
        ] {
            assert_eq!(text.parse::<Thousandths>(), Err(ThousandthsError), "{text}");
        }
    }
}
