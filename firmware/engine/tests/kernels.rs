//! Kernels against 64-bit arithmetic.

#![allow(clippy::unwrap_used)]

use inkling_engine::format::{GROUP, MAX_EMBEDDING, MAX_PLANES, TILE_ROWS, largest};
use inkling_engine::image::Matrix;
use inkling_engine::kernels::{Kernel, Part, Product, TABLE_WORDS, TABLES, Tables};
use inkling_engine::writer::Weights;
use proptest::prelude::*;

/// The sums that kernels promise, by 64-bit arithmetic on plain weights.
fn exact_sums(weights: &Weights, columns: &[i8]) -> Vec<[i32; TILE_ROWS]> {
    let rows = weights.values.chunks_exact(weights.columns);
    let sums = rows.map(|row| {
        let products = row.iter().zip(columns);
        let sum: i64 = products.map(|(&w, &h)| i64::from(w) * i64::from(h)).sum();
        i32::try_from(sum).unwrap()
    });
    let mut sums: Vec<i32> = sums.collect();
    sums.resize(sums.len().next_multiple_of(TILE_ROWS), 0);
    sums.as_chunks::<TILE_ROWS>().0.to_vec()
}

/// Compares kernels; `weight` gives a weight for its position and the largest magnitude.
fn check_kernels(rows: usize, columns: &[i8], weight: impl Fn(usize, i32) -> i32) {
    let mut padded = columns.to_vec();
    padded.resize(columns.len().next_multiple_of(GROUP), 0);
    for planes in 1..=MAX_PLANES {
        let weights = Weights {
            planes,
            columns: columns.len(),
            values: (0..rows * columns.len())
                .map(|position| weight(position, largest(planes)) as i8)
                .collect(),
        };
        let packed = weights.packed();
        let matrix = Matrix {
            weights: &packed,
            planes,
        };
        let expected = exact_sums(&weights, columns);
        let mut tables = [[0; TABLE_WORDS]; TABLES];
        let mut sums = vec![[7; TILE_ROWS]; expected.len()];
        let product = Product {
            part: Part::Output,
            matrix,
            sums: &mut sums,
        };
        Tables.multiply(&padded, 0..usize::MAX, &mut [product], &mut tables);
        assert_eq!(sums, expected, "{planes} planes");
        if columns.len() <= MAX_EMBEDDING {
            let mut sums = Vec::new();
            let units = 0..expected.len();
            Tables.inputs(matrix, &padded, units, &mut tables, |first, chunk| {
                assert_eq!(first, sums.len());
                sums.extend_from_slice(chunk);
            });
            assert_eq!(sums, expected, "{planes} planes, inputs");
        }
    }
}

proptest! {
    #[test]
    fn kernels_equal_exact_arithmetic(
        columns in proptest::collection::vec(any::<i8>(), 1..if cfg!(miri) { 50 } else { 200 }),
        rows in 1_usize..if cfg!(miri) { 10 } else { 90 },
        seed: [u8; 32],
    ) {
        check_kernels(rows, &columns, |position, max| {
            let byte = i32::from(seed[position % 32]);
            (byte * (position as i32 * 7 + 1)).rem_euclid(2 * max + 1) - max
        });
    }
}

#[test]
fn kernels_equal_exact_arithmetic_at_the_extremes() {
    let lengths = [1, 4, 5, 6, 40, 41, 100, 1024];
    for columns in lengths.into_iter().take(if cfg!(miri) { 6 } else { 8 }) {
        for h in [i8::MIN, -127, 127] {
            check_kernels(9, &vec![h; columns], |_, max| max);
            check_kernels(9, &vec![h; columns], |_, max| -max);
        }
    }
}
