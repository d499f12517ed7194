//! Where a passage ends before its length is reached: at a line end, at a full stop, at whatever was
//! asked for.

use core::fmt::{self, Write as _};
use core::str::FromStr;

/// The most characters that can end a passage.
pub const MOST: usize = 4;

/// Characters that end a passage, any of them. They are part of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Until([Option<char>; MOST]);

/// A text that is no [`Until`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UntilError;

impl fmt::Display for UntilError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {TAKES}")
    }
}

impl core::error::Error for UntilError {}

/// What can be typed.
pub const TAKES: &str = "1 to 4 characters, with \\n for a line end and \\s for a blank, or off";

/// The character that is typed behind a backslash as this one: those that a line cannot hold, or not at
/// its end.
fn escaped(typed: char) -> Option<char> {
    match typed {
        'n' => Some('\n'),
        't' => Some('\t'),
        's' => Some(' '),
        '\\' => Some('\\'),
        _ => None,
    }
}

/// What is typed for this one, if it is not the character itself.
fn escape(meant: char) -> Option<char> {
    match meant {
        '\n' => Some('n'),
        '\t' => Some('t'),
        ' ' => Some('s'),
        '\\' => Some('\\'),
        _ => None,
    }
}

impl Until {
    /// None: only the length ends a passage.
    pub const OFF: Self = Self([None; MOST]);

    /// Whether there are none.
    #[must_use]
    pub fn is_off(&self) -> bool {
        *self == Self::OFF
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn holds(&self, character: char) -> bool {
        self.0.contains(&Some(character))
    }

    /// All of them.
    pub fn chars(self) -> impl Iterator<Item = char> {
        self.0.into_iter().flatten()
    }
}

impl FromStr for Until {
    type Err = UntilError;

    fn from_str(text: &str) -> Result<Self, UntilError> {
        if text == "off" {
            return Ok(Self::OFF);
        }
        let mut until = Self::OFF;
        let mut rest = text;
        for place in &mut until.0 {
            *place = take(&mut rest)?;
        }
        match rest.is_empty() && !until.is_off() {
            true => Ok(until),
            false => Err(UntilError),
        }
    }
}

/// The next character that is meant; none at the end.
#[inline(never)]
fn take(typed: &mut &str) -> Result<Option<char>, UntilError> {
    let mut chars = typed.chars();
    let mut next = chars.next();
    if next == Some('\\') {
        next = Some(chars.next().and_then(escaped).ok_or(UntilError)?);
    }
    *typed = chars.as_str();
    Ok(next)
}

/// As it is typed.
impl fmt::Display for Until {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_off() {
            return f.write_str("off");
        }
        for c in self.chars() {
            let escape = escape(c);
            if escape.is_some() {
                f.write_char('\\')?;
            }
            f.write_char(escape.unwrap_or(c))?;
        }
        Ok(())
    }
}

/// Tells where a passage ends: at the first of the characters that has something in front of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ending {
    has_begun: bool,
}

impl Ending {
    /// Takes note of a character of the prompt.
    pub fn read(&mut self) {
        self.has_begun = true;
    }

    /// Takes note of the next character that was written and of whether it is one that ends passages;
    /// says whether this passage ends with it.
    pub fn ends_with(&mut self, is_end: bool) -> bool {
        let ends = is_end && self.has_begun;
        self.has_begun |= !is_end;
        ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    #[test]
    fn what_ends_a_passage_is_typed_with_escapes() {
        let until: Until = r"\n.\s\\".parse().unwrap();
        assert!("\n. \\".chars().all(|c| until.holds(c)));
        assert!(!until.holds('n'));
        assert_eq!("off".parse(), Ok(Until::OFF));
        for wrong in ["", "\\", r"\x", "abcde"] {
            assert_eq!(wrong.parse::<Until>(), Err(UntilError), "{wrong}");
        }
    }

    #[test]
    fn a_passage_does_not_end_before_it_has_begun() {
        let until: Until = r"\n".parse().unwrap();
        let ends = |text: &str| {
            let mut ending = Ending::default();
            text.chars().position(|c| ending.ends_with(until.holds(c)))
        };
        assert_eq!(ends("\n\nAda\nBob\n"), Some(5));
        assert_eq!(ends("\n\n\n"), None);
    }

    proptest! {
        #[test]
        fn what_ends_a_passage_is_typed_as_it_is_displayed(text in "[^\\\\]{1,4}") {
            if let Ok(until) = text.parse::<Until>() {
                prop_assert_eq!(until.to_string().parse(), Ok(until));
            }
        }
    }
}
