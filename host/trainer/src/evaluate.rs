//! The float network at work: its loss on a text, and text of its own.

use tch::{Device, Kind, Tensor};

use crate::network::{Dropped, State, forward};
use crate::random::{Purpose, seed_torch};
use crate::weights::{Shape, Weights};
use host::corpus::{Alphabet, REPLACEMENT};

/// Symbols of a stream that are read at once, at most.
const LONGEST_PIECE: i64 = 2048;

/// Numbers that a piece of all streams may take in one layer (128 MiB).
const PIECE_NUMBERS: i64 = 1 << 25;

/// A parallel stream is at least this long, so that starting it from the zero state weighs little.
const SHORTEST_STREAM: i64 = 1000;

/// The mean loss of the network on `symbols` in nats per character, or `None` for a text without
/// a prediction.
///
/// The text is read as so many parallel `streams`, fewer if it is short, each from the zero state. One
/// stream is the protocol by which models are compared; more are faster and a hair off.
#[must_use]
pub fn loss(shape: &Shape, flat: &Tensor, symbols: &[u8], streams: i64) -> Option<f64> {
    let predictions = symbols.len() as i64 - 1;
    if predictions < 1 {
        return None;
    }
    let streams = streams.min(predictions / SHORTEST_STREAM).max(1);
    let length = predictions / streams;
    let used = (streams * length) as usize;
    let columns = |text: &[u8]| {
        Tensor::from_data_size(text, &[streams, length], Kind::Uint8)
            .transpose(0, 1)
            .to_device(flat.device())
            .to_kind(Kind::Int64)
    };
    let (inputs, targets) = (columns(&symbols[..used]), columns(&symbols[1..=used]));
    let sum: f64 = tch::no_grad(|| {
        let weights = Weights::of(shape, flat);
        let mut state = State::zero(shape, streams, flat.device());
        let mut sum = 0.0;
        let piece = PIECE_NUMBERS / (4 * shape.hidden * streams);
        let piece = piece.clamp(1, LONGEST_PIECE);
        for begin in (0..length).step_by(piece as usize) {
            let size = piece.min(length - begin);
            let (scores, next) = forward(
                &weights,
                &inputs.narrow(0, begin, size),
                &state,
                &Dropped::default(),
            );
            state = next;
            let target = targets.narrow(0, begin, size).reshape([-1]);
            let mean = scores.cross_entropy_for_logits(&target).double_value(&[]);
            sum += mean * (size * streams) as f64;
        }
        sum
    });
    Some(sum / used as f64)
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
    let mut symbol = i64::from(alphabet.index_of('\n').unwrap_or(0));
    // What stands for other characters is never written, as in the engine.
    let unwritten = alphabet
        .index_of(REPLACEMENT)
        .filter(|_| alphabet.len() > 1);
    tch::no_grad(|| {
        let weights = Weights::of(shape, &flat);
        let mut state = State::zero(shape, 1, Device::Cpu);
        let mut text = String::with_capacity(length);
        for _ in 0..length {
            let input = Tensor::from_slice(&[symbol]).view([1, 1]);
            let (scores, next) = forward(&weights, &input, &state, &Dropped::default());
            state = next;
            if let Some(index) = unwritten {
                let _ = scores.narrow(-1, index.into(), 1).fill_(f64::NEG_INFINITY);
            }
            let chances = (scores / temperature).softmax(-1, Kind::Float);
            // Refused when the weights have grown so large that the scores are not finite.
            let Ok(drawn) = chances.f_multinomial(1, true) else {
                break;
            };
            symbol = drawn.int64_value(&[0, 0]);
            text.extend(
                u8::try_from(symbol)
                    .ok()
                    .and_then(|index| alphabet.char(index)),
            );
        }
        text
    })
}
