//! The model image: one flat file, checked once, then used in place from flash.
//!
//! This module is the only reader, with [`crate::check`]; [`crate::format`] says what is where.

use core::fmt;

use bytemuck::Pod;

use crate::alphabet::Alphabet;
use crate::check::{Header, check};
use crate::format::{
    ALIGNMENT, BLOCK_GROUPS, CHECKSUM_OFFSET, Dimensions, GROUP, HEADER_BYTES, MAX_LAYERS,
    MAX_SYMBOLS, MAX_UNITS, NAME_BYTES, NAME_OFFSET, OLDEST_VERSION, OutputRows, STREAK_LEVELS,
    Section, TILE_ROWS, Unit, VERSION, unpack,
};
use crate::guard::Streaks;

static CRC: crc::Crc<u32> = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC);

/// CRC-32 (ISO-HDLC, as in zip and Ethernet) of any bytes, with the table that images are checked with: for
/// programs that have no kilobyte of flash for a second one.
#[must_use]
pub fn crc32(bytes: &[u8]) -> u32 {
    CRC.checksum(bytes)
}

/// [`crc32`] of something and these bytes behind it, from that of the something: for what is looked at piece by
/// piece.
#[must_use]
pub fn crc32_behind(before: u32, bytes: &[u8]) -> u32 {
    // What a digest starts from is turned round and turned over, as its end is.
    let mut digest = CRC.digest_with_initial((!before).reverse_bits());
    digest.update(bytes);
    digest.finalize()
}

/// The checksum of an image: [`crc::CRC_32_ISO_HDLC`] over all but the checksum's own four bytes.
#[must_use]
pub const fn checksum(image: &[u8]) -> u32 {
    let (before, behind) = match image.split_at_checked(CHECKSUM_OFFSET) {
        Some((before, rest)) => match rest.split_at_checked(size_of::<u32>()) {
            Some((_, behind)) => (before, behind),
            None => (before, rest),
        },
        None => (image, image),
    };
    let mut digest = CRC.digest();
    digest.update(before);
    digest.update(behind);
    digest.finalize()
}

/// Why an image was refused.
#[non_exhaustive]
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
    /// The model needs more working memory than the program has for it.
    Memory {
        /// Bytes it needs.
        needed: usize,
        /// Bytes there are.
        available: usize,
    },
}

impl ImageError {
    /// What is wrong, without numbers: all that a compiler can show.
    pub(crate) const fn reason(&self) -> &'static str {
        match self {
            Self::NotAnImage => "this is not a model image",
            Self::Version { .. } => {
                "the model image has a format version that this engine does not read: export the model again"
            }
            Self::Truncated { .. } => "the model image is cut short",
            Self::Corrupted => "the model image is damaged: its checksum does not match",
            Self::Dimensions => "the model is too large for this engine",
            Self::Misaligned => "the model image is not aligned",
            Self::Malformed => "the model image is inconsistent: export the model again",
            Self::Memory { .. } => "the state is too small for the model",
        }
    }
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnImage | Self::Corrupted | Self::Malformed => f.write_str(self.reason()),
            Self::Version { found } => write!(
                f,
                "the model image has format version {found}, this program reads {OLDEST_VERSION} to \
                 {VERSION}: export the model again or update the program"
            ),
            Self::Truncated { found, expected } => {
                write!(f, "{}: {found} of {expected} bytes", self.reason())
            }
            Self::Dimensions => write!(
                f,
                "{}: at most {MAX_UNITS} hidden units, {MAX_LAYERS} layers and {MAX_SYMBOLS} symbols",
                self.reason()
            ),
            Self::Misaligned => {
                write!(
                    f,
                    "the model image must start at a multiple of {ALIGNMENT} bytes"
                )
            }
            Self::Memory { needed, available } => write!(
                f,
                "the model needs {needed} bytes of working memory and this board has {available} \
                 for it: train a smaller one"
            ),
        }
    }
}

impl core::error::Error for ImageError {}

/// A matrix of weights in trits, as [`crate::format`] lays them out.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Matrix<'a> {
    /// The weights.
    pub weights: &'a [u8],
    /// Trits per weight.
    pub planes: u8,
}

