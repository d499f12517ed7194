//! 8-bit kernel for the smallest Arm cores: Cortex-M0 and M0+, which multiply 32 bits in one cycle but
//! unpack one halfword or byte at a time.
//!
//! Four activations stay in the low registers while four rows pass by; the sums live in the high
//! registers, which an addition can reach.

use core::arch::asm;

use crate::image::TILE_ROWS;
pub use crate::kernels::arm_v6m_int4::{layer_int4, offset_int4, output_int4, pack_int4};
use crate::kernels::portable::{layer, output};
pub use crate::kernels::portable::{offset_int8, pack_int8};
use crate::kernels::{Bits, LayerStep, OutputStep, PACKED_WORDS};

/// See [`super::portable::layer_int8`].
pub fn layer_int8(step: LayerStep<'_>) {
    layer(step, Bits::Eight, dot_int8);
}

/// See [`super::portable::output_int8`].
pub fn output_int8(step: OutputStep<'_>) {
    output(step, Bits::Eight, dot_int8);
}

/// `sum += weight * activation`; the weight's register is overwritten.
macro_rules! add_product {
    ($sum:literal, $weight:literal, $activation:literal) => {
        concat!(
            concat!("muls ", $weight, ", ", $activation, "\n"),
            concat!("add ", $sum, ", ", $weight, "\n"),
        )
    };
}

/// One word of weights: `x * a` and `low(x) * b` for both of its halfwords.
///
/// r0 and r1 hold the a's, r2 and r3 the b's.
macro_rules! row {
    ($offset:literal, $sum:literal) => {
        concat!(
            concat!("ldr r6, [r4, #", $offset, "]\n"),
            "sxth r7, r6\n",
            add_product!($sum, "r7", "r0"),
            "sxtb r7, r6\n",
            add_product!($sum, "r7", "r2"),
            "asrs r6, r6, #16\n",
            "sxtb r7, r6\n",
            add_product!($sum, "r7", "r3"),
            add_product!($sum, "r6", "r1"),
        )
    };
}

/// Two packed words to four activations in r0 to r3.
macro_rules! activations {
    () => {
        concat!(
            "ldm r5!, {{r0, r2}}\n",
            "asrs r1, r0, #16\n",
            "sxth r0, r0\n",
            "asrs r3, r2, #16\n",
            "sxth r2, r2\n",
        )
    };
}

/// See [`super::portable::dot_int8`].
#[inline(never)]
fn dot_int8(tile: &[u32], packed: &[u32], acc: [i32; TILE_ROWS]) -> [i32; TILE_ROWS] {
    let blocks = (tile.len() / Bits::Eight.block_words()).min(packed.len() / PACKED_WORDS);
    let mut sums = acc;
    if blocks > 0 {
        // SAFETY: reads `blocks` whole blocks, which both slices hold, reads and writes `sums`; leaves the
        // stack, r6 and r7 as they were.
        unsafe {
            asm!(
                "push {{r0, r6, r7}}", // the compiler keeps r6 and r7 for itself
                "mov r12, r1",
                "ldm r0!, {{r1, r2, r3, r6}}",
                "mov r8, r1",
                "mov r9, r2",
                "mov r10, r3",
                "mov r11, r6",
                "20:",
                activations!(),
                row!("0", "r8"),
                row!("8", "r9"),
                row!("16", "r10"),
                row!("24", "r11"),
                activations!(),
                row!("4", "r8"),
                row!("12", "r9"),
                row!("20", "r10"),
                row!("28", "r11"),
                "adds r4, #32",
                "cmp r5, r12",
                "bne 20b",
                "mov r1, r8",
                "mov r2, r9",
                "mov r3, r10",
                "mov r4, r11",
                "pop {{r0, r6, r7}}",
                "stm r0!, {{r1, r2, r3, r4}}",
                inout("r0") sums.as_mut_ptr() => _,
                inout("r1") packed.as_ptr().add(blocks * PACKED_WORDS) => _,
                out("r2") _,
                out("r3") _,
                inout("r4") tile.as_ptr() => _,
                inout("r5") packed.as_ptr() => _,
                out("r8") _,
                out("r9") _,
                out("r10") _,
                out("r11") _,
                out("r12") _,
            );
        }
    }
    sums
}
