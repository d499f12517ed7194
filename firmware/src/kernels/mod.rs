//! Matrix kernels: four rows at a time, weights in the order they are read.
//!
//! Both weight formats use the same idea: a packed word is multiplied as it is, and the surplus is
//! taken back by a second, cheaper form of the word, so that few instructions go into unpacking.
//! With h the hidden state (|h| <= 127), all sums are modulo 2^32 and carry a constant factor K:
//!
//! - **int8**, K = 256. A halfword holds two weights as `x = 256 * w1 + w0` (a true signed sum). With
//!   `low(x) = w0` sign-extended from the low byte: `x * h1 + low(x) * (256 * h0 - h1)`
//!   `= 256 * (w0 * h0 + w1 * h1)`.
//! - **int4**, K = 4096. A halfword holds four nibbles: `x = 4096 * n3 + 256 * u2 + 16 * u1 + u0`,
//!   where n3 is signed and `u = n + 8`. With the byte `b = 16 * u1 + u0`:
//!   `x * h3 + b * (256 * h1 - h3) + 256 * u2 * (16 * h2 - h3) + 256 * u0 * (16 * h0 - h1)`
//!   `= 4096 * (n3 * h3 + u2 * h2 + u1 * h1 + u0 * h0)`; the offset 8 of the u's is the same for every row and
//!   taken off beforehand ([`offset`]).
//!
//! Every product above is 16 × 16 bits and a word holds two of them: one `SMLAD` on cores with DSP
//! instructions, one lane pair of a multiply-add on wide vectors.
//!
//! [`portable`] defines the result; every other module here must equal it bit for bit and is chosen
//! by the target when compiling (`build.rs`).

use crate::image::{BLOCK, MAX_UNITS};

#[cfg(arm_dsp)]
mod arm_dsp;
pub mod portable;

#[cfg(arm_dsp)]
use arm_dsp as active;
#[cfg(not(arm_dsp))]
use portable as active;

/// Words of a packed block of 8 activations, in both formats.
pub const PACKED_WORDS: usize = 4;

/// How many bits a weight has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bits {
    /// -127 to 127.
    Eight,
    /// -7 to 7.
    Four,
}

impl Bits {
    /// The variant for 8 or 4.
    #[must_use]
    pub const fn from_count(bits: u8) -> Option<Self> {
        match bits {
            8 => Some(Self::Eight),
            4 => Some(Self::Four),
            _ => None,
        }
    }

    /// 8 or 4.
    #[must_use]
    pub const fn count(self) -> u8 {
        match self {
            Self::Eight => 8,
            Self::Four => 4,
        }
    }

    /// Words of a tile's block: 4 rows × 8 columns.
    #[must_use]
    pub const fn block_words(self) -> usize {
        self.count() as usize
    }

    /// The factor K that every accumulator carries, as a power of two.
    #[must_use]
    pub const fn scale_log2(self) -> u32 {
        match self {
            Self::Eight => 8,
            Self::Four => 12,
        }
    }

    /// The largest weight; the smallest is its negative.
    #[must_use]
    pub const fn max_weight(self) -> i32 {
        (1 << (self.count() - 1)) - 1
    }
}

/// A weight format: how activations are packed for it and how a tile is multiplied.
pub trait Format {
    /// The format's width.
    const BITS: Bits;

    /// Packs 8 activations, each -127 to 127.
    fn pack(hidden: &[i8; BLOCK]) -> [u32; PACKED_WORDS];

    /// K times what the offsets of these columns add to every row's sum.
    fn offset(hidden: &[i8; BLOCK]) -> i32;

