#![doc = include_str!("../FORMAT.md")]

use core::fmt;

/// The first four bytes of an image.
pub const MAGIC: [u8; 4] = *b"INKL";
/// The newest format version: that of images with digits, which spell characters.
pub const VERSION: u16 = 5;
/// The version of images without digits, but with a guard.
pub const GUARDED_VERSION: u16 = 4;
/// The version of images with neither, and the oldest that this engine reads.
pub const OLDEST_VERSION: u16 = 3;
/// Bytes of the header.
pub const HEADER_BYTES: usize = 64;
/// Alignment of the image and of each of its sections, in bytes.
pub const ALIGNMENT: usize = 16;
/// Where the version lies.
pub const VERSION_OFFSET: usize = 4;
/// Where the length of the image lies.
pub const LENGTH_OFFSET: usize = 8;
/// Where the checksum lies.
pub const CHECKSUM_OFFSET: usize = 12;
/// Where the name lies.
pub const NAME_OFFSET: usize = 24;
/// Longest name, in bytes.
pub const NAME_BYTES: usize = 32;
/// Where the embedding size lies.
pub const EMBEDDING_OFFSET: usize = 56;
/// Where the gate shift lies.
pub const GATE_SHIFT_OFFSET: usize = 58;
/// Where the largest density of streaks lies, and behind it their mean distances.
pub const STREAKS_OFFSET: usize = HEADER_BYTES - 1 - STREAK_LEVELS.len();
/// Lengths from which on the frequency of streaks is limited.
pub const STREAK_LEVELS: [u16; 4] = [5, 10, 20, 40];
/// Where the longest streak of a symbol begins in its word of the alphabet; the code point is below.
pub const STREAK_SHIFT: u32 = 24;
/// The code point that stands for 0 as the first digit of a character; the following ones stand for the others.
pub const FIRST_DIGIT: u32 = 0x10_FE00;
/// Values of a first digit.
pub const FIRST_DIGITS: u32 = 256;
/// The code point that stands for 0 as a digit behind the first.
pub const NEXT_DIGIT: u32 = 0x10_FF00;
/// Bits of a code point that such a digit has.
pub const DIGIT_BITS: u32 = 5;
/// Digits that spell a character.
pub const SPELT_DIGITS: usize = 3;
/// Most layers.
pub const MAX_LAYERS: usize = 4;
/// Most hidden units of all layers together.
pub const MAX_UNITS: usize = 1024;
/// Most symbols.
pub const MAX_SYMBOLS: usize = 256;
/// Most numbers per embedded symbol: a block.
pub const MAX_EMBEDDING: usize = GROUP * BLOCK_GROUPS;
/// Most planes of a weight.
pub const MAX_PLANES: u8 = 5;
/// Rows of a tile: the four gates of a unit, or four symbols.
pub const TILE_ROWS: usize = 4;
/// Columns of a group: the trits of a byte.
pub const GROUP: usize = 5;
/// Groups of a block.
pub const BLOCK_GROUPS: usize = 8;
/// What the second part of a byte counts for: 27 sums of three columns, and one that fills a word up.
pub const LOW_SUMS: usize = 28;
/// Sums of two columns.
pub const HIGH_SUMS: usize = 9;

/// A unit's numbers: biases, input multipliers, multipliers of gates i, f, g, o.
pub type Unit = [i16; 3 * TILE_ROWS];
/// The numbers of four symbols: biases, multipliers.
pub type OutputRows = [i32; 2 * TILE_ROWS];

/// Trits per weight of each kind of matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planes {
    /// Recurrent matrices, and those from the layer below.
    pub recurrent: u8,
    /// From the embedded symbol to the first layer.
    pub input: u8,
    /// From the last layer to the logits.
    pub output: u8,
}

impl Planes {
    /// The same everywhere.
    #[must_use]
    pub const fn uniform(planes: u8) -> Self {
        Self {
            recurrent: planes,
            input: planes,
            output: planes,
        }
    }
}

/// A number of planes in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trits(pub u8);

impl fmt::Display for Trits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(planes) = *self;
        write!(f, "{planes} trit{}", if planes == 1 { "" } else { "s" })
    }
}

/// The largest weight of so many planes; the smallest is its negative.
#[must_use]
pub const fn largest(planes: u8) -> i32 {
    (3_i32.pow(planes as u32) - 1) / 2
}

/// The byte for five trits, each -1, 0 or 1.
#[must_use]
pub const fn pack(trits: [i8; GROUP]) -> u8 {
    let [t0, t1, t2, t3, t4] = trits;
    let low = (t0 + 1) + 3 * (t1 + 1) + 9 * (t2 + 1);
    let high = (t3 + 1) + 3 * (t4 + 1);
    low as u8 + LOW_SUMS as u8 * high as u8
}

/// The five trits of a byte; none for a byte that occurs in no image.
#[must_use]
pub const fn unpack(byte: u8) -> Option<[i8; GROUP]> {
    let (low, high) = (byte % LOW_SUMS as u8, byte / LOW_SUMS as u8);
    if low >= 27 || high >= HIGH_SUMS as u8 {
        return None;
    }
    let (low, high) = (low as i8, high as i8);
    Some([
        low % 3 - 1,
        low / 3 % 3 - 1,
        low / 9 - 1,
        high % 3 - 1,
        high / 3 - 1,
    ])
}

