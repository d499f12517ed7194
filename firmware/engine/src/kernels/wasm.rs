//! The kernel of browsers: products of 32 rows at a time, with WebAssembly's vectors of 128 bits.
//!
//! When a model is loaded, the trits of its weights are spread out to numbers of 16 bits, each of which holds
//! those of two rows: `t + 2^13 * u`. The instruction that multiplies eight such numbers with hidden units of
//! 16 bits, and adds neighbours to sums of 32 bits, so does the work of sixteen trits, for eight rows and two
//! columns. Such a sum is `T + 2^13 * U`: as many columns as keep `T` within `2^12` make a portion, behind
//! which both are taken apart. Planes come one after the other.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::arch::wasm32::{
    i32x4_add, i32x4_dot_i16x8, i32x4_extract_lane, i32x4_mul, i32x4_shl, i32x4_shr, i32x4_splat,
    i32x4_sub, v128,
};
use core::ops::Range;

use super::{Kernel, Part, Product, Sums, Table, Tables};
use crate::format::{GROUP, TILE_ROWS};
use crate::image::{Inputs, Matrix, Model};

/// Columns that share a vector.
const COLUMNS: usize = 2;

/// Tiles that share a vector.
const SHARED: usize = 2;

/// Vectors that are multiplied with the same columns, for as many sums as there are registers.
const VECTORS: usize = 4;

/// Tiles of these vectors.
const TILES: usize = SHARED * VECTORS;

/// How far the trits of the second tile are shifted.
const SHIFT: u32 = 13;

/// Columns whose sums of the first tile stay below those of the second.
const PORTION: usize = 30;

/// The trits of two tiles, for two columns: those of a row are neighbours.
type Shared = [i16; TILE_ROWS * COLUMNS];

/// A kernel that knows a model's matrices beforehand.
#[derive(Clone, Debug)]
pub struct Wide {
    parts: Vec<(Part, Spread)>,
    /// The sums that each embedded symbol leads to.
    inputs: BTreeMap<Box<[i8]>, Vec<Sums>>,
}

impl Wide {
    /// The kernel for this model.
    #[must_use]
    pub fn new(model: Model<'_>) -> Self {
        let dimensions = model.dimensions();
        let mut inputs = BTreeMap::new();
        if let Inputs::Embedded { embedding, matrix } = model.inputs() {
            let columns = embedding.len() / dimensions.symbols.max(1);
            let spread = Spread::new(matrix, dimensions.hidden, columns);
            for symbol in embedding.chunks_exact(columns.max(1)) {
                let symbol: &[i8] = bytemuck::cast_slice(symbol);
                let mut sums = vec![[0; TILE_ROWS]; dimensions.hidden];
                spread.multiply(&Columns::new(symbol), &mut sums);
                inputs.insert(symbol.into(), sums);
            }
        }
        Self {
            parts: Part::all(&model)
                .map(|(part, matrix, tiles)| (part, Spread::new(matrix, tiles, dimensions.hidden)))
                .collect(),
            inputs,
        }
    }

    fn spread(&self, part: Part) -> Option<&Spread> {
        let of = self.parts.iter().find(|(of, _)| *of == part);
        of.map(|(_, spread)| spread)
    }
}

impl Kernel for Wide {
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
        let hidden = Columns::new(columns);
        for product in products {
            if let Some(spread) = self.spread(product.part) {
                spread.multiply(&hidden, product.sums);
            }
        }
    }

    fn inputs(
        &self,
        matrix: Matrix<'_>,
        embedded: &[i8],
        units: Range<usize>,
        tables: &mut [Table],
        mut give: impl FnMut(usize, &[Sums]),
    ) {
        match self.inputs.get(embedded) {
            Some(sums) => give(units.start, sums.get(units.clone()).unwrap_or_default()),
            None => Tables.inputs(matrix, embedded, units, tables, give),
        }
    }
}

/// A matrix, spread out.
#[derive(Clone, Debug)]
pub struct Spread {
    planes: usize,
    /// Columns of a plane, as many as vectors hold.
    width: usize,
    /// `[blocks of tiles][planes, the highest first][width]`.
    trits: Vec<[Shared; VECTORS]>,
}

