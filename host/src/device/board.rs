//! The boards that the firmware runs on, by their names, and which models they hold.
//!
//! What is known of them is in the table `firmware/boards.toml`, which the crate [`inkling_boards`] reads.

pub use inkling_boards::{Alias, BOARDS, Board, Flasher, Machine, Region, Unit};
use inkling_engine::format::Dimensions;
use inkling_engine::state::{MAX_STATE_WORDS, state_words};

use super::error::DeviceError;

/// The board that is used when none is named.
pub const DEFAULT_BOARD: &str = "mps2-an386";

/// RAM that a model can work in.
#[must_use]
pub fn model_memory_bytes(board: &Board) -> usize {
    4 * board.model_words.unwrap_or(MAX_STATE_WORDS)
}

/// Whether a board holds a model beside the program, in flash and in RAM.
#[must_use]
pub fn holds(board: &Board, dimensions: &Dimensions) -> bool {
    dimensions.image_bytes() as u64 + board.program_bytes() <= board.program_area_bytes()
        && 4 * state_words(dimensions) <= model_memory_bytes(board)
}

/// The board of that name, or of that other name: capitals and what stands between words do not count.
///
/// # Errors
/// When there is none; the message lists those there are.
pub fn find(name: &str) -> Result<&'static Board, DeviceError> {
    let found = BOARDS.iter().find(|board| board.is_called(name));
    found.ok_or_else(|| DeviceError::UnknownBoard {
        name: name.into(),
        known: BOARDS.iter().map(|board| board.name).collect(),
    })
}

/// What is different on the board that has this name, if it is another name of a board's.
#[must_use]
pub fn note_on(name: &str) -> Option<&'static str> {
    BOARDS.iter().find_map(|board| board.alias(name))?.note
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolchain::{EMULATORS, TARGETS, rp2040js, rp2350};

    #[test]
    fn every_board_has_its_feature_its_target_and_its_emulator() {
        let firmware = concat!(env!("CARGO_MANIFEST_DIR"), "/../firmware");
        let manifest = std::fs::read_to_string(format!("{firmware}/Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        for board in BOARDS.iter() {
            let name = board.name;
            assert!(manifest["features"].get(name).is_some(), "{name}");
            assert!(TARGETS.contains(&board.target), "{name}");
            let mut programs = EMULATORS.iter().map(|(program, _)| *program);
            assert!(
                board.emulator.is_none_or(|machine| {
                    [rp2040js::NODE, rp2350::PROGRAM].contains(&machine.program)
                        || programs.any(|program| program == machine.program)
                }),
                "{name}"
            );
        }
        assert!(find(DEFAULT_BOARD).unwrap().emulator.is_some());
    }

    /// Whether a feature brings another one along.
    fn brings(features: &toml::Value, name: &str, wanted: &str) -> bool {
        let brought = features.get(name).and_then(toml::Value::as_array);
        name == wanted
            || brought.is_some_and(|brought| {
                let names = brought.iter().filter_map(toml::Value::as_str);
                names.into_iter().any(|name| brings(features, name, wanted))
            })
    }

    #[test]
    fn boards_take_models_where_their_program_writes_to_the_flash() {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../firmware/Cargo.toml");
        let manifest: toml::Table = std::fs::read_to_string(manifest).unwrap().parse().unwrap();
        for board in BOARDS.iter() {
            let stores = brings(&manifest["features"], board.name, "store");
            assert_eq!(board.takes_models, stores, "{}", board.name);
        }
    }

    #[test]
    fn a_board_is_found_by_any_of_its_names() {
        let found = |name| find(name).unwrap().name;
        assert_eq!(found("microbit-v1"), "microbit");
        assert_eq!(found("pico-w"), "pico");
        assert_eq!(found("Pico_2W"), "pico2");
        assert_eq!(found("nucleo"), "blackpill");
        assert_eq!(found("NUCLEO-F411RE"), "blackpill");
        assert_eq!(found("micro:bit v2"), "microbit-v2");
        assert_eq!(found("ESP32-C3"), "esp32c3");
        assert!(find("").is_err());
        assert!(note_on("picow").unwrap().contains("LED"));
        assert_eq!(note_on("pico"), None);
    }

    #[test]
    fn an_unknown_board_is_answered_with_the_known_ones() {
        let error = find("abacus").unwrap_err().to_string();
        assert!(error.contains("abacus") && error.contains(DEFAULT_BOARD));
    }
}
