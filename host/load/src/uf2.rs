//! UF2 files: what a boot loader that shows itself as a drive takes.
//!
//! Blocks of 512 bytes that each carry 256 bytes of flash, their address, the chip's family and how
//! many blocks there are in all, see <https://github.com/microsoft/uf2>. The crates for it write one
//! run of bytes or are not kept up, and it is small.
//!
//! The boot ROM of the RP2040 may lose what else stands in an erase sector when only some of its
//! pages are sent (erratum RP2040-E14), so sectors are always sent whole. The RP2350's erratum E10
//! calls for a leading block of the family "absolute" on chips with a partition table; Inkling's
//! boards have none, and without one addresses are absolute as they are. Files of others have such a
//! block, or hold programs for several chips: what is read is sorted by family.

use std::collections::BTreeMap;

use super::load::{Load, LoadError};

/// Bytes of a block.
pub const BLOCK_BYTES: usize = 512;

/// Bytes of flash in a block: a page.
pub const PAGE_BYTES: usize = 256;

/// Bytes that are erased together.
const SECTOR_BYTES: usize = 4096;

/// The family of what may go to any chip of the RP2350's kind.
pub const ABSOLUTE: u32 = 0xE48B_FF57;

/// What files may name as their family that is of interest here; boards have more.
const FAMILIES: [(u32, &str); 5] = [
    (ABSOLUTE, "any RP2350"),
    (0xE48B_FF58, "data of an RP2xxx"),
    (0xE48B_FF59, "the RP2350's Arm cores"),
    (0xE48B_FF5A, "the RP2350's RISC-V cores"),
    (0xE48B_FF5B, "the RP2350's Arm cores in non-secure mode"),
];

const MAGIC_START: [u32; 2] = [0x0A32_4655, 0x9E5D_5157];
const MAGIC_END: u32 = 0x0AB1_6F30;
const NOT_FOR_FLASH: u32 = 0x0000_0001;
/// The block is part of a file that is stored there, not of the flash.
const OF_A_FILE: u32 = 0x0000_1000;
const HAS_FAMILY: u32 = 0x0000_2000;
const HAS_EXTENSIONS: u32 = 0x0000_8000;

/// The extension, behind the payload, of a block that means nothing: the answer to erratum E10.
const IGNORED: u32 = 0x9957_E304;

/// Where the payload starts in a block, and the most bytes it may have.
const PAYLOAD: usize = 32;
const MOST_PAYLOAD: usize = 476;

/// The file for a load; what is missing from a sector is zero.
#[must_use]
pub fn encode(load: &Load, family: u32) -> Vec<u8> {
    let mut sectors: BTreeMap<u32, [u8; SECTOR_BYTES]> = BTreeMap::new();
    for (address, part) in load.parts() {
        for (offset, &byte) in (0..).zip(part) {
            let at = address + offset;
            let within = at as usize % SECTOR_BYTES;
            let sector = sectors.entry(at - within as u32);
            sector.or_insert([0; SECTOR_BYTES])[within] = byte;
        }
    }
    let pages = sectors.iter().flat_map(|(&address, sector)| {
        let offsets = (0..).step_by(PAGE_BYTES);
        let pages = offsets.zip(sector.as_chunks::<PAGE_BYTES>().0);
        pages.map(move |(offset, page)| (address + offset, page))
    });
    let count = (sectors.len() * SECTOR_BYTES / PAGE_BYTES) as u32;
    (0..)
        .zip(pages)
        .flat_map(|(index, (address, page))| block(index, count, address, page, family))
        .collect()
}

fn block(
    index: u32,
    count: u32,
    address: u32,
    page: &[u8; PAGE_BYTES],
    family: u32,
) -> [u8; BLOCK_BYTES] {
    let [first, second] = MAGIC_START;
    let length = PAGE_BYTES as u32;
    let header = [
        first, second, HAS_FAMILY, address, length, index, count, family,
    ];
    let mut block = [0; BLOCK_BYTES];
    for (place, word) in block.as_chunks_mut().0.iter_mut().zip(header) {
        *place = word.to_le_bytes();
    }
    block[PAYLOAD..PAYLOAD + PAGE_BYTES].copy_from_slice(page);
    if let Some(last) = block.last_chunk_mut() {
        *last = MAGIC_END.to_le_bytes();
    }
    block
}

/// What a file holds for each family of chips; `None` is what is for any chip.
pub type ByFamily = BTreeMap<Option<u32>, Load>;

/// What people call a family.
#[must_use]
pub fn family_name(family: u32) -> String {
    FAMILIES
        .iter()
        .find(|(known, _)| *known == family)
        .map_or_else(
            || format!("the UF2 family {family:#010x}"),
            |(_, name)| (*name).to_owned(),
        )
}

