//! Writes what `firmware::image` reads, and loads image files for the PC.
//!
//! The format is documented there; here rows of small integers become tiles of packed words.

use std::io;
use std::path::{Path, PathBuf};

use firmware::image::{
    ALIGNMENT, BLOCK, Dimensions, HEADER_BYTES, ImageError, MAGIC, Model, NAME_BYTES, NAME_OFFSET,
    TILE_ROWS, VERSION, checksum,
};
use firmware::kernels::Bits;

use crate::name::Name;
use crate::words::count;

/// A matrix of quantized weights, row-major, with the columns of each block-aligned segment padded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights {
    /// Width of a weight.
    pub bits: Bits,
    /// `[rows × columns]`, each -max to max of the width.
    pub values: Vec<i8>,
    /// Columns of a row, a multiple of [`BLOCK`].
    pub columns: usize,
}

impl Weights {
    /// One row.
    fn row(&self, row: usize) -> Option<&[i8]> {
        self.values.chunks_exact(self.columns).nth(row)
    }

    /// The matrix in the order the kernels read it: tiles of four rows, blocks of 8 columns.
    #[must_use]
    pub fn tiles(&self) -> Vec<u32> {
        let rows = self.values.len() / self.columns;
        let blocks = self.columns / BLOCK;
        let mut words = Vec::with_capacity(rows * blocks * self.bits.block_words() / TILE_ROWS);
        for tile in 0..rows.div_ceil(TILE_ROWS) {
            for block in 0..blocks {
                for row in 0..TILE_ROWS {
                    let columns = self
                        .row(tile * TILE_ROWS + row)
                        .and_then(|row| row.as_chunks::<BLOCK>().0.get(block));
                    let columns = columns.unwrap_or(&[0; BLOCK]).map(i32::from);
                    match self.bits {
                        Bits::Eight => words.extend(pack_int8(columns)),
                        Bits::Four => words.push(pack_int4(columns)),
                    }
                }
            }
        }
        words
    }
}

/// Each halfword is `256 * w1 + w0`.
fn pack_int8(w: [i32; BLOCK]) -> [u32; 2] {
    let half = |w0: i32, w1: i32| (256 * w1 + w0) as u16;
    [
        join(half(w[0], w[1]), half(w[2], w[3])),
        join(half(w[4], w[5]), half(w[6], w[7])),
    ]
}

/// Each halfword is `4096 * n3 + 256 * u2 + 16 * u1 + u0` with `u = n + 8`.
fn pack_int4(n: [i32; BLOCK]) -> u32 {
    let half = |n: &[i32]| (4096 * n[3] + 256 * (n[2] + 8) + 16 * (n[1] + 8) + (n[0] + 8)) as u16;
    join(half(&n[..4]), half(&n[4..]))
}

fn join(low: u16, high: u16) -> u32 {
    u32::from(low) | u32::from(high) << 16
}

/// One LSTM layer, ready to be written. Rows are ordered unit by unit, gates i, f, g, o.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerParts {
    /// `[rows × H]` folded inputs, less the bias.
    pub inputs: Vec<[i8; 4]>,
    /// `[H]` at the accumulator's scale.
    pub bias: Vec<[i32; 4]>,
    /// `[H]`: what inputs, at the top of 16 bits, are multiplied by.
    pub input_multipliers: Vec<[i16; 4]>,
    /// `[4H × columns]`.
    pub weights: Weights,
    /// `[H]`: what accumulators are multiplied by.
    pub multipliers: Vec<[i16; 4]>,
}

/// The output layer, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputParts {
    /// `[V]` at the accumulator's scale.
    pub bias: Vec<i32>,
    /// `[V × columns]`.
    pub weights: Weights,
    /// `[V]`: what accumulators are multiplied by.
    pub multipliers: Vec<i16>,
}

impl LayerParts {
    /// The inputs as the kernels read them.
    fn packed_inputs(&self) -> Vec<u8> {
        match self.weights.bits {
            Bits::Eight => bytemuck::cast_slice(&self.inputs).to_vec(),
            Bits::Four => {
                let nibbles = |high: i8, low: i8| (high << 4) as u8 | (low as u8 & 0x0F);
                let inputs = self.inputs.iter();
                inputs
                    .flat_map(|&[i, f, g, o]| [nibbles(f, o), nibbles(i, g)])
                    .collect()
            }
        }
    }

    /// The records of all units.
    fn units(&self) -> Vec<u8> {
        let tiles = self.weights.tiles();
        let parts = tiles
            .chunks_exact(tiles.len() / self.multipliers.len())
            .zip(&self.bias)
            .zip(&self.input_multipliers)
            .zip(&self.multipliers);
        let records = parts.flat_map(|(((tile, bias), inputs), accumulators)| {
            [
                bytemuck::cast_slice::<i32, u8>(bias),
                bytemuck::cast_slice(inputs),
                bytemuck::cast_slice(tile),
                bytemuck::cast_slice(accumulators),
            ]
            .concat()
        });
        records.collect()
    }
}

