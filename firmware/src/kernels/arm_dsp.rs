//! Kernels for Arm cores with DSP instructions: Cortex-M4, M7, M33.
//!
//! One `SMLAD` multiplies and adds two 16-bit pairs. A block of 8 columns loads its activations once
//! for four rows; blocks are unrolled eight times, and the first round enters where the remainder
//! begins. All registers are in use, so what a unit needs only once lives on the stack.

use core::arch::asm;

use crate::activation::{INDEX_BITS, middle_of_table};
use crate::fixed::{GATE_SHIFT, HIDDEN_ONE, LOGIT_SHIFT};
use crate::image::{OUTPUT_FRAME_WORDS, TILE_ROWS, UNIT_FRAME_WORDS};
pub use crate::kernels::portable::{offset_int4, offset_int8, pack_int4, pack_int8};
use crate::kernels::{Bits, LayerStep, OutputStep, PACKED_WORDS};

/// What the assembler must be told before the first instruction.
#[cfg(arm_v8m)]
macro_rules! core {
    () => {
        ".cpu cortex-m33\n"
    };
}
#[cfg(not(arm_v8m))]
macro_rules! core {
    () => {
        ""
    };
}

/// `sum += weights * activations`, two products.
macro_rules! smlad {
    ($sum:literal, $weights:literal, $activations:literal) => {
        concat!(
            "smlad ",
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

/// Two rows of an int8 block: four words, each as it is and by its sign-extended low bytes.
macro_rules! int8_rows {
    ($first:literal, $second:literal) => {
        concat!(
            "ldm r4!, {{r6, r7, r12, lr}}\n",
            smlad!($first, "r6", "r8"),
            "sxtb16 r6, r6\n",
            smlad!($second, "r12", "r8"),
            "sxtb16 r12, r12\n",
            smlad!($first, "r6", "r9"),
            smlad!($second, "r12", "r9"),
            smlad!($first, "r7", "r10"),
            "sxtb16 r7, r7\n",
            smlad!($second, "lr", "r10"),
            "sxtb16 lr, lr\n",
            smlad!($first, "r7", "r11"),
            smlad!($second, "lr", "r11"),
        )
    };
}

macro_rules! int8_block {
    () => {
        concat!(
            "ldm r5!, {{r8, r9, r10, r11}}\n",
            int8_rows!("r0", "r1"),
            int8_rows!("r2", "r3"),
        )
    };
}

/// One row of an int4 block: the word as it is, its low bytes, its third and its first nibbles.
macro_rules! int4_row {
    ($sum:literal, $word:literal) => {
        concat!(
            smlad!($sum, $word, "r8"),
            concat!("uxtb16 lr, ", $word, "\n"),
            smlad!($sum, "lr", "r9"),
            concat!("and lr, r12, ", $word, "\n"),
            smlad!($sum, "lr", "r10"),
            concat!("and lr, r12, ", $word, ", lsl #8\n"),
            smlad!($sum, "lr", "r11"),
        )
    };
}

macro_rules! int4_block {
    () => {
        concat!(
            "ldm r5!, {{r8, r9, r10, r11}}\n",
            "ldrd r6, r7, [r4], #8\n",
            int4_row!("r0", "r6"),
            int4_row!("r1", "r7"),
            "ldrd r6, r7, [r4], #8\n",
            int4_row!("r2", "r6"),
            int4_row!("r3", "r7"),
        )
    };
}

/// The loop around a block: eight at a time, with a first round of `blocks % 8`.
///
/// r4: weights, r5: activations, lr and [sp, #20]: their end; r0 to r3: sums. At least one block.
macro_rules! unrolled {
    ($block:expr) => {
        concat!(
            "sub lr, lr, r5\n",
            "ubfx lr, lr, #4, #3\n",
            "tbh [pc, lr, lsl #1]\n",
            "2: .short (10f - 2b) / 2, (17f - 2b) / 2, (16f - 2b) / 2, (15f - 2b) / 2\n",
            ".short (14f - 2b) / 2, (13f - 2b) / 2, (12f - 2b) / 2, (11f - 2b) / 2\n",
            "10:\n",
            $block,
            "11:\n",
            $block,
            "12:\n",
            $block,
            "13:\n",
            $block,
            "14:\n",
            $block,
            "15:\n",
            $block,
            "16:\n",
            $block,
            "17:\n",
            $block,
            "ldr lr, [sp, #20]\n",
            "cmp r5, lr\n",
            "bne 10b\n",
        )
    };
}

/// The inputs at r6 of gates i and g in r7, of f and o in r10: each at the top of its halfword.
macro_rules! int8_inputs {
    () => {
        concat!(
            "ldr r7, [r6], #4\n",
            "and r10, r7, #0xFF00FF00\n",
            "lsl r7, r7, #8\n",
            "and r7, r7, #0xFF00FF00\n",
        )
    };
}

macro_rules! int4_inputs {
    () => {
        concat!(
            "ldrh r7, [r6], #2\n",
            "pkhbt r7, r7, r7, lsl #20\n",
            "lsl r10, r7, #8\n",
            "and r7, r7, #0xF000F000\n",
            "and r10, r10, #0xF000F000\n",
        )
    };
}

/// One unit after another: input sums, products, gates, cell, hidden state.
///
/// r4 walks over the records. On the stack: inputs, cells, hidden, their end, activations, their end,
/// the table's middle, the weights' offset.
macro_rules! layer {
    ($inputs:expr, $offset:expr, $products:expr) => {
        concat!(
            core!(),
            "push {{r6, r7}}\n", // the compiler keeps them for itself
            "push {{r0, r1, r2, r3, r5, r8, r9, r10}}\n",
            "20:\n",
            // acc = bias + input * multiplier
            "ldr r6, [sp]\n",
            "ldm r4!, {{r0, r1, r2, r3, r8, r9}}\n",
            $inputs,
            "str r6, [sp]\n",
            "smlabb r0, r7, r8, r0\n",
            "smlabt r1, r10, r8, r1\n",
            "smlatb r2, r7, r9, r2\n",
            "smlatt r3, r10, r9, r3\n",
            $offset,
            "ldrd r5, lr, [sp, #16]\n",
            $products,
            // z = sat12(acc * multiplier >> 24), then its tanh(z / 2).
            "ldrd r6, r7, [r4], #8\n",
            "ldr r5, [sp, #24]\n",
            "smulwb r0, r0, r6\n",
            "smulwt r1, r1, r6\n",
            "smulwb r2, r2, r7\n",
            "smulwt r3, r3, r7\n",
            "ssat r0, #12, r0, asr #8\n",
            "ssat r1, #12, r1, asr #8\n",
            "ssat r2, #12, r2, asr #8\n",
            "ssat r3, #12, r3, asr #8\n",
            "ldrsh r0, [r5, r0, lsl #1]\n",
            "ldrsh r1, [r5, r1, lsl #1]\n",
            "ldrsh r2, [r5, r2, lsl #1]\n",
            "ldrsh r3, [r5, r3, lsl #1]\n",
            // The cell: (sigmoid(f) * c >> 1) + (sigmoid(i) * tanh(g) >> 5), rounded.
            "ldrd r6, r7, [sp, #4]\n",
            "ldrsh r8, [r6]\n",
            "add r1, r1, #32768\n",
            "mul r1, r1, r8\n",
            "add r0, r0, #32768\n",
            "mul r0, r0, r2\n",
            "asr r1, r1, #1\n",
            "add r1, r1, r0, asr #5\n",
            "add r1, r1, #16384\n",
            "ssat r1, #16, r1, asr #15\n",
            "strh r1, [r6], #2\n",
            // The hidden state: sigmoid(o) * tanh(c) >> 16, times 127, rounded.
            "ssat r1, #12, r1, asr #2\n",
            "ldrsh r1, [r5, r1, lsl #1]\n",
            "add r3, r3, #32768\n",
            "mul r3, r3, r1\n",
            "asr r3, r3, #16\n",
            "rsb r3, r3, r3, lsl #7\n",
            "add r3, r3, #16384\n",
            "asr r3, r3, #15\n",
            "strb r3, [r7], #1\n",
            "strd r6, r7, [sp, #4]\n",
            "ldr r6, [sp, #12]\n",
            "cmp r7, r6\n",
            "bne 20b\n",
            "add sp, sp, #32\n",
            "pop {{r6, r7}}\n",
        )
    };
}

/// Four logits after another. On the stack: logits, their end, activations, their end, the offset.
macro_rules! output {
    ($offset:expr, $products:expr) => {
        concat!(
            core!(),
            "push {{r6, r7}}\n",
            "push {{r0, r1, r2, r3, r5, r8, r9, r10}}\n",
            "20:\n",
            "ldm r4!, {{r0, r1, r2, r3}}\n",
            $offset,
            "ldrd r5, lr, [sp, #16]\n",
            $products,
            "ldrd r6, r7, [r4], #8\n",
            "ldrd r8, r9, [sp, #8]\n",
            "smulwb r0, r0, r6\n",
            "smulwt r1, r1, r6\n",
            "smulwb r2, r2, r7\n",
            "smulwt r3, r3, r7\n",
            "ssat r0, #16, r0, asr #5\n",
            "ssat r1, #16, r1, asr #5\n",
            "ssat r2, #16, r2, asr #5\n",
            "ssat r3, #16, r3, asr #5\n",
            "pkhbt r0, r0, r1, lsl #16\n",
            "pkhbt r2, r2, r3, lsl #16\n",
            "str r0, [r8], #4\n",
            "str r2, [r8], #4\n",
            "str r8, [sp, #8]\n",
            "cmp r8, r9\n",
            "bne 20b\n",
            "add sp, sp, #32\n",
            "pop {{r6, r7}}\n",
        )
    };
}

/// Takes the weights' offset off the four sums.
macro_rules! less_offset {
    () => {
        concat!(
            "ldr lr, [sp, #28]\n",
            "sub r0, r0, lr\n",
            "sub r1, r1, lr\n",
            "sub r2, r2, lr\n",
            "sub r3, r3, lr\n",
        )
    };
}

/// How many whole records of so many words the slice holds.
fn whole(records: &[u32], words: usize) -> usize {
    records.len().checked_div(words).unwrap_or(0)
}

/// Nibbles 0 and 2 of both halfwords, in place.
const NIBBLES: u32 = 0x0F00_0F00;

macro_rules! run_layer {
    ($bits:expr, $code:expr, $step:expr) => {{
        const _: () = assert!(GATE_SHIFT == 8 && INDEX_BITS == 12 && HIDDEN_ONE == 127);
        let step: LayerStep<'_> = $step;
        let tile = step.packed.len() / PACKED_WORDS * $bits.block_words();
        let units = whole(step.units, UNIT_FRAME_WORDS + tile)
            .min(step.inputs.len() / $bits.input_bytes())
            .min(step.cells.len())
            .min(step.hidden.len());
        if units > 0 && tile > 0 {
            let hidden = step.hidden.as_mut_ptr();
            let packed = step.packed.as_ptr_range();
            let blocks_end = step.packed.len() / PACKED_WORDS * PACKED_WORDS;
            // SAFETY: reads and writes `units` elements of each slice and `units` whole records, which all
            // hold; a table index has 12 bits around the table's middle; leaves the stack, r6, r7 as they were.
            unsafe {
                asm!(
                    $code,
                    inout("r0") step.inputs.as_ptr() => _,
                    inout("r1") step.cells.as_mut_ptr() => _,
                    inout("r2") hidden => _,
                    inout("r3") hidden.add(units) => _,
                    inout("r4") step.units.as_ptr() => _,
                    inout("r5") packed.start => _,
                    inout("r8") packed.start.add(blocks_end) => _,
                    inout("r9") middle_of_table() => _,
                    inout("r10") step.offset => _,
                    out("r11") _,
                    inout("r12") NIBBLES => _,
                    out("lr") _,
                );
            }
        }
    }};
}

macro_rules! run_output {
    ($bits:expr, $code:expr, $step:expr) => {{
        const _: () = assert!(LOGIT_SHIFT == 5);
        let step: OutputStep<'_> = $step;
        let tile = step.packed.len() / PACKED_WORDS * $bits.block_words();
        let groups = whole(step.records, OUTPUT_FRAME_WORDS + tile)
            .min(step.logits.len() / TILE_ROWS);
        if groups > 0 && tile > 0 {
            let logits = step.logits.as_mut_ptr();
            let packed = step.packed.as_ptr_range();
            let blocks_end = step.packed.len() / PACKED_WORDS * PACKED_WORDS;
            // SAFETY: reads `groups` whole records and all blocks of `packed`, writes four logits for each
            // record; the slices hold them; leaves the stack, r6 and r7 as they were.
            unsafe {
                asm!(
                    $code,
                    out("r0") _,
                    out("r1") _,
                    inout("r2") logits => _,
                    inout("r3") logits.add(groups * TILE_ROWS) => _,
                    inout("r4") step.records.as_ptr() => _,
                    inout("r5") packed.start => _,
                    inout("r8") packed.start.add(blocks_end) => _,
                    out("r9") _,
                    inout("r10") step.offset => _,
                    out("r11") _,
                    inout("r12") NIBBLES => _,
                    out("lr") _,
                );
            }
        }
    }};
}

/// See [`crate::kernels::portable::layer_int8`].
#[inline(never)]
pub fn layer_int8(step: LayerStep<'_>) {
    run_layer!(
        Bits::Eight,
        layer!(int8_inputs!(), "", unrolled!(int8_block!())),
        step
    );
}

/// See [`crate::kernels::portable::layer_int4`].
#[inline(never)]
pub fn layer_int4(step: LayerStep<'_>) {
    run_layer!(
        Bits::Four,
        layer!(int4_inputs!(), less_offset!(), unrolled!(int4_block!())),
        step
    );
}

/// See [`crate::kernels::portable::output_int8`].
#[inline(never)]
pub fn output_int8(step: OutputStep<'_>) {
    run_output!(Bits::Eight, output!("", unrolled!(int8_block!())), step);
}

/// See [`crate::kernels::portable::output_int4`].
#[inline(never)]
pub fn output_int4(step: OutputStep<'_>) {
    run_output!(
        Bits::Four,
        output!(less_offset!(), unrolled!(int4_block!())),
        step
    );
}
