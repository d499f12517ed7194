//! One step of the LSTM, and the logits that follow from it.
//!
//! A step reads a symbol. For each unit with gates i, f, g, o, and with all sums modulo 2^32:
//!
//! ```text
//! sum   = W · h                                          of the step before, units of 1/127
//! s     = sum * m + (bias << (a - 2)) + ((input * m_in) << 4)   above the first layer: << 0
//! z     = sat12(s >> a)                                  Q3.8; of gate g all is doubled: 2g
//! c'    = sat16((σ(f)·c + σ(i)·tanh(g)) rounded)         Q4.11
//! h'    = round(127 · σ(o) · tanh(c'))                   i8, units of 1/127
//! logit = sat16((W_out · h' * m + bias) >> 12)           Q5.10
//! ```
//!
//! The gate shift a is the model's: 14 unless its weights are so large that multipliers of 16 bits need
//! a smaller one, and s has 8 + a fraction bits. `input` is a number of the symbol's folded row, or `W_in · x` with the embedded symbol x, or with the
//! hidden units of the layer below. Biases are Q5.10 of gates and Q9.22 of logits, multipliers have no
//! sign. The products with h' are computed at the end of the step, those for the logits and those for
//! the next step together, because they share their tables.

use core::borrow::BorrowMut;

use crate::activation::{INDEX_BITS, sigmoid, tanh_cell, tanh_half};
use crate::alphabet::Symbol;
use crate::fixed::{
    BIAS_FRACTION_BITS, GATE_FRACTION_BITS, HIDDEN_ONE, INPUT_SHIFT, LOGIT_SHIFT, MAX_GATE_SHIFT,
    requantize, saturate,
};
use crate::format::{Dimensions, MAX_LAYERS, MAX_SYMBOLS, MAX_UNITS, OutputRows, TILE_ROWS, Unit};
use crate::image::{ImageError, Inputs, Model};
use crate::kernels::{Kernel, Part, Product, Sums, TABLE_WORDS, TABLES, Table, Tables};

/// Words of memory for a model, see [`Lstm::with_memory`].
#[must_use]
pub const fn memory_words(dimensions: &Dimensions) -> usize {
    let parts = Extents::of(dimensions);
    let sums = dimensions.layers * parts.sums + parts.below + parts.logit_sums;
    TABLES * TABLE_WORDS + sums + dimensions.layers * parts.cells + parts.logits + parts.hidden
}

/// Words for any model that an image can hold.
pub const MAX_MEMORY_WORDS: usize = memory_words(&Dimensions {
    hidden: MAX_UNITS,
    symbols: MAX_SYMBOLS,
    layers: 1,
    embedding: 0,
    planes: crate::format::Planes::uniform(1),
}) + MAX_LAYERS;

/// Memory for any model: some tens of kilobytes, for a PC.
pub type AnyMemory = [u32; MAX_MEMORY_WORDS];

/// Words that parts of the memory fill.
struct Extents {
    /// Of a layer.
    sums: usize,
    below: usize,
    logit_sums: usize,
    /// Of a layer.
    cells: usize,
    logits: usize,
    hidden: usize,
}

impl Extents {
    const fn of(dimensions: &Dimensions) -> Self {
        let tiles = dimensions.output_tiles();
        let sums = TILE_ROWS * dimensions.hidden;
        Self {
            sums,
            below: if dimensions.layers > 1 { sums } else { 0 },
            logit_sums: TILE_ROWS * tiles,
            cells: dimensions.hidden.div_ceil(2),
            logits: TILE_ROWS / 2 * tiles,
            hidden: Dimensions::padded(dimensions.hidden).div_ceil(4),
        }
    }
}

/// The parts of a model's memory.
struct Parts<'a> {
    tables: &'a mut [Table],
    /// Per layer: the recurrent products, `[H]`.
    sums: &'a mut [u32],
    /// The products of a layer with the hidden units of the layer below; empty where there is only one.
    below: &'a mut [Sums],
    logit_sums: &'a mut [Sums],
    /// Per layer: cells, Q4.11, `[H]`.
    cells: &'a mut [u32],
    /// `[V]` and what fills the last tile up, Q5.10.
    logits: &'a mut [i16],
    /// Hidden units of the layer being computed, in units of 1/127, with zeros up to a whole group.
    hidden: &'a mut [i8],
}