/// One block, as the file has it.
struct Block<'f> {
    flags: u32,
    address: u32,
    number: u32,
    count: u32,
    family: Option<u32>,
    payload: &'f [u8],
    rest: &'f [u8],
}

impl<'f> Block<'f> {
    fn read(block: &'f [u8; BLOCK_BYTES]) -> Result<Block<'f>, &'static str> {
        let words = block.as_chunks().0;
        let word = |at: usize| words.get(at).map_or(0, |bytes| u32::from_le_bytes(*bytes));
        if [word(0), word(1)] != MAGIC_START || word(BLOCK_BYTES / 4 - 1) != MAGIC_END {
            return Err("is damaged");
        }
        let data = &block[PAYLOAD..PAYLOAD + MOST_PAYLOAD];
        let (payload, rest) = data
            .split_at_checked(word(4) as usize)
            .ok_or("has an impossible length")?;
        Ok(Block {
            flags: word(2),
            address: word(3),
            number: word(5),
            count: word(6),
            family: (word(2) & HAS_FAMILY != 0).then(|| word(7)),
            payload,
            rest,
        })
    }

    /// Whether it is there for a boot loader with an error only.
    fn is_ignored(&self) -> bool {
        self.family == Some(ABSOLUTE)
            && self.flags & HAS_EXTENSIONS != 0
            && self.rest.starts_with(&IGNORED.to_le_bytes())
    }
}

/// Reads a file: its content, for each family of chips that its blocks name.
///
/// # Errors
/// When a block is damaged or missing.
pub fn decode(file: &[u8]) -> Result<ByFamily, LoadError> {
    let error = |index: usize, why: &str| LoadError::Uf2(format!("block {index} {why}"));
    let (blocks, rest) = file.as_chunks::<BLOCK_BYTES>();
    if blocks.is_empty() || !rest.is_empty() {
        return Err(LoadError::Uf2("its length is not that of blocks".into()));
    }
    let mut read = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        read.push(Block::read(block).map_err(|why| error(index, why))?);
    }
    if let Some(index) = misplaced(&read) {
        return Err(error(index, "is not where it belongs"));
    }
    let mut pieces: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for block in &read {
        if block.flags & (NOT_FOR_FLASH | OF_A_FILE) == 0 && !block.is_ignored() {
            let family = pieces.entry(block.family).or_default();
            family.push((block.address, block.payload));
        }
    }
    let mut loads = ByFamily::new();
    for (family, pieces) in pieces {
        let load = Load::of_pieces(pieces)?;
        if load.bytes() > 0 {
            loads.insert(family, load);
        }
    }
    if loads.is_empty() {
        return Err(LoadError::Empty);
    }
    Ok(loads)
}

