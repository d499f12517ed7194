//! The model image: one flat file, checked once, then used in place from flash.
//!
//! This module is the only reader and documents the format; `host::image` writes it. All numbers are
//! little-endian. The 64-byte header is followed by sections whose sizes follow from the header's
//! dimensions; each starts at a multiple of 16 bytes, padded with zeros:
//!
//! | offset | type | content |
//! | --- | --- | --- |
//! | 0 | `[u8; 4]` | magic `INKL` |
//! | 4 | `u16` | format version, 2 |
//! | 6 | `u16` | zero |
//! | 8 | `u32` | length of the image in bytes |
//! | 12 | `u32` | CRC-32 (ISO-HDLC) of every other byte of the image |
//! | 16 | `u16` | hidden size H, 1 to 512 |
//! | 18 | `u16` | symbols V, 1 to 256 |
//! | 20 | `u8` | layers L, 1 to 4; L times H rounded up to 8 is at most 512 |
//! | 21 | `u8` | bits of an input and of a recurrent weight, 8 or 4 |
//! | 22 | `u8` | bits of an output weight, 8 or 4 |
//! | 23 | `u8` | zero |
//! | 24 | `[u8; 32]` | name, UTF-8, padded with zeros |
//! | 56 | `[u8; 8]` | zero |
//!
//! | section | type | content |
//! | --- | --- | --- |
//! | alphabet | `[u32; V]` | code points in index order |
//! | per layer: inputs | `[[input; H]; R]` | what a symbol adds to gates i, f, g, o; R = V rows in layer 0, one row of zeros above |
//! | per layer: units | `[record; H]` | `[i32; 4]` bias at the accumulator's scale, `[i16; 4]` input multipliers, a tile, `[i16; 4]` multipliers |
//! | output | `[record; V / 4]` | `[i32; 4]` bias at the accumulator's scale, a tile, `[i16; 4]` multipliers; V is rounded up |
//!
//! A tile is four rows of a matrix (the four gates of a unit, or four symbols) over blocks of 8
//! columns; the order of its words is that of [`crate::kernels`]. The columns of layer 0 are the H
//! hidden units, rounded up to 8; a later layer has those of the layer below in front of its own.
//! An input is `[i8; 4]` with 8 bits, and with 4 bits a `u16`: from its highest nibble on, the signed
//! nibbles of gates i, g, f, o. What the multipliers mean is said in [`crate::lstm`].

use core::fmt;

use bytemuck::Pod;

use crate::alphabet::Alphabet;
use crate::kernels::{Bits, PACKED_WORDS};

/// The first four bytes of an image.
pub const MAGIC: [u8; 4] = *b"INKL";
/// The format version this engine reads.
pub const VERSION: u16 = 2;
/// Bytes of the header.
pub const HEADER_BYTES: usize = 64;
/// Alignment of the image and of each of its sections, in bytes.
pub const ALIGNMENT: usize = 16;
/// Where the name lies.
pub const NAME_OFFSET: usize = 24;
/// Longest name, in bytes.
pub const NAME_BYTES: usize = 32;
/// Most layers.
pub const MAX_LAYERS: usize = 4;
/// Most hidden units of all layers together, each layer's rounded up to [`BLOCK`].
pub const MAX_UNITS: usize = 512;
/// Most symbols.
pub const MAX_SYMBOLS: usize = 256;
/// Words of the bias that each record begins with: four `i32`.
pub const BIAS_WORDS: usize = 4;
/// Words of four `i16` multipliers: behind a unit's bias, and at the end of each record.
pub const MULTIPLIER_WORDS: usize = 2;
/// Words of a unit's record beside its tile.
pub const UNIT_FRAME_WORDS: usize = BIAS_WORDS + 2 * MULTIPLIER_WORDS;
/// Words of an output record beside its tile.
pub const OUTPUT_FRAME_WORDS: usize = BIAS_WORDS + MULTIPLIER_WORDS;
/// Columns of a block: rows are padded to a multiple of it.
pub const BLOCK: usize = 8;
/// Rows of a tile: the four gates of a unit, or four symbols.
pub const TILE_ROWS: usize = 4;

/// The checksum that everything here uses.
pub(crate) static CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);

