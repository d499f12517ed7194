//! 4-bit kernel for Cortex-M0 and M0+: two products with one multiplication, see [`super::scalar`] and
//! [`super::nibbles`].
//!
//! Four activation pairs stay in the low registers while four rows pass by; the sums live in the high
//! registers, which an addition can reach.

use core::arch::asm;

use crate::image::TILE_ROWS;
pub use crate::kernels::nibbles::offset_int4;
use crate::kernels::nibbles::{self, GROUP, MAX_BLOCKS, Starts};
pub use crate::kernels::scalar::pack_int4;
use crate::kernels::{Bits, LayerStep, OutputStep, PACKED_WORDS};

/// See [`super::portable::layer_int4`].
pub fn layer_int4(step: LayerStep<'_>) {
    nibbles::layer_int4(step, dot_int4);
}

/// See [`super::portable::output_int4`].
pub fn output_int4(step: OutputStep<'_>) {
    nibbles::output_int4(step, dot_int4);
}

/// `sum += nibbles * pair`: nibbles 0 of the word, whose register is overwritten.
macro_rules! add_products {
    ($sum:literal, $word:literal, $pair:literal) => {
        concat!(
            concat!("ands ", $word, ", r5\n"),
            concat!("muls ", $word, ", ", $pair, "\n"),
            concat!("add ", $sum, ", ", $word, "\n"),
        )
    };
}

/// A row's word times the pairs in r0 to r3: 19 instructions of 2 bytes.
macro_rules! row {
    ($offset:literal, $sum:literal) => {
        concat!(
            concat!("ldr r6, [r4, #", $offset, "]\n"),
            "mov r7, lr\n",
            "eors r6, r7\n",
            "mov r7, r6\n",
            add_products!($sum, "r7", "r0"),
            "lsrs r7, r6, #4\n",
            add_products!($sum, "r7", "r1"),
            "lsrs r7, r6, #8\n",
            add_products!($sum, "r7", "r2"),
            "lsrs r6, r6, #12\n",
            add_products!($sum, "r6", "r3"),
        )
    };
}

/// A block of four rows: 79 instructions of 2 bytes.
macro_rules! block {
    ($offset0:literal, $offset1:literal, $offset2:literal, $offset3:literal) => {
        concat!(
            "mov r7, r12\n",
            "ldm r7!, {{r0, r1, r2, r3}}\n",
            "mov r12, r7\n",
            row!($offset0, "r8"),
            row!($offset1, "r9"),
            row!($offset2, "r10"),
            row!($offset3, "r11"),
        )
    };
}

/// The code of a block, in bytes: where to enter a group is computed. The assembler checks it.
const BLOCK_CODE: usize = 158;

/// The next group's start for all four sums.
macro_rules! start_group {
    () => {
        concat!(
            "ldr r6, [sp, #20]\n",
            "ldm r6!, {{r7}}\n",
            "str r6, [sp, #20]\n",
            "mov r8, r7\n",
            "mov r9, r7\n",
            "mov r10, r7\n",
            "mov r11, r7\n",
        )
    };
}

/// Adds a group's sum to a row's total on the stack.
macro_rules! end_group {
    ($sum:literal, $total:literal) => {
        concat!(
            concat!("mov r7, ", $sum, "\n"),
            "asrs r7, r7, #16\n",
            concat!("ldr r6, [sp, #", $total, "]\n"),
            "adds r6, r7\n",
            concat!("str r6, [sp, #", $total, "]\n"),
        )
    };
}

/// See [`super::scalar::dot_int4`]. On the stack: four totals, where they go, the next start, the
/// activations' end.
#[inline(never)]
fn dot_int4(
    tile: &[u32],
    packed: &[u32],
    starts: &Starts,
    acc: [i32; TILE_ROWS],
) -> [i32; TILE_ROWS] {
    let blocks = (tile.len() / Bits::Four.block_words())
        .min(packed.len() / PACKED_WORDS)
        .min(MAX_BLOCKS);
    let skipped = (GROUP - blocks % GROUP) % GROUP;
    let mut totals = [0; TILE_ROWS];
    if blocks > 0 {
        // SAFETY: reads `blocks` whole blocks and their groups' starts, which tile, packed and starts hold;
        // writes `totals`; leaves the stack, r6 and r7 as they were. The first group is entered `skipped`
        // blocks behind its beginning, so that nothing in front of the tile is read.
        unsafe {
            asm!(
                "push {{r0, r1, r2, r6, r7}}", // the compiler keeps r6 and r7 for itself
                "mov r12, r5",
                "movs r6, #0",
                "movs r7, #0",
                "push {{r6, r7}}",
                "push {{r6, r7}}",
                "adr r7, 40f",
                "ldm r7!, {{r5, r6}}",
                "mov lr, r6",
                start_group!(),
                "adr r7, 20f",
                "adds r7, r3",
                "mov pc, r7",
                ".p2align 2",
                "20:",
                block!("0", "4", "8", "12"),
                "21:",
                ".if (21b - 20b) != {block_code}",
                ".error \"BLOCK_CODE is not the length of a block\"",
                ".endif",
                block!("16", "20", "24", "28"),
                block!("32", "36", "40", "44"),
                block!("48", "52", "56", "60"),
                end_group!("r8", "0"),
                end_group!("r9", "4"),
                end_group!("r10", "8"),
                end_group!("r11", "12"),
                "ldr r7, [sp, #24]",
                "cmp r12, r7",
                "beq 30f",
                "adds r4, #64",
                start_group!(),
                "b 20b",
                ".p2align 2",
                "40: .long 0x000F000F, 0x80008000", // nibbles 0; flips nibbles 3 to offset
                "30:",
                "pop {{r1, r2, r3, r4}}",
                "pop {{r0, r6, r7}}",
                "stm r0!, {{r1, r2, r3, r4}}",
                "pop {{r6, r7}}",
                inout("r0") totals.as_mut_ptr() => _,
                inout("r1") starts.as_ptr() => _,
                inout("r2") packed.as_ptr().add(blocks * PACKED_WORDS) => _,
                inout("r3") skipped * BLOCK_CODE => _,
                inout("r4") tile.as_ptr().wrapping_sub(skipped * Bits::Four.block_words()) => _,
                inout("r5") packed.as_ptr() => _,
                out("r8") _,
                out("r9") _,
                out("r10") _,
                out("r11") _,
                out("r12") _,
                out("lr") _,
                block_code = const BLOCK_CODE,
            );
        }
    }
    let sum = |row: usize| acc[row].wrapping_add(totals[row] << Bits::Four.scale_log2());
    [sum(0), sum(1), sum(2), sum(3)]
}
