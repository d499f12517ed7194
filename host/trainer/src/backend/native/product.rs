//! Matrix products of f32 (GEMM) on one thread, with the widest vectors that the processor has.
//!
//! The right factor is packed into panels as wide as a tile of the result, so that a tile reads it in
//! order. Weights are packed once and serve all steps of a window, which is what no crate offers: see
//! the figures in the documentation of the backend.

use pulp::{Arch, Simd, WithSimd, bytemuck};

/// Vectors side by side in a tile of the result.
const VECTORS: usize = 2;

/// Products that are added up before a tile goes back to memory: a panel of so many rows fits the
/// first cache.
const DEPTH: usize = 128;

/// A matrix in a slice, by rows (row-major) or by columns: one of the steps is 1.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
    row_step: usize,
    column_step: usize,
}

impl<'a> Matrix<'a> {
    /// The rows of `columns` numbers each that `values` holds.
    pub fn new(values: &'a [f32], columns: usize) -> Self {
        Self {
            values,
            rows: values.len() / columns,
            columns,
            row_step: columns,
            column_step: 1,
        }
    }

    /// Its numbers as they lie.
    pub fn values(self) -> &'a [f32] {
        self.values
    }

    /// The same numbers with rows for columns.
    pub fn transposed(self) -> Self {
        Self {
            values: self.values,
            rows: self.columns,
            columns: self.rows,
            row_step: self.column_step,
            column_step: self.row_step,
        }
    }

    /// `count` of its rows, from `begin` on.
    fn some_rows(self, begin: usize, count: usize) -> Self {
        Self {
            values: &self.values[begin * self.row_step..],
            rows: count,
            ..self
        }
    }

    /// `count` of its columns, from `begin` on.
    fn some_columns(self, begin: usize, count: usize) -> Self {
        self.transposed().some_rows(begin, count).transposed()
    }

    /// Writes the rows from `begin` on as columns of `width` numbers: zeros where there is no row.
    fn interleave(self, begin: usize, width: usize, to: &mut [f32]) {
        let count = width.min(self.rows - begin);
        if count < width {
            to.fill(0.0);
        }
        if self.row_step == 1 {
            for (k, to) in to.chunks_exact_mut(width).enumerate() {
                let from = &self.values[k * self.column_step + begin..][..count];
                to[..count].copy_from_slice(from);
            }
        } else {
            for row in 0..count {
                let from = &self.values[(begin + row) * self.row_step..];
                let to = to[row..].iter_mut().step_by(width);
                for (to, from) in to.zip(from.iter().step_by(self.column_step)) {
                    *to = *from;
                }
            }
        }
    }

    /// [`Matrix::interleave`] for a width that the compiler knows.
    #[inline(always)]
    fn interleave_few<const WIDTH: usize>(self, begin: usize, to: &mut [f32]) {
        if begin + WIDTH > self.rows {
            return self.interleave(begin, WIDTH, to);
        }
        let to = to.as_chunks_mut::<WIDTH>().0;
        if self.row_step == 1 {
            for (k, to) in to.iter_mut().enumerate() {
                let from = &self.values[k * self.column_step + begin..];
                to.copy_from_slice(&from[..WIDTH]);
            }
        } else {
            let count = to.len();
            let row = |row| &self.values[(begin + row) * self.row_step..][..count];
            let rows: [&[f32]; WIDTH] = std::array::from_fn(row);
            for (k, to) in to.iter_mut().enumerate() {
                to.iter_mut().zip(rows).for_each(|(to, row)| *to = row[k]);
            }
        }
    }
}

/// A right factor, packed.
#[derive(Debug, Default)]
pub struct Panels {
    values: Vec<f32>,
    rows: usize,
    columns: usize,
}

impl Panels {
    /// Packs `matrix` for this processor.
    pub fn pack(&mut self, arch: Arch, matrix: Matrix<'_>) {
        let width = arch.dispatch(PanelWidth);
        (self.rows, self.columns) = (matrix.rows, matrix.columns);
        let count = matrix.columns.div_ceil(width);
        self.values.resize(count * matrix.rows * width, 0.0);
        let panels = self.values.chunks_exact_mut(matrix.rows * width);
        for (index, panel) in panels.enumerate() {
            matrix.transposed().interleave(index * width, width, panel);
        }
    }
}

/// Computes products; keeps the memory that this takes.
#[derive(Debug)]
pub struct Products {
    arch: Arch,
    left: Vec<f32>,
    right: Panels,
}

impl Products {
    /// For this processor.
    pub fn new(arch: Arch) -> Self {
        Self {
            arch,
            left: Vec::new(),
            right: Panels::default(),
        }
    }