impl Matrix<'_> {
    /// Calls `see` with every trit of so many tiles and groups: its tile, the place of its plane from the
    /// highest on, its row within the tile, its column, and its value.
    pub fn for_each_trit(
        &self,
        tiles: usize,
        groups: usize,
        mut see: impl FnMut(usize, usize, usize, usize, i8),
    ) {
        let mut bytes = self.weights.iter();
        for block in (0..groups).step_by(BLOCK_GROUPS) {
            for tile in 0..tiles {
                for plane in 0..usize::from(self.planes) {
                    for group in block..groups.min(block + BLOCK_GROUPS) {
                        for row in 0..TILE_ROWS {
                            let trits = bytes.next().and_then(|&byte| unpack(byte));
                            let columns = GROUP * group..;
                            for (column, trit) in columns.zip(trits.unwrap_or_default()) {
                                see(tile, plane, row, column, trit);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What the first layer reads.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Inputs<'a> {
    /// For each symbol what it adds to the gates of all units.
    Folded(&'a [[i8; TILE_ROWS]]),
    /// An embedding, and the matrix that brings it to the gates.
    Embedded {
        /// `[V × E']`.
        embedding: &'a [u8],
        /// From E columns to 4H rows.
        matrix: Matrix<'a>,
    },
}

/// One LSTM layer of an image.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Layer<'a> {
    /// `[H]`.
    pub units: &'a [Unit],
    /// From the layer's hidden units to its gates.
    pub recurrent: Matrix<'a>,
    /// From the hidden units of the layer below; empty in the lowest.
    pub from_below: Matrix<'a>,
}

/// A checked view of a model image. Whatever [`Model::parse`] accepts, the engine can run.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    name: &'a str,
    version: u16,
    dimensions: Dimensions,
    gate_shift: u32,
    checksum: u32,
    /// The largest density, then the distances.
    streaks: [u8; 1 + STREAK_LEVELS.len()],
    alphabet: &'a [u32],
    inputs: Inputs<'a>,
    layers: [Layer<'a>; MAX_LAYERS],
    output_rows: &'a [OutputRows],
    output: Matrix<'a>,
}

impl<'a> Model<'a> {
    /// Checks an image completely and returns a view of it. Bytes behind the image's end are ignored,
    /// so that a whole flash region can be passed.
    ///
    /// # Errors
    /// Any damage, however small, is an [`ImageError`]; so is a start that is not 16-byte aligned.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ImageError> {
        let header = check(bytes)?;
        if bytes.as_ptr().align_offset(ALIGNMENT) != 0 {
            return Err(ImageError::Misaligned);
        }
        Ok(Self::view(bytes, &header))
    }

    /// The view of an image that has been checked and lies aligned.
    pub(crate) fn view(bytes: &'a [u8], header: &Header) -> Self {
        let Header {
            dimensions,
            version,
            gate_shift,
            checksum,
            streaks,
        } = *header;
        let mut sections = Sections {
            rest: bytes.get(HEADER_BYTES..).unwrap_or_default(),
            lengths: dimensions.sections(),
        };
        let alphabet = sections.take();
        let planes = dimensions.planes;
        let inputs = match dimensions.is_folded() {
            true => Inputs::Folded(sections.take()),
            false => Inputs::Embedded {
                embedding: sections.take(),
                matrix: sections.take_matrix(planes.input),
            },
        };
        let mut layers = [Layer::default(); MAX_LAYERS];
        for (index, layer) in layers.iter_mut().take(dimensions.layers).enumerate() {
            layer.units = sections.take();
            layer.recurrent = sections.take_matrix(planes.recurrent);
            if index > 0 {
                layer.from_below = sections.take_matrix(planes.recurrent);
            }
        }
        let output_rows = sections.take();
        let output = sections.take_matrix(planes.output);
        let name = bytes.get(NAME_OFFSET..NAME_OFFSET + NAME_BYTES);
        let name = core::str::from_utf8(name.unwrap_or_default());
        Self {
            name: name.unwrap_or_default().trim_end_matches('\0'),
            version,
            dimensions,
            gate_shift,
            checksum,
            streaks,
            alphabet,
            inputs,
            layers,
            output_rows,
            output,
        }
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

    /// What it knows of the streaks of its text.
    #[must_use]
    pub fn streaks(&self) -> Streaks<'a> {
        let [density, distances @ ..] = self.streaks;
        Streaks {
            words: self.alphabet,
            density,
            distances,
        }
    }

    /// Whether it keeps streaks as they are in its text.
    #[must_use]
    pub fn is_guarded(&self) -> bool {
        self.streaks().density != 0
    }

    /// The version of the format that it is in.
    #[must_use]
    pub fn version(&self) -> u16 {
        self.version
    }

    /// All dimensions and planes.
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

    /// Right shift from a multiplied sum to a gate.
    #[doc(hidden)]
    #[must_use]
    pub fn gate_shift(&self) -> u32 {
        self.gate_shift
    }

    /// What the first layer reads.
    #[doc(hidden)]
    #[must_use]
    pub fn inputs(&self) -> Inputs<'a> {
        self.inputs
    }

    /// The LSTM layers, lowest first.
    #[doc(hidden)]
    #[must_use]
    pub fn lstm_layers(&self) -> &[Layer<'a>] {
        self.layers
            .get(..self.dimensions.layers)
            .unwrap_or_default()
    }

    /// Biases and multipliers of the logits, four at a time.
    #[doc(hidden)]
    #[must_use]
    pub fn output_rows(&self) -> &'a [OutputRows] {
        self.output_rows
    }

    /// From the last layer's hidden units to the logits.
    #[doc(hidden)]
    #[must_use]
    pub fn output(&self) -> Matrix<'a> {
        self.output
    }
}

/// Cuts the sections off a checked image one after the other.
struct Sections<'a, I> {
    rest: &'a [u8],
    lengths: I,
}

impl<'a, I: Iterator<Item = (Section, usize)>> Sections<'a, I> {
    /// The next one; it is never missing, but if it were, it would be empty.
    fn take<T: Pod>(&mut self) -> &'a [T] {
        let length = self.lengths.next().map_or(0, |(_, length)| length);
        let padded = length.next_multiple_of(ALIGNMENT);
        let (section, rest) = self.rest.split_at_checked(padded).unwrap_or_default();
        self.rest = rest;
        let section = section.get(..length).unwrap_or_default();
        bytemuck::try_cast_slice(section).unwrap_or_default()
    }

    fn take_matrix(&mut self, planes: u8) -> Matrix<'a> {
        Matrix {
            weights: self.take(),
            planes,
        }
    }
}
