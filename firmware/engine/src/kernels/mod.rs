//! Matrix kernels: sums are looked up instead of multiplied.
//!
//! A weight that is -1, 0 or 1 needs no multiplication. For each group of five columns all 243 sums
//! `±h0 ±h1 ±h2 ±h3 ±h4` (each sign may be zero) are built once, as a [`Table`]; a byte of weights is
//! then an index into it, and five products are one load and one addition. All rows share the tables,
//! and so do all planes of a weight: a plane's sum counts three times as much as that of the one below.
//! The idea is that of Wei et al., "T-MAC: CPU Renaissance via Table Lookup", 2024.
//!
//! All sums are modulo 2^32. [`portable`] is the reference; the kernels in use are chosen by the target
//! when compiling (`build.rs`): assembly on Arm cores, [`portable`] elsewhere. A PC and a browser, which have memory to spread weights
//! out, have other means: see [`Kernel`].

use core::ops::Range;

use crate::format::{BLOCK_GROUPS, GROUP, TILE_ROWS, largest};
use crate::image::{Matrix, Model};
use crate::lstm::Pending;

#[cfg(any(thumb1, thumb2, miri))]
mod arm;
#[cfg(feature = "alloc")]
pub mod exact;
pub mod portable;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128", feature = "alloc"))]
pub mod wasm;
#[cfg(miri)]
mod watched;

#[cfg(any(thumb1, thumb2, miri))]
use arm as active;
#[cfg(not(any(thumb1, thumb2, miri)))]
use portable as active;

pub use active::{build, sweep};

/// Four sums: of the gates of a unit, or of four symbols.
pub type Sums = [i32; TILE_ROWS];

/// Words of a table.
pub const TABLE_WORDS: usize = 128;

/// The sums of a group of columns, two in a word, at the places that bytes of weights stand for. Each is
/// [`TABLE_BIAS`] too large, so that it is not negative and two can be added as one word.
pub type Table = [u32; TABLE_WORDS];

/// The largest that a sum of five hidden units can be, and a little more.
pub const TABLE_BIAS: i32 = 640;

/// Tables that are kept at a time: those of a block.
pub const TABLES: usize = BLOCK_GROUPS;

/// Units whose inputs are computed at once.
const CHUNK: usize = 8;

/// A matrix that columns are multiplied by, and where the sums go: `[tiles]`, overwritten.
#[derive(Debug)]
pub struct Product<'a> {
    /// Which it is, for kernels that know matrices beforehand.
    pub part: Part,
    /// The weights.
    pub matrix: Matrix<'a>,
    /// One for each tile.
    pub sums: &'a mut [Sums],
}

/// A matrix of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// From a layer to itself.
    Recurrent(usize),
    /// From the layer below to this one.
    FromBelow(usize),
    /// From the last layer to the logits.
    Output,
}

impl Part {
    /// The matrices of a model that hidden units are multiplied by, and how many tiles each has.
    pub fn all<'m>(model: &Model<'m>) -> impl Iterator<Item = (Self, Matrix<'m>, usize)> {
        let dimensions = model.dimensions();
        let layers = model.lstm_layers().iter().enumerate();
        let of_layers = layers.flat_map(|(index, layer)| {
            let recurrent = (Self::Recurrent(index), layer.recurrent);
            let from_below = (Self::FromBelow(index), layer.from_below);
            [Some(recurrent), (index > 0).then_some(from_below)]
        });
        let hidden = dimensions.hidden;
        let of_layers = of_layers
            .flatten()
            .map(move |(part, matrix)| (part, matrix, hidden));
        of_layers.chain([(Self::Output, model.output(), dimensions.output_tiles())])
    }
}

