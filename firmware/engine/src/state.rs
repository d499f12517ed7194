//! The memory that a model works in: tables of sums, hidden units, cells, logits.

use core::borrow::{Borrow, BorrowMut};

use crate::format::{Dimensions, MAX_LAYERS, MAX_SYMBOLS, MAX_UNITS, Planes, TILE_ROWS};
use crate::kernels::{TABLE_WORDS, TABLES};

/// Words that any model can work in.
pub const MAX_STATE_WORDS: usize = state_words(&Dimensions {
    hidden: MAX_UNITS,
    symbols: MAX_SYMBOLS,
    layers: 1,
    embedding: 0,
    planes: Planes::uniform(1),
}) + MAX_LAYERS;

/// Words that a model of these dimensions works in: 4 KiB of tables and some 22 bytes per hidden unit.
#[must_use]
pub const fn state_words(dimensions: &Dimensions) -> usize {
    Layout::of(dimensions).words()
}

/// Memory for a model, in `WORDS` words of 32 bits.
///
/// For a model that is known when compiling, [`state_words!`](crate::state_words!) says how many it needs; as
/// it stands it is enough for any, some tens of kilobytes: for PCs. What is in it when a model is given it
/// counts for nothing.
///
/// ```
/// use inkling_engine::State;
///
/// let state = State::any();
/// assert!(size_of_val(&state) < 65_536);
/// ```
#[derive(Clone, Debug)]
pub struct State<const WORDS: usize = MAX_STATE_WORDS>([u32; WORDS]);

impl State {
    /// Memory for any model.
    #[must_use]
    pub const fn any() -> Self {
        Self::new()
    }
}

impl<const WORDS: usize> State<WORDS> {
    /// Memory for models that need no more than `WORDS` words.
    #[must_use]
    pub const fn new() -> Self {
        Self([0; WORDS])
    }
}

impl<const WORDS: usize> Default for State<WORDS> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const WORDS: usize> Borrow<[u32]> for State<WORDS> {
    fn borrow(&self) -> &[u32] {
        &self.0
    }
}

impl<const WORDS: usize> BorrowMut<[u32]> for State<WORDS> {
    fn borrow_mut(&mut self) -> &mut [u32] {
        &mut self.0
    }
}

impl<const WORDS: usize> Borrow<[u32]> for &mut State<WORDS> {
    fn borrow(&self) -> &[u32] {
        &self.0
    }
}

impl<const WORDS: usize> BorrowMut<[u32]> for &mut State<WORDS> {
    fn borrow_mut(&mut self) -> &mut [u32] {
        &mut self.0
    }
}

/// Where a part of the state lies, in words.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub begin: usize,
    pub words: usize,
}

/// Where the parts of the state of a model lie, one behind the other.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    /// Tables of sums of a block.
    pub tables: Place,
    /// Per layer: the recurrent products.
    pub sums: Place,
    /// The products of a layer with the hidden units of the layer below; nothing where there is only one.
    pub below: Place,
    /// The products that lead to the logits.
    pub logit_sums: Place,
    /// Per layer: the cells.
    pub cells: Place,
    /// The logits, and what fills the last tile up.
    pub logits: Place,
    /// The hidden units of the layer being computed.
    pub hidden: Place,
}

impl Layout {
    pub const fn of(dimensions: &Dimensions) -> Self {
        let Dimensions { hidden, layers, .. } = *dimensions;
        let sums = TILE_ROWS * hidden;
        let below = if layers > 1 { sums } else { 0 };
        let tiles = dimensions.output_tiles();

        let tables = Place {
            begin: 0,
            words: TABLES * TABLE_WORDS,
        };
        let sums = tables.then(layers * sums);
        let below = sums.then(below);
        let logit_sums = below.then(TILE_ROWS * tiles);
        let cells = logit_sums.then(layers * hidden.div_ceil(2));
        let logits = cells.then(TILE_ROWS / 2 * tiles);
        let hidden = logits.then(Dimensions::padded(hidden).div_ceil(4));
        Self {
            tables,
            sums,
            below,
            logit_sums,
            cells,
            logits,
            hidden,
        }
    }

    /// All of it.
    pub const fn words(&self) -> usize {
        self.hidden.begin + self.hidden.words
    }
}

impl Place {
    /// The place behind this one.
    const fn then(&self, words: usize) -> Self {
        Self {
            begin: self.begin + self.words,
            words,
        }
    }
}
