//! The reference kernels, which define every bit of the result, in the form that suits a PC.
//!
//! A packed word is multiplied as it is, and the surplus is taken back by a cheaper form of the same
//! word, so that few operations go into unpacking. With h the activations, |h| <= 127:
//!
//! - int8, `x = 256 * w1 + w0` and `low(x) = w0` by its low byte's sign:
//!   `x * h1 + low(x) * (256 * h0 - h1) = 256 * (w0 * h0 + w1 * h1)`.
//! - int4, `x = 4096 * n3 + 256 * u2 + 16 * u1 + u0` and the byte `b = 16 * u1 + u0`:
//!   `x * h3 + b * (256 * h1 - h3) + 256 * u2 * (16 * h2 - h3) + 256 * u0 * (16 * h0 - h1)`
//!   `= 4096 * (n3 * h3 + u2 * h2 + u1 * h1 + u0 * h0)`.
//!
//! Every factor fits 16 bits and a word holds two of them: a lane pair of a wide multiply-add here,
//! one `SMLAD` on an Arm core with DSP instructions.

use crate::activation::{INDEX_BITS, sigmoid, tanh_cell, tanh_half};
use crate::fixed::{GATE_SHIFT, HIDDEN_ONE, LOGIT_SHIFT, requantize, saturate};
use crate::image::{
    BIAS_WORDS, BLOCK, MULTIPLIER_WORDS, OUTPUT_FRAME_WORDS, TILE_ROWS, UNIT_FRAME_WORDS,
};
use crate::kernels::{Bits, LayerStep, OutputStep, PACKED_WORDS};

/// Adds the products of a tile to four sums: [`dot_int8`] or [`dot_int4`].
pub(super) trait Dot: Fn(&[u32], &[u32], [i32; TILE_ROWS]) -> [i32; TILE_ROWS] {}

impl<F: Fn(&[u32], &[u32], [i32; TILE_ROWS]) -> [i32; TILE_ROWS]> Dot for F {}

/// Activations as 8-bit weights want them: `h1, h3`, `256 h0 - h1, 256 h2 - h3`, and so on.
#[inline(always)]
#[must_use]
pub fn pack_int8(hidden: &[i8; BLOCK]) -> [u32; PACKED_WORDS] {
    let [h0, h1, h2, h3, h4, h5, h6, h7] = hidden.map(i32::from);
    [
        pair(h1, h3),
        pair(256 * h0 - h1, 256 * h2 - h3),
        pair(h5, h7),
        pair(256 * h4 - h5, 256 * h6 - h7),
    ]
}

/// Activations as 4-bit weights want them: what `x`, `b`, `u2` and `u0` are multiplied by.
#[inline(always)]
#[must_use]
pub fn pack_int4(hidden: &[i8; BLOCK]) -> [u32; PACKED_WORDS] {
    let [h0, h1, h2, h3, h4, h5, h6, h7] = hidden.map(i32::from);
    [
        pair(h3, h7),
        pair(256 * h1 - h3, 256 * h5 - h7),
        pair(16 * h2 - h3, 16 * h6 - h7),
        pair(16 * h0 - h1, 16 * h4 - h5),
    ]
}

/// 8-bit weights have no offset.
#[inline(always)]
#[must_use]
pub fn offset_int8(_: &[i8; BLOCK]) -> i32 {
    0
}

/// What the 8 in u0, u1 and u2 adds to every row: `4096 * 8 * h` over their columns.
#[inline(always)]
#[must_use]
pub fn offset_int4(hidden: &[i8; BLOCK]) -> i32 {
    let [h0, h1, h2, _, h4, h5, h6, _] = hidden.map(i32::from);
    (h0 + h1 + h2 + h4 + h5 + h6) << (Bits::Four.scale_log2() + 3)
}

/// Two signed halfwords as one word, the first in the low half.
#[inline(always)]
const fn pair(low: i32, high: i32) -> u32 {
    (low as u32 & 0xFFFF) | (high as u32) << 16
}

/// All units of a layer with 8-bit weights.
pub fn layer_int8(step: LayerStep<'_>) {
    layer(step, Bits::Eight, dot_int8);
}

/// All units of a layer with 4-bit weights.
pub fn layer_int4(step: LayerStep<'_>) {
    layer(step, Bits::Four, dot_int4);
}

/// All logits with 8-bit weights.
pub fn output_int8(step: OutputStep<'_>) {
    output(step, Bits::Eight, dot_int8);
}

/// All logits with 4-bit weights.
pub fn output_int4(step: OutputStep<'_>) {
    output(step, Bits::Four, dot_int4);
}

/// All units of a layer of either width; `watch` sees each unit's gates on the way.
pub fn layer_watched(step: LayerStep<'_>, bits: Bits, watch: impl FnMut([i32; TILE_ROWS])) {
    match bits {
        Bits::Eight => layer_with(step, bits, dot_int8, watch),
        Bits::Four => layer_with(step, bits, dot_int4, watch),
    }
}

/// All units of a layer, with the products left to `dot`.
#[inline(always)]
pub(super) fn layer(step: LayerStep<'_>, bits: Bits, dot: impl Dot) {
    layer_with(step, bits, dot, |_| ());
}

#[inline(always)]
fn layer_with(
    step: LayerStep<'_>,
    bits: Bits,
    dot: impl Dot,
    mut watch: impl FnMut([i32; TILE_ROWS]),
) {
    let tile = step.packed.len() / PACKED_WORDS * bits.block_words();
    let units = records(step.units, UNIT_FRAME_WORDS + tile)
        .zip(records(step.inputs, bits.input_bytes()))
        .zip(step.cells)
        .zip(step.hidden);
    for (((record, input), cell), hidden) in units {
        if let Some((front, tile, multipliers)) = split_record(record) {
            let acc = input_sums(inputs(bits, input), front, step.offset);
            let acc = dot(tile, step.packed, acc);
            let gates = gates(acc, halves(multipliers));
            watch(gates);
            *hidden = update_unit(gates, cell);
        }
    }
}

