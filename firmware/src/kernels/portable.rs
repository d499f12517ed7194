//! The reference kernels: plain Rust that defines every bit of the result.
//!
//! Written over arrays of 16-bit lanes, so that a PC's compiler turns them into wide multiply-adds.

use crate::image::TILE_ROWS;
use crate::kernels::{Bits, PACKED_WORDS};

/// Lanes of a row in a block: halfwords that one row's weights fill (int8: 4 pairs, int4: 2 fours).
type Sums<const LANES: usize> = [i32; LANES];

/// See [`crate::kernels::Format::dot`], 8-bit weights.
///
/// Tile block: for each row two words, columns 0 to 3 and 4 to 7.
#[inline]
#[must_use]
pub fn dot_int8(tile: &[u32], packed: &[u32], acc: [i32; TILE_ROWS]) -> [i32; TILE_ROWS] {
    const LANES: usize = 4 * TILE_ROWS;
    let mut sums: Sums<LANES> = [0; LANES];
    let blocks = tile.as_chunks::<{ Bits::Eight.block_words() }>().0;
    for (weights, x) in blocks.iter().zip(packed.as_chunks::<PACKED_WORDS>().0) {
        let weights: [i16; LANES] = bytemuck::cast(*weights);
        let [a0, a1, b0, b1, a2, a3, b2, b3]: [i16; 8] = bytemuck::cast(*x);
        let (a, b) = ([a0, a1, a2, a3], [b0, b1, b2, b3]);
        for (lane, sum) in sums.iter_mut().enumerate() {
            let weight = weights[lane];
            let low = i32::from(weight as i8);
            *sum = sum
                .wrapping_add(i32::from(weight) * i32::from(a[lane % 4]))
                .wrapping_add(low * i32::from(b[lane % 4]));
        }
    }
    add_lanes(&sums, acc)
}

/// See [`crate::kernels::Format::dot`], 4-bit weights.
///
/// Tile block: for each row one word, columns 0 to 3 in its low half and 4 to 7 in its high half.
#[inline]
#[must_use]
pub fn dot_int4(tile: &[u32], packed: &[u32], acc: [i32; TILE_ROWS]) -> [i32; TILE_ROWS] {
    const LANES: usize = 2 * TILE_ROWS;
    let mut sums: Sums<LANES> = [0; LANES];
    let blocks = tile.as_chunks::<{ Bits::Four.block_words() }>().0;
    for (weights, x) in blocks.iter().zip(packed.as_chunks::<PACKED_WORDS>().0) {
        let weights: [i16; LANES] = bytemuck::cast(*weights);
        let [a0, a1, b0, b1, c0, c1, d0, d1]: [i16; 8] = bytemuck::cast(*x);
        let (a, b, c, d) = ([a0, a1], [b0, b1], [c0, c1], [d0, d1]);
        for (lane, sum) in sums.iter_mut().enumerate() {
            let weight = weights[lane];
            let byte = weight & 0x00FF;
            let third = weight & 0x0F00;
            let first = (weight << 8) & 0x0F00;
            *sum = sum
                .wrapping_add(i32::from(weight) * i32::from(a[lane % 2]))
                .wrapping_add(i32::from(byte) * i32::from(b[lane % 2]))
                .wrapping_add(i32::from(third) * i32::from(c[lane % 2]))
                .wrapping_add(i32::from(first) * i32::from(d[lane % 2]));
        }
    }
    add_lanes(&sums, acc)
}

/// Adds each row's lanes to its accumulator.
#[inline(always)]
fn add_lanes<const LANES: usize>(
    sums: &Sums<LANES>,
    mut acc: [i32; TILE_ROWS],
) -> [i32; TILE_ROWS] {
    for (row, lanes) in acc.iter_mut().zip(sums.chunks_exact(LANES / TILE_ROWS)) {
        *row = lanes.iter().fold(*row, |sum, &lane| sum.wrapping_add(lane));
    }
    acc
}
