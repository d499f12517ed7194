//! The machine's peak of multiply-adds in f32: what a training, which is nearly all matrix products,
//! can come close to and never exceed.

use std::hint::black_box;
use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use pulp::{Arch, Simd, WithSimd};

/// Independent sums: enough to hide the latency of a multiply-add, few enough for all to stay in
/// registers.
const SUMS: usize = 12;

/// Multiply-adds of vectors to each sum in a block, which takes some hundredths of a second.
const ADDED: usize = 4_000_000;

/// Blocks per thread; the fastest counts.
const BLOCKS: usize = 10;

/// Floating-point operations per second of so many threads together, two per multiply-add.
pub fn measure(threads: usize) -> f64 {
    let all_ready = Barrier::new(threads);
    let one = || {
        all_ready.wait();
        let rates = (0..BLOCKS).map(|_| {
            let begin = Instant::now();
            let operations = Arch::new().dispatch(Block);
            operations / begin.elapsed().as_secs_f64()
        });
        rates.fold(0.0, f64::max)
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        let rates = threads.into_iter().filter_map(|thread| thread.join().ok());
        rates.sum()
    })
}

/// A block of multiply-adds with the widest vectors that the processor has.
struct Block;

impl WithSimd for Block {
    /// Floating-point operations.
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        let factor = simd.splat_f32s(black_box(0.5));
        let added = simd.splat_f32s(black_box(1.0));
        let mut sums = [simd.splat_f32s(0.0); SUMS];
        for _ in 0..ADDED {
            for sum in &mut sums {
                *sum = simd.mul_add_e_f32s(*sum, factor, added);
            }
        }
        black_box(sums.map(|sum| simd.reduce_sum_f32s(sum)));
        (2 * SUMS * ADDED * S::F32_LANES) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_more_than_scalar_code_reaches_and_no_dream() {
        let peak = measure(1);
        assert!((1e9..1e12).contains(&peak), "{peak}");
    }
}
