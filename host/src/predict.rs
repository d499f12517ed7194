//! What everything that predicts has in common: it reads a symbol and says how it expects the next.

use std::borrow::BorrowMut;

use inkling_engine::fixed::LOGIT_FRACTION_BITS;
use inkling_engine::kernels::Kernel;
use inkling_engine::{Lstm, Symbol};

/// A model at work: the engine, or the floats that its model was made of.
pub trait Predictor {
    /// Back to the zero state.
    fn reset(&mut self);
    /// Reads one symbol.
    fn step(&mut self, symbol: Symbol);
    /// The logits after the last step, in the engine's fixed point, Q5.10.
    fn logits(&mut self) -> &[i16];
    /// Minus the log-probability of `symbol` as the next one, in nats.
    fn surprise(&mut self, symbol: Symbol) -> f64;
}

impl<S: BorrowMut<[u32]>, K: Kernel> Predictor for Lstm<'_, S, K> {
    fn reset(&mut self) {
        Lstm::reset(self);
    }

    fn step(&mut self, symbol: Symbol) {
        Lstm::step(self, symbol);
    }

    fn logits(&mut self) -> &[i16] {
        Lstm::logits(self)
    }

    fn surprise(&mut self, symbol: Symbol) -> f64 {
        surprise(Lstm::logits(self), symbol)
    }
}

/// Minus the log-probability of `symbol` under the engine's logits, in nats.
#[must_use]
pub fn surprise(logits: &[i16], symbol: Symbol) -> f64 {
    let unit = 1.0 / f64::from(1_u32 << LOGIT_FRACTION_BITS);
    let logits = logits.iter().map(|&logit| f64::from(logit) * unit);
    cross_entropy(logits, symbol.into())
}

/// Minus the log-probability of `target` under the softmax of `logits`.
pub fn cross_entropy(logits: impl Iterator<Item = f64> + Clone, target: usize) -> f64 {
    let max = logits.clone().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.clone().map(|logit| (logit - max).exp()).sum();
    let chosen = logits.into_iter().nth(target).unwrap_or(f64::NEG_INFINITY);
    max + sum.ln() - chosen
}
