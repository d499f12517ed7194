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
use crate::format::{BLOCK_GROUPS, Dimensions, GROUP, OutputRows, TILE_ROWS, Unit};
use crate::image::{ImageError, Inputs, Model};
use crate::kernels::{Kernel, Part, Product, Sums, Table, Tables};
use crate::state::{Layout, Place, State, state_words};

/// A slice that is all there is to do in a stage.
const ALL: usize = usize::MAX;

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
    fn of(mut memory: &'a mut [u32], layout: &Layout) -> Self {
        let mut take = |place: Place| {
            let (part, rest) = core::mem::take(&mut memory)
                .split_at_mut_checked(place.words)
                .unwrap_or_default();
            memory = rest;
            part
        };
        Self {
            tables: cast(take(layout.tables)),
            sums: take(layout.sums),
            below: cast(take(layout.below)),
            logit_sums: cast(take(layout.logit_sums)),
            cells: take(layout.cells),
            logits: cast(take(layout.logits)),
            hidden: cast(take(layout.hidden)),
        }
    }
}

fn cast<T: bytemuck::Pod>(words: &mut [u32]) -> &mut [T] {
    bytemuck::try_cast_slice_mut(words).unwrap_or_default()
}

/// A model with its state, which it owns or, on a small stack, borrows.
///
/// ```
/// # let image = inkling_engine::writer::made_up(10, 24, 1, 1);
/// use inkling_engine::{Lstm, Model, State};
///
/// let model = Model::parse(image.bytes())?;
/// let mut lstm = Lstm::new(model, State::any())?;
/// lstm.step(3);
/// assert_eq!(lstm.logits().len(), model.symbols());
/// # Ok::<(), inkling_engine::ImageError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Lstm<'m, S = State, K = Tables> {
    model: Model<'m>,
    state: S,
    kernel: K,
    pending: Pending,
}

/// The step that has been begun, if one has, and how far it has come.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Pending(Option<Reading>);

#[derive(Clone, Copy, Debug)]
struct Reading {
    symbol: Symbol,
    layer: usize,
    stage: Stage,
}

/// What comes next in a layer.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Units from this one on are brought forward.
    Units(usize),
    /// Products of blocks of hidden units from this one on are added up.
    Blocks(usize),
}

impl<'m, S: BorrowMut<[u32]>> Lstm<'m, S> {
    /// A model in its zero state.
    ///
    /// # Errors
    /// [`ImageError::Memory`] when `state` is too small for it.
    pub fn new(model: Model<'m>, state: S) -> Result<Self, ImageError> {
        Self::with_kernel(model, state, Tables)
    }
}

impl<'m, S: BorrowMut<[u32]>, K: Kernel> Lstm<'m, S, K> {
    /// The same with a kernel of one's own.
    #[doc(hidden)]
    ///
    /// # Errors
    /// As for [`Lstm::new`].
    pub fn with_kernel(model: Model<'m>, mut state: S, kernel: K) -> Result<Self, ImageError> {
        let needed = state_words(&model.dimensions());
        let words = state.borrow_mut();
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
            state,
            kernel,
            pending: Pending::default(),
        })
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> Model<'m> {
        self.model
    }

    /// Forgets everything read so far.
    pub fn reset(&mut self) {
        let used = state_words(&self.model.dimensions());
        let words = self.state.borrow_mut().get_mut(..used);
        words.unwrap_or_default().fill(0);
        self.pending = Pending::default();
    }

    /// Reads one symbol. A symbol outside the alphabet leaves the state as it is.
    ///
    /// It blocks for as long as a character takes, milliseconds on a microcontroller; [`Lstm::begin`] and
    /// [`Lstm::advance`] do the same in slices.
    pub fn step(&mut self, symbol: Symbol) {
        self.begin(symbol);
        while !self.advance(ALL) {}
    }

    /// The same; `watch` sees the gates i, f, g, o of every unit before their activation, Q3.8 in 12
    /// bits, the lowest layer first.
    #[doc(hidden)]
    #[cfg(not(target_pointer_width = "32"))]
    pub fn step_watched(&mut self, symbol: Symbol, mut watch: impl FnMut([i32; 4])) {
        self.begin(symbol);
        while !self.pending.go_on(
            &self.kernel,
            &self.model,
            self.state.borrow_mut(),
            ALL,
            &mut watch,
        ) {}
    }

    /// Begins to read a symbol, in place of one that is being read: [`Lstm::advance`] goes on with it.
    pub fn begin(&mut self, symbol: Symbol) {
        let is_known = usize::from(symbol) < self.model.symbols();
        self.pending.0 = is_known.then_some(Reading {
            symbol,
            layer: 0,
            stage: Stage::Units(0),
        });
    }

    /// Goes on with the symbol that is being read, by as much as concerns `units` of the hidden units (at
    /// least one; for products that is a whole number of blocks of 40). Says whether all is done, so that
    /// the logits are there. The result does not depend on the slices.
    pub fn advance(&mut self, units: usize) -> bool {
        let words = self.state.borrow_mut();
        self.kernel
            .advance(&self.model, words, &mut self.pending, units)
    }

    /// The logits after the last step, Q5.10, one per symbol; zeros before the first.
    #[must_use]
    pub fn logits(&self) -> &[i16] {
        let dimensions = self.model.dimensions();
        self.part(Layout::of(&dimensions).logits, dimensions.symbols)
    }

    /// The cells of all layers, lowest first, Q4.11.
    pub fn cells(&self) -> impl Iterator<Item = i16> + '_ {
        let dimensions = self.model.dimensions();
        let cells = Layout::of(&dimensions).cells;
        let words = cells.words / dimensions.layers.max(1);
        (0..dimensions.layers).flat_map(move |layer| {
            let begin = cells.begin + layer * words;
            let cells: &[i16] = self.part(Place { begin, words }, dimensions.hidden);
            cells.iter().copied()
        })
    }

    /// The hidden state of the last layer, in units of 1/127.
    #[must_use]
    pub fn hidden(&self) -> &[i8] {
        let dimensions = self.model.dimensions();
        self.part(Layout::of(&dimensions).hidden, dimensions.hidden)
    }

    /// The first numbers of a part of the state.
    fn part<T: bytemuck::Pod>(&self, place: Place, count: usize) -> &[T] {
        let words: &[u32] = self.state.borrow();
        let part = words.get(place.begin..place.begin + place.words);
        let part = bytemuck::try_cast_slice(part.unwrap_or_default()).unwrap_or_default();
        part.get(..count).unwrap_or_default()
    }
}