impl<'a> Parts<'a> {
    /// Cuts the memory up. What does not fit is empty, so that there is nothing that could panic.
    fn of(mut memory: &'a mut [u32], dimensions: &Dimensions) -> Self {
        let Extents {
            sums,
            below,
            logit_sums,
            cells,
            logits,
            hidden,
        } = Extents::of(dimensions);
        let mut take = |words: usize| {
            let (part, rest) = core::mem::take(&mut memory)
                .split_at_mut_checked(words)
                .unwrap_or_default();
            memory = rest;
            part
        };
        Self {
            tables: cast(take(TABLES * TABLE_WORDS)),
            sums: take(dimensions.layers * sums),
            below: cast(take(below)),
            logit_sums: cast(take(logit_sums)),
            cells: take(dimensions.layers * cells),
            logits: cast(take(logits)),
            hidden: cast(take(hidden)),
        }
    }
}

fn cast<T: bytemuck::Pod>(words: &mut [u32]) -> &mut [T] {
    bytemuck::try_cast_slice_mut(words).unwrap_or_default()
}

/// A model with its state, in memory that it owns or, on a small stack, borrows.
#[derive(Clone, Debug)]
pub struct Lstm<'m, M = AnyMemory, K = Tables> {
    model: Model<'m>,
    memory: M,
    kernel: K,
}

impl<'m> Lstm<'m> {
    /// A model in its zero state, with memory for any model: for PCs.
    #[must_use]
    pub fn new(model: Model<'m>) -> Self {
        Self::with_any_memory(model, Tables)
    }
}

impl<'m, K: Kernel> Lstm<'m, AnyMemory, K> {
    /// The same with a kernel of one's own.
    #[must_use]
    pub fn with_any_memory(model: Model<'m>, kernel: K) -> Self {
        Self {
            model,
            memory: [0; MAX_MEMORY_WORDS],
            kernel,
        }
    }
}

impl<'m, M: BorrowMut<[u32]>> Lstm<'m, M> {
    /// A model in its zero state, in the memory given: [`memory_words`] of it are used.
    ///
    /// # Errors
    /// [`ImageError::Memory`] when there is less.
    pub fn with_memory(model: Model<'m>, memory: M) -> Result<Self, ImageError> {
        Self::with_kernel(model, memory, Tables)
    }
}

impl<'m, M: BorrowMut<[u32]>, K: Kernel> Lstm<'m, M, K> {
    /// The same with a kernel of one's own.
    ///
    /// # Errors
    /// As for [`Lstm::with_memory`].
    pub fn with_kernel(model: Model<'m>, mut memory: M, kernel: K) -> Result<Self, ImageError> {
        let needed = memory_words(&model.dimensions());
        let words = memory.borrow_mut();
        let available = words.len();
        words
            .get_mut(..needed)
            .ok_or(ImageError::Memory {
                needed: 4 * needed,
                available: 4 * available,
            })?
            .fill(0);
        Ok(Self {
            model,
            memory,
            kernel,
        })
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> Model<'m> {
        self.model
    }

    /// Forgets everything read so far.
    pub fn reset(&mut self) {
        let used = memory_words(&self.model.dimensions());
        let memory = self.memory.borrow_mut().get_mut(..used);
        memory.unwrap_or_default().fill(0);
    }

    /// Reads one symbol. A symbol outside the alphabet leaves the state as it is.
    pub fn step(&mut self, symbol: Symbol) {
        self.step_with(symbol, |_| ());
    }

    /// The same; `watch` sees the gates i, f, g, o of every unit before their activation, Q3.8 in 12
    /// bits, the lowest layer first.
    #[cfg(not(target_pointer_width = "32"))]
    pub fn step_watched(&mut self, symbol: Symbol, watch: impl FnMut([i32; 4])) {
        self.step_with(symbol, watch);
    }

