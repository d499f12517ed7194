//! The model image: one flat file, checked once, then used in place from flash.
//!
//! This module is the only reader; [`crate::format`] says what is where, `host::image` writes it.

use core::fmt;

use bytemuck::Pod;

use crate::alphabet::{Alphabet, code_point};
use crate::fixed::{MAX_GATE_SHIFT, MIN_GATE_SHIFT};
use crate::format::{
    ALIGNMENT, BLOCK_GROUPS, Dimensions, EMBEDDING_OFFSET, GATE_SHIFT_OFFSET, GROUP, HEADER_BYTES,
    HIGH_SUMS, LOW_SUMS, MAGIC, MAX_LAYERS, MAX_SYMBOLS, MAX_UNITS, NAME_BYTES, NAME_OFFSET,
    OLDEST_VERSION, OutputRows, Planes, STREAK_LEVELS, STREAKS_OFFSET, TILE_ROWS, Unit, VERSION,
    unpack,
};
use crate::guard::Streaks;
use crate::spelling::digit;

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
    /// The model needs more working memory than the program has for it.
    Memory {
        /// Bytes it needs.
        needed: usize,
        /// Bytes there are.
        available: usize,
    },
}

impl fmt::Display for ImageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnImage => f.write_str("this is not a model image"),
            Self::Version { found } => write!(
                f,
                "the model image has format version {found}, this program reads {OLDEST_VERSION} to \
                 {VERSION}: export the model again or update the program"
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

        let version = half(4);
        if !(OLDEST_VERSION..=VERSION).contains(&version) {
            return Err(ImageError::Version { found: version });
        }
        let length = word(8) as usize;
        let image = bytes.get(..length).ok_or(truncated(length))?;
        let checksum = checksum(image);
        if checksum != word(12) {
            return Err(ImageError::Corrupted);
        }

        let dimensions = Dimensions {
            hidden: half(16).into(),
            symbols: half(18).into(),
            layers: header[20].into(),
            embedding: half(EMBEDDING_OFFSET).into(),
            planes: Planes {
                recurrent: header[21],
                input: header[22],
                output: header[23],
            },
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

        let gate_shift = header[GATE_SHIFT_OFFSET].into();
        if !(MIN_GATE_SHIFT..=MAX_GATE_SHIFT).contains(&gate_shift) {
            return Err(ImageError::Malformed);
        }

        let mut sections = Sections {
            rest: image.get(HEADER_BYTES..).unwrap_or_default(),
            lengths: dimensions.sections(),
        };
        let alphabet = sections.take::<u32>()?;
        let is_guarded = version > OLDEST_VERSION;
        if !alphabet.iter().all(|&word| is_symbol(word, version)) {
            return Err(ImageError::Malformed);
        }
        // Older images have zeros there, and what is there counts for nothing.
        let mut streaks = [0; 1 + STREAK_LEVELS.len()];
        if is_guarded {
            streaks.copy_from_slice(&header[STREAKS_OFFSET..]);
            if streaks[0] == 0 && version < VERSION {
                return Err(ImageError::Malformed);
            }
        }
        let planes = dimensions.planes;
        let inputs = match dimensions.is_folded() {
            true => Inputs::Folded(sections.take()?),
            false => Inputs::Embedded {
                embedding: sections.take()?,
                matrix: sections.take_matrix(planes.input)?,
            },
        };
        let mut layers = [Layer::default(); MAX_LAYERS];
        for (index, layer) in layers.iter_mut().take(dimensions.layers).enumerate() {
            layer.units = sections.take()?;
            layer.recurrent = sections.take_matrix(planes.recurrent)?;
            if index > 0 {
                layer.from_below = sections.take_matrix(planes.recurrent)?;
            }
        }
        let output_rows = sections.take()?;
        let output = sections.take_matrix(planes.output)?;
        let name = bytes
            .get(NAME_OFFSET..NAME_OFFSET + NAME_BYTES)
            .and_then(|name| core::str::from_utf8(name).ok())
            .ok_or(ImageError::Malformed)?
            .trim_end_matches('\0');
        Ok(Self {
            name,
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
    #[must_use]
    pub fn gate_shift(&self) -> u32 {
        self.gate_shift
    }

    /// What the first layer reads.
    #[must_use]
    pub fn inputs(&self) -> Inputs<'a> {
        self.inputs
    }

    /// The LSTM layers, lowest first.
    #[must_use]
    pub fn lstm_layers(&self) -> &[Layer<'a>] {
        self.layers
            .get(..self.dimensions.layers)
            .unwrap_or_default()
    }

    /// Biases and multipliers of the logits, four at a time.
    #[must_use]
    pub fn output_rows(&self) -> &'a [OutputRows] {
        self.output_rows
    }

    /// From the last layer's hidden units to the logits.
    #[must_use]
    pub fn output(&self) -> Matrix<'a> {
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

impl<'a, I: Iterator<Item = (crate::format::Section, usize)>> Sections<'a, I> {
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

    /// A matrix whose bytes all stand for trits.
    fn take_matrix(&mut self, planes: u8) -> Result<Matrix<'a>, ImageError> {
        let weights = self.take::<u8>()?;
        if !weights.iter().all(|&byte| stands_for_trits(byte)) {
            return Err(ImageError::Malformed);
        }
        Ok(Matrix { weights, planes })
    }
}

/// Whether a word can stand in the alphabet of an image of this version.
// A call, so that the loop around it is not made longer than it need be.
#[inline(never)]
fn is_symbol(word: u32, version: u16) -> bool {
    let code = match version {
        OLDEST_VERSION => word,
        _ => code_point(word),
    };
    // An older program would write digits as they are.
    char::from_u32(code).is_some() && (version == VERSION || digit(code).is_none())
}

/// Whether [`crate::format::unpack`] knows the byte; looked up, for the smallest cores cannot divide.
fn stands_for_trits(byte: u8) -> bool {
    const KNOWN: [u32; 8] = {
        let mut known = [0; 8];
        let mut byte = 0;
        while byte < LOW_SUMS * HIGH_SUMS {
            if crate::format::unpack(byte as u8).is_some() {
                known[byte / 32] |= 1 << (byte % 32);
            }
            byte += 1;
        }
        known
    };
    KNOWN[usize::from(byte >> 5)] >> (byte & 31) & 1 == 1
}
