//! One step of the LSTM, and the logits that follow from it.
//!
//! A unit's four gates are one tile, so its cell and hidden state are finished as soon as its four
//! sums are: nothing is stored in between. For unit j with gates i, f, g, o:
//!
//! ```text
//! acc   = (input[symbol] << 8) * m_in + W · h           modulo 2^32, K times the true sum
//! z     = requantize(acc, m_acc, shift)                 Q3.8, 12 bits; z_g is doubled by its multiplier
//! c'    = sat16((σ(f)·c + σ(i)·tanh(g)) rounded)        Q4.11
//! h'    = round(127 · σ(o) · tanh(c'))                  i8, units of 1/127
//! logit = requantize(bias + W_out · h', m, shift)       Q5.10
//! ```

use crate::activation::{INDEX_BITS, sigmoid, tanh_cell, tanh_half};
use crate::alphabet::Symbol;
use crate::fixed::{HIDDEN_ONE, requantize, saturate};
use crate::image::{GateScales, MAX_LAYERS, MAX_SYMBOLS, MAX_UNITS, Model, Output, TILE_ROWS};
use crate::kernels::{Bits, Format, Int4, Int8, PACKED_WORDS, Packed};

/// A model with its state: cells and hidden units of every layer, and the last logits.
#[derive(Clone, Debug)]
pub struct Lstm<'m> {
    model: Model<'m>,
    /// Cells of all layers one after the other, Q4.11.
    cells: heapless::Vec<i16, MAX_UNITS>,
    /// Hidden units of the layer being computed, in units of 1/127.
    hidden: heapless::Vec<i8, MAX_UNITS>,
    /// Each layer's hidden state as the recurrent weights want it.
    recurrent: [Packed; MAX_LAYERS],
    /// The last layer's hidden state as the output weights want it, where that differs.
    output: Packed,
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
            recurrent: Default::default(),
            output: Packed::default(),
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
        let (hidden, layers) = (self.model.hidden(), self.model.layers());
        // A checked model fits: `Dimensions::fit`.
        let _ = self.cells.resize(hidden * layers, 0);
        let _ = self.hidden.resize(hidden, 0);
        self.cells.fill(0);
        self.hidden.fill(0);
        for layer in &mut self.recurrent {
            match self.model.dimensions().recurrent_bits {
                Bits::Eight => layer.pack::<Int8>(&self.hidden),
                Bits::Four => layer.pack::<Int4>(&self.hidden),
            }
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
        let hidden = self.model.hidden();
        let mut below: &[u32] = &[];
        let mut below_offset = 0;
        let layers = self.model.lstm_layers().iter().enumerate();
        for (((index, layer), packed), cells) in layers
            .zip(&mut self.recurrent)
            .zip(self.cells.chunks_exact_mut(hidden))
        {
            let row = if index == 0 { symbol } else { 0 };
            let tile = F::BITS.block_words() * self.model.dimensions().blocks(index);
            let offset = packed.offset().wrapping_add(below_offset);
            let units = layer
                .input_row(row)
                .iter()
                .zip(layer.gates)
                .zip(layer.weights.chunks_exact(tile))
                .zip(cells)
                .zip(&mut self.hidden);
            for ((((input, gates), tile), cell), unit) in units {
                let acc = input_sums(*input, gates, offset);
                let (from_below, from_own) = split_tile::<F>(tile, below);
                let acc = F::dot(from_below, below, acc);
                let acc = F::dot(from_own, packed.words(), acc);
                *unit = update_unit(acc, gates, layer.shift, cell);
            }
            packed.pack::<F>(&self.hidden);
            below_offset = packed.offset();
            below = packed.words();
        }
    }

    /// The logits after the last step, Q5.10, one per symbol.
    pub fn logits(&mut self) -> &[i16] {
        let Some(last) = self.recurrent.get(self.model.layers().saturating_sub(1)) else {
            return &[];
        };
        let dimensions = self.model.dimensions();
        let output = self.model.output();
        let packed = if dimensions.output_bits == dimensions.recurrent_bits {
            last
        } else {
            match dimensions.output_bits {
                Bits::Eight => self.output.pack::<Int8>(&self.hidden),
                Bits::Four => self.output.pack::<Int4>(&self.hidden),
            }
            &self.output
        };
        self.logits.clear();
        match dimensions.output_bits {
            Bits::Eight => output_logits::<Int8>(&output, packed, &mut self.logits),
            Bits::Four => output_logits::<Int4>(&output, packed, &mut self.logits),
        }
        self.logits.truncate(dimensions.symbols);
        &self.logits
    }

    /// The cells of all layers, lowest first, Q4.11.
    #[must_use]
    pub fn cells(&self) -> &[i16] {
        &self.cells
    }

    /// The hidden state of the last layer, in units of 1/127.
    #[must_use]
    pub fn hidden(&self) -> &[i8] {
        &self.hidden
    }
}