    /// Adds `left · right` to `sums`, by rows.
    pub fn add(&mut self, left: Matrix<'_>, right: Matrix<'_>, sums: &mut [f32]) {
        let mut panels = std::mem::take(&mut self.right);
        for begin in (0..right.rows).step_by(DEPTH) {
            let count = DEPTH.min(right.rows - begin);
            panels.pack(self.arch, right.some_rows(begin, count));
            self.add_packed(left.some_columns(begin, count), &panels, sums);
        }
        self.right = panels;
    }

    /// The same with a right factor that was packed before.
    pub fn add_packed(&mut self, left: Matrix<'_>, right: &Panels, sums: &mut [f32]) {
        self.arch.dispatch(Add {
            left,
            right,
            tiles: &mut self.left,
            sums,
        });
    }
}

/// How wide panels are.
struct PanelWidth;

impl WithSimd for PanelWidth {
    type Output = usize;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> usize {
        VECTORS * S::F32_LANES
    }
}

struct Add<'a> {
    left: Matrix<'a>,
    right: &'a Panels,
    /// Where the left factor is packed.
    tiles: &'a mut Vec<f32>,
    sums: &'a mut [f32],
}

impl WithSimd for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // As many rows as leave registers for the factors.
        if S::REGISTER_COUNT >= 32 {
            self.by_rows::<S, 8>(simd);
        } else {
            self.by_rows::<S, 4>(simd);
        }
    }
}

impl Add<'_> {
    #[inline(always)]
    fn by_rows<S: Simd, const ROWS: usize>(self, simd: S) {
        let depth = self.right.rows;
        let width = VECTORS * S::F32_LANES;
        let columns = self.right.columns;
        let tiles = self.left.rows.div_ceil(ROWS);
        self.tiles.resize(tiles * depth * ROWS, 0.0);
        for (index, tile) in self.tiles.chunks_exact_mut(depth * ROWS).enumerate() {
            self.left.interleave_few::<ROWS>(index * ROWS, tile);
        }
        let panels = self.right.values.chunks_exact(depth * width);
        for (panel, column) in panels.zip((0..).step_by(width)) {
            let size = width.min(columns - column);
            let tiles = self.tiles.chunks_exact(depth * ROWS);
            for (left, sums) in tiles.zip(self.sums.chunks_mut(ROWS * columns)) {
                let tile = tile::<S, ROWS>(simd, left, panel);
                for (row, sums) in tile.iter().zip(sums.chunks_exact_mut(columns)) {
                    let sums = &mut sums[column..column + size];
                    if size == width {
                        let (sums, _) = S::as_mut_simd_f32s(sums);
                        for (sum, &vector) in sums.iter_mut().zip(row) {
                            *sum = simd.add_f32s(*sum, vector);
                        }
                    } else {
                        let row: &[f32] = bytemuck::cast_slice(row);
                        sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += x);
                    }
                }
            }
        }
    }
}

/// The products of one tile, added up: `left` holds columns of `ROWS` numbers, `right` rows of [`VECTORS`].
#[inline(always)]
fn tile<S: Simd, const ROWS: usize>(
    simd: S,
    left: &[f32],
    right: &[f32],
) -> [[S::f32s; VECTORS]; ROWS] {
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    let (right, _) = S::as_simd_f32s(right);
    let right = right.as_chunks::<VECTORS>().0;
    for (left, right) in left.as_chunks::<ROWS>().0.iter().zip(right) {
        for (sums, &left) in sums.iter_mut().zip(left) {
            let left = simd.splat_f32s(left);
            for (sum, &right) in sums.iter_mut().zip(right) {
                *sum = simd.mul_add_e_f32s(left, right, *sum);
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_product_of_any_shape_is_added(
            rows in 1_usize..40,
            depth in 1_usize..300,
            columns in 1_usize..80,
            by_columns: bool,
        ) {
            let numbers = |count: usize, factor: f32| -> Vec<f32> {
                (0..count).map(|i| (i as f32 * factor).sin()).collect()
            };
            let (left, right) = (numbers(rows * depth, 0.7), numbers(depth * columns, 1.3));
            let expected = |row: usize, column: usize| -> f32 {
                let at = |k| if by_columns {
                    (left[k * rows + row], right[column * depth + k])
                } else {
                    (left[row * depth + k], right[k * columns + column])
                };
                1.0 + (0..depth).map(at).map(|(a, b)| a * b).sum::<f32>()
            };
            let (left, right) = if by_columns {
                (Matrix::new(&left, rows).transposed(), Matrix::new(&right, depth).transposed())
            } else {
                (Matrix::new(&left, depth), Matrix::new(&right, columns))
            };
            for arch in [Arch::new(), Arch::Scalar] {
                let mut sums = vec![1.0; rows * columns];
                Products::new(arch).add(left, right, &mut sums);
                for (index, sum) in sums.iter().enumerate() {
                    let expected = expected(index / columns, index % columns);
                    prop_assert!((sum - expected).abs() < 1e-4, "{} {}", sum, expected);
                }
            }
        }
    }
}
