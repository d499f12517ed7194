//! What is to stand in a board's flash: bytes by address, read from and written as ELF, hex and bin.
//!
//! It knows no board; UF2 files are the module [`super::uf2`]'s.

use std::collections::BTreeMap;
use std::ops::Range;

use firmware::board::identity::{MARK, MARK_END};
use ihex::Record;
use inkling_engine::format::{ALIGNMENT, HEADER_BYTES, LENGTH_OFFSET, MAGIC};
use object::Endianness;
use object::read::elf::{ElfFile32, ProgramHeader};

/// Bytes of data in a record of a hex file: what every loader takes.
const RECORD_BYTES: usize = 16;

/// More than any board's flash holds: a small file can name the same bytes many times over.
const MOST_BYTES: usize = 64 << 20;

/// Why a file is no load.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// An ELF file that cannot be read.
    #[error("it is not a linked firmware ({0})")]
    Elf(String),
    /// A hex file that cannot be read.
    #[error("it is not an Intel hex file ({0})")]
    Hex(String),
    /// A UF2 file that cannot be read.
    #[error("it is not a UF2 file ({0})")]
    Uf2(String),
    /// A bin file that no boot loader starts.
    #[error(
        "it is no image for the boot loader of Espressif's chips, which is the .bin that can be used"
    )]
    Bin,
    /// There is nothing in it.
    #[error("it holds nothing for the flash")]
    Empty,
    /// There is more in it than any flash holds.
    #[error("it holds more than any board has flash for")]
    TooLarge,
    /// Two parts claim the same place.
    #[error("two parts of it overlap at address {address:#010x}")]
    Overlap {
        /// Where the later part starts.
        address: u32,
    },
}

/// How long an image says that it is.
fn claimed(image: &[u8]) -> Option<usize> {
    let length = image.get(LENGTH_OFFSET..)?.first_chunk()?;
    Some(u32::from_le_bytes(*length) as usize)
}

/// Bytes by address: parts in ascending order that neither overlap nor touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Load {
    parts: BTreeMap<u32, Vec<u8>>,
}

impl Load {
    /// The stored segments of an ELF file, at the addresses where they are stored.
    ///
    /// # Errors
    /// When it is no ELF file of a 32-bit machine or stores nothing.
    pub fn from_elf(elf: &[u8]) -> Result<Load, LoadError> {
        let error = |error: object::Error| LoadError::Elf(error.to_string());
        let file = ElfFile32::<Endianness>::parse(elf).map_err(error)?;
        let endian = file.endian();
        let mut pieces = Vec::new();
        for header in file.elf_program_headers() {
            if header.p_type(endian) != object::elf::PT_LOAD || header.p_filesz(endian) == 0 {
                continue;
            }
            let bytes = header
                .data(endian, elf)
                .map_err(|()| LoadError::Elf("it is cut short".into()))?;
            pieces.push((header.p_paddr(endian), bytes));
        }
        Load::of_pieces(pieces)?.some()
    }

    /// The content of an Intel hex file.
    ///
    /// # Errors
    /// When a line is damaged or there is no data.
    pub fn from_hex(text: &str) -> Result<Load, LoadError> {
        let mut pieces = Vec::new();
        let mut base = 0_u32;
        for (index, record) in ihex::Reader::new(text).enumerate() {
            let record =
                record.map_err(|error| LoadError::Hex(format!("line {}: {error}", index + 1)))?;
            match record {
                Record::Data { offset, value } => {
                    pieces.push((base.wrapping_add(offset.into()), value));
                }
                Record::ExtendedLinearAddress(upper) => base = u32::from(upper) << 16,
                Record::ExtendedSegmentAddress(segment) => base = u32::from(segment) << 4,
                Record::EndOfFile => return Load::of_pieces(pieces)?.some(),
                Record::StartLinearAddress(_) | Record::StartSegmentAddress { .. } => {}
            }
        }
        Err(LoadError::Hex("it is cut short".into()))
    }

