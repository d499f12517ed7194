//! Kernels for small cores without packed multiplication: Cortex-M0, M3, RISC-V.
//!
//! 8-bit weights are unpacked as in [`super::portable`], one product at a time. 4-bit weights get two
//! products out of one 32-bit multiplication: with the two columns k and k + 4 of a block,
//! `(2^16 * u' + u) * (2^16 * h + h') = 2^16 * (u * h + u' * h') + u * h'` modulo 2^32, where all four
//! nibbles of a halfword are offset (u = n + 8). Eight such products fit a half before it is emptied.

use crate::image::{BLOCK, TILE_ROWS};
use crate::kernels::portable::{layer, output};
pub use crate::kernels::portable::{offset_int8, pack_int8};
use crate::kernels::{Bits, LayerStep, OutputStep, PACKED_WORDS};

/// See [`super::portable::layer_int8`].
pub fn layer_int8(step: LayerStep<'_>) {
    layer(step, Bits::Eight, dot_int8);
}

/// See [`super::portable::layer_int4`].
pub fn layer_int4(step: LayerStep<'_>) {
    layer(step, Bits::Four, dot_int4);
}

/// See [`super::portable::output_int8`].
pub fn output_int8(step: OutputStep<'_>) {
    output(step, Bits::Eight, dot_int8);
}

/// See [`super::portable::output_int4`].
pub fn output_int4(step: OutputStep<'_>) {
    output(step, Bits::Four, dot_int4);
}

/// Columns k and k + 4 in one word, the first in the high half.
#[inline(always)]
#[must_use]
pub fn pack_int4(hidden: &[i8; BLOCK]) -> [u32; PACKED_WORDS] {
    let [h0, h1, h2, h3, h4, h5, h6, h7] = hidden.map(i32::from);
    let pair = |high: i32, low: i32| ((high << 16) + low) as u32;
    [pair(h0, h4), pair(h1, h5), pair(h2, h6), pair(h3, h7)]
}

/// What the 8 in every u adds to every row: `4096 * 8 * h` over all columns.
#[inline(always)]
#[must_use]
pub fn offset_int4(hidden: &[i8; BLOCK]) -> i32 {
    hidden.iter().map(|&h| i32::from(h)).sum::<i32>() << (Bits::Four.scale_log2() + 3)
}

/// See [`super::portable::dot_int8`].
#[inline]
#[must_use]
pub fn dot_int8(tile: &[u32], packed: &[u32], mut acc: [i32; TILE_ROWS]) -> [i32; TILE_ROWS] {
    let blocks = tile.as_chunks::<{ Bits::Eight.block_words() }>().0;
    for (weights, x) in blocks.iter().zip(packed.as_chunks::<PACKED_WORDS>().0) {
        for half in 0..2 {
            let (a0, a1) = halves(x[2 * half]);
            let (b0, b1) = halves(x[2 * half + 1]);
            for (row, sum) in acc.iter_mut().enumerate() {
                let word = weights[2 * row + half];
                let (w0, w1) = halves(word);
                *sum = sum
                    .wrapping_add(w0 * a0)
                    .wrapping_add(w1 * a1)
                    .wrapping_add(i32::from(word as i8) * b0)
                    .wrapping_add(i32::from((word >> 16) as i8) * b1);
            }
        }
    }
    acc
}

/// See [`super::portable::dot_int4`]; the offset is that of [`offset_int4`] here.
#[inline]
#[must_use]
pub fn dot_int4(tile: &[u32], packed: &[u32], acc: [i32; TILE_ROWS]) -> [i32; TILE_ROWS] {
    const BLOCK_WORDS: usize = Bits::Four.block_words();
    // Two blocks fit the half of a word: 2 * 4 * 2 * 15 * 127 < 2^15.
    let (pairs, last) = tile.as_chunks::<{ 2 * BLOCK_WORDS }>();
    let (x, last_x) = packed.as_chunks::<{ 2 * PACKED_WORDS }>();
    let mut products = [0; TILE_ROWS];
    for (weights, x) in pairs.iter().zip(x) {
        add_blocks(weights, x, &mut products);
    }
    if let (Some(weights), Some(x)) = (last.first_chunk::<BLOCK_WORDS>(), last_x.first_chunk()) {
        add_blocks::<BLOCK_WORDS, PACKED_WORDS>(weights, x, &mut products);
    }
    let sum = |row: usize| acc[row].wrapping_add(products[row] << Bits::Four.scale_log2());
    [sum(0), sum(1), sum(2), sum(3)]
}

/// Adds the products of one or two blocks.
#[inline(always)]
fn add_blocks<const WEIGHTS: usize, const X: usize>(
    weights: &[u32; WEIGHTS],
    x: &[u32; X],
    products: &mut [i32; TILE_ROWS],
) {
    /// Flips the top nibbles from two's complement to offset.
    const SIGNS: u32 = 0x8000_8000;
    const NIBBLES: u32 = 0x000F_000F;
    for (row, products) in products.iter_mut().enumerate() {
        let mut sum = 0_u32;
        for (block, &[x0, x1, x2, x3]) in x.as_chunks::<PACKED_WORDS>().0.iter().enumerate() {
            let word = weights[block * TILE_ROWS + row] ^ SIGNS;
            sum = sum
                .wrapping_add((word & NIBBLES).wrapping_mul(x0))
                .wrapping_add((word >> 4 & NIBBLES).wrapping_mul(x1))
                .wrapping_add((word >> 8 & NIBBLES).wrapping_mul(x2))
                .wrapping_add((word >> 12 & NIBBLES).wrapping_mul(x3));
        }
        // Rounding takes the low half's sign off the high half.
        *products += (sum.wrapping_add(1 << 15) as i32) >> 16;
    }
}

/// Both signed halfwords of a word, the low one first.
#[inline(always)]
const fn halves(word: u32) -> (i32, i32) {
    (word as i16 as i32, word as i32 >> 16)
}
