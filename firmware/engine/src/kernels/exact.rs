//! Plain multiplication in 64 bits: what every kernel must equal. For tests; it is slow.

use alloc::vec::Vec;
use core::ops::Range;

use super::{Kernel, Product, Sums, Table};
use crate::format::{GROUP, TILE_ROWS};
use crate::image::Matrix;

/// The kernel that looks nothing up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Exact;

impl Kernel for Exact {
    fn multiply(
        &self,
        columns: &[i8],
        blocks: Range<usize>,
        products: &mut [Product<'_>],
        _: &mut [Table],
    ) {
        if blocks.start > 0 {
            return;
        }
        for product in products {
            let sums = multiply(product.matrix, columns, product.sums.len());
            product.sums.copy_from_slice(&sums);
        }
    }

    fn inputs(
        &self,
        matrix: Matrix<'_>,
        embedded: &[i8],
        units: Range<usize>,
        _: &mut [Table],
        mut give: impl FnMut(usize, &[Sums]),
    ) {
        let unit_bytes = matrix.bytes_of(embedded.len() / GROUP, 1);
        let tiles = matrix.weights.len() / unit_bytes.max(1);
        let sums = multiply(matrix, embedded, tiles);
        give(units.start, sums.get(units).unwrap_or_default());
    }
}

fn multiply(matrix: Matrix<'_>, columns: &[i8], tiles: usize) -> Vec<Sums> {
    let mut exact = alloc::vec![[0_i64; TILE_ROWS]; tiles];
    let groups = columns.len() / GROUP;
    matrix.for_each_trit(tiles, groups, |tile, plane, row, column, trit| {
        let weight = i64::from(trit) * 3_i64.pow(u32::from(matrix.planes) - 1 - plane as u32);
        exact[tile][row] += weight * i64::from(columns[column]);
    });
    exact
        .into_iter()
        .map(|sums| sums.map(|sum| sum as i32))
        .collect()
}
