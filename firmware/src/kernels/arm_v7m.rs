//! Kernels for Cortex-M3, which shifts or rotates an operand for nothing but multiplies one product at
//! a time.
//!
//! Four sums and the activations of a block (of half a block with 8-bit weights) stay in registers while
//! four rows pass by. 4-bit weights get two products with one multiplication, see [`super::scalar`] and
//! [`super::nibbles`].

use core::arch::asm;

use crate::image::TILE_ROWS;
pub use crate::kernels::nibbles::offset_int4;
use crate::kernels::nibbles::{self, GROUP, MAX_BLOCKS, Starts};
use crate::kernels::portable::{layer, output};
pub use crate::kernels::portable::{offset_int8, pack_int8};
pub use crate::kernels::scalar::pack_int4;
use crate::kernels::{Bits, LayerStep, OutputStep, PACKED_WORDS};

/// See [`super::portable::layer_int8`].
pub fn layer_int8(step: LayerStep<'_>) {
    layer(step, Bits::Eight, dot_int8);
}

/// See [`super::portable::layer_int4`].
pub fn layer_int4(step: LayerStep<'_>) {
    nibbles::layer_int4(step, dot_int4);
}

/// See [`super::portable::output_int8`].
pub fn output_int8(step: OutputStep<'_>) {
    output(step, Bits::Eight, dot_int8);
}

/// See [`super::portable::output_int4`].
pub fn output_int4(step: OutputStep<'_>) {
    nibbles::output_int4(step, dot_int4);
}

/// `sum += weights * activations`.
macro_rules! mla {
    ($sum:literal, $weights:literal, $activations:literal) => {
        concat!(
            "mla ",
            $sum,
            ", ",
            $weights,
            ", ",
            $activations,
            ", ",
            $sum,
            "\n"
        )
    };
}

/// A row's word in half an int8 block: each halfword as it is, and its low byte.
macro_rules! int8_row {
    ($offset:literal, $sum:literal) => {
        concat!(
            concat!("ldr r6, [r4, #", $offset, "]\n"),
            "sxth r7, r6\n",
            mla!($sum, "r7", "r8"),
            "sxtb r7, r6\n",
            mla!($sum, "r7", "r10"),
            "asr r7, r6, #16\n",
            mla!($sum, "r7", "r9"),
            "sxtb r7, r6, ror #16\n",
            mla!($sum, "r7", "r11"),
        )
    };
}

/// Half an int8 block: activations for four columns in r8 to r11, then the rows.
macro_rules! int8_half {
    ($offset0:literal, $offset1:literal, $offset2:literal, $offset3:literal) => {
        concat!(
            "ldrd r8, r10, [r5], #8\n",
            "asr r9, r8, #16\n",
            "sxth r8, r8\n",
            "asr r11, r10, #16\n",
            "sxth r10, r10\n",
            int8_row!($offset0, "r0"),
            int8_row!($offset1, "r1"),
            int8_row!($offset2, "r2"),
            int8_row!($offset3, "r3"),
        )
    };
}

/// See [`super::portable::dot_int8`].
#[inline(never)]
fn dot_int8(tile: &[u32], packed: &[u32], acc: [i32; TILE_ROWS]) -> [i32; TILE_ROWS] {
    let blocks = (tile.len() / Bits::Eight.block_words()).min(packed.len() / PACKED_WORDS);
    let [mut sum0, mut sum1, mut sum2, mut sum3] = acc;
    if blocks > 0 {
        // SAFETY: reads `blocks` whole blocks, which both slices hold; leaves the stack, r6 and r7 as they
        // were.
        unsafe {
            asm!(
                "push {{r6, r7}}", // the compiler keeps them for itself
                "20:",
                int8_half!("0", "8", "16", "24"),
                int8_half!("4", "12", "20", "28"),
                "add r4, #32",
                "cmp r5, lr",
                "bne 20b",
                "pop {{r6, r7}}",
                inout("r0") sum0,
                inout("r1") sum1,
                inout("r2") sum2,
                inout("r3") sum3,
                inout("r4") tile.as_ptr() => _,
                inout("r5") packed.as_ptr() => _,
                out("r8") _,
                out("r9") _,
                out("r10") _,
                out("r11") _,
                inout("lr") packed.as_ptr().add(blocks * PACKED_WORDS) => _,
            );
        }
    }
    [sum0, sum1, sum2, sum3]
}