/// The first block that is missing or out of order, if there is one.
///
/// Blocks are numbered through the file, or, where files were joined, through each part of it that
/// is for one family. A block to be ignored says that it is one of two and stands for itself.
fn misplaced(blocks: &[Block<'_>]) -> Option<usize> {
    let whole = blocks.len() as u32;
    if (0..)
        .zip(blocks)
        .all(|(index, block)| (block.number, block.count) == (index, whole))
    {
        return None;
    }
    // For each family the number of its next block, and of how many.
    let mut parts: BTreeMap<Option<u32>, (u32, u32)> = BTreeMap::new();
    for (index, block) in blocks.iter().enumerate() {
        if block.is_ignored() {
            continue;
        }
        let (next, count) = parts.entry(block.family).or_default();
        if *next == *count {
            (*next, *count) = (0, block.count);
        }
        if (block.number, block.count) != (*next, *count) || block.number >= block.count {
            return Some(index);
        }
        *next += 1;
    }
    let is_whole = parts.values().all(|(next, count)| next == count);
    (!is_whole).then_some(blocks.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAMILY: u32 = 0xE48B_FF56;

    fn load() -> Load {
        let mut load = Load::default();
        load.insert(0x1000_0000, &[1; 300]).unwrap();
        load.insert(0x1010_0010, &[2; 4097]).unwrap();
        load
    }

    #[test]
    fn every_block_is_what_the_format_says() {
        let file = encode(&load(), FAMILY);
        // One sector for the first part, two for the second, 16 pages in each.
        assert_eq!(file.len(), 3 * 16 * BLOCK_BYTES);
        for (index, block) in file.chunks(BLOCK_BYTES).enumerate() {
            let word = |at: usize| u32::from_le_bytes(block[at..at + 4].try_into().unwrap());
            assert_eq!([word(0), word(4)], [0x0A32_4655, 0x9E5D_5157]);
            assert_eq!(word(8), 0x2000);
            let sector = [0x1000_0000, 0x1010_0000, 0x1010_1000][index / 16];
            assert_eq!(word(12), sector + 256 * (index as u32 % 16));
            assert_eq!([word(16), word(20), word(24)], [256, index as u32, 48]);
            assert_eq!(word(28), FAMILY);
            assert_eq!(word(508), 0x0AB1_6F30);
            assert!(block[32 + 256..508].iter().all(|&byte| byte == 0));
        }
    }

    #[test]
    fn what_is_read_is_what_was_written_in_whole_sectors() {
        let families = decode(&encode(&load(), FAMILY)).unwrap();
        let (family, read) = families.first_key_value().unwrap();
        assert_eq!((families.len(), *family), (1, Some(FAMILY)));
        let parts: Vec<_> = read.parts().collect();
        assert_eq!(parts.len(), 2);
        let (address, part) = parts[1];
        assert_eq!((address, part.len()), (0x1010_0000, 8192));
        assert_eq!(part[..16], [0; 16]);
        assert_eq!(part[16..16 + 4097], [2; 4097]);
        assert!(part[16 + 4097..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn what_ends_at_the_last_addresses_is_written_too() {
        let mut load = Load::default();
        load.insert(0xFFFF_FF00, &[7; 255]).unwrap();
        let read = decode(&encode(&load, FAMILY)).unwrap();
        let sector = read[&Some(FAMILY)].parts().next().unwrap();
        assert_eq!(sector.0, 0xFFFF_F000);
        assert_eq!(sector.1[0xF00..0xFFF], [7; 255]);
    }

    #[test]
    fn a_file_with_a_damaged_or_missing_block_is_refused() {
        let file = encode(&load(), FAMILY);
        for at in [0, 5, 511, 20, 24, 512 + 510] {
            let mut damaged = file.clone();
            damaged[at] ^= 0x10;
            assert!(decode(&damaged).is_err(), "byte {at}");
        }
        assert!(decode(&file[..file.len() - BLOCK_BYTES]).is_err());
        assert!(decode(&file[..100]).is_err());
        assert!(decode(&[]).is_err());
        let twice = [&file[..BLOCK_BYTES], &file].concat();
        assert!(decode(&twice).is_err());
    }

    /// What picotool puts first for erratum E10.
    fn ignored_block() -> [u8; BLOCK_BYTES] {
        let mut page = block(0, 2, 0x10FF_FF00, &[0xEF; PAGE_BYTES], ABSOLUTE);
        page[8..12].copy_from_slice(&(HAS_FAMILY | HAS_EXTENSIONS).to_le_bytes());
        page[PAYLOAD + PAGE_BYTES..][..4].copy_from_slice(&IGNORED.to_le_bytes());
        page
    }

    #[test]
    fn a_leading_block_for_any_chip_is_not_part_of_the_program() {
        let file = encode(&load(), FAMILY);
        let with_block = [&ignored_block()[..], &file].concat();
        assert_eq!(decode(&with_block), decode(&file));
        assert_eq!(decode(&ignored_block()), Err(LoadError::Empty));
        // Without its extension it is a block like any other, and half of what it says it is.
        let mut plain = with_block;
        plain[8..12].copy_from_slice(&HAS_FAMILY.to_le_bytes());
        assert!(decode(&plain).is_err());
    }

    #[test]
    fn a_file_for_two_chips_is_read_for_each() {
        let mut other = Load::default();
        other.insert(0x1000_0000, &[3; 100]).unwrap();
        let [first, second] = [encode(&load(), FAMILY), encode(&other, FAMILY + 3)];
        let alone = |file: &[u8]| decode(file).unwrap().into_values().next().unwrap();
        let joined = [first.clone(), second.clone()].concat();
        let read = decode(&joined).unwrap();
        assert_eq!(read[&Some(FAMILY)], alone(&first));
        assert_eq!(read[&Some(FAMILY + 3)], alone(&second));
        // Mixed, as a tool may write them, and numbered through.
        let (mut numbered, count) = (joined.clone(), joined.len() / BLOCK_BYTES);
        for (index, block) in numbered.chunks_mut(BLOCK_BYTES).enumerate() {
            block[20..24].copy_from_slice(&(index as u32).to_le_bytes());
            block[24..28].copy_from_slice(&(count as u32).to_le_bytes());
        }
        assert_eq!(decode(&numbered).unwrap(), read);
        // Each of them must be whole.
        assert!(decode(&joined[..joined.len() - BLOCK_BYTES]).is_err());
        assert!(decode(&joined[BLOCK_BYTES..]).is_err());
    }
}