    #[inline(always)]
    fn step_with(&mut self, symbol: Symbol, mut watch: impl FnMut([i32; TILE_ROWS])) {
        let symbol = usize::from(symbol);
        let dimensions = self.model.dimensions();
        if symbol >= dimensions.symbols {
            return;
        }
        let Extents { sums, cells, .. } = Extents::of(&dimensions);
        let parts = Parts::of(self.memory.borrow_mut(), &dimensions);
        let states = parts
            .sums
            .chunks_exact_mut(sums.max(1)) // never 0, but then there is nothing that could panic
            .zip(parts.cells.chunks_exact_mut(cells.max(1)));
        let layers = self.model.lstm_layers();
        for (index, (layer, (sums, cells))) in layers.iter().zip(states).enumerate() {
            let sums = cast(sums);
            let mut units = Units {
                records: layer.units,
                sums,
                cells: cast(cells),
                hidden: parts.hidden,
                gate_shift: self.model.gate_shift(),
                input_shift: if index == 0 { INPUT_SHIFT } else { 0 },
            };
            match (index, self.model.inputs()) {
                (0, Inputs::Folded(rows)) => {
                    let begin = symbol * dimensions.hidden;
                    let row = rows.get(begin..begin + dimensions.hidden);
                    let row = row.unwrap_or_default().iter();
                    units.advance(0, row.map(|inputs| inputs.map(i32::from)), &mut watch);
                }
                (0, Inputs::Embedded { embedding, matrix }) => {
                    let columns = Dimensions::padded(dimensions.embedding);
                    let embedded = embedding.get(symbol * columns..(symbol + 1) * columns);
                    let embedded = bytemuck::cast_slice(embedded.unwrap_or_default());
                    self.kernel
                        .inputs(matrix, embedded, parts.tables, |first, inputs| {
                            units.advance(first, inputs.iter().copied(), &mut watch);
                        });
                }
                _ => units.advance(0, parts.below.iter().copied(), &mut watch),
            }
            let recurrent = Product {
                part: Part::Recurrent(index),
                matrix: layer.recurrent,
                sums,
            };
            let upwards = match layers.get(index + 1) {
                Some(above) => Product {
                    part: Part::FromBelow(index + 1),
                    matrix: above.from_below,
                    sums: &mut *parts.below,
                },
                None => Product {
                    part: Part::Output,
                    matrix: self.model.output(),
                    sums: &mut *parts.logit_sums,
                },
            };
            let products = &mut [recurrent, upwards];
            self.kernel.multiply(parts.hidden, products, parts.tables);
        }
        let rows = self.model.output_rows().iter().zip(&*parts.logit_sums);
        let logits = parts.logits.as_chunks_mut::<TILE_ROWS>().0;
        for (logits, (rows, sums)) in logits.iter_mut().zip(rows) {
            *logits = finish_logits(rows, *sums);
        }
    }

    /// The logits after the last step, Q5.10, one per symbol; zeros before the first.
    #[must_use]
    pub fn logits(&self) -> &[i16] {
        let dimensions = self.model.dimensions();
        let extents = Extents::of(&dimensions);
        let begin = TABLES * TABLE_WORDS
            + dimensions.layers * (extents.sums + extents.cells)
            + extents.below
            + extents.logit_sums;
        self.part(begin, extents.logits, dimensions.symbols)
    }

    /// The cells of all layers, lowest first, Q4.11.
    pub fn cells(&self) -> impl Iterator<Item = i16> + '_ {
        let dimensions = self.model.dimensions();
        let extents = Extents::of(&dimensions);
        let first = TABLES * TABLE_WORDS
            + dimensions.layers * extents.sums
            + extents.below
            + extents.logit_sums;
        (0..dimensions.layers).flat_map(move |layer| {
            let begin = first + layer * extents.cells;
            let cells: &[i16] = self.part(begin, extents.cells, dimensions.hidden);
            cells.iter().copied()
        })
    }

    /// The hidden state of the last layer, in units of 1/127.
    #[must_use]
    pub fn hidden(&self) -> &[i8] {
        let dimensions = self.model.dimensions();
        let extents = Extents::of(&dimensions);
        let begin = memory_words(&dimensions) - extents.hidden;
        self.part(begin, extents.hidden, dimensions.hidden)
    }

    /// The first numbers of a part of the memory.
    fn part<T: bytemuck::Pod>(&self, begin: usize, words: usize, count: usize) -> &[T] {
        let memory: &[u32] = self.memory.borrow();
        let part = memory.get(begin..begin + words).unwrap_or_default();
        let part = bytemuck::try_cast_slice(part).unwrap_or_default();
        part.get(..count).unwrap_or_default()
    }
}