/// What the symbol (or bias) contributes to a unit's four sums.
#[inline(always)]
#[must_use]
pub fn input_sums(input: [i8; 4], gates: &GateScales, offset: i32) -> [i32; TILE_ROWS] {
    let mut acc = [0; TILE_ROWS];
    for ((acc, input), multiplier) in acc.iter_mut().zip(input).zip(gates.input) {
        *acc = ((i32::from(input) << 8) * i32::from(multiplier)).wrapping_sub(offset);
    }
    acc
}

/// The part of a tile for the layer below, and the part for the layer's own state.
#[inline(always)]
fn split_tile<'a, F: Format>(tile: &'a [u32], below: &[u32]) -> (&'a [u32], &'a [u32]) {
    let words = below.len() / PACKED_WORDS * F::BITS.block_words();
    tile.split_at_checked(words).unwrap_or((&[], tile))
}

/// Finishes a unit: its new cell in place, its new hidden state as the result.
#[inline(always)]
#[must_use]
pub fn update_unit(acc: [i32; TILE_ROWS], gates: &GateScales, shift: u32, cell: &mut i16) -> i8 {
    let [zi, zf, zg, zo] =
        [0, 1, 2, 3].map(|g| requantize::<INDEX_BITS>(acc[g], gates.accumulator[g], shift));
    // Q0.16 × Q4.11 = Q4.27 and Q0.16 × Q0.15 = Q0.31, both brought to Q4.26.
    let kept = (sigmoid(zf) * i32::from(*cell)) >> 1;
    let added = (sigmoid(zi) * tanh_half(zg)) >> 5;
    let c = saturate::<16>((kept + added + (1 << 14)) >> 15);
    *cell = c as i16;
    // Q0.16 × Q0.15 = Q0.31, brought to Q0.15 before it is scaled to 1/127.
    let h = (sigmoid(zo) * tanh_cell(c)) >> 16;
    ((h * HIDDEN_ONE + (1 << 14)) >> 15) as i8
}

fn output_logits<F: Format>(
    output: &Output<'_>,
    packed: &Packed,
    logits: &mut heapless::Vec<i16, MAX_SYMBOLS>,
) {
    let words = packed.words();
    let tile = words.len() / PACKED_WORDS * F::BITS.block_words();
    if tile == 0 {
        return;
    }
    let groups = output
        .bias
        .iter()
        .zip(output.multipliers)
        .zip(output.weights.chunks_exact(tile));
    for ((bias, multipliers), tile) in groups {
        let acc = F::dot(tile, words, *bias);
        let four = [0, 1, 2, 3].map(|row| {
            let acc = acc[row].wrapping_sub(packed.offset());
            requantize::<16>(acc, multipliers[row], output.shift) as i16
        });
        // As many as the image has rows; MAX_SYMBOLS is a multiple of four.
        let _ = logits.extend_from_slice(&four);
    }
}
