//! One step of the LSTM, and the logits that follow from it.
//!
//! A unit's four gates are one tile, so its cell and hidden state are finished as soon as its four
//! sums are: nothing is stored in between. For unit j with gates i, f, g, o:
//!
//! ```text
//! acc   = (input[symbol] << 8) * m_in + K · (W · h)     modulo 2^32
//! z     = sat12(acc * m >> 24)                          Q3.8; m of gate g is doubled: z_g = 2g
//! c'    = sat16((σ(f)·c + σ(i)·tanh(g)) rounded)        Q4.11
//! h'    = round(127 · σ(o) · tanh(c'))                  i8, units of 1/127
//! logit = sat16((bias + K · (W_out · h')) * m >> 21)    Q5.10
//! ```

use crate::alphabet::Symbol;
use crate::image::{BLOCK, MAX_LAYERS, MAX_SYMBOLS, MAX_UNITS, Model, TILE_ROWS};
use crate::kernels::{
    self, Bits, Format, Int4, Int8, LayerStep, MAX_PACKED_WORDS, OutputStep, PACKED_WORDS, pack,
};

/// A model with its state: cells and hidden units of every layer, and the last logits.
#[derive(Clone, Debug)]
pub struct Lstm<'m> {
    model: Model<'m>,
    /// Cells of all layers one after the other, Q4.11.
    cells: heapless::Vec<i16, MAX_UNITS>,
    /// Hidden units of the layer being computed, in units of 1/127, with zeros up to a whole block.
    hidden: heapless::Vec<i8, MAX_UNITS>,
    /// Every layer's hidden state as the recurrent weights want it, one after the other.
    recurrent: heapless::Vec<u32, MAX_PACKED_WORDS>,
    /// Per layer, what the offsets of the weights add to its rows' sums.
    offsets: [i32; MAX_LAYERS],
    /// The last layer's hidden state as the output weights want it, where that differs.
    output: heapless::Vec<u32, MAX_PACKED_WORDS>,
    /// Q5.10.
    logits: heapless::Vec<i16, MAX_SYMBOLS>,
}

impl<'m> Lstm<'m> {
    /// A model in its zero state.
    #[must_use]
    pub fn new(model: Model<'m>) -> Self {
        let mut lstm = Self {
            model,
            cells: heapless::Vec::new(),
            hidden: heapless::Vec::new(),
            recurrent: heapless::Vec::new(),
            offsets: [0; MAX_LAYERS],
            output: heapless::Vec::new(),
            logits: heapless::Vec::new(),
        };
        lstm.reset();
        lstm
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> Model<'m> {
        self.model
    }

    /// Forgets everything read so far.
    pub fn reset(&mut self) {
        let dimensions = self.model.dimensions();
        let words = dimensions.padded_hidden() / BLOCK * PACKED_WORDS;
        // A checked model fits: `Dimensions::fit`. The packed form of zeros is zeros.
        self.cells.clear();
        let _ = self.cells.resize(dimensions.hidden * dimensions.layers, 0);
        self.hidden.clear();
        let _ = self.hidden.resize(dimensions.padded_hidden(), 0);
        self.recurrent.clear();
        let _ = self.recurrent.resize(words * dimensions.layers, 0);
        self.offsets = [0; MAX_LAYERS];
        self.logits.clear();
        let _ = self.logits.resize(dimensions.output_tiles() * TILE_ROWS, 0);
        if dimensions.output_bits != dimensions.recurrent_bits {
            self.output.clear();
            let _ = self.output.resize(words, 0);
        }
    }

    /// Reads one symbol. A symbol outside the alphabet leaves the state as it is.
    pub fn step(&mut self, symbol: Symbol) {
        if usize::from(symbol) < self.model.symbols() {
            match self.model.dimensions().recurrent_bits {
                Bits::Eight => self.step_layers::<Int8>(symbol.into()),
                Bits::Four => self.step_layers::<Int4>(symbol.into()),
            }
        }
    }

    fn step_layers<F: Format>(&mut self, symbol: usize) {
        let dimensions = self.model.dimensions();
        let words = dimensions.padded_hidden() / BLOCK * PACKED_WORDS;
        let layers = self.model.lstm_layers().iter();
        let cells = self.cells.chunks_exact_mut(dimensions.hidden);
        for (index, (layer, cells)) in layers.zip(cells).enumerate() {
            let (row, below) = if index == 0 { (symbol, 0) } else { (0, 1) };
            // The new state of the layer below lies right in front of this layer's old one.
            let own = index * words..(index + 1) * words;
            let read = (index - below) * words..own.end;
            let offsets = self.offsets.get(index - below..=index).unwrap_or_default();
            F::layer(LayerStep {
                inputs: layer.input_row(row),
                units: layer.units(),
                packed: self.recurrent.get(read).unwrap_or_default(),
                offset: offsets
                    .iter()
                    .fold(0, |sum, &offset| sum.wrapping_add(offset)),
                cells,
                hidden: &mut self.hidden,
            });
            pack::<F>(
                &self.hidden,
                self.recurrent.get_mut(own).unwrap_or_default(),
            );
            if let Some(offset) = self.offsets.get_mut(index) {
                *offset = kernels::offset::<F>(&self.hidden);
            }
        }
    }

    /// The logits after the last step, Q5.10, one per symbol.
    pub fn logits(&mut self) -> &[i16] {
        match self.model.dimensions().output_bits {
            Bits::Eight => self.output_logits::<Int8>(),
            Bits::Four => self.output_logits::<Int4>(),
        }
        self.logits.get(..self.model.symbols()).unwrap_or_default()
    }

    fn output_logits<F: Format>(&mut self) {
        let dimensions = self.model.dimensions();
        let packed = if F::BITS == dimensions.recurrent_bits {
            let words = dimensions.padded_hidden() / BLOCK * PACKED_WORDS;
            self.recurrent
                .chunks_exact(words)
                .last()
                .unwrap_or_default()
        } else {
            pack::<F>(&self.hidden, &mut self.output);
            &self.output
        };
        F::output(OutputStep {
            records: self.model.output(),
            packed,
            offset: kernels::offset::<F>(&self.hidden),
            logits: &mut self.logits,
        });
    }

    /// The cells of all layers, lowest first, Q4.11.
    #[must_use]
    pub fn cells(&self) -> &[i16] {
        &self.cells
    }

    /// The hidden state of the last layer, in units of 1/127.
    #[must_use]
    pub fn hidden(&self) -> &[i8] {
        self.hidden.get(..self.model.hidden()).unwrap_or_default()
    }
}