/// The units of a layer on the way to their new state.
#[derive(Debug)]
pub struct Units<'a> {
    /// `[H]`: biases and multipliers.
    pub records: &'a [Unit],
    /// `[H]`: products with the hidden units of the step before.
    pub sums: &'a [Sums],
    /// `[H]`, Q4.11: updated.
    pub cells: &'a mut [i16],
    /// `[H]`, in units of 1/127: overwritten.
    pub hidden: &'a mut [i8],
    /// See [`Model::gate_shift`].
    pub gate_shift: u32,
    /// Left shift of multiplied inputs.
    pub input_shift: u32,
}

impl Units<'_> {
    /// Brings the units from `first` on forward by a step, one for each of `inputs`; `watch` sees their
    /// gates.
    // By itself it has all registers to itself.
    #[inline(never)]
    pub fn advance(
        &mut self,
        first: usize,
        inputs: impl Iterator<Item = Sums>,
        watch: impl FnMut([i32; TILE_ROWS]),
    ) {
        // What nearly every model has, known to the compiler.
        match (self.gate_shift, self.input_shift) {
            (MAX_GATE_SHIFT, INPUT_SHIFT) => {
                self.advance_by(first, inputs, watch, MAX_GATE_SHIFT, INPUT_SHIFT);
            }
            (gate_shift, input_shift) => {
                self.advance_by(first, inputs, watch, gate_shift, input_shift);
            }
        }
    }

    #[inline(always)]
    fn advance_by(
        &mut self,
        first: usize,
        inputs: impl Iterator<Item = Sums>,
        mut watch: impl FnMut([i32; TILE_ROWS]),
        gate_shift: u32,
        input_shift: u32,
    ) {
        let bias_shift = gate_shift + GATE_FRACTION_BITS - BIAS_FRACTION_BITS;
        let records = self.records.get(first..).unwrap_or_default().iter();
        let sums = self.sums.get(first..).unwrap_or_default();
        let cells = self.cells.get_mut(first..).unwrap_or_default();
        let hidden = self.hidden.get_mut(first..).unwrap_or_default();
        let units = records.zip(sums).zip(inputs).zip(cells).zip(hidden);
        for ((((record, sums), inputs), cell), hidden) in units {
            let gate = |gate: usize| {
                let multiplier = |at: usize| i32::from(record[at + gate] as u16);
                let bias = i32::from(record[gate]) << (bias_shift & 31);
                let input = inputs[gate].wrapping_mul(multiplier(TILE_ROWS));
                let sum = sums[gate]
                    .wrapping_mul(multiplier(2 * TILE_ROWS))
                    .wrapping_add(bias)
                    .wrapping_add(input << (input_shift & 31));
                requantize::<INDEX_BITS>(sum, gate_shift)
            };
            let gates = [gate(0), gate(1), gate(2), gate(3)];
            watch(gates);
            *hidden = update_unit(gates, cell);
        }
    }
}

/// Finishes a unit: its new cell in place, its new hidden state as the result.
#[inline(always)]
#[must_use]
pub fn update_unit(gates: [i32; TILE_ROWS], cell: &mut i16) -> i8 {
    let [zi, zf, zg, zo] = gates;
    // Q0.16 × Q4.11 = Q4.27 and Q0.16 × Q0.15 = Q0.31, both brought to Q4.26.
    let kept = (sigmoid(zf) * i32::from(*cell)) >> 1;
    let added = (sigmoid(zi) * tanh_half(zg)) >> 5;
    let c = saturate::<16>((kept + added + (1 << 14)) >> 15);
    *cell = c as i16;
    // Q0.16 × Q0.15 = Q0.31, brought to Q0.15 before it is scaled to 1/127.
    let h = (sigmoid(zo) * tanh_cell(c)) >> 16;
    ((h * HIDDEN_ONE + (1 << 14)) >> 15) as i8
}

/// Four logits from their sums.
#[inline(always)]
fn finish_logits(rows: &OutputRows, sums: Sums) -> [i16; TILE_ROWS] {
    let [b0, b1, b2, b3, m0, m1, m2, m3] = *rows;
    let [s0, s1, s2, s3] = sums;
    [(s0, m0, b0), (s1, m1, b1), (s2, m2, b2), (s3, m3, b3)].map(|(sum, multiplier, bias)| {
        let sum = sum.wrapping_mul(multiplier).wrapping_add(bias);
        requantize::<16>(sum, LOGIT_SHIFT) as i16
    })
}
