//! The kernel of browsers: sums looked up as boards do it, sixteen rows at a time, with WebAssembly's
//! vectors of 128 bits.
//!
//! A table is as large as a vector is: the nine sums `±h0 ±h1` of two columns. When a model is loaded, its
//! weights are spread out to half a byte for two trits, which is an index into such a table, and lie so that
//! a vector holds those of sixteen rows, for four columns. A sum has 16 bits and so two tables, one for its
//! low bytes and one for the high ones; sums of [`PORTION`] columns fit 16 bits and are then added to those of
//! 32 bits. Compilers find none of this in the loops of [`super::portable`].

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec;
use alloc::vec::Vec;
use core::arch::wasm32::{
    i8x16_add, i8x16_narrow_i16x8, i8x16_swizzle, i16x8, i16x8_add, i16x8_mul, i16x8_shl,
    i16x8_shr, i16x8_shuffle, i16x8_splat, i16x8_sub, i32x4_add, i32x4_extend_high_i16x8,
    i32x4_extend_low_i16x8, i32x4_extract_lane, i32x4_mul, i32x4_splat, u8x16_narrow_i16x8,
    u8x16_shr, u8x16_splat, u16x8_shr, v128, v128_and,
};
use core::ops::Range;

use super::{Kernel, Part, Product, Sums, Table, Tables};
use crate::format::{GROUP, TILE_ROWS};
use crate::image::{Inputs, Matrix, Model};

/// Rows of a vector of indices.
const ROWS: usize = 16;

/// Tiles that these rows are.
const TILES: usize = ROWS / TILE_ROWS;

/// Columns of a vector of indices: two in each half of a byte.
const COLUMNS: usize = 4;

/// Columns whose sums fit 16 bits, of hidden units of at most 127.
const PORTION: usize = 256;

/// The index of two weights that are zero.
const ZERO: u8 = 4;

/// Indices of sixteen rows, for four columns.
type Indices = [u8; ROWS];

/// A kernel that knows a model's matrices beforehand.
#[derive(Clone, Debug)]
pub struct Wide {
    recurrent: Vec<Spread>,
    from_below: Vec<Spread>,
    output: Spread,
    /// The sums that each embedded symbol leads to.
    inputs: BTreeMap<Box<[i8]>, Vec<Sums>>,
}

impl Wide {
    /// The kernel for this model.
    #[must_use]
    pub fn new(model: Model<'_>) -> Self {
        let dimensions = model.dimensions();
        let square = |matrix| Spread::new(matrix, dimensions.hidden, dimensions.hidden);
        let layers = model.lstm_layers();
        let mut inputs = BTreeMap::new();
        if let Inputs::Embedded { embedding, matrix } = model.inputs() {
            let columns = embedding.len() / dimensions.symbols.max(1);
            let spread = Spread::new(matrix, dimensions.hidden, columns);
            for symbol in embedding.chunks_exact(columns.max(1)) {
                let symbol: &[i8] = bytemuck::cast_slice(symbol);
                let mut sums = vec![[0; TILE_ROWS]; dimensions.hidden];
                spread.multiply(&Lookup::new(symbol), &mut sums);
                inputs.insert(symbol.into(), sums);
            }
        }
        Self {
            recurrent: layers.iter().map(|layer| square(layer.recurrent)).collect(),
            from_below: layers
                .iter()
                .skip(1)
                .map(|layer| square(layer.from_below))
                .collect(),
            output: Spread::new(model.output(), dimensions.output_tiles(), dimensions.hidden),
            inputs,
        }
    }

