//! What says that a model is complete: written last, behind it, and worth nothing with a wrong bit.

use inkling_engine::format::{CHECKSUM_OFFSET, LENGTH_OFFSET, MAGIC};
use inkling_engine::image::crc32;

use crate::layout::Layout;

/// Bytes of a record: a multiple of what any chip writes at once.
pub const RECORD_BYTES: usize = 32;

/// The first four bytes of a record.
const RECORD_MAGIC: u32 = u32::from_le_bytes(*b"INKS");

/// Words of a record that its checksum is of.
const CHECKED_WORDS: usize = 5;

/// Says that a model is complete, and which of two is the newer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Higher than that of any model before.
    pub sequence: u32,
    /// Where the model starts in the region.
    pub start: u32,
    /// Its length in bytes.
    pub length: u32,
    /// The checksum in its header.
    pub checksum: u32,
}

impl Record {
    /// As it is written.
    #[must_use]
    pub fn to_bytes(self) -> [u8; RECORD_BYTES] {
        let words = [
            RECORD_MAGIC,
            self.sequence,
            self.start,
            self.length,
            self.checksum,
        ];
        let mut bytes = [0xFF; RECORD_BYTES];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        let checksum = crc32(bytes.get(..4 * CHECKED_WORDS).unwrap_or_default());
        if let Some(place) = bytes.chunks_exact_mut(4).nth(CHECKED_WORDS) {
            place.copy_from_slice(&checksum.to_le_bytes());
        }
        bytes
    }

    /// The record at this place of the region, if there is a sound one.
    #[must_use]
    pub fn read(region: &[u8], at: usize) -> Option<Record> {
        let word = |index: usize| word(region, at.checked_add(4 * index)?);
        let checked = region.get(at..at.checked_add(4 * CHECKED_WORDS)?)?;
        let is_sound = word(0)? == RECORD_MAGIC && word(CHECKED_WORDS)? == crc32(checked);
        Some(Record {
            sequence: word(1)?,
            start: word(2)?,
            length: word(3)?,
            checksum: word(4)?,
        })
        .filter(|_| is_sound)
    }

    /// The record for a model that is written from outside to the region's start, where every other record
    /// is removed, and where it goes; none where the model leaves no room for one.
    #[must_use]
    pub fn from_outside(image: &[u8], layout: Layout) -> Option<(usize, Record)> {
        let Header { length, checksum } = Header::read(image, 0)?;
        let slot = layout.slot_at_start(length);
        let record = Record {
            sequence: 1,
            start: 0,
            length: length as u32,
            checksum,
        };
        (length <= layout.room(slot)).then_some((layout.record(slot), record))
    }
}

/// What the header of a model says that records say too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub length: usize,
    pub checksum: u32,
}

impl Header {
    /// That of the model at this place, if there is one; nothing else of it is looked at.
    pub fn read(region: &[u8], at: usize) -> Option<Header> {
        let is_image = word(region, at)? == u32::from_le_bytes(MAGIC);
        Some(Header {
            length: word(region, at.checked_add(LENGTH_OFFSET)?)? as usize,
            checksum: word(region, at.checked_add(CHECKSUM_OFFSET)?)?,
        })
        .filter(|_| is_image)
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let (word, _) = bytes.get(at..)?.split_first_chunk()?;
    Some(u32::from_le_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: Record = Record {
        sequence: 7,
        start: 4096,
        length: 64_000,
        checksum: 0x0BAD_CAFE,
    };

    #[test]
    fn a_record_is_read_as_it_was_written_and_with_a_wrong_bit_not_at_all() {
        let mut region = [0xFF; 100];
        region[30..30 + RECORD_BYTES].copy_from_slice(&RECORD.to_bytes());
        assert_eq!(Record::read(&region, 30), Some(RECORD));
        for bit in 0..8 * 24 {
            let mut damaged = region;
            damaged[30 + bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Record::read(&damaged, 30), None, "bit {bit}");
        }
        for at in [0, 99, 100, usize::MAX] {
            assert_eq!(Record::read(&region, at), None);
        }
        assert_eq!(Record::read(&[0xFF; 64], 0), None);
        assert_eq!(Record::read(&[0; 64], 0), None);
    }
}