/// The checksum of an image: [`crc::CRC_32_ISO_HDLC`] over all but the checksum's own four bytes.
#[must_use]
pub fn checksum(image: &[u8]) -> u32 {
    let mut digest = CRC.digest();
    digest.update(image.get(..12).unwrap_or_default());
    digest.update(image.get(16..).unwrap_or_default());
    digest.finalize()
}

/// Why an image was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum ImageError {
    /// The first bytes are not an image's.
    NotAnImage,
    /// The image was written in a format this engine does not know.
    Version {
        /// The image's format version.
        found: u16,
    },
    /// There are fewer bytes than the header promises.
    Truncated {
        /// Bytes at hand.
        found: usize,
        /// Bytes the image should have.
        expected: usize,
    },
    /// The content does not match its checksum.
    Corrupted,
    /// A dimension is outside what the engine holds.
    Dimensions,
    /// The bytes do not start at a multiple of 16.
    Misaligned,
    /// The checksum is right but a field makes no sense: the program that wrote it is at fault.
    Malformed,
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnImage => f.write_str("this is not a model image"),
            Self::Version { found } => write!(
                f,
                "the model image has format version {found}, this program reads {VERSION}: \
                 export the model again or update the program"
            ),
            Self::Truncated { found, expected } => write!(
                f,
                "the model image is cut short: {found} of {expected} bytes"
            ),
            Self::Corrupted => {
                f.write_str("the model image is damaged: its checksum does not match")
            }
            Self::Dimensions => write!(
                f,
                "the model is too large for this engine: at most {MAX_UNITS} hidden units, \
                 {MAX_LAYERS} layers and {MAX_SYMBOLS} symbols"
            ),
            Self::Misaligned => {
                write!(
                    f,
                    "the model image must start at a multiple of {ALIGNMENT} bytes"
                )
            }
            Self::Malformed => {
                f.write_str("the model image is inconsistent: export the model again")
            }
        }
    }
}

impl core::error::Error for ImageError {}

/// Where each section lies; computed from the dimensions alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimensions {
    /// Hidden size H.
    pub hidden: usize,
    /// Alphabet size V.
    pub symbols: usize,
    /// Layers L.
    pub layers: usize,
    /// Bits of the inputs and of the recurrent (and inter-layer) weights.
    pub recurrent_bits: Bits,
    /// Bits of the output weights.
    pub output_bits: Bits,
}

impl Dimensions {
    /// Whether the engine's fixed memory holds a model of these dimensions.
    #[must_use]
    pub fn fit(&self) -> bool {
        (1..=MAX_LAYERS).contains(&self.layers)
            && (1..=MAX_SYMBOLS).contains(&self.symbols)
            && (1..=MAX_UNITS).contains(&self.hidden)
            && self.layers * self.padded_hidden() <= MAX_UNITS
    }

    /// H rounded up to a whole block.
    #[must_use]
    pub fn padded_hidden(&self) -> usize {
        self.hidden.next_multiple_of(BLOCK)
    }

    /// Words that a layer's packed hidden state fills.
    #[must_use]
    pub fn packed_words(&self) -> usize {
        self.padded_hidden() / BLOCK * PACKED_WORDS
    }

    /// Rows of a layer's input section.
    #[must_use]
    pub fn input_rows(&self, layer: usize) -> usize {
        if layer == 0 { self.symbols } else { 1 }
    }

    /// Bytes of a row of an input section.
    #[must_use]
    pub fn input_row_bytes(&self) -> usize {
        self.hidden * self.recurrent_bits.input_bytes()
    }

    /// Blocks of 8 columns in a row of a layer's weights.
    #[must_use]
    pub fn blocks(&self, layer: usize) -> usize {
        let inputs = if layer == 0 { 1 } else { 2 };
        inputs * self.padded_hidden() / BLOCK
    }

    /// Tiles of the output matrix.
    #[must_use]
    pub fn output_tiles(&self) -> usize {
        self.symbols.div_ceil(TILE_ROWS)
    }

    /// Words of one of a layer's unit records.
    #[must_use]
    pub fn unit_words(&self, layer: usize) -> usize {
        UNIT_FRAME_WORDS + self.blocks(layer) * self.recurrent_bits.block_words()
    }