    fn spread(&self, part: Part) -> Option<&Spread> {
        match part {
            Part::Recurrent(layer) => self.recurrent.get(layer),
            Part::FromBelow(layer) => self.from_below.get(layer.checked_sub(1)?),
            Part::Output => Some(&self.output),
        }
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
        let lookup = Lookup::new(columns);
        for product in products {
            if let Some(spread) = self.spread(product.part) {
                spread.multiply(&lookup, product.sums);
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
    /// Vectors of a plane of a block of rows.
    width: usize,
    /// `[blocks of rows][planes, the highest first][width]`.
    indices: Vec<Indices>,
}

impl Spread {
    /// That of a matrix of so many tiles and columns.
    #[must_use]
    pub fn new(matrix: Matrix<'_>, tiles: usize, columns: usize) -> Self {
        let planes = usize::from(matrix.planes);
        let width = columns.div_ceil(COLUMNS);
        let both = ZERO | ZERO << 4;
        let mut indices = vec![[both; ROWS]; tiles.div_ceil(TILES) * planes * width];
        let groups = columns.div_ceil(GROUP);
        matrix.for_each_trit(tiles, groups, |tile, plane, row, column, trit| {
            // Columns that fill the last group up may lie beyond the last vector; their weights are zeros.
            if column / COLUMNS >= width {
                return;
            }
            let block = tile / TILES;
            let at = (block * planes + plane) * width + column / COLUMNS;
            let weight = [1, 3, 1 << 4, 3 << 4][column % COLUMNS];
            let row = tile % TILES * TILE_ROWS + row;
            if let Some(index) = indices.get_mut(at).and_then(|rows| rows.get_mut(row)) {
                *index = index.wrapping_add_signed(trit * weight);
            }
        });
        Self {
            planes,
            width,
            indices,
        }
    }

    /// The products of all rows, into sums, one for each tile.
    pub fn multiply(&self, lookup: &Lookup, sums: &mut [Sums]) {
        let Some(pairs) = lookup.pairs.get(..self.width) else {
            return;
        };
        let bytes_of_block = self.planes * self.width;
        // Two blocks share what is loaded of the tables.
        let mut blocks = self.indices.chunks_exact((2 * bytes_of_block).max(1));
        let mut places = sums.chunks_mut(2 * TILES);
        for (block, sums) in blocks.by_ref().zip(places.by_ref()) {
            let (first, second) = block.split_at(bytes_of_block);
            self.multiply_blocks([first, second], pairs, sums);
        }
        if let Some(sums) = places.next() {
            self.multiply_blocks([blocks.remainder()], pairs, sums);
        }
    }

    #[inline(always)]
    fn multiply_blocks<const N: usize>(
        &self,
        blocks: [&[Indices]; N],
        pairs: &[[Pair; 2]],
        sums: &mut [Sums],
    ) {
        let mut totals = [[i32x4_splat(0); TILES]; N];
        for plane in 0..self.planes {
            let begin = plane * self.width;
            let rows = blocks.map(|block| {
                let rows = block.get(begin..begin + self.width);
                rows.unwrap_or_default()
            });
            if plane > 0 {
                totals = totals.map(|block| block.map(|sum| i32x4_mul(sum, i32x4_splat(3))));
            }
            const VECTORS: usize = PORTION / COLUMNS;
            for (portion, pairs) in pairs.chunks(VECTORS).enumerate() {
                let rows = rows.map(|rows| rows.get(portion * VECTORS..).unwrap_or_default());
                add_portion(rows, pairs, &mut totals);
            }
        }
        let tiles = sums.chunks_mut(TILES);
        for (totals, sums) in totals.iter().zip(tiles) {
            for (total, sums) in totals.iter().zip(sums) {
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

/// What a portion of the columns adds up to for sixteen rows, in parts that take no more than an addition
/// or two for each pair of columns.
#[derive(Clone, Copy)]
struct Partial {
    /// Low bytes, as numbers of 16 bits: each is that of an even row and 256 times that of the odd one.
    low: v128,
    /// Low bytes of odd rows.
    low_odd: v128,
    /// High bytes, which are -1 or 0.
    high: v128,
}

impl Partial {
    #[inline(always)]
    fn zero() -> Self {
        let zero = i16x8_splat(0);
        Self {
            low: zero,
            low_odd: zero,
            high: zero,
        }
    }

    #[inline(always)]
    fn add(&mut self, tables: &Pair, indices: v128) {
        let low = i8x16_swizzle(tables.low, indices);
        self.low = i16x8_add(self.low, low);
        self.low_odd = i16x8_add(self.low_odd, u16x8_shr(low, 8));
        self.high = i8x16_add(self.high, i8x16_swizzle(tables.high, indices));
    }

    /// The sums of the even rows, and those of the odd ones.
    #[inline(always)]
    fn sums(&self) -> [v128; 2] {
        let high = i16x8_sub(i16x8_shl(self.high, 8), i16x8_shl(self.low_odd, 8));
        let even = i16x8_add(self.low, high);
        let odd = i16x8_add(self.low_odd, v128_and(self.high, i16x8_splat(!0xFF)));
        [even, odd]
    }
}

/// Adds to totals of blocks of rows what as many columns give as fit 16 bits.
#[inline(always)]
fn add_portion<const N: usize>(
    rows: [&[Indices]; N],
    pairs: &[[Pair; 2]],
    totals: &mut [[v128; TILES]; N],
) {
    let nibble = u8x16_splat(15);
    let mut partial = [Partial::zero(); N];
    let rows = rows.map(|rows| rows.get(..pairs.len()).unwrap_or_default());
    for (column, [front, back]) in pairs.iter().enumerate() {
        for (rows, partial) in rows.iter().zip(&mut partial) {
            let Some(indices) = rows.get(column) else {
                continue;
            };
            let indices = vector(indices);
            partial.add(front, v128_and(indices, nibble));
            partial.add(back, u8x16_shr(indices, 4));
        }
    }
    for (partial, totals) in partial.iter().zip(totals) {
        let [even, odd] = partial.sums();
        let front = i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(even, odd);
        let back = i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(even, odd);
        let wide = [
            i32x4_extend_low_i16x8(front),
            i32x4_extend_high_i16x8(front),
            i32x4_extend_low_i16x8(back),
            i32x4_extend_high_i16x8(back),
        ];
        for (total, sum) in totals.iter_mut().zip(wide) {
            *total = i32x4_add(*total, sum);
        }
    }
}

#[inline(always)]
fn vector(indices: &Indices) -> v128 {
    // SAFETY: both are sixteen bytes that may hold anything, and the load needs no alignment.
    unsafe { core::arch::wasm32::v128_load(indices.as_ptr().cast()) }
}

/// The nine sums of two columns.
#[derive(Clone, Copy, Debug)]
struct Pair {
    low: v128,
    high: v128,
}

/// What columns are looked up in.
#[derive(Clone, Debug)]
pub struct Lookup {
    /// For each four columns.
    pairs: Vec<[Pair; 2]>,
}

impl Lookup {
    /// The tables of columns, whose magnitudes are at most 127.
    #[must_use]
    pub fn new(columns: &[i8]) -> Self {
        let pair = |columns: &[i8], at: usize| {
            let column = |at: usize| i16::from(columns.get(at).copied().unwrap_or(0));
            Pair::new(column(at), column(at + 1))
        };
        let columns = columns.chunks(COLUMNS);
        Self {
            pairs: columns
                .map(|columns| [pair(columns, 0), pair(columns, 2)])
                .collect(),
        }
    }
}

impl Pair {
    #[inline(always)]
    fn new(h0: i16, h1: i16) -> Self {
        let (h0, h1) = (i16x8_splat(h0), i16x8_splat(h1));
        let sum = |d0: v128, d1: v128| i16x8_add(i16x8_mul(h0, d0), i16x8_mul(h1, d1));
        let front = sum(
            i16x8(-1, 0, 1, -1, 0, 1, -1, 0),
            i16x8(-1, -1, -1, 0, 0, 0, 1, 1),
        );
        let back = sum(i16x8(1, 0, 0, 0, 0, 0, 0, 0), i16x8(1, 0, 0, 0, 0, 0, 0, 0));
        let byte = i16x8_splat(0xFF);
        Self {
            low: u8x16_narrow_i16x8(v128_and(front, byte), v128_and(back, byte)),
            high: i8x16_narrow_i16x8(i16x8_shr(front, 8), i16x8_shr(back, 8)),
        }
    }
}

const _: () = {
    // What a portion adds up to, its low bytes and its high ones.
    assert!(PORTION * 127 <= i16::MAX as usize);
    assert!(PORTION / 2 * 0xFF <= u16::MAX as usize && PORTION / 2 <= 128);
    // The order of the four columns in a byte is the order of the halves.
    assert!(COLUMNS == 4 && PORTION.is_multiple_of(COLUMNS));
};
