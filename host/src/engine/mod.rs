//! The engine with a kernel for PCs: the same sums as on a board, many at a time.
//!
//! Weights are spread out to two bits each when a model is loaded, 128 columns in 32 bytes: byte j has
//! columns j, j + 32, j + 64 and j + 96. A wide multiply-add of bytes wants one factor without a sign, so
//! hidden units are taken 128 too large, and trits 1 too large:
//! `Σ (h + 128)(t + 1) = Σ h t + Σ h + 128 Σ (t + 1)`. Processors without AVX2 look sums up as boards do.

use std::collections::HashMap;
use std::ops::Range;

use inkling_engine::Lstm;
use inkling_engine::State;
use inkling_engine::format::{GROUP, TILE_ROWS};
use inkling_engine::image::{Inputs, Matrix, Model};
use inkling_engine::kernels::{Kernel, Part, Product, Sums, Table, Tables};
use inkling_engine::{Generator, Settings};

/// A model in its zero state.
pub type Engine<'m> = Lstm<'m, State, Wide>;

/// A model in its zero state, with the fastest kernel that this processor has.
#[must_use]
pub fn engine(model: Model<'_>) -> Engine<'_> {
    Lstm::with_kernel(model, State::any(), Wide::new(model)).expect("enough for any model")
}

/// A generator by that model.
#[must_use]
pub fn generator(model: Model<'_>, settings: Settings, seed: u64) -> Generator<'_, State, Wide> {
    Generator::of(engine(model), settings, seed)
}

#[cfg_attr(target_arch = "x86_64", path = "simd.rs")]
#[cfg_attr(not(target_arch = "x86_64"), path = "no_simd.rs")]
mod simd;

/// Columns of a chunk, and the bytes that their trits take.
const CHUNK_COLUMNS: usize = 128;
const CHUNK_BYTES: usize = 32;

/// The most columns: the sum of so many products of bytes fits 16 bits.
const MAX_COLUMNS: usize = 1024;

/// What is added to a hidden unit, or to a number of an embedded symbol, which may be -128.
const OFFSET: i32 = 128;

/// A kernel that knows a model's matrices beforehand.
#[derive(Clone, Debug)]
pub struct Wide {
    /// None on processors without the instructions.
    fast: Option<Box<Fast>>,
}

#[derive(Clone, Debug)]
struct Fast {
    simd: simd::Simd,
    parts: Vec<(Part, Spread)>,
    /// The sums that each embedded symbol leads to.
    inputs: HashMap<Vec<i8>, Vec<Sums>>,
}

/// A matrix, spread out.
#[derive(Clone, Debug)]
struct Spread {
    /// The highest plane first.
    planes: Vec<Plane>,
    chunks: usize,
}

#[derive(Clone, Debug)]
struct Plane {
    /// `[tiles][chunks]`.
    trits: Vec<Chunk>,
    /// What each row's products are too large by, without the sum of the hidden units.
    surplus: Vec<Sums>,
}

impl Wide {
    /// The kernel for this model.
    #[must_use]
    pub fn new(model: Model<'_>) -> Self {
        match simd::Simd::all().next() {
            Some(simd) => Self::of(model, simd),
            None => Self { fast: None },
        }
    }

    /// Every kernel that this processor can run for a model, the fastest first and that of boards last: for
    /// tests.
    pub fn all(model: Model<'_>) -> impl Iterator<Item = Self> {
        let fast = simd::Simd::all().map(move |simd| Self::of(model, simd));
        fast.chain([Self { fast: None }])
    }

    fn of(model: Model<'_>, simd: simd::Simd) -> Self {
        let dimensions = model.dimensions();
        let mut inputs = HashMap::new();
        if let Inputs::Embedded { embedding, matrix } = model.inputs() {
            let columns = embedding.len() / dimensions.symbols;
            let spread = Spread::new(matrix, dimensions.hidden, columns);
            for symbol in embedding.chunks_exact(columns) {
                let symbol: &[i8] = bytemuck::cast_slice(symbol);
                let mut sums = vec![[0; TILE_ROWS]; dimensions.hidden];
                spread.multiply(simd, &Columns::new(symbol), &mut sums);
                inputs.insert(symbol.to_vec(), sums);
            }
        }
        let fast = Fast {
            simd,
            parts: Part::all(&model)
                .map(|(part, matrix, tiles)| (part, Spread::new(matrix, tiles, dimensions.hidden)))
                .collect(),
            inputs,
        };
        Self {
            fast: Some(Box::new(fast)),
        }
    }
}

impl Fast {
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
        tables: &mut [Table],
    ) {
        let Some(fast) = &self.fast else {
            return Tables.multiply(columns, blocks, products, tables);
        };
        if blocks.start > 0 {
            return;
        }
        let columns = Columns::new(columns);
        for product in products {
            if let Some(spread) = fast.spread(product.part) {
                spread.multiply(fast.simd, &columns, product.sums);
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
        match &self.fast {
            None => Tables.inputs(matrix, embedded, units, tables, give),
            Some(fast) => {
                let sums = fast.inputs.get(embedded);
                let sums = sums.and_then(|sums| sums.get(units.clone()));
                give(units.start, sums.unwrap_or_default());
            }
        }
    }
}

impl Spread {
    fn new(matrix: Matrix<'_>, tiles: usize, columns: usize) -> Self {
        let chunks = columns.div_ceil(CHUNK_COLUMNS);
        let empty = || Plane {
            trits: vec![[[0; CHUNK_BYTES]; TILE_ROWS]; tiles * chunks],
            surplus: vec![[0; TILE_ROWS]; tiles],
        };
        let mut spread = Self {
            planes: (0..matrix.planes).map(|_| empty()).collect(),
            chunks,
        };
        let groups = columns.div_ceil(GROUP);
        matrix.for_each_trit(tiles, groups, |tile, plane, row, column, trit| {
            let Plane { trits, surplus } = &mut spread.planes[plane];
            let raised = (trit + 1) as u8;
            let (chunk, within) = (column / CHUNK_COLUMNS, column % CHUNK_COLUMNS);
            // Columns that fill the last group up may lie beyond the last chunk; their weights are zeros.
            if let Some(rows) = trits
                .get_mut(tile * chunks + chunk)
                .filter(|_| chunk < chunks)
            {
                rows[row][within % CHUNK_BYTES] |= raised << (within / CHUNK_BYTES * 2);
                surplus[tile][row] += OFFSET * i32::from(raised);
            }
        });
        spread
    }

    fn multiply(&self, simd: simd::Simd, columns: &Columns, sums: &mut [Sums]) {
        let Some(of_columns) = columns.raised.get(..self.chunks) else {
            return;
        };
        for (order, plane) in self.planes.iter().enumerate() {
            let tiles = plane.trits.chunks_exact(self.chunks);
            simd.multiply(
                of_columns,
                tiles,
                &plane.surplus,
                columns.sum,
                |tile, products| {
                    if let Some(sums) = sums.get_mut(tile) {
                        for (sum, product) in sums.iter_mut().zip(products) {
                            *sum = if order == 0 {
                                product
                            } else {
                                3 * *sum + product
                            };
                        }
                    }
                },
            );
        }
    }
}

/// The trits of a chunk: its four rows.
type Chunk = [[u8; CHUNK_BYTES]; TILE_ROWS];

/// What a chunk is multiplied by: the first quarter of its columns, and so on.
type ChunkColumns = [[u8; CHUNK_BYTES]; CHUNK_COLUMNS / CHUNK_BYTES];

/// Columns of a product.
struct Columns {
    /// Each [`OFFSET`] too large; zero is what fills the last chunk up.
    raised: [ChunkColumns; MAX_COLUMNS / CHUNK_COLUMNS],
    sum: i32,
}

impl Columns {
    fn new(columns: &[i8]) -> Self {
        let mut raised = [[[0; CHUNK_BYTES]; _]; _];
        let places = raised.as_flattened_mut().as_flattened_mut().iter_mut();
        for (place, &column) in places.zip(columns) {
            *place = (i32::from(column) + OFFSET) as u8;
        }
        Self {
            raised,
            sum: columns.iter().map(|&column| i32::from(column)).sum(),
        }
    }
}
