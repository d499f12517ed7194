//! How a model goes over the line: what the PC types, parcel by parcel, and what the board answers.
//!
//! `/load BYTES CHECKSUM` announces it; lines `/data OFFSET CHECK TEXT` bring it, 128 bytes in base64 each,
//! with a checksum over the offset and the bytes. The board first wants the line with the header, looks at
//! that, makes room, and then answers with the byte that it wants next: behind every [`STRIDE`], to another
//! announcement of the same model, and whenever something else has come. Nothing else is needed to start, to
//! go on and to repeat.

use core::fmt;

use base64ct::{Base64Unpadded, Encoding};
use heapless::Vec;
use inkling_engine::image::crc32;

/// Bytes of a model in one line.
pub const PARCEL_BYTES: usize = 128;

/// The board says how far it is behind so many bytes, and the PC waits for that.
pub const STRIDE: usize = 4096;

/// Starts what the board says about a model that comes in.
pub const LOAD: &str = "load: ";

const HEADER: &str = "header of ";
const WANTED: &str = "next ";
const ERASING: &str = "erasing, ";
const OF: &str = " of ";
const COMPLETE: &str = "complete, checksum ";
const REFUSED: &str = "refused: ";
const GIVEN_UP: &str = "given up";

/// Bytes of the text of a parcel.
const TEXT_BYTES: usize = PARCEL_BYTES.div_ceil(3) * 4;

/// Bytes of an offset.
const OFFSET_BYTES: usize = size_of::<u32>();

/// Some bytes of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    /// Where they belong.
    pub offset: u32,
    /// The bytes, one at least.
    pub bytes: Vec<u8, PARCEL_BYTES>,
}

/// A line that holds no parcel: noise has been at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParcelError;

impl Parcel {
    /// Those of a model from `offset` on, as many as fit; `None` behind its end.
    #[must_use]
    pub fn of(image: &[u8], offset: usize) -> Option<Parcel> {
        let rest = image.get(offset..).filter(|rest| !rest.is_empty())?;
        let bytes = rest.get(..PARCEL_BYTES).unwrap_or(rest);
        Some(Parcel {
            offset: u32::try_from(offset).ok()?,
            bytes: Vec::from_slice(bytes).ok()?,
        })
    }

    /// Reads what stands in a line behind `/data`.
    ///
    /// # Errors
    /// When anything about it is wrong.
    #[inline(never)]
    pub fn read(text: &str) -> Result<Parcel, ParcelError> {
        let mut words = text.split(' ');
        let (Some(offset), Some(check), Some(text), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(ParcelError);
        };
        let number = |digits| u32::from_str_radix(digits, 16).map_err(|_| ParcelError);
        let mut buffer = [0; PARCEL_BYTES];
        let bytes = Base64Unpadded::decode(text, &mut buffer).map_err(|_| ParcelError)?;
        let parcel = Parcel {
            offset: number(offset)?,
            bytes: Vec::from_slice(bytes).map_err(|_| ParcelError)?,
        };
        match parcel.bytes.is_empty() || parcel.check() != number(check)? {
            true => Err(ParcelError),
            false => Ok(parcel),
        }
    }

    fn check(&self) -> u32 {
        let mut all = [0; OFFSET_BYTES + PARCEL_BYTES];
        let (front, rest) = all.split_at_mut(OFFSET_BYTES);
        front.copy_from_slice(&self.offset.to_le_bytes());
        for (place, byte) in rest.iter_mut().zip(&self.bytes) {
            *place = *byte;
        }
        crc32(all.get(..OFFSET_BYTES + self.bytes.len()).unwrap_or(&all))
    }
}

/// As it is typed behind `/data`.
impl fmt::Display for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; TEXT_BYTES];
        let text = Base64Unpadded::encode(&self.bytes, &mut text).map_err(|_| fmt::Error)?;
        write!(f, "{:x} {:08x} {text}", self.offset, self.check())
    }
}

/// What the board says about a model that comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Load<'a> {
    /// It wants the first line, which holds the header, of a model of so many bytes.
    Header(u32),
    /// The next byte that it wants, of how many.
    Wanted(u32, u32),
    /// It makes room: the bytes that are blank already, of how many.
    Erasing(u32, u32),
    /// It has the model of this checksum and uses it, from its restart on.
    Complete(u32),
    /// It does not take it; why.
    Refused(&'a str),
    /// It waits for no model any more.
    GivenUp,
}