/// All logits, with the products left to `dot`.
#[inline(always)]
pub(super) fn output(step: OutputStep<'_>, bits: Bits, dot: impl Dot) {
    let tile = step.packed.len() / PACKED_WORDS * bits.block_words();
    let records = records(step.records, OUTPUT_FRAME_WORDS + tile);
    for (record, logits) in records.zip(step.logits.as_chunks_mut::<TILE_ROWS>().0) {
        if let Some((bias, tile, multipliers)) = split_record::<BIAS_WORDS>(record) {
            let acc = bias.map(|bias| (bias as i32).wrapping_sub(step.offset));
            let acc = dot(tile, step.packed, acc);
            let rows = acc.into_iter().zip(halves(multipliers));
            for (logit, (acc, multiplier)) in logits.iter_mut().zip(rows) {
                *logit = requantize::<16, LOGIT_SHIFT>(acc, multiplier) as i16;
            }
        }
    }
}

/// Records of so many words (or inputs of so many bytes) each. Unlike `chunks_exact` it has no panic that the compiler must rule out.
#[inline(always)]
fn records<T>(mut words: &[T], length: usize) -> impl Iterator<Item = &[T]> {
    core::iter::from_fn(move || {
        let (record, rest) = words.split_at_checked(length)?;
        words = rest;
        Some(record)
    })
}

/// What stands in front of a record's tile, the tile, and the multipliers behind it.
#[inline(always)]
fn split_record<const FRONT: usize>(
    record: &[u32],
) -> Option<(&[u32; FRONT], &[u32], &[u32; MULTIPLIER_WORDS])> {
    let (front, rest) = record.split_first_chunk()?;
    let (tile, multipliers) = rest.split_at_checked(rest.len().checked_sub(MULTIPLIER_WORDS)?)?;
    Some((front, tile, multipliers.first_chunk()?))
}

#[inline(always)]
fn halves(words: &[u32; MULTIPLIER_WORDS]) -> [i16; TILE_ROWS] {
    bytemuck::cast(*words)
}

/// A unit's inputs for gates i, f, g, o, each at the top of 16 bits; zeros where there are none.
#[inline(always)]
#[must_use]
pub fn inputs(bits: Bits, input: &[u8]) -> [i16; TILE_ROWS] {
    match (bits, input) {
        (Bits::Eight, &[i, f, g, o]) => [i, f, g, o].map(|byte| i16::from_le_bytes([0, byte])),
        (Bits::Four, &[fo, ig]) => {
            let top = |nibbles: u8| i16::from_le_bytes([0, nibbles & 0xF0]);
            [top(ig), top(fo), top(ig << 4), top(fo << 4)]
        }
        _ => [0; TILE_ROWS],
    }
}

/// What a unit's four sums begin with, less the weights' offset. `front` stands before its tile.
#[inline(always)]
#[must_use]
pub fn input_sums(
    inputs: [i16; TILE_ROWS],
    front: &[u32; BIAS_WORDS + MULTIPLIER_WORDS],
    offset: i32,
) -> [i32; TILE_ROWS] {
    let [b0, b1, b2, b3, m0, m1] = *front;
    let multipliers = halves(&[m0, m1]);
    let bias = [b0, b1, b2, b3].map(|bias| (bias as i32).wrapping_sub(offset));
    let sum = |gate: usize| {
        let product = i32::from(inputs[gate]) * i32::from(multipliers[gate]);
        bias[gate].wrapping_add(product)
    };
    [sum(0), sum(1), sum(2), sum(3)]
}

/// A unit's gates i, f, g, o before their activation, Q3.8 in 12 bits.
#[inline(always)]
#[must_use]
pub fn gates(acc: [i32; TILE_ROWS], multipliers: [i16; TILE_ROWS]) -> [i32; TILE_ROWS] {
    let z = |gate: usize| requantize::<INDEX_BITS, GATE_SHIFT>(acc[gate], multipliers[gate]);
    [z(0), z(1), z(2), z(3)]
}

/// Finishes a unit: its new cell in place, its new hidden state as the result.
#[inline(always)]
#[must_use]
pub fn update_unit(gates: [i32; TILE_ROWS], cell: &mut i16) -> i8 {
    let [zi, zf, zg, zo] = gates;
    // Q0.16 × Q4.11 = Q4.27 and Q0.16 × Q0.15 = Q0.31, both brought to Q4.26.
    let kept = (sigmoid(zf) * i32::from(*cell)) >> 1;
    let added = (sigmoid(zi) * tanh_half(zg)) >> 5;
    let c = saturate::<16>((kept + added + (1 << 14)) >> 15);
    *cell = c as i16;
    // Q0.16 × Q0.15 = Q0.31, brought to Q0.15 before it is scaled to 1/127.
    let h = (sigmoid(zo) * tanh_cell(c)) >> 16;
    ((h * HIDDEN_ONE + (1 << 14)) >> 15) as i8
}

/// Lanes of a row in a block: halfwords that one row's weights fill (int8: 4 pairs, int4: 2 fours).
type Sums<const LANES: usize> = [i32; LANES];

/// `acc[r] + K * sum over columns of tile[r] * x` for the four rows of a tile, modulo 2^32.
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

/// The same with 4-bit weights, before the offset is taken off.
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
