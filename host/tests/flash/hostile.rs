//! Firmware files that somebody has tampered with: refused in a sentence, whatever is in them.

use std::time::{Duration, Instant};

use host::device::{Footprint, elf as linked};
use proptest::prelude::*;

use super::*;

/// Where the section header of the model is, of those of 40 bytes that end a linked firmware.
fn model_section(elf: &[u8]) -> usize {
    elf.len() - 3 * 40
}

fn put(file: &mut [u8], at: usize, word: u32) {
    file[at..at + 4].copy_from_slice(&word.to_le_bytes());
}

/// Everything that is done with firmware files before a board is looked for.
fn read(file: &[u8]) {
    let _ = Load::from_elf(file).map(|load| uf2::encode(&load, RP2040));
    let _ = Load::from_hex(&String::from_utf8_lossy(file));
    let _ = uf2::decode(file);
    let _ = Footprint::read(file);
    let _ = linked::replace_model(&mut file.to_vec(), &image(8));
}

#[test]
fn a_model_that_is_not_in_its_section_is_refused() {
    let sound = elf(PICO, "pico", &image(16));
    assert!(linked::replace_model(&mut sound.clone(), &image(8)).is_ok());
    let at = model_section(&sound);
    // The section's address, its offset in the file, its size; see the ELF specification.
    for (field, word) in [(12, PICO + 0x10_0000), (12, 0), (16, u32::MAX), (20, 4)] {
        let mut file = sound.clone();
        put(&mut file, at + field, word);
        let error = linked::replace_model(&mut file, &image(8)).unwrap_err();
        assert_eq!(error, "its model is not stored", "{field}");
        read(&file);
    }
    let desk = Desk::new();
    let mut file = elf(0, "microbit", &image(16));
    let at = model_section(&file);
    put(&mut file, at + 12, 0x10_0000);
    let firmware = desk.file("above.elf", &file);
    let model = desk.file("model.img", &image(8));
    complains(
        &["--firmware", &firmware, "--model", &model],
        "cannot replace the model of the linked firmware: its model is not stored",
    );
}

#[test]
fn a_model_larger_than_the_whole_firmware_is_refused() {
    let mut file = elf(PICO, "pico", &image(16));
    // The symbols stand in front of the names and the five section headers.
    let names = b"\0INKLING_MODEL\0INKLING_BOARD\0.board\0.model\0.symtab\0.strtab\0".len();
    let size = file.len() - 5 * 40 - names - 16 + 8;
    put(&mut file, size, u32::MAX);
    let error = Footprint::read(&file).unwrap_err();
    assert_eq!(error, "its model is not stored");
}

#[test]
fn a_hex_file_of_very_many_records_takes_no_time() {
    let mut text = String::new();
    for address in (0..120_000_u32).rev() {
        if address % 0x1_0000 == 0xFFFF || address == 119_999 {
            let upper = (address >> 16) as u8;
            let sum = 0_u8.wrapping_sub(2 + 4 + upper);
            text += &format!(":0200000400{upper:02X}{sum:02X}\n");
        }
        let [low, high, ..] = address.to_le_bytes();
        let sum = 0_u8.wrapping_sub(1_u8.wrapping_add(high).wrapping_add(low));
        text += &format!(":01{high:02X}{low:02X}0000{sum:02X}\n");
    }
    text += ":00000001FF\n";
    let start = Instant::now();
    let load = Load::from_hex(&text).unwrap();
    assert_eq!((load.bytes(), load.parts().count()), (120_000, 1));
    assert!(
        start.elapsed() < Duration::from_secs(20),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_small_file_does_not_become_a_large_one() {
    const PHDR: usize = 52;
    let sound = elf(PICO, "pico", &image(16));
    let header = &sound[PHDR..PHDR + 32];
    let megabyte = 1_u32 << 20;
    // Each of these program headers stores the same megabyte at another address.
    let mut file = sound[..PHDR].to_vec();
    let count = 4000_u32;
    put(&mut file, 28, PHDR as u32);
    file[44..46].copy_from_slice(&(count as u16).to_le_bytes());
    put(&mut file, 32, 0);
    file[48..52].copy_from_slice(&[0; 4]);
    for index in 0..count {
        let at = file.len();
        file.extend(header);
        put(&mut file, at + 4, PHDR as u32);
        put(&mut file, at + 12, index * megabyte);
        put(&mut file, at + 16, megabyte);
    }
    file.resize(file.len().max(PHDR + megabyte as usize), 0);
    let error = Load::from_elf(&file).unwrap_err().to_string();
    assert_eq!(error, "it holds more than any board has flash for");
}

proptest! {
    #[test]
    fn a_damaged_firmware_file_ends_nothing(
        kind in 0..3,
        damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..40),
        cut in proptest::option::of(any::<proptest::sample::Index>()),
    ) {
        let firmware = elf(PICO, "pico", &image(8));
        let load = Load::from_elf(&firmware).unwrap();
        let mut file = match kind {
            0 => firmware,
            1 => uf2::encode(&load, RP2040),
            _ => load.to_hex().unwrap().into_bytes(),
        };
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()) + 1);
        }
        for (place, byte) in damage {
            let at = place.index(file.len());
            file[at] = byte;
        }
        read(&file);
    }

    #[test]
    fn damaged_headers_of_a_firmware_end_nothing(
        damage in proptest::collection::vec((0_usize..352, any::<u8>()), 1..12),
    ) {
        let mut file = elf(PICO, "pico", &image(8));
        let end = file.len();
        for (place, byte) in damage {
            // The two headers in front, and the symbols, names and section headers behind.
            let at = if place < 84 { place } else { end - (place - 84) - 1 };
            file[at] = byte;
        }
        read(&file);
    }
}