impl fmt::Display for Load<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(LOAD)?;
        match self {
            Load::Header(all) => write!(f, "{HEADER}{all}"),
            Load::Wanted(next, all) => write!(f, "{WANTED}{next}{OF}{all}"),
            Load::Erasing(blank, all) => write!(f, "{ERASING}{blank}{OF}{all}"),
            Load::Complete(checksum) => write!(f, "{COMPLETE}{checksum:08x}"),
            Load::Refused(reason) => write!(f, "{REFUSED}{reason}"),
            Load::GivenUp => f.write_str(GIVEN_UP),
        }
    }
}

impl<'a> Load<'a> {
    /// Reads a line as the parser hands it out.
    pub(super) fn read(line: &'a str) -> Option<Load<'a>> {
        let said = line.strip_prefix(LOAD)?;
        let of = |numbers: &str| {
            let (part, all) = numbers.split_once(OF)?;
            Some((part.parse().ok()?, all.parse().ok()?))
        };
        if let Some(all) = said.strip_prefix(HEADER) {
            Some(Load::Header(all.parse().ok()?))
        } else if let Some(numbers) = said.strip_prefix(WANTED) {
            let (next, all) = of(numbers)?;
            Some(Load::Wanted(next, all))
        } else if let Some(numbers) = said.strip_prefix(ERASING) {
            let (blank, all) = of(numbers)?;
            Some(Load::Erasing(blank, all))
        } else if let Some(digits) = said.strip_prefix(COMPLETE) {
            Some(Load::Complete(u32::from_str_radix(digits, 16).ok()?))
        } else if let Some(reason) = said.strip_prefix(REFUSED) {
            Some(Load::Refused(reason))
        } else {
            (said == GIVEN_UP).then_some(Load::GivenUp)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use std::string::ToString;

    use super::*;
    use crate::console::{Command, LINE_BYTES};
    use crate::protocol::Said;

    #[test]
    fn the_longest_parcel_fits_a_line_of_the_console() {
        let parcel = Parcel {
            offset: u32::MAX,
            bytes: Vec::from_slice(&[0xFF; PARCEL_BYTES]).unwrap(),
        };
        let text = parcel.to_string();
        let line = Command::Data(&text).to_string();
        assert!(line.len() <= LINE_BYTES, "{}", line.len());
        assert_eq!(Command::parse(&line), Ok(Command::Data(&text)));
    }

    #[test]
    fn a_model_is_cut_into_parcels_and_nothing_is_left_out() {
        let image: std::vec::Vec<u8> = (0..1000).map(|number| number as u8).collect();
        let mut together = std::vec::Vec::new();
        while let Some(parcel) = Parcel::of(&image, together.len()) {
            together.extend(parcel.bytes);
        }
        assert_eq!(together, image);
        assert_eq!(Parcel::of(&image, 1001), None);
    }

    fn load() -> impl Strategy<Value = Load<'static>> {
        prop_oneof![
            any::<u32>().prop_map(Load::Header),
            any::<(u32, u32)>().prop_map(|(next, all)| Load::Wanted(next, all)),
            any::<(u32, u32)>().prop_map(|(blank, all)| Load::Erasing(blank, all)),
            any::<u32>().prop_map(Load::Complete),
            "[^\\p{Cc}]{0,80}".prop_map(|reason| Load::Refused(reason.leak())),
            Just(Load::GivenUp),
        ]
    }

    proptest! {
        #[test]
        fn a_parcel_is_read_as_it_was_typed(
            offset: u32,
            bytes in proptest::collection::vec(any::<u8>(), 1..=PARCEL_BYTES),
        ) {
            let bytes = Vec::from_slice(&bytes).unwrap();
            let parcel = Parcel { offset, bytes };
            prop_assert_eq!(Parcel::read(&parcel.to_string()), Ok(parcel));
        }

        #[test]
        fn a_parcel_with_a_wrong_character_is_none(
            bytes in proptest::collection::vec(any::<u8>(), 1..=PARCEL_BYTES),
            at: proptest::sample::Index,
            other in "[ -~]",
        ) {
            let bytes = Vec::from_slice(&bytes).unwrap();
            let typed = Parcel { offset: 4096, bytes }.to_string();
            let at = at.index(typed.len());
            let mut noisy = typed.clone();
            noisy.replace_range(at..=at, &other);
            // The digits of numbers may be capitals.
            prop_assume!(!noisy.eq_ignore_ascii_case(&typed));
            prop_assert_eq!(Parcel::read(&noisy), Err(ParcelError));
        }

        #[test]
        fn what_the_board_says_of_a_model_is_read_as_it_was_said(load in load()) {
            let line = load.to_string();
            prop_assert_eq!(Said::read(&line), Said::Load(load));
        }

        #[test]
        fn no_line_is_too_strange_to_be_read(line: String) {
            let _ = Load::read(&line);
            let _ = Parcel::read(&line);
        }
    }
}