    /// Puts pieces together, in whatever order they come.
    ///
    /// # Errors
    /// When two overlap, one ends behind the last address, or they are too many bytes.
    pub(crate) fn of_pieces<B: AsRef<[u8]>>(mut pieces: Vec<(u32, B)>) -> Result<Load, LoadError> {
        let lengths = pieces.iter().map(|(_, bytes)| bytes.as_ref().len());
        if lengths.fold(0, usize::saturating_add) > MOST_BYTES {
            return Err(LoadError::TooLarge);
        }
        // All at once, since adding one by one moves the bytes behind each of them again.
        pieces.sort_by_key(|(address, _)| *address);
        let mut parts: Vec<(u32, Vec<u8>)> = Vec::new();
        for (address, bytes) in &pieces {
            let bytes = bytes.as_ref();
            if bytes.is_empty() {
                continue;
            }
            let overlap = LoadError::Overlap { address: *address };
            end_of(*address, bytes).ok_or(overlap.clone())?;
            match parts.last_mut() {
                Some((start, part)) => match end_of(*start, part) {
                    Some(end) if end > u64::from(*address) => return Err(overlap),
                    Some(end) if end == u64::from(*address) => part.extend_from_slice(bytes),
                    _ => parts.push((*address, bytes.to_vec())),
                },
                None => parts.push((*address, bytes.to_vec())),
            }
        }
        Ok(Load {
            parts: parts.into_iter().collect(),
        })
    }

    /// Adds a part.
    ///
    /// # Errors
    /// When it overlaps another one or ends behind the last address.
    pub fn insert(&mut self, address: u32, bytes: &[u8]) -> Result<(), LoadError> {
        let overlap = LoadError::Overlap { address };
        let end = end_of(address, bytes).ok_or(overlap.clone())?;
        if bytes.is_empty() {
            return Ok(());
        }
        if self.meets(address, end) {
            return Err(overlap);
        }
        let before = self.parts.range_mut(..address).next_back();
        let start = match before {
            Some((&start, part)) if start as usize + part.len() == address as usize => {
                part.extend_from_slice(bytes);
                start
            }
            _ => {
                self.parts.insert(address, bytes.to_vec());
                address
            }
        };
        if let Ok(end) = u32::try_from(end)
            && let Some(after) = self.parts.remove(&end)
            && let Some(part) = self.parts.get_mut(&start)
        {
            part.extend(after);
        }
        Ok(())
    }

    /// Takes the part away that begins at an address, if one does.
    pub fn remove(&mut self, address: u32) {
        self.parts.remove(&address);
    }

    /// The parts in ascending order.
    pub fn parts(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.parts
            .iter()
            .map(|(&address, part)| (address, part.as_slice()))
    }

    /// How many bytes there are.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.parts.values().map(Vec::len).sum()
    }

    /// From the first address to behind the last.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        let first = self.parts.first_key_value();
        let last = self.parts.last_key_value();
        let end = last.map_or(0, |(&address, part)| u64::from(address) + part.len() as u64);
        first.map_or(0, |(&address, _)| address.into())..end
    }

    /// Whether any byte lies in a range of addresses.
    #[must_use]
    pub fn touches(&self, range: Range<u32>) -> bool {
        !range.is_empty() && self.meets(range.start, range.end.into())
    }

    /// The same for a range that may end behind the last address.
    fn meets(&self, start: u32, end: u64) -> bool {
        // Of the parts that begin in front of its end, the last one reaches furthest.
        let last = match u32::try_from(end) {
            Ok(end) => self.parts.range(..end).next_back(),
            Err(_) => self.parts.last_key_value(),
        };
        last.is_some_and(|(&address, part)| {
            u64::from(start) < u64::from(address) + part.len() as u64
        })
    }

    /// What starts with the magic of a model image, sound or not, to the end of its part. A program that reads
    /// images has the magic in its code too: what has room for as many bytes as it claims goes first.
    #[must_use]
    pub fn image(&self) -> Option<&[u8]> {
        let mut first = None;
        for (address, part) in self.parts() {
            // Images are aligned in flash, not in the part.
            let begin = (address as usize).next_multiple_of(ALIGNMENT) - address as usize;
            let places = (begin..part.len()).step_by(ALIGNMENT);
            let found = places.map(|at| &part[at..]);
            for rest in found.filter(|rest| rest.starts_with(&MAGIC)) {
                if claimed(rest).is_some_and(|bytes| (HEADER_BYTES..=rest.len()).contains(&bytes)) {
                    return Some(rest);
                }
                first = first.or(Some(rest));
            }
        }
        first
    }

    /// The board that the mark of an Inkling firmware names, if there is one.
    #[must_use]
    pub fn marked_board(&self) -> Option<&str> {
        self.parts().find_map(|(_, part)| {
            let mut marks = part.windows(MARK.len());
            let start = marks.position(|bytes| bytes == MARK.as_bytes())? + MARK.len();
            let name = part.get(start..)?.split(|&byte| byte == MARK_END).next()?;
            std::str::from_utf8(name).ok()
        })
    }

    /// As an Intel hex file.
    ///
    /// # Errors
    /// When the crate that writes it does not; it takes all that can be in a load.
    pub fn to_hex(&self) -> Result<String, LoadError> {
        let mut records = Vec::new();
        let mut upper = None;
        for (address, part) in self.parts() {
            let mut at = address;
            let mut rest = part;
            while !rest.is_empty() {
                if upper != Some(at >> 16) {
                    upper = Some(at >> 16);
                    records.push(Record::ExtendedLinearAddress((at >> 16) as u16));
                }
                // A record ends at the 64 KiB that its base address reaches.
                let room = 0x1_0000 - (at as usize & 0xFFFF);
                let (value, later) = rest.split_at(rest.len().min(RECORD_BYTES).min(room));
                records.push(Record::Data {
                    offset: (at & 0xFFFF) as u16,
                    value: value.to_vec(),
                });
                // Wraps only behind the last byte there can be.
                at = at.wrapping_add(value.len() as u32);
                rest = later;
            }
        }
        records.push(Record::EndOfFile);
        ihex::create_object_file_representation(&records)
            .map_err(|error| LoadError::Hex(error.to_string()))
    }

    /// As one run of bytes from the first address on, gaps filled as erased flash is.
    #[must_use]
    pub fn to_bin(&self) -> Vec<u8> {
        let mut bin = Vec::new();
        let mut base = None;
        for (address, part) in self.parts() {
            let base = *base.get_or_insert(address);
            bin.resize((address - base) as usize, 0xFF);
            bin.extend_from_slice(part);
        }
        bin
    }

    fn some(self) -> Result<Load, LoadError> {
        if self.parts.is_empty() {
            return Err(LoadError::Empty);
        }
        Ok(self)
    }
}

