//! Writes what `firmware::image` reads, and loads image files for the PC.
//!
//! The format is documented there; here rows of small integers become tiles of packed words.

use std::io;
use std::path::{Path, PathBuf};

use firmware::format::{
    ALIGNMENT, BLOCK_GROUPS, Dimensions, EMBEDDING_OFFSET, GROUP, GUARDED_VERSION, HEADER_BYTES,
    MAGIC, NAME_BYTES, NAME_OFFSET, OLDEST_VERSION, OutputRows, Planes, STREAK_LEVELS,
    STREAK_SHIFT, STREAKS_OFFSET, TILE_ROWS, Unit, VERSION, pack,
};
use firmware::image::{ImageError, Model, checksum};
use firmware::spelling::digit;

use crate::name::Name;
use crate::words::count;

/// A matrix of weights in trits, row-major.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights {
    /// Trits per weight.
    pub planes: u8,
    /// `[rows × columns]`, each -max to max of the planes.
    pub values: Vec<i8>,
    /// Columns of a row.
    pub columns: usize,
}

impl Weights {
    /// The matrix in the order the kernels read it: blocks, tiles, planes, groups, rows.
    #[must_use]
    pub fn packed(&self) -> Vec<u8> {
        let rows: Vec<&[i8]> = self.values.chunks_exact(self.columns).collect();
        let groups = self.columns.div_ceil(GROUP);
        let tiles = rows.len().div_ceil(TILE_ROWS);
        let mut bytes = Vec::with_capacity(tiles * TILE_ROWS * groups * usize::from(self.planes));
        for block in (0..groups).step_by(BLOCK_GROUPS) {
            for tile in 0..tiles {
                for plane in (0..self.planes).rev() {
                    for group in block..groups.min(block + BLOCK_GROUPS) {
                        for row in 0..TILE_ROWS {
                            let row = rows
                                .get(tile * TILE_ROWS + row)
                                .copied()
                                .unwrap_or_default();
                            let weight = |column| {
                                let column = row.get(group * GROUP + column);
                                trit(column.copied().unwrap_or(0), plane)
                            };
                            bytes.push(pack(std::array::from_fn(weight)));
                        }
                    }
                }
            }
        }
        bytes
    }
}

/// The trit of a number that counts for `3^plane`.
fn trit(number: i8, plane: u8) -> i8 {
    let mut number = i32::from(number);
    for _ in 0..plane {
        number = (number - balanced(number)) / 3;
    }
    balanced(number) as i8
}

/// What is left of a number behind the multiple of three next to it.
fn balanced(number: i32) -> i32 {
    (number + 1).rem_euclid(3) - 1
}

/// What the first layer reads, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InputParts {
    /// `[V × H]`: for each symbol what it adds to gates i, f, g, o.
    Folded(Vec<[i8; TILE_ROWS]>),
    /// An embedding and the matrix behind it.
    Embedded {
        /// `[V × E]`.
        embedding: Vec<i8>,
        /// E.
        size: usize,
        /// `[4H × E]`, unit by unit, gates i, f, g, o.
        weights: Weights,
    },
}

/// One LSTM layer, ready to be written. Rows are ordered unit by unit, gates i, f, g, o.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerParts {
    /// `[H]`.
    pub units: Vec<Unit>,
    /// `[4H × H]`.
    pub recurrent: Weights,
    /// `[4H × H]`, above the first layer.
    pub from_below: Option<Weights>,
}

/// The output layer, ready to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputParts {
    /// `[V]`, Q9.22.
    pub bias: Vec<i32>,
    /// `[V]`: what sums are multiplied by.
    pub multipliers: Vec<i32>,
    /// `[V × H]`.
    pub weights: Weights,
}

impl OutputParts {
    /// The numbers of all groups of four symbols; those beyond the last symbol are zero.
    fn rows(&self) -> Vec<OutputRows> {
        let four = |numbers: &[i32]| {
            let mut four = [0; TILE_ROWS];
            four[..numbers.len()].copy_from_slice(numbers);
            four
        };
        let bias = self.bias.chunks(TILE_ROWS).map(four);
        let rows = bias.zip(self.multipliers.chunks(TILE_ROWS).map(four));
        rows.map(|([b0, b1, b2, b3], [m0, m1, m2, m3])| [b0, b1, b2, b3, m0, m1, m2, m3])
            .collect()
    }
}

