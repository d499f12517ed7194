//! The products of a chunk with AVX2, and with AVX-512 two rows at a time.

use std::arch::x86_64::{__m256i, __m512i};

use bytemuck::must_cast;
use pulp::x86::{V3, V4};

use super::{Chunk, ChunkColumns, Sums, TILE_ROWS};

/// What the processor has.
#[derive(Clone, Copy, Debug)]
pub enum Simd {
    /// AVX2.
    Narrow(V3),
    /// AVX-512.
    Wide(V4),
}

impl Simd {
    /// All that it has, the widest first; none without AVX2.
    pub fn all() -> impl Iterator<Item = Self> {
        let wide = V4::try_new().map(Self::Wide);
        wide.into_iter().chain(V3::try_new().map(Self::Narrow))
    }

    /// The products of every tile with `columns`, less `surplus` and `sum`.
    pub fn multiply<'t>(
        self,
        columns: &[ChunkColumns],
        tiles: impl Iterator<Item = &'t [Chunk]>,
        surplus: &[Sums],
        sum: i32,
        mut give: impl FnMut(usize, Sums),
    ) {
        let tiles = tiles.zip(surplus).enumerate();
        match self {
            Self::Narrow(simd) => simd.vectorize(
                #[inline(always)]
                || {
                    for (tile, (chunks, surplus)) in tiles {
                        let products = narrow(simd, columns, chunks);
                        give(tile, exact(products, surplus, sum));
                    }
                },
            ),
            Self::Wide(simd) => simd.vectorize(
                #[inline(always)]
                || {
                    for (tile, (chunks, surplus)) in tiles {
                        let products = wide(simd, columns, chunks);
                        give(tile, exact(products, surplus, sum));
                    }
                },
            ),
        }
    }
}

#[inline(always)]
fn exact(products: Sums, surplus: &Sums, sum: i32) -> Sums {
    let exact = |row: usize| products[row] - surplus[row] - sum;
    [exact(0), exact(1), exact(2), exact(3)]
}

// Arrays are written out in what follows, for a closure that maps them is not always inlined, and then
// compiled without the wide instructions.

#[inline(always)]
fn narrow(simd: V3, columns: &[ChunkColumns], chunks: &[Chunk]) -> Sums {
    let two_bits = simd.avx._mm256_set1_epi8(3);
    let mut sums = [simd.avx._mm256_setzero_si256(); TILE_ROWS];
    for (columns, rows) in columns.iter().zip(chunks) {
        let [c0, c1, c2, c3] = *columns;
        let columns: [__m256i; 4] = [must_cast(c0), must_cast(c1), must_cast(c2), must_cast(c3)];
        for (sum, row) in sums.iter_mut().zip(rows) {
            let row: __m256i = must_cast(*row);
            let trits = [
                row,
                simd.avx2._mm256_srli_epi16::<2>(row),
                simd.avx2._mm256_srli_epi16::<4>(row),
                simd.avx2._mm256_srli_epi16::<6>(row),
            ];
            for (columns, trits) in columns.into_iter().zip(trits) {
                let trits = simd.avx2._mm256_and_si256(trits, two_bits);
                let products = simd.avx2._mm256_maddubs_epi16(columns, trits);
                *sum = simd.avx2._mm256_add_epi16(*sum, products);
            }
        }
    }
    add_up(simd, sums)
}

#[inline(always)]
fn wide(simd: V4, columns: &[ChunkColumns], chunks: &[Chunk]) -> Sums {
    let two_bits = simd.avx512f._mm512_set1_epi8(3);
    let zero: __m512i = must_cast([0_u8; 64]);
    let mut sums = [zero; TILE_ROWS / 2];
    for (columns, rows) in columns.iter().zip(chunks) {
        let [c0, c1, c2, c3] = *columns;
        let columns = [
            simd.avx512f._mm512_broadcast_i64x4(must_cast(c0)),
            simd.avx512f._mm512_broadcast_i64x4(must_cast(c1)),
            simd.avx512f._mm512_broadcast_i64x4(must_cast(c2)),
            simd.avx512f._mm512_broadcast_i64x4(must_cast(c3)),
        ];
        let [r0, r1, r2, r3] = *rows;
        for (sum, rows) in sums.iter_mut().zip([[r0, r1], [r2, r3]]) {
            let rows: __m512i = must_cast(rows);
            let trits = [
                rows,
                simd.avx512bw._mm512_srli_epi16::<2>(rows),
                simd.avx512bw._mm512_srli_epi16::<4>(rows),
                simd.avx512bw._mm512_srli_epi16::<6>(rows),
            ];
            for (columns, trits) in columns.into_iter().zip(trits) {
                let trits = simd.avx512f._mm512_and_si512(trits, two_bits);
                let products = simd.avx512bw._mm512_maddubs_epi16(columns, trits);
                *sum = simd.avx512bw._mm512_add_epi16(*sum, products);
            }
        }
    }
    let [first, second] = sums;
    let [a, b]: [__m256i; 2] = must_cast(first);
    let [c, d]: [__m256i; 2] = must_cast(second);
    add_up(*simd, [a, b, c, d])
}

/// The sum of the 16 numbers of each row.
#[inline(always)]
fn add_up(simd: V3, sums: [__m256i; TILE_ROWS]) -> Sums {
    let ones = simd.avx._mm256_set1_epi16(1);
    let [a, b, c, d] = sums;
    let pairs = simd.avx2._mm256_hadd_epi32(
        simd.avx2._mm256_hadd_epi32(
            simd.avx2._mm256_madd_epi16(a, ones),
            simd.avx2._mm256_madd_epi16(b, ones),
        ),
        simd.avx2._mm256_hadd_epi32(
            simd.avx2._mm256_madd_epi16(c, ones),
            simd.avx2._mm256_madd_epi16(d, ones),
        ),
    );
    let [low, high]: [Sums; 2] = must_cast(pairs);
    let both = |row: usize| low[row] + high[row];
    [both(0), both(1), both(2), both(3)]
}

#[cfg(test)]
mod tests {
    use inkling_engine::sampler::Rng;

    use super::*;

    #[test]
    fn both_widths_give_the_same_sums() {
        let (Some(v3), Some(v4)) = (V3::try_new(), V4::try_new()) else {
            return; // nothing to compare on this processor
        };
        let mut rng = Rng::new(1);
        let mut number = |below| (rng.next_u32() % below) as u8;
        for chunks in 1..=8 {
            let mut columns: Vec<ChunkColumns> = vec![[[0; _]; _]; chunks];
            for column in columns.as_flattened_mut().as_flattened_mut() {
                *column = number(256);
            }
            let mut rows: Vec<Chunk> = vec![[[0; _]; _]; chunks];
            for byte in rows.as_flattened_mut().as_flattened_mut() {
                // Two bits each, from 0 to 2.
                *byte = (0..4).fold(0, |byte, _| 4 * byte + number(3));
            }
            let expected: Sums = std::array::from_fn(|row| {
                let products = columns.iter().zip(&rows).flat_map(|(columns, rows)| {
                    (0..128).map(move |i| {
                        let trit = (rows[row][i % 32] >> (i / 32 * 2)) & 3;
                        i32::from(columns[i / 32][i % 32]) * i32::from(trit)
                    })
                });
                products.sum()
            });
            assert_eq!(v3.vectorize(|| narrow(v3, &columns, &rows)), expected);
            assert_eq!(v4.vectorize(|| wide(v4, &columns, &rows)), expected);
        }
    }
}