/// Behind the last byte, if that one has an address.
fn end_of(address: u32, bytes: &[u8]) -> Option<u64> {
    const ADDRESSES: u64 = 1 << u32::BITS;
    let end = u64::from(address) + bytes.len() as u64;
    (end <= ADDRESSES).then_some(end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn load(parts: &[(u32, &[u8])]) -> Load {
        let mut load = Load::default();
        for (address, part) in parts {
            load.insert(*address, part).unwrap();
        }
        load
    }

    #[test]
    fn parts_that_touch_become_one() {
        let load = load(&[(8, &[3]), (4, &[1]), (6, &[2, 2]), (5, &[9])]);
        assert_eq!(
            load.parts().collect::<Vec<_>>(),
            [(4, &[1, 9, 2, 2, 3][..])]
        );
    }

    #[test]
    fn parts_that_overlap_are_refused() {
        let mut load = load(&[(16, &[0; 8])]);
        for (address, length) in [(16, 1), (9, 8), (23, 4), (10, 30)] {
            let error = load.insert(address, &vec![1; length]).unwrap_err();
            assert_eq!(error, LoadError::Overlap { address });
        }
        load.insert(8, &[1; 8]).unwrap();
        load.insert(24, &[1; 8]).unwrap();
        assert!(load.insert(u32::MAX, &[1; 2]).is_err());
    }

    #[test]
    fn a_binary_has_its_gaps_filled_as_erased() {
        let load = load(&[(0x100, &[1, 2]), (0x104, &[3])]);
        assert_eq!(load.to_bin(), [1, 2, 0xFF, 0xFF, 3]);
    }

    #[test]
    fn an_image_is_found_where_the_flash_aligns_it() {
        let mut part = vec![0; 40];
        part[3..7].copy_from_slice(&MAGIC); // not aligned: not an image
        part[24..28].copy_from_slice(&MAGIC);
        let found = load(&[(0x1008, &part)]);
        assert_eq!(found.image(), Some(&part[24..]));
        assert_eq!(load(&[(0x1000, &part)]).image(), None);
    }

    #[test]
    fn the_magic_in_a_programs_code_is_not_taken_for_an_image() {
        let mut part = vec![0; 400];
        // As a compiler lays a constant among the others.
        part[16..24].copy_from_slice(b"INKL\xfd\xff\0\0");
        part[24..28].copy_from_slice(&[0x25, 0x99, 0x48, 0x61]);
        part[160..164].copy_from_slice(&MAGIC);
        part[168..172].copy_from_slice(&240_u32.to_le_bytes());
        let found = load(&[(0x1000, &part)]);
        assert_eq!(found.image(), Some(&part[160..]));
        // One that is cut short is found all the same where there is no other.
        let cut = load(&[(0x1000, &part[160..200])]);
        assert_eq!(cut.image(), Some(&part[160..200]));
    }

    #[test]
    fn a_damaged_hex_file_is_refused_with_its_line() {
        let text = load(&[(0x1_FFF8, &[7; 40])]).to_hex().unwrap();
        let damaged = text.replacen("07", "08", 1);
        assert!(
            matches!(Load::from_hex(&damaged), Err(LoadError::Hex(why)) if why.contains("line"))
        );
        let cut: String = text.lines().take(2).collect::<Vec<_>>().join("\n");
        assert!(matches!(Load::from_hex(&cut), Err(LoadError::Hex(_))));
        assert_eq!(Load::from_hex(":00000001FF\n"), Err(LoadError::Empty));
    }

    /// Records of one byte each, in the order of these addresses, which end below 64 KiB.
    fn records(addresses: impl Iterator<Item = u16>) -> String {
        let record = |address: u16| Record::Data {
            offset: address,
            value: vec![address as u8],
        };
        let mut records: Vec<_> = addresses.map(record).collect();
        records.push(Record::EndOfFile);
        ihex::create_object_file_representation(&records).unwrap()
    }

    #[test]
    fn many_small_records_take_no_time_in_whatever_order_they_come() {
        const COUNT: u16 = 60_000;
        let start = std::time::Instant::now();
        let upwards = Load::from_hex(&records(0..COUNT)).unwrap();
        assert_eq!(upwards.bytes(), usize::from(COUNT));
        assert_eq!(upwards.parts().count(), 1);
        assert_eq!(Load::from_hex(&records((0..COUNT).rev())).unwrap(), upwards);
        let apart = Load::from_hex(&records((0..COUNT).step_by(2))).unwrap();
        assert_eq!(apart.parts().count(), usize::from(COUNT / 2));
        // It took minutes where each record was looked for among all the others.
        assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
    }

    #[test]
    fn pieces_that_overlap_or_are_too_many_are_refused() {
        let piece = |address, length| (address, vec![0_u8; length]);
        let refused = |pieces| Load::of_pieces(pieces).unwrap_err();
        let overlap = LoadError::Overlap { address: 19 };
        assert_eq!(refused(vec![piece(19, 4), piece(16, 4)]), overlap);
        assert_eq!(refused(vec![piece(19, 1), piece(19, 1)]), overlap);
        let behind = LoadError::Overlap { address: u32::MAX };
        assert_eq!(refused(vec![piece(u32::MAX, 2)]), behind);
        // One megabyte, stored once and named many times.
        let megabyte = vec![0_u8; 1 << 20];
        let named = |index: u32| (index << 20, megabyte.as_slice());
        assert_eq!(
            Load::of_pieces((0..65).map(named).collect()).unwrap_err(),
            LoadError::TooLarge
        );
    }

    proptest! {
        #[test]
        fn a_load_is_the_same_at_once_and_one_by_one(
            pieces in proptest::collection::vec((0_u32..200, 0_usize..20), 0..12),
        ) {
            let pieces: Vec<_> = pieces
                .into_iter()
                .map(|(address, length)| (address, vec![address as u8; length]))
                .collect();
            let mut one_by_one: Result<_, LoadError> = Ok(Load::default());
            for (address, bytes) in &pieces {
                one_by_one = one_by_one.and_then(|mut load: Load| {
                    load.insert(*address, bytes)?;
                    Ok(load)
                });
            }
            let at_once = Load::of_pieces(pieces);
            prop_assert_eq!(at_once.is_ok(), one_by_one.is_ok());
            if let (Ok(at_once), Ok(one_by_one)) = (at_once, one_by_one) {
                prop_assert_eq!(at_once, one_by_one);
            }
        }

        #[test]
        fn a_hex_file_holds_what_was_put_in(
            parts in proptest::collection::btree_map(0_u32..0x30, 1_usize..0x2000, 1..6),
        ) {
            let mut load = Load::default();
            for (slot, length) in parts {
                let bytes: Vec<u8> = (0..length).map(|index| (index * 7 + slot as usize) as u8).collect();
                load.insert(slot * 0x2345, &bytes).unwrap();
            }
            prop_assert_eq!(Load::from_hex(&load.to_hex().unwrap()).unwrap(), load);
        }
    }
}
