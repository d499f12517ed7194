//! The float network at work: its loss on a text, and text of its own.

use tch::{Device, Kind, Reduction, Tensor};

use crate::backend::libtorch::network::{Factors, State, Weights, forward};
use crate::data::random::{Purpose, seed_torch};
use crate::shape::Shape;
use host::corpus::{Alphabet, Block, Validation};
use host::writing::Draft;

/// Symbols of a stream that are read at once, at most.
const LONGEST_PIECE: i64 = 2048;

/// Numbers that a piece of all streams may take in one layer (128 MiB).
const PIECE_NUMBERS: i64 = 1 << 25;

/// A parallel stream is at least this long, so that starting it from the zero state weighs little.
const SHORTEST_STREAM: usize = 1000;

/// So many blocks are read side by side, at most.
const MOST_ROWS: usize = 64;

/// The mean loss of the network on `validation` in nats per character, or `None` where there is
/// nothing to predict.
///
/// Each block is read from the zero state, all side by side: the protocol by which models are compared.
/// One long stream may be read as so many parallel `streams` instead, fewer if it is short: faster, and
/// not quite exact, since each begins with the zero state.
#[must_use]
pub fn loss(shape: &Shape, flat: &Tensor, validation: &Validation, streams: usize) -> Option<f64> {
    let mut rows: Vec<Block<'_>> = validation
        .blocks()
        .filter(|block| block.predictions() > 0)
        .collect();
    if let [Block { symbols, before: 0 }] = rows[..] {
        let predictions = symbols.len() - 1;
        let streams = streams.min(predictions / SHORTEST_STREAM).max(1);
        let length = predictions / streams;
        let begins = (0..streams).map(|stream| stream * length);
        rows = begins
            .map(|begin| Block {
                symbols: &symbols[begin..=begin + length],
                before: 0,
            })
            .collect();
    }
    let predictions: usize = rows.iter().map(Block::predictions).sum();
    // Rows of about the same length go side by side, so that little is padding.
    rows.sort_by_key(|row| row.symbols.len());
    let weights = Weights::of(shape, flat);
    let sums = rows.chunks(MOST_ROWS);
    let sum: f64 = tch::no_grad(|| {
        sums.map(|rows| sum(shape, &weights, flat.device(), rows))
            .sum()
    });
    let mean = sum / predictions as f64;
    (predictions > 0).then(|| mean * validation.symbols_per_character())
}

/// The losses of all predictions of all `rows` together.
fn sum(shape: &Shape, weights: &Weights, device: Device, rows: &[Block<'_>]) -> f64 {
    let longest = rows.iter().map(|row| row.symbols.len()).max().unwrap_or(0);
    let length = longest.saturating_sub(1);
    let count = rows.len() as i64;
    let steps = |value: &dyn Fn(&Block<'_>, usize) -> u8| {
        let rows = rows
            .iter()
            .flat_map(|row| (0..length).map(move |step| (row, step)));
        let values: Vec<u8> = rows.map(|(row, step)| value(row, step)).collect();
        Tensor::from_data_size(&values, &[count, length as i64], Kind::Uint8)
            .transpose(0, 1)
            .to_device(device)
    };
    // Padding: its losses are not counted.
    let symbol = |row: &Block<'_>, index: usize| row.symbols.get(index).copied().unwrap_or(0);
    let inputs = steps(&|row, step| symbol(row, step)).to_kind(Kind::Int64);
    let targets = steps(&|row, step| symbol(row, step + 1)).to_kind(Kind::Int64);
    let counts = steps(&|row, step| {
        let target = step + 1;
        u8::from(target >= row.unmeasured() && target < row.symbols.len())
    })
    .to_kind(Kind::Double);
    let mut state = State::zero(shape, rows.len(), device);
    let mut sum = 0.0;
    let piece = (PIECE_NUMBERS / (4 * shape.hidden as i64 * count)).clamp(1, LONGEST_PIECE);
    for begin in (0..length as i64).step_by(piece as usize) {
        let size = piece.min(length as i64 - begin);
        let input = inputs.narrow(0, begin, size);
        let (logits, next) = forward(weights, &input, &state, &Factors::default());
        state = next;
        let target = targets.narrow(0, begin, size).reshape([-1]);
        let losses = logits.cross_entropy_loss::<Tensor>(&target, None, Reduction::None, -100, 0.0);
        let counts = counts.narrow(0, begin, size).reshape([-1]);
        sum += (losses.to_kind(Kind::Double) * counts)
            .sum(Kind::Double)
            .double_value(&[]);
    }
    sum
}

/// Text that the network writes by itself, at a temperature above 0.
#[must_use]
pub fn sample(
    shape: &Shape,
    flat: &Tensor,
    alphabet: &Alphabet,
    length: usize,
    temperature: f64,
    seed: u64,
) -> String {
    seed_torch(seed, Purpose::Samples, 0);
    let flat = flat.to_device(Device::Cpu);
    let mut draft = Draft::new(alphabet.symbols());
    let mut symbol = i64::from(draft.start());
    tch::no_grad(|| {
        let weights = Weights::of(shape, &flat);
        let mut state = State::zero(shape, 1, Device::Cpu);
        let mut text = String::with_capacity(length);
        let mut written = 0;
        while written < length {
            let input = Tensor::from_slice(&[symbol]).view([1, 1]);
            let (logits, next) = forward(&weights, &input, &state, &Factors::default());
            state = next;
            for index in draft.barred() {
                let _ = logits.narrow(-1, index.into(), 1).fill_(f64::NEG_INFINITY);
            }
            let chances = (logits / temperature).softmax(-1, Kind::Float);
            // Refused when the weights have grown so large that the logits are not finite.
            let Ok(drawn) = chances.f_multinomial(1, true) else {
                break;
            };
            symbol = drawn.int64_value(&[0, 0]);
            let index = u8::try_from(symbol).unwrap_or_default();
            if let Some(character) = draft.push(index) {
                text.push(character);
                written += 1;
            }
        }
        text
    })
}