impl Pending {
    /// Goes on by so many units, see [`Lstm::advance`]; `watch` sees their gates.
    #[inline(always)]
    pub(crate) fn go_on<K: Kernel>(
        &mut self,
        kernel: &K,
        model: &Model<'_>,
        words: &mut [u32],
        units: usize,
        mut watch: impl FnMut([i32; TILE_ROWS]),
    ) -> bool {
        let Some(Reading {
            symbol,
            layer: index,
            stage,
        }) = self.0
        else {
            return true;
        };
        let dimensions = model.dimensions();
        let hidden = dimensions.hidden;
        let parts = Parts::of(words, &Layout::of(&dimensions));
        let layers = model.lstm_layers();
        let Some(layer) = layers.get(index) else {
            return true; // never: a model has a layer at least
        };
        // A layer's share of what all layers have.
        let of_layer = |words: &mut [u32], size: usize| {
            let begin = index * size;
            begin..(begin + size).min(words.len())
        };
        let sums_of = of_layer(parts.sums, TILE_ROWS * hidden);
        let sums: &mut [Sums] = cast(parts.sums.get_mut(sums_of).unwrap_or_default());
        let next = match stage {
            Stage::Units(first) => {
                let cells_of = of_layer(parts.cells, hidden.div_ceil(2));
                let end = first.saturating_add(units.max(1)).min(hidden);
                let mut layer_units = Units {
                    records: layer.units.get(..end).unwrap_or_default(),
                    sums,
                    cells: cast(parts.cells.get_mut(cells_of).unwrap_or_default()),
                    hidden: parts.hidden,
                    gate_shift: model.gate_shift(),
                    input_shift: if index == 0 { INPUT_SHIFT } else { 0 },
                };
                let symbol = usize::from(symbol);
                match (index, model.inputs()) {
                    (0, Inputs::Folded(rows)) => {
                        let begin = symbol * hidden;
                        let row = rows.get(begin + first..begin + hidden);
                        let row = row.unwrap_or_default().iter();
                        let inputs = row.map(|inputs| inputs.map(i32::from));
                        layer_units.advance(first, inputs, &mut watch);
                    }
                    (0, Inputs::Embedded { embedding, matrix }) => {
                        let columns = Dimensions::padded(dimensions.embedding);
                        let embedded = embedding.get(symbol * columns..(symbol + 1) * columns);
                        let embedded = bytemuck::cast_slice(embedded.unwrap_or_default());
                        let units = first..end;
                        kernel.inputs(matrix, embedded, units, parts.tables, |first, inputs| {
                            layer_units.advance(first, inputs.iter().copied(), &mut watch);
                        });
                    }
                    _ => {
                        let inputs = parts.below.get(first..).unwrap_or_default();
                        layer_units.advance(first, inputs.iter().copied(), &mut watch);
                    }
                }
                match end < hidden {
                    true => Some((index, Stage::Units(end))),
                    false => Some((index, Stage::Blocks(0))),
                }
            }
            Stage::Blocks(first) => {
                let all = hidden.div_ceil(GROUP * BLOCK_GROUPS);
                let count = (units / (GROUP * BLOCK_GROUPS)).max(1);
                let end = first.saturating_add(count).min(all);
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
                        matrix: model.output(),
                        sums: &mut *parts.logit_sums,
                    },
                };
                let products = &mut [recurrent, upwards];
                kernel.multiply(parts.hidden, first..end, products, parts.tables);
                match (end < all, index + 1 < dimensions.layers) {
                    (true, _) => Some((index, Stage::Blocks(end))),
                    (false, true) => Some((index + 1, Stage::Units(0))),
                    (false, false) => {
                        let rows = model.output_rows().iter().zip(&*parts.logit_sums);
                        let logits = parts.logits.as_chunks_mut::<TILE_ROWS>().0;
                        for (logits, (rows, sums)) in logits.iter_mut().zip(rows) {
                            *logits = finish_logits(rows, *sums);
                        }
                        None
                    }
                }
            }
        };
        self.0 = next.map(|(layer, stage)| Reading {
            symbol,
            layer,
            stage,
        });
        next.is_none()
    }
}

/// The units of a layer on the way to their new state.
#[doc(hidden)]
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
#[doc(hidden)]
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