/// How matrices are multiplied. All kernels give the same sums.
///
/// A board has [`Tables`]; where there is memory to spread weights out, there may be another one.
pub trait Kernel: Sized {
    /// Multiplies `columns`, whole groups, by every matrix of `products`, as far as these blocks of columns
    /// go: the sums begin anew with the first block and are complete after the last.
    ///
    /// A kernel may do all of it when it is asked for the first block.
    fn multiply(
        &self,
        columns: &[i8],
        blocks: Range<usize>,
        products: &mut [Product<'_>],
        tables: &mut [Table],
    );

    /// Multiplies an embedded symbol by the rows of these units of the input matrix: `give` gets the sums of
    /// some units after the other, and the number of the first of them.
    fn inputs(
        &self,
        matrix: Matrix<'_>,
        embedded: &[i8],
        units: Range<usize>,
        tables: &mut [Table],
        give: impl FnMut(usize, &[Sums]),
    );

    /// Goes on with a step, see [`crate::Lstm::advance`].
    ///
    /// [`Tables`] has one of its own, word for word: without type parameters it is compiled with this crate
    /// and its optimization, whatever the program has that uses it. This one is compiled with its user.
    fn advance(
        &self,
        model: &Model<'_>,
        state: &mut [u32],
        pending: &mut Pending,
        units: usize,
    ) -> bool {
        pending.go_on(self, model, state, units, |_| ())
    }
}

/// The kernel of boards: tables of sums, built when they are needed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tables;

impl Kernel for Tables {
    #[inline]
    fn multiply(
        &self,
        columns: &[i8],
        blocks: Range<usize>,
        products: &mut [Product<'_>],
        tables: &mut [Table],
    ) {
        let groups = columns.as_chunks::<GROUP>().0;
        if blocks.start == 0 {
            for product in products.iter_mut() {
                let start = table_bias(groups.len(), product.matrix.planes);
                product.sums.fill([start; TILE_ROWS]);
            }
        }
        for Product { matrix, sums, .. } in products.iter_mut() {
            let before = matrix.bytes_of(blocks.start * BLOCK_GROUPS, sums.len());
            *matrix = matrix.split_at(before).1;
        }
        let portions = groups.chunks(BLOCK_GROUPS);
        for block in portions.skip(blocks.start).take(blocks.len()) {
            let tables = build_block(block, tables);
            for Product { matrix, sums, .. } in products.iter_mut() {
                let (weights, behind) = matrix.split_at(matrix.bytes_of(tables.len(), sums.len()));
                sweep(tables, weights, sums);
                *matrix = behind;
            }
        }
    }

    #[inline]
    fn inputs(
        &self,
        matrix: Matrix<'_>,
        embedded: &[i8],
        units: Range<usize>,
        tables: &mut [Table],
        mut give: impl FnMut(usize, &[Sums]),
    ) {
        // An embedded symbol is no longer than a block.
        let tables = build_block(embedded.as_chunks::<GROUP>().0, tables);
        let start = table_bias(tables.len(), matrix.planes);
        let unit_bytes = matrix.bytes_of(tables.len(), 1);
        let (_, matrix) = matrix.split_at(units.start * unit_bytes);
        let (mut rest, _) = matrix.split_at(units.len() * unit_bytes);
        for first in units.clone().step_by(CHUNK) {
            let (weights, behind) = rest.split_at(CHUNK * unit_bytes);
            let mut chunk = [[start; TILE_ROWS]; CHUNK];
            let count = (units.end - first).min(CHUNK);
            let sums = chunk.get_mut(..count).unwrap_or_default();
            sweep(tables, weights, sums);
            give(first, sums);
            rest = behind;
        }
    }

    #[inline(never)]
    fn advance(
        &self,
        model: &Model<'_>,
        state: &mut [u32],
        pending: &mut Pending,
        units: usize,
    ) -> bool {
        pending.go_on(self, model, state, units, |_| ())
    }
}

/// What sums over so many groups begin with, so that the tables' bias is gone in the end.
fn table_bias(groups: usize, planes: u8) -> i32 {
    -(TABLE_BIAS * groups as i32).wrapping_mul(largest(planes))
}

/// Builds the tables of a block's groups.
#[inline]
fn build_block<'t>(block: &[[i8; GROUP]], tables: &'t mut [Table]) -> &'t [Table] {
    for (table, group) in tables.iter_mut().zip(block) {
        build(table, group);
    }
    let count = block.len().min(tables.len());
    tables.get(..count).unwrap_or_default()
}

impl<'a> Matrix<'a> {
    /// Bytes of so many tiles over so many groups.
    fn bytes_of(&self, groups: usize, tiles: usize) -> usize {
        tiles * usize::from(self.planes) * groups * TILE_ROWS
    }

    /// The first bytes, and those behind them; all and none where there are fewer.
    fn split_at(self, bytes: usize) -> (Self, Self) {
        let empty: &[u8] = &[];
        let (front, behind) = self
            .weights
            .split_at_checked(bytes)
            .unwrap_or((self.weights, empty));
        let with = |weights: &'a [u8]| Self { weights, ..self };
        (with(front), with(behind))
    }
}
