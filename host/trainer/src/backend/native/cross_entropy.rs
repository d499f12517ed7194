//! Cross-entropy of logits and its gradient: softmax minus one-hot.

use pulp::{Simd, WithSimd};

use super::functions::exp;
use super::vectors::{load, store};

/// Replaces logits by the gradient of their cross-entropy and returns the sum of that, in nats.
#[derive(Debug)]
pub struct CrossEntropy<'a> {
    /// A row of logits per prediction.
    pub logits: &'a mut [f32],
    /// The symbol that followed, per prediction.
    pub targets: &'a [u8],
    /// What one prediction counts for in the gradient.
    pub weight: f32,
}

impl WithSimd for CrossEntropy<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let symbols = self.logits.len() / self.targets.len();
        let rows = self.logits.chunks_exact_mut(symbols);
        let mut total = 0.0;
        for (row, &target) in rows.zip(self.targets) {
            let target = usize::from(target);
            let (vectors, rest) = S::as_simd_f32s(row);
            let lowest = simd.splat_f32s(f32::NEG_INFINITY);
            let highest = vectors.iter().fold(lowest, |m, &x| simd.max_f32s(m, x));
            let highest = simd.reduce_max_f32s(highest);
            let highest = rest.iter().fold(highest, |m, &x| m.max(x));
            let chosen = row[target] - highest;

            let offset = simd.splat_f32s(highest);
            for part in row.chunks_mut(S::F32_LANES) {
                let power = exp(simd, simd.sub_f32s(load(simd, part), offset));
                store(simd, part, power);
            }
            let (vectors, rest) = S::as_simd_f32s(row);
            let nothing = simd.splat_f32s(0.0);
            let sum = vectors.iter().fold(nothing, |s, &x| simd.add_f32s(s, x));
            let sum = simd.reduce_sum_f32s(sum) + rest.iter().sum::<f32>();
            total += f64::from(sum).ln() - f64::from(chosen);

            let factor = simd.splat_f32s(self.weight / sum);
            for part in row.chunks_mut(S::F32_LANES) {
                let share = simd.mul_f32s(load(simd, part), factor);
                store(simd, part, share);
            }
            row[target] -= self.weight;
        }
        total
    }
}