    /// Words of an output record.
    #[must_use]
    pub fn output_words(&self) -> usize {
        let blocks = self.padded_hidden() / BLOCK;
        OUTPUT_FRAME_WORDS + blocks * self.output_bits.block_words()
    }

    /// Name and length in bytes of each section, in file order, without padding.
    pub fn sections(&self) -> impl Iterator<Item = (&'static str, usize)> + use<> {
        let this = *self;
        let layers = (0..this.layers).flat_map(move |layer| {
            [
                ("inputs", this.input_rows(layer) * this.input_row_bytes()),
                ("units", this.hidden * this.unit_words(layer) * 4),
            ]
        });
        core::iter::once(("alphabet", this.symbols * 4))
            .chain(layers)
            .chain([("output", this.output_tiles() * this.output_words() * 4)])
    }

    /// Length of an image of these dimensions.
    #[must_use]
    pub fn image_bytes(&self) -> usize {
        self.sections().fold(HEADER_BYTES, |end, (_, bytes)| {
            end + bytes.next_multiple_of(ALIGNMENT)
        })
    }
}

/// One LSTM layer of an image.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layer<'a> {
    /// `[R × H]` inputs.
    inputs: &'a [u8],
    /// Bytes of a row of them.
    row_bytes: usize,
    /// `[H]` records.
    units: &'a [u32],
}

impl<'a> Layer<'a> {
    /// The inputs of all units for one row of the section (a symbol in layer 0, else 0).
    #[inline]
    #[must_use]
    pub fn input_row(&self, row: usize) -> &'a [u8] {
        let start = row * self.row_bytes;
        self.inputs
            .get(start..start + self.row_bytes)
            .unwrap_or_default()
    }

    /// The records of all units.
    #[inline]
    #[must_use]
    pub fn units(&self) -> &'a [u32] {
        self.units
    }
}

/// A checked view of a model image. Whatever [`Model::parse`] accepts, the engine can run.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    name: &'a str,
    dimensions: Dimensions,
    checksum: u32,
    alphabet: &'a [u32],
    layers: [Layer<'a>; MAX_LAYERS],
    output: &'a [u32],
}

impl<'a> Model<'a> {
    /// Checks an image completely and returns a view of it. Bytes behind the image's end are ignored,
    /// so that a whole flash region can be passed.
    ///
    /// # Errors
    /// Any damage, however small, is an [`ImageError`]; so is a start that is not 16-byte aligned.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ImageError> {
        if bytes.get(..4) != Some(&MAGIC[..]) {
            return Err(ImageError::NotAnImage);
        }
        let truncated = |expected| ImageError::Truncated {
            found: bytes.len(),
            expected,
        };
        let Some((header, _)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            return Err(truncated(HEADER_BYTES));
        };
        let half = |at: usize| u16::from_le_bytes([header[at], header[at + 1]]);
        let word = |at: usize| u32::from(half(at)) | u32::from(half(at + 2)) << 16;

        if half(4) != VERSION {
            return Err(ImageError::Version { found: half(4) });
        }
        let length = word(8) as usize;
        let image = bytes.get(..length).ok_or(truncated(length))?;
        let checksum = checksum(image);
        if checksum != word(12) {
            return Err(ImageError::Corrupted);
        }

        let bits = |code| Bits::from_count(code).ok_or(ImageError::Malformed);
        let dimensions = Dimensions {
            hidden: half(16).into(),
            symbols: half(18).into(),
            layers: header[20].into(),
            recurrent_bits: bits(header[21])?,
            output_bits: bits(header[22])?,
        };
        if !dimensions.fit() {
            return Err(ImageError::Dimensions);
        }
        if dimensions.image_bytes() != length {
            return Err(ImageError::Malformed);
        }
        if bytes.as_ptr().align_offset(ALIGNMENT) != 0 {
            return Err(ImageError::Misaligned);
        }

