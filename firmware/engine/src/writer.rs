//! Writes what [`crate::image`] reads: rows of small integers become tiles of packed trits.
//!
//! Only PCs write images, so this needs the feature `alloc`. [`crate::format`] says what is where.

use alloc::string::String;
use alloc::vec::Vec;

use crate::aligned::AlignedImage;
use crate::fixed::MAX_GATE_SHIFT;
use crate::format::{
    ALIGNMENT, BLOCK_GROUPS, Dimensions, EMBEDDING_OFFSET, GROUP, GUARDED_VERSION, HEADER_BYTES,
    MAGIC, NAME_BYTES, NAME_OFFSET, OLDEST_VERSION, OutputRows, Planes, STREAK_LEVELS,
    STREAK_SHIFT, STREAKS_OFFSET, TILE_ROWS, Unit, VERSION, largest, pack,
};
use crate::image::{ImageError, checksum};
use crate::sampler::Rng;
use crate::spelling::digit;

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
                            bytes.push(pack(core::array::from_fn(weight)));
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

/// What a model is to know of the streaks of its text, see [`crate::guard`].
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
    /// What the board calls it, at most [`NAME_BYTES`] bytes.
    pub name: String,
    /// Symbols in index order.
    pub alphabet: Vec<char>,
    /// What it knows of the streaks of its text.
    pub streaks: Option<StreakParts>,
    /// Hidden size H.
    pub hidden: usize,
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
            planes: self.planes(),
        }
    }

    /// Trits per weight; no inputs have any where they are folded.
    #[must_use]
    pub fn planes(&self) -> Planes {
        Planes {
            recurrent: self
                .layers
                .first()
                .map_or(0, |layer| layer.recurrent.planes),
            input: match &self.inputs {
                InputParts::Folded(_) => 0,
                InputParts::Embedded { weights, .. } => weights.planes,
            },
            output: self.output.weights.planes,
        }
    }

    /// The image, byte for byte.
    ///
    /// # Errors
    /// When the engine would refuse it: too many units, layers or symbols, or a name that is too long.
    pub fn to_image(&self) -> Result<AlignedImage, ImageError> {
        let dimensions = self.dimensions();
        if !dimensions.fit() {
            return Err(ImageError::Dimensions);
        }
        if self.name.len() > NAME_BYTES {
            return Err(ImageError::Malformed);
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
        for (byte, &letter) in name.iter_mut().zip(self.name.as_bytes()) {
            *byte = letter;
        }
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
            dimensions.planes.input,
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

/// A model of made-up weights, for tests and examples: an embedding of 6 numbers, two trits per weight, and
/// the alphabet newline, a, b, c and so on.
///
/// # Panics
/// When there can be no such model: without units or symbols, or with too many of them.
#[must_use]
pub fn made_up(symbols: usize, hidden: usize, layers: usize, seed: u64) -> AlignedImage {
    const EMBEDDING: usize = 6;
    const PLANES: u8 = 2;
    let mut random = Rng::new(seed);
    let mut within = |most: i32| {
        let span = 2 * most as u32 + 1;
        (random.next_u32() % span) as i32 - most
    };
    let mut weights = |rows: usize, columns: usize| Weights {
        planes: PLANES,
        values: (0..rows * columns)
            .map(|_| within(largest(PLANES)) as i8)
            .collect(),
        columns,
    };
    let layers = (0..layers).map(|layer| LayerParts {
        units: (0..hidden)
            .map(|unit| {
                let bias = (unit as i16 % 7 - 3) * 512;
                let (input, recurrent) = (if layer == 0 { 400 } else { 3_000 }, 3_000);
                [
                    bias, bias, bias, bias, input, input, input, input, recurrent, recurrent,
                    recurrent, recurrent,
                ]
            })
            .collect(),
        recurrent: weights(TILE_ROWS * hidden, hidden),
        from_below: (layer > 0).then(|| weights(TILE_ROWS * hidden, hidden)),
    });
    let layers = layers.collect();
    let input_weights = weights(TILE_ROWS * hidden, EMBEDDING);
    let output_weights = weights(symbols, hidden);
    let letters = "\n".chars().chain('a'..='z').chain('\u{100}'..);
    let parts = ModelParts {
        name: String::from("made-up"),
        alphabet: letters.take(symbols).collect(),
        streaks: None,
        hidden,
        gate_shift: MAX_GATE_SHIFT,
        inputs: InputParts::Embedded {
            embedding: (0..symbols * EMBEDDING)
                .map(|_| within(127) as i8)
                .collect(),
            size: EMBEDDING,
            weights: input_weights,
        },
        layers,
        output: OutputParts {
            bias: (0..symbols).map(|_| within(1 << 20)).collect(),
            multipliers: alloc::vec![4_000; symbols],
            weights: output_weights,
        },
    };
    parts.to_image().expect("the sizes are those of a model")
}
