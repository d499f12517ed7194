//! A linked firmware as small as can be, written by the ELF specification: a board's name and a model.

/// Bytes of the headers of file, program and section, and of a symbol.
const FILE: u32 = 52;
const PROGRAM: u32 = 32;
const SECTION: u32 = 40;
const SYMBOL: u32 = 16;

/// Names of symbols and sections, and where each begins.
const NAMES: &[u8] = b"\0INKLING_MODEL\0INKLING_BOARD\0.board\0.model\0.symtab\0.strtab\0";
const MODEL: u32 = 1;
const BOARD: u32 = 15;
const SECTIONS: [u32; 4] = [29, 36, 43, 51];

/// The file of a firmware for a board that is stored from an address on.
pub fn firmware(address: u32, board: &str, image: &[u8]) -> Vec<u8> {
    let mut stored = format!("Inkling firmware for {board}\n").into_bytes();
    let mark = stored.len() as u32;
    stored.resize(stored.len().next_multiple_of(16), 0);
    let (image_at, image_length) = (stored.len() as u32, image.len() as u32);
    stored.extend(image);
    let length = stored.len() as u32;
    let start = FILE + PROGRAM;
    let symbols = start + length;
    let strings = symbols + 3 * SYMBOL;
    let sections = strings + NAMES.len() as u32;

    let mut file = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    let words = |file: &mut Vec<u8>, words: &[u32]| {
        file.extend(words.iter().flat_map(|word| word.to_le_bytes()));
    };
    // An executable for Arm, and how many headers of which size there are.
    let halves = |low: u32, high: u32| low | high << 16;
    words(&mut file, &[halves(2, 40), 1, address, FILE, sections, 0]);
    let counts = [(FILE, PROGRAM), (1, SECTION), (5, 4)];
    words(&mut file, &counts.map(|(low, high)| halves(low, high)));
    words(
        &mut file,
        &[1, start, address, address, length, length, 5, 4],
    );
    file.extend(&stored);
    // Global objects: the board's name in section 1, the model in section 2.
    words(&mut file, &[0; 4]);
    words(&mut file, &[BOARD, address, mark, halves(0x11, 1)]);
    let model = [MODEL, address + image_at, image_length, halves(0x11, 2)];
    words(&mut file, &model);
    file.extend(NAMES);
    // Name, type, flags, address, place, size, link, information, alignment, size of an entry.
    let [of_board, of_model, of_symbols, of_strings] = SECTIONS;
    words(&mut file, &[0; 10]);
    for section in [
        [of_board, 1, 2, address, start, mark, 0, 0, 1, 0],
        [
            of_model,
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
        [of_symbols, 2, 0, 0, symbols, 3 * SYMBOL, 4, 1, 4, SYMBOL],
        [of_strings, 3, 0, 0, strings, NAMES.len() as u32, 0, 0, 1, 0],
    ] {
        words(&mut file, &section);
    }
    file
}

#[cfg(test)]
mod tests {
    use host::device::elf::{Footprint, replace_model};
    use host::device::flash::load::Load;

    use super::*;

    #[test]
    fn the_firmware_to_begin_with_is_one_for_its_board() {
        let mut elf = firmware(0x1000_0000, "pico", &[7; 64]);
        let footprint = Footprint::read(&elf).unwrap();
        assert_eq!(
            (footprint.board.as_str(), footprint.model_bytes),
            ("pico", 64)
        );
        assert_eq!(Load::from_elf(&elf).unwrap().marked_board(), Some("pico"));
        replace_model(&mut elf, b"INKL").unwrap();
        assert!(Load::from_elf(&elf).unwrap().image().is_some());
    }
}
