//! How well a model predicts a text, measured with the engine itself.

use firmware::fixed::LOGIT_FRACTION_BITS;
use firmware::image::Model;
use firmware::lstm::Lstm;

use crate::quantize::float::cross_entropy;

/// Mean natural-log cross-entropy per character over `symbols` as one stream from the zero state:
/// symbol 0 is read, symbol 1 predicted, and so on. `progress` is told how many are done.
#[must_use]
pub fn engine_loss(model: Model<'_>, symbols: &[u8], mut progress: impl FnMut(u64)) -> f64 {
    let unit = 1.0 / f64::from(1_u32 << LOGIT_FRACTION_BITS);
    let mut lstm = Lstm::new(model);
    let mut total = 0.0;
    for (step, pair) in symbols.windows(2).enumerate() {
        lstm.step(pair[0]);
        let logits = lstm.logits().iter().map(|&logit| f64::from(logit) * unit);
        total += cross_entropy(logits, pair[1].into());
        if step % 4096 == 0 {
            progress(step as u64);
        }
    }
    total / (symbols.len().saturating_sub(1).max(1)) as f64
}

/// Nats to bits.
#[must_use]
pub fn bits(nats: f64) -> f64 {
    nats / std::f64::consts::LN_2
}
