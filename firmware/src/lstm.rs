//! One step of the LSTM, and the logits that follow from it.
//!
//! A unit's four gates are one tile, so its cell and hidden state are finished as soon as its four
//! sums are: nothing is stored in between. For unit j with gates i, f, g, o:
//!
//! ```text
//! acc   = bias + input[symbol] * m_in + K · (W · h)      modulo 2^32; inputs fill the top of 16 bits
//! z     = sat12(acc * m >> 24)                          Q3.8; m of gate g is doubled: z_g = 2g
//! c'    = sat16((σ(f)·c + σ(i)·tanh(g)) rounded)        Q4.11
//! h'    = round(127 · σ(o) · tanh(c'))                  i8, units of 1/127
//! logit = sat16((bias + K · (W_out · h')) * m >> 21)    Q5.10
//! ```

use core::borrow::BorrowMut;

use crate::alphabet::Symbol;
use crate::image::{MAX_LAYERS, MAX_SYMBOLS, MAX_UNITS, Model};
use crate::kernels::{
    self, Bits, Format, Int4, Int8, LayerStep, MAX_PACKED_WORDS, OutputStep, pack,
};

/// All memory that a model works in. A board keeps it in a static variable, see [`Lstm::with_state`].
#[derive(Clone, Debug)]
pub struct State {
    /// Cells of all layers one after the other, Q4.11.
    cells: [i16; MAX_UNITS],
    /// Hidden units of the layer being computed, in units of 1/127, with zeros up to a whole block.
    hidden: [i8; MAX_UNITS],
    /// Every layer's hidden state as the recurrent weights want it, one after the other.
    packed: [u32; MAX_PACKED_WORDS],
    /// Per layer, what the offsets of the weights add to its rows' sums.
    offsets: [i32; MAX_LAYERS],
    /// Q5.10.
    logits: [i16; MAX_SYMBOLS],
}

impl State {
    /// The zero state.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            cells: [0; MAX_UNITS],
            hidden: [0; MAX_UNITS],
            packed: [0; MAX_PACKED_WORDS], // zeros, packed
            offsets: [0; MAX_LAYERS],
            logits: [0; MAX_SYMBOLS],
        }
    }

    fn reset(&mut self) {
        self.cells.fill(0);
        self.hidden.fill(0);
        self.packed.fill(0);
        self.offsets.fill(0);
        self.logits.fill(0);
    }
}

impl Default for State {
    fn default() -> Self {
        Self::new()
    }
}

/// A model with its state, which it owns or, on a small stack, borrows.
#[derive(Clone, Debug)]
pub struct Lstm<'m, S = State> {
    model: Model<'m>,
    state: S,
}

impl<'m> Lstm<'m> {
    /// A model in its zero state.
    #[must_use]
    pub fn new(model: Model<'m>) -> Self {
        Self::with_state(model, State::new())
    }
}

impl<'m, S: BorrowMut<State>> Lstm<'m, S> {
    /// A model in its zero state, in the memory given.
    #[must_use]
    pub fn with_state(model: Model<'m>, mut state: S) -> Self {
        state.borrow_mut().reset();
        Self { model, state }
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> Model<'m> {
        self.model
    }

    /// Forgets everything read so far.
    pub fn reset(&mut self) {
        self.state.borrow_mut().reset();
    }

    /// Reads one symbol. A symbol outside the alphabet leaves the state as it is.
    pub fn step(&mut self, symbol: Symbol) {
        if usize::from(symbol) < self.model.symbols() {
            match self.model.dimensions().recurrent_bits {
                Bits::Eight => self.step_layers::<Int8>(symbol.into(), Int8::layer),
                Bits::Four => self.step_layers::<Int4>(symbol.into(), Int4::layer),
            }
        }
    }

    /// The same by the reference kernels, on a PC; `watch` sees the gates i, f, g, o of every unit
    /// before their activation, Q3.8 in 12 bits, the lowest layer first.
    #[cfg(not(target_pointer_width = "32"))]
    pub fn step_watched(&mut self, symbol: Symbol, mut watch: impl FnMut([i32; 4])) {
        if usize::from(symbol) < self.model.symbols() {
            let bits = self.model.dimensions().recurrent_bits;
            let layer =
                |step: LayerStep<'_>| kernels::portable::layer_watched(step, bits, &mut watch);
            match bits {
                Bits::Eight => self.step_layers::<Int8>(symbol.into(), layer),
                Bits::Four => self.step_layers::<Int4>(symbol.into(), layer),
            }
        }
    }