/// Nibbles 0 of both halfwords.
const NIBBLES: u32 = 0x000F_000F;

/// A row's word of an int4 block times the pairs in r8 to r11.
macro_rules! int4_row {
    ($word:literal, $sum:literal) => {
        concat!(
            concat!("eor ", $word, ", ", $word, ", #0x80008000\n"),
            concat!("and r12, lr, ", $word, "\n"),
            mla!($sum, "r12", "r8"),
            concat!("and r12, lr, ", $word, ", lsr #4\n"),
            mla!($sum, "r12", "r9"),
            concat!("and r12, lr, ", $word, ", lsr #8\n"),
            mla!($sum, "r12", "r10"),
            concat!("and r12, lr, ", $word, ", lsr #12\n"),
            mla!($sum, "r12", "r11"),
        )
    };
}

macro_rules! int4_block {
    () => {
        concat!(
            "ldm r5!, {{r8, r9, r10, r11}}\n",
            "ldrd r6, r7, [r4], #8\n",
            int4_row!("r6", "r0"),
            int4_row!("r7", "r1"),
            "ldrd r6, r7, [r4], #8\n",
            int4_row!("r6", "r2"),
            int4_row!("r7", "r3"),
        )
    };
}

/// The next group's start for all four sums.
macro_rules! start_group {
    () => {
        concat!(
            "ldr r6, [sp, #16]\n",
            "ldr r0, [r6], #4\n",
            "str r6, [sp, #16]\n",
            "mov r1, r0\n",
            "mov r2, r0\n",
            "mov r3, r0\n",
        )
    };
}

/// See [`super::scalar::dot_int4`]. On the stack: four totals, the next start, the activations' end.
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
    let mut totals = [0; TILE_ROWS];
    if blocks > 0 {
        // SAFETY: reads `blocks` whole blocks and their groups' starts, which tile, packed and starts hold;
        // writes `totals`; leaves the stack, r6 and r7 as they were.
        unsafe {
            asm!(
                "push {{r0, r6, r7}}", // the compiler keeps r6 and r7 for itself
                "push {{r1, r2}}",
                "mov r6, #0",
                "mov r7, #0",
                "push {{r6, r7}}",
                "push {{r6, r7}}",
                "mov r12, r3",
                start_group!(),
                "tbb [pc, r12]",
                "2: .byte (20f - 2b) / 2, (21f - 2b) / 2, (22f - 2b) / 2, (23f - 2b) / 2",
                "20:",
                int4_block!(),
                "21:",
                int4_block!(),
                "22:",
                int4_block!(),
                "23:",
                int4_block!(),
                "ldrd r6, r7, [sp]",
                "add r6, r6, r0, asr #16",
                "add r7, r7, r1, asr #16",
                "strd r6, r7, [sp]",
                "ldrd r6, r7, [sp, #8]",
                "add r6, r6, r2, asr #16",
                "add r7, r7, r3, asr #16",
                "strd r6, r7, [sp, #8]",
                "ldr r12, [sp, #20]",
                "cmp r5, r12",
                "beq 30f",
                start_group!(),
                "b 20b",
                "30:",
                "pop {{r1, r2, r3, r8}}",
                "add sp, #8",
                "pop {{r0, r6, r7}}",
                "stm r0, {{r1, r2, r3, r8}}",
                inout("r0") totals.as_mut_ptr() => _,
                inout("r1") starts.as_ptr() => _,
                inout("r2") packed.as_ptr().add(blocks * PACKED_WORDS) => _,
                inout("r3") (GROUP - blocks % GROUP) % GROUP => _,
                inout("r4") tile.as_ptr() => _,
                inout("r5") packed.as_ptr() => _,
                out("r8") _,
                out("r9") _,
                out("r10") _,
                out("r11") _,
                out("r12") _,
                inout("lr") NIBBLES => _,
            );
        }
    }
    let sum = |row: usize| acc[row].wrapping_add(totals[row] << Bits::Four.scale_log2());
    [sum(0), sum(1), sum(2), sum(3)]
}
