//! The file that chips of Espressif start from: boot loader, partition table and program in one, to be
//! written to the beginning of the flash.

use std::str::FromStr;

use anyhow::Context;
use espflash::flasher::{FlashData, FlashSettings};
use espflash::image_format::idf::IdfBootloaderFormat;
use espflash::target::Chip;
use host::device::flash::Load;

/// Makes the file of a linked firmware, as `espflash flash` would write it.
pub fn flash_image(chip: &str, elf: &[u8]) -> anyhow::Result<Vec<u8>> {
    let chip = Chip::from_str(chip).with_context(|| format!("espflash knows no chip {chip}"))?;
    let settings = FlashData::new(
        FlashSettings::default(),
        0,
        None,
        chip,
        chip.default_xtal_frequency(),
    );
    let image = IdfBootloaderFormat::new(elf, &settings, None, None, None, None)
        .context("cannot make an image for the boot loader")?;
    let mut load = Load::default();
    for segment in image.flash_segments() {
        load.insert(segment.addr, segment.data())?;
    }
    Ok(load.to_bin())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: u32 = 0x4201_0020;
    const PROGRAM: [u8; 64] = [0xA5; 64];

    /// A linked firmware with one section, written by hand to the ELF specification.
    fn elf() -> Vec<u8> {
        let names = b"\0.text\0.shstrtab\0";
        let (program, sections) = (52_u32, 52 + 64 + names.len() as u32);
        let mut file = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        let mut put = |words: &[u32]| {
            file.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        };
        // An executable for RISC-V with three sections, the last of which holds their names.
        put(&[2 | 243 << 16, 1, ENTRY, 0, sections, 0]);
        put(&[52, 40 << 16, 3 | 2 << 16]);
        file.extend(PROGRAM);
        file.extend(names);
        let mut put = |words: &[u32]| {
            file.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        };
        put(&[0; 10]);
        put(&[1, 1, 6, ENTRY, program, 64, 0, 0, 4, 0]);
        put(&[7, 3, 0, 0, program + 64, names.len() as u32, 0, 0, 1, 0]);
        file
    }

    #[test]
    fn boot_loader_partition_table_and_program_are_where_the_chip_looks_for_them() {
        let image = flash_image("esp32c3", &elf()).unwrap();
        let word = |at: usize| u32::from_le_bytes(*image[at..].first_chunk().unwrap());
        for start in [0, 0x1_0000] {
            assert_eq!(image[start], 0xE9, "{start:#x}");
            assert_eq!(word(start + 12) & 0xFFFF, 5, "{start:#x}");
        }
        assert_eq!(image[0x8000..0x8002], [0xAA, 0x50]);
        assert_eq!(word(0x1_0004), ENTRY);
        let mut parts = image.windows(PROGRAM.len());
        let program = parts.position(|part| part == PROGRAM).unwrap();
        // Pages of 64 KiB are mapped, so the place in one is the same in flash and in memory.
        assert_eq!(program % 0x1_0000, ENTRY as usize % 0x1_0000);
    }

    #[test]
    fn what_is_no_firmware_or_for_no_chip_is_refused() {
        let error = flash_image("esp32c3", b"hello").unwrap_err().to_string();
        assert_eq!(error, "cannot make an image for the boot loader");
        let error = flash_image("abacus", &elf()).unwrap_err().to_string();
        assert_eq!(error, "espflash knows no chip abacus");
    }
}
