//! How long cells stay at an end of their range: those of a model that writes, and of one that reads.

use inkling_engine::Model;
use serde::{Deserialize, Serialize};

use crate::engine::engine;
use crate::evaluate::is_at_end;

/// The key of [`AtEnd`] in the metadata of tensors.
pub const AT_END_KEY: &str = "cells_at_end";

/// So many times as long as in its text a cell may be at an end of its range.
const MOST_AT_END: u64 = 3;

/// Enough characters of a text to see how long cells stay at an end of their range.
const READ_CHARACTERS: usize = 100_000;

/// How long a cell is at an end of its range while the model reads its text: one that says how far a
/// sorted list has come stays there for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AtEnd {
    /// The longest time, in characters.
    pub longest: u64,
    /// Of so many characters.
    pub read: u64,
}

impl AtEnd {
    /// Reads the beginning of a text.
    #[must_use]
    pub fn measure(model: Model<'_>, text: &[u8]) -> Self {
        let mut lstm = engine(model);
        let mut cells = Cells::new(lstm.cells().count());
        for &symbol in text.iter().take(READ_CHARACTERS) {
            lstm.step(symbol);
            cells.look(lstm.cells());
        }
        Self {
            longest: cells.longest,
            read: cells.looks,
        }
    }

    /// From when on a cell is longer there than that explains; none if it explains any time.
    pub(super) fn too_long(self) -> Option<u64> {
        let is_half_of_it = 2 * self.longest >= self.read;
        (!is_half_of_it).then_some(MOST_AT_END * self.longest)
    }
}

/// How long each cell has been at an end of its range.
#[derive(Debug)]
pub struct Cells {
    now: Vec<u64>,
    /// The longest time of all.
    pub longest: u64,
    at_end: u64,
    /// Characters so far.
    pub looks: u64,
}

impl Cells {
    /// So many, none of them looked at.
    pub fn new(count: usize) -> Self {
        Self {
            now: vec![0; count],
            longest: 0,
            at_end: 0,
            looks: 0,
        }
    }

    /// Takes note of all of them behind a character.
    pub fn look(&mut self, cells: impl Iterator<Item = i16>) {
        self.looks += 1;
        for (now, cell) in self.now.iter_mut().zip(cells) {
            if is_at_end(cell) {
                *now += 1;
                self.at_end += 1;
                self.longest = self.longest.max(*now);
            } else {
                *now = 0;
            }
        }
    }

    /// The share of all looks at all cells that found one at an end.
    pub fn share_at_end(&self) -> f64 {
        self.at_end as f64 / (self.looks * self.now.len() as u64).max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_timed_from_when_it_reaches_an_end_to_when_it_leaves() {
        let mut cells = Cells::new(2);
        for value in [0, i16::MAX, i16::MIN, 5, i16::MAX] {
            cells.look([value, 0].into_iter());
        }
        assert_eq!((cells.longest, cells.at_end, cells.looks), (2, 3, 5));
    }
}