/// Where each section lies; computed from these numbers alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dimensions {
    /// Hidden size H of each layer.
    pub hidden: usize,
    /// Symbols V.
    pub symbols: usize,
    /// Layers L.
    pub layers: usize,
    /// Embedding size E; 0 where inputs are folded.
    pub embedding: usize,
    /// Planes of the matrices; `input` counts for nothing where inputs are folded.
    pub planes: Planes,
}

/// What a section holds.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    /// Code points.
    Alphabet,
    /// Folded inputs.
    Inputs,
    /// Embedded symbols.
    Embedding,
    /// From the embedded symbol, or from the layer below.
    InputMatrix,
    /// Biases and multipliers of a layer.
    Units,
    /// From a layer to itself.
    RecurrentMatrix,
    /// Biases and multipliers of the logits.
    OutputRows,
    /// From the last layer to the logits.
    OutputMatrix,
}

impl Section {
    /// In plain words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alphabet => "alphabet",
            Self::Inputs => "inputs",
            Self::Embedding => "embedding",
            Self::InputMatrix => "input matrix",
            Self::Units => "units",
            Self::RecurrentMatrix => "recurrent matrix",
            Self::OutputRows => "output rows",
            Self::OutputMatrix => "output matrix",
        }
    }
}

impl Dimensions {
    /// Whether an image can have these dimensions.
    #[must_use]
    pub const fn fit(&self) -> bool {
        const fn within(number: usize, most: usize) -> bool {
            1 <= number && number <= most
        }
        const fn planes(planes: u8) -> bool {
            within(planes as usize, MAX_PLANES as usize)
        }
        within(self.layers, MAX_LAYERS)
            && within(self.symbols, MAX_SYMBOLS)
            && within(self.hidden, MAX_UNITS / self.layers)
            && self.embedding <= MAX_EMBEDDING
            && planes(self.planes.recurrent)
            && planes(self.planes.output)
            && (self.is_folded() || planes(self.planes.input))
    }

    /// Whether what a symbol adds to each gate is read from a table instead of multiplied.
    #[must_use]
    pub const fn is_folded(&self) -> bool {
        self.embedding == 0
    }

    /// Bytes of an embedded symbol, or of hidden units with zeros behind them: whole groups.
    #[must_use]
    pub const fn padded(columns: usize) -> usize {
        columns.next_multiple_of(GROUP)
    }

    /// Tiles of the output matrix.
    #[must_use]
    pub const fn output_tiles(&self) -> usize {
        self.symbols.div_ceil(TILE_ROWS)
    }

    /// What each section holds and its length in bytes without padding, in file order.
    pub fn sections(&self) -> impl Iterator<Item = (Section, usize)> + use<> {
        let this = *self;
        (0..)
            .map_while(move |index| this.section(index))
            .filter(|&(_, bytes)| bytes > 0)
    }

    /// The section with this number, none behind the last; empty where a model has none of its kind.
    #[must_use]
    pub const fn section(&self, index: usize) -> Option<(Section, usize)> {
        const FIRST_LAYER: usize = 3;
        const OF_LAYER: usize = 3;
        let Planes {
            recurrent,
            input,
            output,
        } = self.planes;
        let square = matrix_bytes(self.hidden, self.hidden, recurrent);
        let is_folded = self.is_folded();
        let tiles = self.output_tiles();
        Some(match index {
            0 => (Section::Alphabet, self.symbols * 4),
            1 if is_folded => (Section::Inputs, self.symbols * self.hidden * TILE_ROWS),
            1 => (
                Section::Embedding,
                self.symbols * Self::padded(self.embedding),
            ),
            2 if is_folded => (Section::InputMatrix, 0),
            2 => (
                Section::InputMatrix,
                matrix_bytes(self.hidden, self.embedding, input),
            ),
            _ => {
                let (layer, part) = (
                    (index - FIRST_LAYER) / OF_LAYER,
                    (index - FIRST_LAYER) % OF_LAYER,
                );
                match (layer < self.layers, part) {
                    (true, 0) => (Section::Units, self.hidden * size_of::<Unit>()),
                    (true, 1) => (Section::RecurrentMatrix, square),
                    (true, _) => (Section::InputMatrix, if layer > 0 { square } else { 0 }),
                    (false, 0) => (Section::OutputRows, tiles * size_of::<OutputRows>()),
                    (false, 1) => (
                        Section::OutputMatrix,
                        matrix_bytes(tiles, self.hidden, output),
                    ),
                    (false, _) => return None,
                }
            }
        })
    }

    /// Length of an image of these dimensions.
    #[must_use]
    pub const fn image_bytes(&self) -> usize {
        let mut end = HEADER_BYTES;
        let mut index = 0;
        while let Some((_, bytes)) = self.section(index) {
            end += bytes.next_multiple_of(ALIGNMENT);
            index += 1;
        }
        end
    }
}

/// Bytes of a matrix of so many tiles.
#[must_use]
pub const fn matrix_bytes(tiles: usize, columns: usize, planes: u8) -> usize {
    tiles * TILE_ROWS * columns.div_ceil(GROUP) * planes as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_trits_and_back() {
        let mut valid = 0;
        for byte in 0..=u8::MAX {
            if let Some(trits) = unpack(byte) {
                assert!(trits.iter().all(|trit| (-1..=1).contains(trit)));
                assert_eq!(pack(trits), byte);
                valid += 1;
            }
        }
        assert_eq!(valid, 243);
        assert_eq!(unpack(pack([0; GROUP])), Some([0; GROUP]));
    }

    #[test]
    fn planes_reach_as_far_as_their_digits() {
        let all = [1, 2, 3, 4, 5].map(largest);
        assert_eq!(all, [1, 4, 13, 40, 121]);
    }
}
