//! What 4-bit kernels in assembly share that get two products out of one 32-bit multiplication, as
//! [`super::scalar`] explains.
//!
//! Sums of offset weights (u = n + 8) would fit half a word for two blocks only. But modulo 2^16 the
//! offsets can be taken off in advance, and then four blocks fit: a group. Only the first group of a
//! row can be shorter.

use crate::kernels::{MAX_PACKED_WORDS, PACKED_WORDS};

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