    /// All units of a layer.
    fn layer(step: LayerStep<'_>);

    /// All rows of the output layer.
    fn output(step: OutputStep<'_>);
}

/// What it takes to bring one layer forward by a step. The shortest slice ends the work.
#[derive(Debug)]
pub struct LayerStep<'a> {
    /// `[H]` input bytes.
    pub inputs: &'a [[i8; 4]],
    /// `[H]` unit records.
    pub units: &'a [u32],
    /// Packed activations for the columns of the tiles.
    pub packed: &'a [u32],
    /// What the weights' offsets add to every row's sum.
    pub offset: i32,
    /// `[H]` cells, Q4.11: updated.
    pub cells: &'a mut [i16],
    /// `[H]` hidden units, in units of 1/127: overwritten.
    pub hidden: &'a mut [i8],
}

/// What it takes to compute the logits. The shortest slice ends the work.
#[derive(Debug)]
pub struct OutputStep<'a> {
    /// One record per four symbols.
    pub records: &'a [u32],
    /// Packed activations for the columns of the tiles.
    pub packed: &'a [u32],
    /// What the weights' offsets add to every row's sum.
    pub offset: i32,
    /// Logits, Q5.10, four per record: overwritten.
    pub logits: &'a mut [i16],
}

/// 8-bit weights.
#[derive(Clone, Copy, Debug)]
pub struct Int8;

/// 4-bit weights.
#[derive(Clone, Copy, Debug)]
pub struct Int4;

impl Format for Int8 {
    const BITS: Bits = Bits::Eight;

    #[inline(always)]
    fn pack(hidden: &[i8; BLOCK]) -> [u32; PACKED_WORDS] {
        let [h0, h1, h2, h3, h4, h5, h6, h7] = hidden.map(i32::from);
        [
            halves(h1, h3),
            halves(256 * h0 - h1, 256 * h2 - h3),
            halves(h5, h7),
            halves(256 * h4 - h5, 256 * h6 - h7),
        ]
    }

    #[inline(always)]
    fn offset(_: &[i8; BLOCK]) -> i32 {
        0
    }

    #[inline]
    fn layer(step: LayerStep<'_>) {
        active::layer_int8(step);
    }

    #[inline]
    fn output(step: OutputStep<'_>) {
        active::output_int8(step);
    }
}

impl Format for Int4 {
    const BITS: Bits = Bits::Four;

    #[inline(always)]
    fn pack(hidden: &[i8; BLOCK]) -> [u32; PACKED_WORDS] {
        let [h0, h1, h2, h3, h4, h5, h6, h7] = hidden.map(i32::from);
        [
            halves(h3, h7),
            halves(256 * h1 - h3, 256 * h5 - h7),
            halves(16 * h2 - h3, 16 * h6 - h7),
            halves(16 * h0 - h1, 16 * h4 - h5),
        ]
    }

    #[inline(always)]
    fn offset(hidden: &[i8; BLOCK]) -> i32 {
        let [h0, h1, h2, _, h4, h5, h6, _] = hidden.map(i32::from);
        (h0 + h1 + h2 + h4 + h5 + h6) << (Self::BITS.scale_log2() + 3)
    }

    #[inline]
    fn layer(step: LayerStep<'_>) {
        active::layer_int4(step);
    }

    #[inline]
    fn output(step: OutputStep<'_>) {
        active::output_int4(step);
    }
}

/// Two signed halfwords as one word, the first in the low half.
#[inline(always)]
const fn halves(low: i32, high: i32) -> u32 {
    (low as u32 & 0xFFFF) | (high as u32) << 16
}

/// Words that the activations of all layers together can fill.
pub const MAX_PACKED_WORDS: usize = MAX_UNITS / BLOCK * PACKED_WORDS;

/// Packs the activations of a layer, which must be whole blocks; the shorter slice ends the work.
#[inline]
pub fn pack<F: Format>(hidden: &[i8], words: &mut [u32]) {
    let blocks = hidden.as_chunks::<BLOCK>().0;
    let words = words.as_chunks_mut::<PACKED_WORDS>().0;
    for (block, words) in blocks.iter().zip(words) {
        *words = F::pack(block);
    }
}

/// What the offsets of int4 weights add to the sum of every row over these activations.
#[inline]
#[must_use]
pub fn offset<F: Format>(hidden: &[i8]) -> i32 {
    let blocks = hidden.as_chunks::<BLOCK>().0.iter();
    blocks.fold(0, |sum, block| sum.wrapping_add(F::offset(block)))
}
