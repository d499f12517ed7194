//! The reference kernel, in plain Rust.

use super::{Sums, TABLE_BIAS, TABLE_WORDS, Table};
use crate::format::{BLOCK_GROUPS, GROUP, LOW_SUMS, TILE_ROWS};
use crate::image::Matrix;

/// Words of the sums of three columns.
pub(super) const LOW_WORDS: usize = LOW_SUMS / 2;

/// A halfword in both halves of a word.
const BOTH: i32 = 0x1_0001;

/// The first row of a table, for the lowest digits of its columns 3 and 4, and what leads from a row to
/// the next one and to the next but two: two sums in a word.
#[inline(always)]
pub(super) fn first_row(columns: &[i8; GROUP]) -> ([u32; LOW_WORDS], [u32; 2]) {
    let [h0, h1, h2, h3, h4] = columns.map(i32::from);
    let pair = |low: i32, high: i32| (low + (high << 16)) as u32;
    // The words of two sums of columns 1 and 2, each with three of column 0.
    let three = |a: i32, b: i32| {
        [
            pair(a, a + h0),
            pair(a + 2 * h0, b),
            pair(b + h0, b + 2 * h0),
        ]
    };
    // Columns 1 and 2: d1 + 3 d2 in rising order.
    let s0 = TABLE_BIAS - h0 - h1 - h2 - h3 - h4;
    let (s3, s6) = (s0 + h2, s0 + 2 * h2);
    let [w0, w1, w2] = three(s0, s0 + h1);
    let [w3, w4, w5] = three(s0 + 2 * h1, s3);
    let [w6, w7, w8] = three(s3 + h1, s3 + 2 * h1);
    let [w9, w10, w11] = three(s6, s6 + h1);
    let s8 = s6 + 2 * h1;
    let (w12, w13) = (pair(s8, s8 + h0), pair(s8 + 2 * h0, 0));
    (
        [w0, w1, w2, w3, w4, w5, w6, w7, w8, w9, w10, w11, w12, w13],
        [(h3 * BOTH) as u32, (h4 * BOTH) as u32],
    )
}

/// Builds the table of five columns.
#[inline]
pub fn build(table: &mut Table, columns: &[i8; GROUP]) {
    let (first, [next, next_but_two]) = first_row(columns);
    let mut rows = table.as_chunks_mut::<LOW_WORDS>().0.iter_mut();
    let mut start = 0_u32;
    for _ in 0..3 {
        let mut more = start;
        for row in rows.by_ref().take(3) {
            for (word, first) in row.iter_mut().zip(first) {
                *word = first.wrapping_add(more);
            }
            more = more.wrapping_add(next);
        }
        start = start.wrapping_add(next_but_two);
    }
}

/// Adds to `sums`, one for each tile, what the weights of the groups of `tables` give.
#[inline]
pub fn sweep(tables: &[Table], weights: Matrix<'_>, sums: &mut [Sums]) {
    let Matrix {
        weights: mut bytes,
        planes,
    } = weights;
    for sums in sums {
        let mut plane_sums = [0_i32; TILE_ROWS];
        for plane in 0..planes {
            if plane > 0 {
                plane_sums = plane_sums.map(|sum| sum.wrapping_mul(3));
            }
            let groups = bytes.as_chunks::<TILE_ROWS>().0;
            match (tables.first_chunk(), groups.first_chunk()) {
                // A whole block, which the compiler unrolls.
                (Some(tables), Some(groups)) => look_up_block(tables, groups, &mut plane_sums),
                _ => {
                    for (table, rows) in tables.iter().zip(groups) {
                        look_up(table, rows, &mut plane_sums);
                    }
                }
            }
            bytes = bytes.get(TILE_ROWS * tables.len()..).unwrap_or_default();
        }
        for (sum, plane_sum) in sums.iter_mut().zip(plane_sums) {
            *sum = sum.wrapping_add(plane_sum);
        }
    }
}

#[inline(always)]
fn look_up_block(
    tables: &[Table; BLOCK_GROUPS],
    groups: &[[u8; TILE_ROWS]; BLOCK_GROUPS],
    sums: &mut Sums,
) {
    for (table, rows) in tables.iter().zip(groups) {
        look_up(table, rows, sums);
    }
}

/// Adds to each sum the one that its byte stands for.
#[inline(always)]
fn look_up(table: &Table, rows: &[u8; TILE_ROWS], sums: &mut Sums) {
    let table: &[u16; 2 * TABLE_WORDS] = bytemuck::cast_ref(table);
    for (sum, &byte) in sums.iter_mut().zip(rows) {
        *sum = sum.wrapping_add(table[usize::from(byte)].into());
    }
}
