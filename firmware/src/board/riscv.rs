//! What RISC-V boards share: start-up, interrupts, stack depth, a loop of known length.

use core::arch::asm;

#[cfg(feature = "esp32c3")]
pub use esp_hal::main as entry;
#[cfg(feature = "riscv-virt")]
pub use riscv_rt::entry;

use super::Selected;

/// Stack that is in use while it is painted.
const UNPAINTED_BYTES: usize = 512;

const PAINT: u32 = 0xCCCC_CCCC;

unsafe extern "C" {
    /// The top of the stack.
    static mut _stack_start: u32;

    /// The end of the stack, or a word near it that the abstraction layer watches.
    #[cfg_attr(feature = "esp32c3", link_name = "__stack_chk_guard")]
    static mut _stack_end: u32;
}

/// What guards the stack of these boards is set up where they start.
pub(super) fn guard_stack() {
    #[cfg(feature = "riscv-virt")]
    Selected::guard_stack();
}

/// The first word above the end of the stack.
fn lowest_word() -> *mut u32 {
    (&raw mut _stack_end).wrapping_add(1)
}

/// Marks the stack that has not been used yet.
#[inline(never)]
pub(super) fn paint_stack() {
    let here = 0_u32;
    let mut word = lowest_word();
    let end = (&raw const here).addr() - UNPAINTED_BYTES;
    while word.addr() < end {
        // SAFETY: the words between the end of the static variables and the stack in use are nobody's.
        unsafe { word.write_volatile(PAINT) };
        word = word.wrapping_add(1);
    }
}

/// The most bytes of stack that were in use since it was painted.
pub(super) fn deepest_stack() -> usize {
    let mut word = lowest_word();
    let top = &raw mut _stack_start;
    // SAFETY: everything below the top of the stack is painted or has been used.
    while word < top && unsafe { word.read_volatile() } == PAINT {
        word = word.wrapping_add(1);
    }
    top.addr() - word.addr()
}

/// Runs a loop of two instructions so many times, to calibrate clocks.
pub fn spin(rounds: u32) {
    // SAFETY: it counts down a register of its own.
    unsafe {
        asm!(
            "1: addi {0}, {0}, -1",
            "bnez {0}, 1b",
            inout(reg) rounds.max(1) => _,
            options(nomem, nostack),
        );
    }
}

/// Lets nothing interrupt what follows.
pub(super) fn disable_interrupts() {
    // SAFETY: clears the bit of machine mode that lets interrupts in, which is always allowed.
    unsafe { asm!("csrci mstatus, 8", options(nomem, nostack)) };
}

/// Resets the chip; memory keeps what it holds.
pub(super) fn restart() -> ! {
    Selected::restart()
}