        let mut sections = Sections {
            rest: image.get(HEADER_BYTES..).unwrap_or_default(),
            lengths: dimensions.sections(),
        };
        let alphabet = sections.take::<u32>()?;
        if alphabet.iter().any(|&code| char::from_u32(code).is_none()) {
            return Err(ImageError::Malformed);
        }
        let mut layers = [Layer::default(); MAX_LAYERS];
        for layer in layers.iter_mut().take(dimensions.layers) {
            *layer = Layer {
                inputs: sections.take()?,
                row_bytes: dimensions.input_row_bytes(),
                units: sections.take()?,
            };
        }
        let output = sections.take()?;
        let name = bytes
            .get(NAME_OFFSET..NAME_OFFSET + NAME_BYTES)
            .and_then(|name| core::str::from_utf8(name).ok())
            .ok_or(ImageError::Malformed)?
            .trim_end_matches('\0');
        Ok(Self {
            name,
            dimensions,
            checksum,
            alphabet,
            layers,
            output,
        })
    }

    /// The name the model was exported under.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The symbols the model reads and writes.
    #[must_use]
    pub fn alphabet(&self) -> Alphabet<'a> {
        Alphabet::new(self.alphabet)
    }

    /// All dimensions and weight widths.
    #[must_use]
    pub fn dimensions(&self) -> Dimensions {
        self.dimensions
    }

    /// Hidden size H of each layer.
    #[must_use]
    pub fn hidden(&self) -> usize {
        self.dimensions.hidden
    }

    /// Number of LSTM layers.
    #[must_use]
    pub fn layers(&self) -> usize {
        self.dimensions.layers
    }

    /// Number of symbols V.
    #[must_use]
    pub fn symbols(&self) -> usize {
        self.dimensions.symbols
    }

    /// Bits of a recurrent weight, 8 or 4.
    #[must_use]
    pub fn weight_bits(&self) -> u8 {
        self.dimensions.recurrent_bits.count()
    }

    /// Length of the image, all the flash the model needs.
    #[must_use]
    pub fn image_bytes(&self) -> usize {
        self.dimensions.image_bytes()
    }

    /// The image's CRC-32, a short fingerprint of the model.
    #[must_use]
    pub fn checksum(&self) -> u32 {
        self.checksum
    }

    /// The LSTM layers, lowest first.
    #[must_use]
    pub fn lstm_layers(&self) -> &[Layer<'a>] {
        self.layers
            .get(..self.dimensions.layers)
            .unwrap_or_default()
    }

    /// The records of the output layer.
    #[must_use]
    pub fn output(&self) -> &'a [u32] {
        self.output
    }
}

/// Which of two images a program uses: one that was flashed by itself, or the linked one.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// The model.
    pub model: Result<Model<'a>, ImageError>,
    /// Whether it is the flashed one.
    pub is_flashed: bool,
    /// Why it is not, although there is something in its place.
    pub refused: Option<ImageError>,
}

impl<'a> Choice<'a> {
    /// Takes the flashed image if it is one. Erased flash is none and no reason to complain.
    #[must_use]
    pub fn new(flashed: &'a [u8], linked: &'a [u8]) -> Self {
        let header = flashed.get(..HEADER_BYTES).unwrap_or(flashed);
        let is_blank = |blank| header.iter().all(|&byte| byte == blank);
        let flashed = match is_blank(0xff) || is_blank(0) {
            true => None,
            false => Some(Model::parse(flashed)),
        };
        match flashed {
            Some(Ok(model)) => Choice {
                is_flashed: true,
                ..Ok(model).into()
            },
            _ => Choice {
                model: Model::parse(linked),
                is_flashed: false,
                refused: flashed.and_then(Result::err),
            },
        }
    }
}

impl<'a> From<Result<Model<'a>, ImageError>> for Choice<'a> {
    /// No choice.
    fn from(model: Result<Model<'a>, ImageError>) -> Self {
        Choice {
            model,
            is_flashed: false,
            refused: None,
        }
    }
}

/// Cuts the sections off an image one after the other.
struct Sections<'a, I> {
    rest: &'a [u8],
    lengths: I,
}

impl<'a, I: Iterator<Item = (&'static str, usize)>> Sections<'a, I> {
    fn take<T: Pod>(&mut self) -> Result<&'a [T], ImageError> {
        let (_, length) = self.lengths.next().ok_or(ImageError::Malformed)?;
        let (section, rest) = self
            .rest
            .split_at_checked(length.next_multiple_of(ALIGNMENT))
            .ok_or(ImageError::Malformed)?;
        self.rest = rest;
        section
            .get(..length)
            .and_then(|bytes| bytemuck::try_cast_slice(bytes).ok())
            .ok_or(ImageError::Malformed)
    }
}
