//! UF2 files: what a boot loader that shows itself as a drive takes.
//!
//! Blocks of 512 bytes that each carry 256 bytes of flash, their address, the chip's family and how
//! many blocks there are in all, see <https://github.com/microsoft/uf2>. The crates for it write one
//! run of bytes or are not kept up, and it is small.
//!
//! The boot ROM of the RP2040 may lose what else stands in an erase sector when only some of its
//! pages are sent (erratum RP2040-E14), so sectors are always sent whole. The RP2350's erratum E10
//! calls for a leading block of the family "absolute" on chips with a partition table; Inkling's
//! boards have none, and without one addresses are absolute as they are.

use std::collections::BTreeMap;

use super::load::{Load, LoadError};

/// Bytes of a block.
pub const BLOCK_BYTES: usize = 512;

/// Bytes of flash in a block: a page.
pub const PAGE_BYTES: usize = 256;

/// Bytes that are erased together.
const SECTOR_BYTES: usize = 4096;

const MAGIC_START: [u32; 2] = [0x0A32_4655, 0x9E5D_5157];
const MAGIC_END: u32 = 0x0AB1_6F30;
const NOT_FOR_FLASH: u32 = 0x0000_0001;
const HAS_FAMILY: u32 = 0x0000_2000;

/// Where the payload starts in a block, and the most bytes it may have.
const PAYLOAD: usize = 32;
const MOST_PAYLOAD: usize = 476;

/// The file for a load; what is missing from a sector is zero.
#[must_use]
pub fn encode(load: &Load, family: u32) -> Vec<u8> {
    let mut sectors: BTreeMap<u32, [u8; SECTOR_BYTES]> = BTreeMap::new();
    for (address, part) in load.parts() {
        for (at, &byte) in (address..).zip(part) {
            let within = at as usize % SECTOR_BYTES;
            let sector = sectors.entry(at - within as u32);
            sector.or_insert([0; SECTOR_BYTES])[within] = byte;
        }
    }
    let pages = sectors.iter().flat_map(|(&address, sector)| {
        let addresses = (address..).step_by(PAGE_BYTES);
        addresses.zip(sector.as_chunks::<PAGE_BYTES>().0)
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

/// Reads a file: its content and the chip's family, where the blocks name one.
///
/// # Errors
/// When a block is damaged or missing, or blocks are for different chips.
pub fn decode(file: &[u8]) -> Result<(Load, Option<u32>), LoadError> {
    let error = |index: usize, why: &str| LoadError::Uf2(format!("block {index} {why}"));
    let (blocks, rest) = file.as_chunks::<BLOCK_BYTES>();
    if blocks.is_empty() || !rest.is_empty() {
        return Err(LoadError::Uf2("its length is not that of blocks".into()));
    }
    let mut load = Load::default();
    let mut families = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        let words = block.as_chunks().0;
        let word = |at: usize| words.get(at).map_or(0, |bytes| u32::from_le_bytes(*bytes));
        if [word(0), word(1)] != MAGIC_START || word(BLOCK_BYTES / 4 - 1) != MAGIC_END {
            return Err(error(index, "is damaged"));
        }
        if word(2) & NOT_FOR_FLASH != 0 {
            continue;
        }
        if word(5) as usize != index || word(6) as usize != blocks.len() {
            return Err(error(index, "is not where it belongs"));
        }
        let length = word(4) as usize;
        if length > MOST_PAYLOAD {
            return Err(error(index, "has an impossible length"));
        }
        families.push((word(2) & HAS_FAMILY != 0).then(|| word(7)));
        load.insert(word(3), &block[PAYLOAD..PAYLOAD + length])?;
    }
    families.dedup();
    match families.as_slice() {
        [family] => Ok((load, *family)),
        [] => Err(LoadError::Empty),
        _ => Err(LoadError::Uf2("its blocks are for different chips".into())),
    }
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
        let (read, family) = decode(&encode(&load(), FAMILY)).unwrap();
        assert_eq!(family, Some(FAMILY));
        let parts: Vec<_> = read.parts().collect();
        assert_eq!(parts.len(), 2);
        let (address, part) = parts[1];
        assert_eq!((address, part.len()), (0x1010_0000, 8192));
        assert_eq!(part[..16], [0; 16]);
        assert_eq!(part[16..16 + 4097], [2; 4097]);
        assert!(part[16 + 4097..].iter().all(|&byte| byte == 0));
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
        let mut mixed = file.clone();
        mixed[28] ^= 1;
        assert!(
            decode(&mixed)
                .unwrap_err()
                .to_string()
                .contains("different chips")
        );
    }
}
