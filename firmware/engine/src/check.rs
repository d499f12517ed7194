//! The complete check of an image, which the compiler can do as well as a board.

use crate::alphabet::code_point;
use crate::fixed::{MAX_GATE_SHIFT, MIN_GATE_SHIFT};
use crate::format::{
    ALIGNMENT, CHECKSUM_OFFSET, Dimensions, EMBEDDING_OFFSET, GATE_SHIFT_OFFSET, HEADER_BYTES,
    HIGH_SUMS, LENGTH_OFFSET, LOW_SUMS, MAGIC, NAME_BYTES, NAME_OFFSET, OLDEST_VERSION, Planes,
    STREAK_LEVELS, STREAKS_OFFSET, Section, VERSION, VERSION_OFFSET, unpack,
};
use crate::image::{ImageError, checksum};
use crate::spelling::digit;

/// What the header of a checked image says.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    pub(crate) dimensions: Dimensions,
    pub(crate) version: u16,
    pub(crate) gate_shift: u32,
    pub(crate) checksum: u32,
    /// The largest density of streaks, then their distances; zeros where there is no guard.
    pub(crate) streaks: [u8; 1 + STREAK_LEVELS.len()],
}

const fn half(header: &[u8; HEADER_BYTES], at: usize) -> u16 {
    u16::from_le_bytes([header[at], header[at + 1]])
}

const fn word(header: &[u8; HEADER_BYTES], at: usize) -> u32 {
    half(header, at) as u32 | (half(header, at + 2) as u32) << 16
}

/// Checks everything about an image but where it lies. Bytes behind its end are ignored.
///
/// # Errors
/// As for [`crate::Model::parse`].
pub const fn check(bytes: &[u8]) -> Result<Header, ImageError> {
    match bytes.first_chunk() {
        Some(magic) if u32::from_le_bytes(*magic) == u32::from_le_bytes(MAGIC) => {}
        _ => return Err(ImageError::NotAnImage),
    }
    let Some(header) = bytes.first_chunk::<HEADER_BYTES>() else {
        return Err(truncated(bytes, HEADER_BYTES));
    };
    let version = half(header, VERSION_OFFSET);
    if version < OLDEST_VERSION || version > VERSION {
        return Err(ImageError::Version { found: version });
    }
    let length = word(header, LENGTH_OFFSET) as usize;
    let Some((image, _)) = bytes.split_at_checked(length) else {
        return Err(truncated(bytes, length));
    };
    let checksum = checksum(image);
    if checksum != word(header, CHECKSUM_OFFSET) {
        return Err(ImageError::Corrupted);
    }
    let dimensions = Dimensions {
        hidden: half(header, 16) as usize,
        symbols: half(header, 18) as usize,
        layers: header[20] as usize,
        embedding: half(header, EMBEDDING_OFFSET) as usize,
        planes: Planes {
            recurrent: header[21],
            input: header[22],
            output: header[23],
        },
    };
    if !dimensions.fit() {
        return Err(ImageError::Dimensions);
    }
    let gate_shift = header[GATE_SHIFT_OFFSET] as u32;
    let is_shift = gate_shift >= MIN_GATE_SHIFT && gate_shift <= MAX_GATE_SHIFT;
    let is_guarded = version > OLDEST_VERSION;
    // Older images have zeros there, and what is there counts for nothing.
    let streaks = match header.split_at(STREAKS_OFFSET).1.first_chunk() {
        Some(streaks) if is_guarded => *streaks,
        _ => [0; 1 + STREAK_LEVELS.len()],
    };
    let sound = dimensions.image_bytes() == length
        && is_shift
        && (!is_guarded || version == VERSION || streaks[0] != 0)
        && is_name(header)
        && are_sound(image, &dimensions, version);
    if !sound {
        return Err(ImageError::Malformed);
    }
    Ok(Header {
        dimensions,
        version,
        gate_shift,
        checksum,
        streaks,
    })
}

const fn truncated(bytes: &[u8], expected: usize) -> ImageError {
    ImageError::Truncated {
        found: bytes.len(),
        expected,
    }
}

/// Whether the name is text.
const fn is_name(header: &[u8; HEADER_BYTES]) -> bool {
    match header.split_at(NAME_OFFSET).1.split_at_checked(NAME_BYTES) {
        Some((name, _)) => core::str::from_utf8(name).is_ok(),
        None => false,
    }
}

/// Whether the sections hold what they may: code points, and bytes that stand for trits.
const fn are_sound(image: &[u8], dimensions: &Dimensions, version: u16) -> bool {
    let Some((_, mut rest)) = image.split_at_checked(HEADER_BYTES) else {
        return false;
    };
    let mut index = 0;
    while let Some((section, length)) = dimensions.section(index) {
        let Some((padded, behind)) = rest.split_at_checked(length.next_multiple_of(ALIGNMENT))
        else {
            return false;
        };
        let Some((content, _)) = padded.split_at_checked(length) else {
            return false;
        };
        let is_sound = match section {
            Section::Alphabet => are_symbols(content, version),
            Section::InputMatrix | Section::RecurrentMatrix | Section::OutputMatrix => {
                are_trits(content)
            }
            _ => true,
        };
        if !is_sound {
            return false;
        }
        rest = behind;
        index += 1;
    }
    true
}

/// Whether all words can stand in the alphabet of an image of this version.
const fn are_symbols(mut bytes: &[u8], version: u16) -> bool {
    while let Some((word, rest)) = bytes.split_first_chunk() {
        let word = u32::from_le_bytes(*word);
        let code = match version {
            OLDEST_VERSION => word,
            _ => code_point(word),
        };
        // An older program would write digits as they are.
        if char::from_u32(code).is_none() || (version < VERSION && digit(code).is_some()) {
            return false;
        }
        bytes = rest;
    }
    true
}

const fn are_trits(mut bytes: &[u8]) -> bool {
    while let Some((&byte, rest)) = bytes.split_first() {
        if !stands_for_trits(byte) {
            return false;
        }
        bytes = rest;
    }
    true
}

/// Whether [`unpack`] knows the byte; looked up, for the smallest cores cannot divide.
const fn stands_for_trits(byte: u8) -> bool {
    const KNOWN: [u32; 8] = {
        let mut known = [0; 8];
        let mut byte = 0;
        while byte < LOW_SUMS * HIGH_SUMS {
            if unpack(byte as u8).is_some() {
                known[byte / 32] |= 1 << (byte % 32);
            }
            byte += 1;
        }
        known
    };
    KNOWN[(byte >> 5) as usize] >> (byte & 31) & 1 == 1
}