    // A checked model's slices all fit (`Dimensions::fit`); the empty slice stands for one that does
    // not, so that there is nothing that could panic.
    fn step_layers<F: Format>(&mut self, symbol: usize, mut advance: impl FnMut(LayerStep<'_>)) {
        let dimensions = self.model.dimensions();
        let words = dimensions.packed_words();
        let state = self.state.borrow_mut();
        let hidden = state.hidden.get_mut(..dimensions.padded_hidden());
        let hidden = hidden.unwrap_or_default();
        for (index, layer) in self.model.lstm_layers().iter().enumerate() {
            let (row, below) = if index == 0 { (symbol, 0) } else { (0, 1) };
            // The new state of the layer below lies right in front of this layer's old one.
            let own = index * words..(index + 1) * words;
            let read = (index - below) * words..own.end;
            let cells = index * dimensions.hidden..(index + 1) * dimensions.hidden;
            let offsets = state.offsets.get(index - below..=index).unwrap_or_default();
            advance(LayerStep {
                inputs: layer.input_row(row),
                units: layer.units(),
                packed: state.packed.get(read).unwrap_or_default(),
                offset: offsets
                    .iter()
                    .fold(0, |sum, &offset| sum.wrapping_add(offset)),
                cells: state.cells.get_mut(cells).unwrap_or_default(),
                hidden,
            });
            pack::<F>(hidden, state.packed.get_mut(own).unwrap_or_default());
            if let Some(offset) = state.offsets.get_mut(index) {
                *offset = kernels::offset::<F>(hidden);
            }
        }
    }

    /// The logits after the last step, Q5.10, one per symbol.
    pub fn logits(&mut self) -> &[i16] {
        let dimensions = self.model.dimensions();
        match dimensions.output_bits {
            Bits::Eight => self.output_logits::<Int8>(),
            Bits::Four => self.output_logits::<Int4>(),
        }
        let logits = self.state.borrow().logits.get(..dimensions.symbols);
        logits.unwrap_or_default()
    }

    fn output_logits<F: Format>(&mut self) {
        let dimensions = self.model.dimensions();
        let words = dimensions.packed_words();
        let state = self.state.borrow_mut();
        let hidden = state.hidden.get(..dimensions.padded_hidden());
        let hidden = hidden.unwrap_or_default();
        let end = dimensions.layers * words;
        let packed = state.packed.get_mut(end.saturating_sub(words)..end);
        let packed = packed.unwrap_or_default();
        let is_mixed = F::BITS != dimensions.recurrent_bits;
        let offset = match (
            is_mixed,
            state.offsets.get(dimensions.layers.wrapping_sub(1)),
        ) {
            (false, Some(&offset)) => offset,
            _ => kernels::offset::<F>(hidden),
        };
        if is_mixed {
            pack::<F>(hidden, packed);
        }
        F::output(OutputStep {
            records: self.model.output(),
            packed,
            offset,
            logits: &mut state.logits,
        });
        // The next step wants the recurrent weights' form again.
        match dimensions.recurrent_bits {
            _ if !is_mixed => {}
            Bits::Eight => pack::<Int8>(hidden, packed),
            Bits::Four => pack::<Int4>(hidden, packed),
        }
    }

    /// The cells of all layers, lowest first, Q4.11.
    #[must_use]
    pub fn cells(&self) -> &[i16] {
        let dimensions = self.model.dimensions();
        let cells = self
            .state
            .borrow()
            .cells
            .get(..dimensions.hidden * dimensions.layers);
        cells.unwrap_or_default()
    }

    /// The hidden state of the last layer, in units of 1/127.
    #[must_use]
    pub fn hidden(&self) -> &[i8] {
        let hidden = self.state.borrow().hidden.get(..self.model.hidden());
        hidden.unwrap_or_default()
    }
}
