//! What the tests share: made-up models, linked firmwares, terminals and boards.

#![allow(clippy::unwrap_used, dead_code)]

use host::quantize::{InputForm, quantize};
use host::synthetic::float_model;
use inkling_engine::format::Planes;

#[cfg(unix)]
pub mod board;
#[cfg(unix)]
pub mod pty;
pub mod terminal;
pub mod wait;

/// A sound image of a made-up model.
pub fn image(hidden: usize) -> Vec<u8> {
    let parts = quantize(
        &float_model(65, hidden, 1, 7),
        Planes::uniform(3),
        InputForm::Folded,
    );
    parts.unwrap().to_image().unwrap().bytes().to_vec()
}

/// The program of [`elf`].
pub const PROGRAM: [u8; 1000] = [0xA5; 1000];

/// What [`elf`] stores: program, board name and model, one behind the other.
pub fn stored(address: u32, board: &str, image: &[u8]) -> Vec<u8> {
    let mut stored = PROGRAM.to_vec();
    stored.extend(board.as_bytes());
    let aligned = (address as usize + stored.len()).next_multiple_of(16) - address as usize;
    stored.resize(aligned, 0);
    stored.extend(image);
    stored
}

/// A linked firmware for a board with 32-bit addresses, written by hand to the ELF specification.
pub fn elf(address: u32, board: &str, image: &[u8]) -> Vec<u8> {
    const EHDR: u32 = 52;
    const PHDR: u32 = 32;
    let stored = stored(address, board, image);
    let start = EHDR + PHDR;
    let image_at = (stored.len() - image.len()) as u32;
    let symbols = start + stored.len() as u32;
    let names = b"\0INKLING_MODEL\0INKLING_BOARD\0.board\0.model\0.symtab\0.strtab\0";
    let strings = symbols + 48;
    let sections = strings + names.len() as u32;

    let mut file: Vec<u8> = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let half = |file: &mut Vec<u8>, values: &[u16]| {
        file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    };
    let word = |file: &mut Vec<u8>, values: &[u32]| {
        file.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    };
    half(&mut file, &[2, 40]); // an executable for Arm
    word(&mut file, &[1, address, EHDR, sections, 0]);
    half(&mut file, &[EHDR as u16, PHDR as u16, 1, 40, 5, 4]);
    let length = stored.len() as u32;
    word(
        &mut file,
        &[1, start, address, address, length, length, 5, 4],
    );
    file.extend(&stored);
    let program = PROGRAM.len() as u32;
    // The null symbol, and two global objects: the board's name in section 1, the model in section 2.
    word(&mut file, &[0; 4]);
    word(&mut file, &[15, address + program, board.len() as u32]);
    file.extend([0x11, 0]);
    half(&mut file, &[1]);
    word(&mut file, &[1, address + image_at, image.len() as u32]);
    file.extend([0x11, 0]);
    half(&mut file, &[2]);
    file.extend(names);
    // Name, type, flags, address, offset, size, link, info, alignment, entry size.
    word(&mut file, &[0; 10]);
    let name = board.len() as u32;
    word(
        &mut file,
        &[
            29,
            1,
            2,
            address + program,
            start + program,
            name,
            0,
            0,
            1,
            0,
        ],
    );
    let image_length = image.len() as u32;
    word(
        &mut file,
        &[
            36,
            1,
            2,
            address + image_at,
            start + image_at,
            image_length,
            0,
            0,
            16,
            0,
        ],
    );
    word(&mut file, &[43, 2, 0, 0, symbols, 48, 4, 1, 4, 16]);
    word(
        &mut file,
        &[51, 3, 0, 0, strings, names.len() as u32, 0, 0, 1, 0],
    );
    file
}