impl OutputParts {
    /// The records of all groups of four symbols; rows beyond the last symbol are zero.
    fn records(&self) -> Vec<u8> {
        let rows = self.bias.len().next_multiple_of(TILE_ROWS);
        let (mut bias, mut multipliers) = (self.bias.clone(), self.multipliers.clone());
        bias.resize(rows, 0);
        multipliers.resize(rows, 0);
        let tiles = self.weights.tiles();
        let parts = tiles
            .chunks_exact(tiles.len() * TILE_ROWS / rows)
            .zip(bias.as_chunks::<TILE_ROWS>().0)
            .zip(multipliers.as_chunks::<TILE_ROWS>().0);
        let records = parts.flat_map(|((tile, bias), multipliers)| {
            [
                bytemuck::cast_slice::<i32, u8>(bias),
                bytemuck::cast_slice(tile),
                bytemuck::cast_slice(multipliers),
            ]
            .concat()
        });
        records.collect()
    }
}

/// A quantized model: all that an image holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelParts {
    /// What the board calls it.
    pub name: Name,
    /// Symbols in index order.
    pub alphabet: Vec<char>,
    /// Hidden size H.
    pub hidden: usize,
    /// Lowest first.
    pub layers: Vec<LayerParts>,
    /// From the last layer to the logits.
    pub output: OutputParts,
}

impl ModelParts {
    /// Sizes, from which the layout of the image follows.
    #[must_use]
    pub fn dimensions(&self) -> Dimensions {
        Dimensions {
            hidden: self.hidden,
            symbols: self.alphabet.len(),
            layers: self.layers.len(),
            recurrent_bits: self.layers.first().map_or(Bits::Eight, |l| l.weights.bits),
            output_bits: self.output.weights.bits,
        }
    }

    /// The image, byte for byte.
    ///
    /// # Errors
    /// When the engine would refuse it: too many units, layers or symbols.
    pub fn to_image(&self) -> Result<AlignedImage, ImageError> {
        let dimensions = self.dimensions();
        if !dimensions.fit() {
            return Err(ImageError::Dimensions);
        }
        let mut bytes = self.header(&dimensions);
        let code_points: Vec<u32> = self.alphabet.iter().map(|&c| c as u32).collect();
        append(&mut bytes, bytemuck::cast_slice(&code_points));
        for layer in &self.layers {
            append(&mut bytes, &layer.packed_inputs());
            append(&mut bytes, &layer.units());
        }
        append(&mut bytes, &self.output.records());

        let length = bytes.len() as u32;
        bytes[8..12].copy_from_slice(&length.to_le_bytes());
        let crc = checksum(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());

        let image = AlignedImage::new(&bytes);
        image.model()?; // what the reader refuses is never written
        Ok(image)
    }

    fn header(&self, dimensions: &Dimensions) -> Vec<u8> {
        let mut name = [0; NAME_BYTES];
        let text = self.name.as_str().as_bytes();
        name[..text.len()].copy_from_slice(text); // a name is never longer
        let mut bytes = Vec::with_capacity(dimensions.image_bytes());
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend([0; 10]); // zero, length, checksum: filled in at the end
        bytes.extend((dimensions.hidden as u16).to_le_bytes());
        bytes.extend((dimensions.symbols as u16).to_le_bytes());
        bytes.extend([
            dimensions.layers as u8,
            dimensions.recurrent_bits.count(),
            dimensions.output_bits.count(),
        ]);
        bytes.resize(NAME_OFFSET, 0);
        bytes.extend(name);
        bytes.resize(HEADER_BYTES, 0);
        bytes
    }
}

fn append(bytes: &mut Vec<u8>, section: &[u8]) {
    bytes.extend(section);
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
}

/// Why an image file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read.
    #[error("cannot read the model image {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not a sound image.
    #[error("cannot use {}", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// What the engine says of it.
        source: ImageError,
    },
    /// The file goes on behind the image.
    #[error("{}: {} behind the model image: export the model again", path.display(), count(*surplus, "byte"))]
    Surplus {
        /// The file.
        path: PathBuf,
        /// How many.
        surplus: usize,
    },
}

/// An image in memory at the alignment the engine asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlignedImage {
    storage: Vec<u128>,
    length: usize,
}

impl AlignedImage {
    /// Copies bytes to an aligned place.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let mut storage = vec![0_u128; bytes.len().div_ceil(size_of::<u128>())];
        bytemuck::cast_slice_mut(&mut storage)[..bytes.len()].copy_from_slice(bytes);
        Self {
            storage,
            length: bytes.len(),
        }
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// When it cannot be read or is not exactly one sound image.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let bytes = std::fs::read(path).map_err(|source| FileError::Read {
            path: path.into(),
            source,
        })?;
        let image = Self::new(&bytes);
        let model = image.model().map_err(|source| FileError::Image {
            path: path.into(),
            source,
        })?;
        match bytes.len() - model.image_bytes() {
            0 => Ok(image),
            surplus => Err(FileError::Surplus {
                path: path.into(),
                surplus,
            }),
        }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.storage)[..self.length]
    }

    /// The checked view.
    ///
    /// # Errors
    /// Whatever the engine finds wrong with it; never for an image that [`AlignedImage::open`] or
    /// [`ModelParts::to_image`] gave out.
    pub fn model(&self) -> Result<Model<'_>, ImageError> {
        Model::parse(self.bytes())
    }
}
