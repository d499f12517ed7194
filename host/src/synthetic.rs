//! Models with made-up weights of a given shape: for tests, and for benchmarks where only the shape
//! counts.

use std::collections::HashMap;

use inkling_engine::spelling::Digit;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use crate::identity::RunId;
use crate::name::Name;
use crate::quantize::float::{FloatLayer, FloatModel};

/// Numbers per embedded symbol.
const EMBEDDING: usize = 30;

/// A float model whose weights are spread like a trained one's: uniform, about 1/sqrt(H) wide.
///
/// The alphabet is printable ASCII from the newline and the letters on; `symbols` is at most 96.
#[must_use]
pub fn float_model(symbols: usize, hidden: usize, layers: usize, seed: u64) -> FloatModel {
    let mut rng = SmallRng::seed_from_u64(seed);
    let mut uniform = |count: usize, width: f32| -> Vec<f32> {
        (0..count)
            .map(|_| rng.random_range(-width..width))
            .collect()
    };
    let spread = 2.0 / (hidden as f32).sqrt();
    let alphabet = "\n".chars().chain('a'..='~').chain(' '..='`');
    FloatModel {
        name: Some(Name::like(&format!("synthetic-{hidden}"))),
        run: RunId::default(),
        alphabet: alphabet.take(symbols).collect(),
        metadata: HashMap::new(),
        embedding_size: EMBEDDING,
        embedding: uniform(symbols * EMBEDDING, 1.0),
        hidden,
        layers: (0..layers)
            .map(|layer| FloatLayer {
                input: match layer {
                    0 => uniform(4 * hidden * EMBEDDING, 0.7),
                    _ => uniform(4 * hidden * hidden, spread),
                },
                recurrent: uniform(4 * hidden * hidden, spread),
                bias: uniform(4 * hidden, 1.0),
            })
            .collect(),
        output: uniform(symbols * hidden, 2.0 * spread),
        output_bias: uniform(symbols, 1.0),
    }
}

/// The same with 32 characters, the first digits of some scripts, and all other digits: it spells one of two
/// characters that it writes.
#[must_use]
pub fn spelling_model(hidden: usize, seed: u64) -> FloatModel {
    let mut model = float_model(96, hidden, 1, seed);
    let firsts = [0, 1, 8, 12, 45, 63, 125]
        .into_iter()
        .chain(19..44)
        .map(Digit::First);
    let digits = firsts.chain((0..32).map(Digit::Next));
    for (symbol, digit) in model.alphabet.iter_mut().skip(32).zip(digits) {
        *symbol = digit.stand_in();
    }
    model
}
