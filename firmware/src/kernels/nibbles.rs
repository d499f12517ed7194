//! What 4-bit kernels in assembly share that get two products out of one 32-bit multiplication, as
//! [`super::scalar`] explains.
//!
//! Sums of offset weights (u = n + 8) would fit half a word for two blocks only. But modulo 2^16 the
//! offsets can be taken off in advance, and then four blocks fit: a group. Only the first group of a
//! row can be shorter.

use crate::image::{BLOCK, TILE_ROWS};
use crate::kernels::portable::{layer, output};
use crate::kernels::{Bits, LayerStep, MAX_PACKED_WORDS, OutputStep, PACKED_WORDS};

/// Blocks of a group: 4 * 8 * 7 * 127 < 2^15 in the high half, 4 * 4 * 15 * 127 < 2^15 in the low one.
pub(super) const GROUP: usize = 4;

/// Most groups of a row.
const MAX_GROUPS: usize = MAX_PACKED_WORDS / PACKED_WORDS / GROUP;

/// Most blocks of a row.
pub(super) const MAX_BLOCKS: usize = MAX_GROUPS * GROUP;

/// What the sum of each group starts from: rounding, so that the low half's sign does not reach the
/// high half, less the weights' offsets.
pub(super) struct Starts([u32; MAX_GROUPS]);

impl Starts {
    /// For the activations of a row.
    pub(super) fn new(packed: &[u32]) -> Self {
        const ROUND: u32 = 1 << 15;
        let mut starts = [0; MAX_GROUPS];
        let groups = packed.as_chunks::<PACKED_WORDS>().0.rchunks(GROUP).rev();
        for (start, group) in starts.iter_mut().zip(groups) {
            // 2^16 * (activations of the high halves) + (those of the low halves)
            let words = group.as_flattened().iter();
            let sum = words.fold(0_u32, |sum, &word| sum.wrapping_add(word));
            let all = sum.wrapping_add(sum << 16).wrapping_add(ROUND) & 0xFFFF_0000;
            *start = ROUND.wrapping_sub(all << 3);
        }
        Starts(starts)
    }

    pub(super) fn as_ptr(&self) -> *const u32 {
        self.0.as_ptr()
    }
}

/// A core's way to add the products of a tile, group by group, to four sums.
pub(super) type GroupedDot = fn(&[u32], &[u32], &Starts, [i32; TILE_ROWS]) -> [i32; TILE_ROWS];

/// Nothing: the offsets are taken off group by group.
#[inline(always)]
pub fn offset_int4(_: &[i8; BLOCK]) -> i32 {
    0
}

/// All units of a layer with 4-bit weights.
#[inline(always)]
pub(super) fn layer_int4(step: LayerStep<'_>, dot: GroupedDot) {
    let starts = Starts::new(step.packed);
    layer(step, Bits::Four, |tile: &[u32], packed: &[u32], acc| {
        dot(tile, packed, &starts, acc)
    });
}

/// All logits with 4-bit weights.
#[inline(always)]
pub(super) fn output_int4(step: OutputStep<'_>, dot: GroupedDot) {
    let starts = Starts::new(step.packed);
    output(step, Bits::Four, |tile: &[u32], packed: &[u32], acc| {
        dot(tile, packed, &starts, acc)
    });
}
