//! Matrix kernels: four rows at a time, weights in the order they are read.
//!
//! All sums carry a constant factor K and are modulo 2^32. A halfword of weights is a true signed sum:
//!
//! - **int8**, K = 256: two weights, `256 * w1 + w0`, each -127 to 127. A row's block of 8 columns is two
//!   words: columns 0 to 3 and 4 to 7.
//! - **int4**, K = 4096: four weights, `4096 * n3 + 256 * u2 + 16 * u1 + u0` with `u = n + 8`, each n
//!   -7 to 7. A row's block is one word: columns 0 to 3 in the low half, 4 to 7 in the high half.
//!
//! A block of a tile is those words for rows 0, 1, 2 and 3. How they are multiplied is up to the
//! kernels, and so is the form of the activations ([`pack`]); only the sums are fixed. What the 8 in
//! the u's adds is the same for every row and taken off beforehand ([`offset`]).
//!
//! [`portable`] is the reference. The kernels in use are chosen by the target when compiling
//! (`build.rs`): `arm_dsp` where `SMLAD` exists, `arm_v7m` on Cortex-M3, `arm_v6m` on Cortex-M0,
//! [`scalar`] on other small cores, [`portable`] on a PC.

use crate::image::{BLOCK, MAX_UNITS};

#[cfg(arm_dsp)]
mod arm_dsp;
#[cfg(arm_v6m)]
mod arm_v6m;
#[cfg(arm_v6m)]
mod arm_v6m_int4;
#[cfg(arm_v7m)]
mod arm_v7m;
#[cfg(any(arm_v6m, arm_v7m))]
mod nibbles;
pub mod portable;
pub mod scalar;

#[cfg(arm_dsp)]
use arm_dsp as active;
#[cfg(arm_v6m)]
use arm_v6m as active;
#[cfg(arm_v7m)]
use arm_v7m as active;
#[cfg(not(target_pointer_width = "32"))]
use portable as active;
#[cfg(all(not(any(arm_dsp, arm_v6m, arm_v7m)), target_pointer_width = "32"))]
use scalar as active;

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

    /// Bytes of a unit's input: one number for each of its four gates.
    #[must_use]
    pub const fn input_bytes(self) -> usize {
        self.count() as usize / 2
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
    /// `[H]` inputs.
    pub inputs: &'a [u8],
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

/// Forwards a format to the functions of the chosen kernels.
macro_rules! format {
    ($format:ident, $bits:ident, $pack:ident, $offset:ident, $layer:ident, $output:ident) => {
        impl Format for $format {
            const BITS: Bits = Bits::$bits;

            #[inline(always)]
            fn pack(hidden: &[i8; BLOCK]) -> [u32; PACKED_WORDS] {
                active::$pack(hidden)
            }

            #[inline(always)]
            fn offset(hidden: &[i8; BLOCK]) -> i32 {
                active::$offset(hidden)
            }

            #[inline]
            fn layer(step: LayerStep<'_>) {
                active::$layer(step);
            }

            #[inline]
            fn output(step: OutputStep<'_>) {
                active::$output(step);
            }
        }
    };
}

format!(Int8, Eight, pack_int8, offset_int8, layer_int8, output_int8);
format!(Int4, Four, pack_int4, offset_int4, layer_int4, output_int4);

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
