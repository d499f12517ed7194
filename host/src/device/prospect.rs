//! What a model can expect of a board, before anything is built: whether it fits, and how fast it writes.

use indicatif::HumanCount;
use inkling_engine::format::Dimensions;
use inkling_engine::state::state_words;
use serde::{Deserialize, Serialize};

use super::board::{Board, holds, model_memory_bytes};
use super::speed;

/// A model on a board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Prospect {
    /// The board's name.
    pub board: String,
    /// Whether it holds the model and, by a generous estimate, the program.
    pub fits: bool,
    /// Flash that is left beside both; less than none where they do not fit.
    pub flash_left_bytes: i64,
    /// The same of the RAM that models work in.
    pub ram_left_bytes: i64,
    /// An estimate; none for boards that exist in emulators only.
    pub characters_per_second: Option<f64>,
}

impl Prospect {
    /// Of a model of these dimensions.
    #[must_use]
    pub fn of(board: &Board, dimensions: &Dimensions) -> Self {
        let signed = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        let needed = board.program_bytes() + dimensions.image_bytes() as u64;
        let memory = 4 * state_words(dimensions);
        Self {
            board: board.name.to_owned(),
            fits: holds(board, dimensions),
            flash_left_bytes: signed(board.program_area_bytes()) - signed(needed),
            ram_left_bytes: signed(model_memory_bytes(board) as u64) - signed(memory as u64),
            characters_per_second: speed::characters_per_second(board, dimensions),
        }
    }

    /// The same of a model that takes so many steps for a character, as some are spelt.
    #[must_use]
    pub fn with_steps(mut self, symbols_per_character: f64) -> Self {
        let speed = self.characters_per_second;
        self.characters_per_second = speed.map(|speed| speed / symbols_per_character);
        self
    }

    /// What is left of the flash, or what is lacking, in words.
    #[must_use]
    pub fn room(&self) -> String {
        let lacking = |bytes: i64| HumanCount(bytes.unsigned_abs().div_ceil(1024));
        if self.flash_left_bytes < 0 {
            format!("{} KiB of flash too little", lacking(self.flash_left_bytes))
        } else if self.ram_left_bytes < 0 {
            format!("{} KiB of RAM too little", lacking(self.ram_left_bytes))
        } else {
            format!(
                "{} KiB",
                HumanCount(self.flash_left_bytes.unsigned_abs() / 1024)
            )
        }
    }

    /// How many characters a second it writes, if it fits, in words.
    #[must_use]
    pub fn speed(&self) -> String {
        let speed = self.characters_per_second.filter(|_| self.fits);
        speed.map_or("-".to_owned(), speed::in_words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{BOARDS, bench::SHAPE_PLANES};

    #[test]
    fn what_is_said_of_the_room_agrees_with_whether_a_model_fits() {
        for board in BOARDS.iter() {
            for hidden in [64, 200, 500, 740, 1_000] {
                let prospect = Prospect::of(
                    board,
                    &Dimensions {
                        hidden,
                        symbols: 65,
                        layers: 1,
                        embedding: 30,
                        planes: SHAPE_PLANES,
                    },
                );
                let is_left = prospect.flash_left_bytes >= 0 && prospect.ram_left_bytes >= 0;
                assert_eq!(prospect.fits, is_left, "{prospect:?}");
                assert_ne!(prospect.fits, prospect.room().ends_with("too little"));
            }
        }
    }
}
