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