/// What a model is to know of the streaks of its text, see [`firmware::guard`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreakParts {
    /// `[V]`: the longest streak of each symbol; 0 for any length.
    pub longest: Vec<u8>,
    /// The largest density, in parts of 256, at least 1.
    pub density: u8,
    /// The code of the mean distance of streaks of each level; 0 for any.
    pub distances: [u8; STREAK_LEVELS.len()],
}

impl StreakParts {
    /// The words of an alphabet: code points with the longest streaks above them.
    #[must_use]
    pub fn words(&self, alphabet: &[char]) -> Vec<u32> {
        let longest = self
            .longest
            .iter()
            .map(|&longest| u32::from(longest) << STREAK_SHIFT);
        let words = alphabet.iter().zip(longest);
        words.map(|(&c, longest)| c as u32 | longest).collect()
    }
}

/// A quantized model: all that an image holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelParts {
    /// What the board calls it.
    pub name: Name,
    /// Symbols in index order.
    pub alphabet: Vec<char>,
    /// What it knows of the streaks of its text.
    pub streaks: Option<StreakParts>,
    /// Hidden size H.
    pub hidden: usize,
    /// Trits per weight.
    pub planes: Planes,
    /// Right shift from a multiplied sum to a gate.
    pub gate_shift: u32,
    /// What the first layer reads.
    pub inputs: InputParts,
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
            embedding: match self.inputs {
                InputParts::Folded(_) => 0,
                InputParts::Embedded { size, .. } => size,
            },
            planes: self.planes,
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
        let words = match &self.streaks {
            Some(streaks) => streaks.words(&self.alphabet),
            None => self.alphabet.iter().map(|&c| c as u32).collect(),
        };
        append(&mut bytes, bytemuck::cast_slice(&words));
        match &self.inputs {
            InputParts::Folded(inputs) => append(&mut bytes, bytemuck::cast_slice(inputs)),
            InputParts::Embedded {
                embedding,
                size,
                weights,
            } => {
                let symbols = embedding.chunks_exact(*size);
                let padded = symbols.flat_map(|symbol| {
                    let mut padded = symbol.to_vec();
                    padded.resize(Dimensions::padded(*size), 0);
                    padded
                });
                append(
                    &mut bytes,
                    bytemuck::cast_slice(&padded.collect::<Vec<i8>>()),
                );
                append(&mut bytes, &weights.packed());
            }
        }
        for layer in &self.layers {
            append(&mut bytes, bytemuck::cast_slice(&layer.units));
            append(&mut bytes, &layer.recurrent.packed());
            if let Some(from_below) = &layer.from_below {
                append(&mut bytes, &from_below.packed());
            }
        }
        append(&mut bytes, bytemuck::cast_slice(&self.output.rows()));
        append(&mut bytes, &self.output.weights.packed());

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
        let spells = self.alphabet.iter().any(|&c| digit(c as u32).is_some());
        let version = match self.streaks {
            _ if spells => VERSION,
            Some(_) => GUARDED_VERSION,
            None => OLDEST_VERSION,
        };
        bytes.extend(version.to_le_bytes());
        bytes.extend([0; 10]); // zero, length, checksum: filled in at the end
        bytes.extend((dimensions.hidden as u16).to_le_bytes());
        bytes.extend((dimensions.symbols as u16).to_le_bytes());
        bytes.extend([
            dimensions.layers as u8,
            dimensions.planes.recurrent,
            if dimensions.is_folded() {
                0
            } else {
                dimensions.planes.input
            },
            dimensions.planes.output,
        ]);
        bytes.resize(NAME_OFFSET, 0);
        bytes.extend(name);
        bytes.resize(EMBEDDING_OFFSET, 0);
        bytes.extend((dimensions.embedding as u16).to_le_bytes());
        bytes.push(self.gate_shift as u8);
        if let Some(streaks) = &self.streaks {
            bytes.resize(STREAKS_OFFSET, 0);
            bytes.push(streaks.density);
            bytes.extend(streaks.distances);
        }
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
