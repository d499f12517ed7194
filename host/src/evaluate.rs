//! How well a model predicts a text, measured with the engine itself.

use inkling_engine::Model;
use inkling_engine::activation::INDEX_BITS;
use serde::Serialize;

use crate::corpus::Validation;
use crate::engine::engine;
use crate::predict::Predictor;

/// Mean natural-log cross-entropy per character over all blocks, each from the zero state: symbol 0 is
/// read, symbol 1 predicted, and so on; what a block is warmed up on does not count. The loss of a character
/// that is spelt is that of all its digits. `progress` is told how many symbols are read.
#[must_use]
pub fn mean_loss(
    predictor: &mut impl Predictor,
    validation: &Validation,
    mut progress: impl FnMut(u64),
) -> f64 {
    let (mut total, mut read) = (0.0, 0);
    for block in validation.blocks() {
        predictor.reset();
        for (index, pair) in block.symbols.windows(2).enumerate() {
            predictor.step(pair[0]);
            if index + 1 >= block.unmeasured() {
                total += predictor.surprise(pair[1]);
            }
            if read % 4096 == 0 {
                progress(read);
            }
            read += 1;
        }
    }
    let mean = total / validation.predictions().max(1) as f64;
    mean * validation.symbols_per_character()
}

/// That of the engine.
#[must_use]
pub fn engine_loss(model: Model<'_>, validation: &Validation, progress: impl FnMut(u64)) -> f64 {
    mean_loss(&mut engine(model), validation, progress)
}

/// The same over independent windows of `length` symbols, each from the zero state and each with all of
/// its `length` successors predicted: how transformers with that context are measured. A last window of
/// a block that is not whole is left out; none where there is no whole window.
#[must_use]
pub fn engine_block_loss(model: Model<'_>, validation: &Validation, length: usize) -> Option<f64> {
    let mut lstm = engine(model);
    let (mut total, mut count) = (0.0, 0_u32);
    for block in validation.blocks() {
        // The symbol before the first one that is predicted is read.
        let symbols = &block.symbols[block.before.saturating_sub(1)..];
        // A window shares its last symbol, which is only predicted, with the next one, which reads it.
        let starts = (0..symbols.len()).step_by(length.max(1));
        for window in starts.map_while(|start| symbols.get(start..=start + length)) {
            lstm.reset();
            for pair in window.windows(2) {
                lstm.step(pair[0]);
                total += lstm.surprise(pair[1]);
                count += 1;
            }
        }
    }
    (count > 0).then(|| total / f64::from(count) * validation.symbols_per_character())
}

/// How often a model's numbers are at the ends of their ranges, as shares from 0 to 1.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Saturation {
    /// Of what goes into gate i, at an end of the activation table.
    pub input_gate: f64,
    /// The same for gate f.
    pub forget_gate: f64,
    /// The same for gate g.
    pub candidate: f64,
    /// The same for gate o.
    pub output_gate: f64,
    /// Of cells, at the largest number they can hold.
    pub cells: f64,
}

impl Saturation {
    /// Looks at every unit while the engine reads `symbols` from the zero state.
    #[must_use]
    pub fn measure(model: Model<'_>, symbols: &[u8]) -> Self {
        const END: i32 = (1 << (INDEX_BITS - 1)) - 1;
        let mut lstm = engine(model);
        let (mut ends, mut cells, mut units) = ([0_u64; 4], 0_u64, 0_u64);
        for &symbol in symbols {
            lstm.step_watched(symbol, |gates| {
                units += 1;
                for (count, gate) in ends.iter_mut().zip(gates) {
                    *count += u64::from(!(-END..END).contains(&gate));
                }
            });
            let at_end = lstm.cells().filter(|&cell| is_at_end(cell));
            cells += at_end.count() as u64;
        }
        let share = |count: u64| count as f64 / units.max(1) as f64;
        let [input_gate, forget_gate, candidate, output_gate] = ends.map(share);
        Self {
            input_gate,
            forget_gate,
            candidate,
            output_gate,
            cells: share(cells),
        }
    }
}

/// Whether a cell has the largest or smallest value it can hold.
#[must_use]
pub fn is_at_end(cell: i16) -> bool {
    matches!(cell, i16::MIN | i16::MAX)
}

/// Nats to bits.
#[must_use]
pub fn bits(nats: f64) -> f64 {
    nats / std::f64::consts::LN_2
}