impl Spread {
    /// That of a matrix of so many tiles and columns.
    #[must_use]
    pub fn new(matrix: Matrix<'_>, tiles: usize, columns: usize) -> Self {
        let planes = usize::from(matrix.planes);
        let width = columns.div_ceil(COLUMNS);
        let blocks = tiles.div_ceil(TILES);
        let mut trits = vec![[[0; TILE_ROWS * COLUMNS]; VECTORS]; blocks * planes * width];
        let groups = columns.div_ceil(GROUP);
        matrix.for_each_trit(tiles, groups, |tile, plane, row, column, trit| {
            // Columns that fill the last group up may lie beyond the last vector; their weights are zeros.
            if column / COLUMNS >= width {
                return;
            }
            let at = (tile / TILES * planes + plane) * width + column / COLUMNS;
            let shared = trits.get_mut(at);
            let shared = shared.and_then(|vectors| vectors.get_mut(tile % TILES / SHARED));
            let lane = row * COLUMNS + column % COLUMNS;
            if let Some(place) = shared.and_then(|lanes| lanes.get_mut(lane)) {
                *place += i16::from(trit) << (SHIFT * (tile % SHARED) as u32);
            }
        });
        Self {
            planes,
            width,
            trits,
        }
    }

    /// The products of all rows, into sums, one for each tile.
    pub fn multiply(&self, hidden: &Columns, sums: &mut [Sums]) {
        let Some(pairs) = hidden.pairs.get(..self.width) else {
            return;
        };
        let blocks = self.trits.chunks_exact((self.planes * self.width).max(1));
        for (block, sums) in blocks.zip(sums.chunks_mut(TILES)) {
            let mut totals = [[i32x4_splat(0); SHARED]; VECTORS];
            for (plane, trits) in block.chunks_exact(self.width.max(1)).enumerate() {
                if plane > 0 {
                    totals = totals.map(|tiles| tiles.map(|sum| i32x4_mul(sum, i32x4_splat(3))));
                }
                let portions = trits.chunks(PORTION / COLUMNS);
                for (trits, pairs) in portions.zip(pairs.chunks(PORTION / COLUMNS)) {
                    add_portion(trits, pairs, &mut totals);
                }
            }
            for (sums, total) in sums.iter_mut().zip(totals.as_flattened()) {
                *sums = [
                    i32x4_extract_lane::<0>(*total),
                    i32x4_extract_lane::<1>(*total),
                    i32x4_extract_lane::<2>(*total),
                    i32x4_extract_lane::<3>(*total),
                ];
            }
        }
    }
}

/// Adds to totals what a portion of the columns gives.
#[inline(always)]
fn add_portion(
    trits: &[[Shared; VECTORS]],
    pairs: &[v128],
    totals: &mut [[v128; SHARED]; VECTORS],
) {
    let mut sums = [i32x4_splat(0); VECTORS];
    for (trits, pair) in trits.iter().zip(pairs) {
        for (sum, trits) in sums.iter_mut().zip(trits) {
            *sum = i32x4_add(*sum, i32x4_dot_i16x8(vector(trits), *pair));
        }
    }
    for ([first, second], sum) in totals.iter_mut().zip(sums) {
        const ABOVE: u32 = i32::BITS - SHIFT;
        let low = i32x4_shr(i32x4_shl(sum, ABOVE), ABOVE);
        *first = i32x4_add(*first, low);
        *second = i32x4_add(*second, i32x4_shr(i32x4_sub(sum, low), SHIFT));
    }
}

#[inline(always)]
fn vector(trits: &Shared) -> v128 {
    // SAFETY: both are sixteen bytes that may hold anything, and the load needs no alignment.
    unsafe { core::arch::wasm32::v128_load(trits.as_ptr().cast()) }
}

/// What matrices are multiplied with.
#[derive(Clone, Debug)]
pub struct Columns {
    /// Two at a time, once for each row of a tile.
    pairs: Vec<v128>,
}

impl Columns {
    /// Those of a vector.
    #[must_use]
    pub fn new(columns: &[i8]) -> Self {
        let pair = |pair: &[i8]| {
            let column = |at: usize| i32::from(pair.get(at).copied().unwrap_or(0));
            i32x4_splat(column(1) << 16 | column(0) & 0xFFFF)
        };
        Self {
            pairs: columns.chunks(COLUMNS).map(pair).collect(),
        }
    }
}

const _: () = {
    // The two sums can be told apart, and neither is lost.
    assert!(PORTION * 128 < 1 << (SHIFT - 1));
    assert!((PORTION as u64 * 128) << SHIFT < 1 << 30);
    // The trits of both fit 16 bits.
    assert!((1 << SHIFT) < i16::MAX as i32);
    assert!(PORTION.is_multiple_of(COLUMNS));
};
