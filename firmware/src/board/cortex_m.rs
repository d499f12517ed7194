//! What all Cortex-M boards share: start-up, restart, faults, stack depth.

use ::cortex_m::peripheral::SCB;
use cortex_m_rt::{ExceptionFrame, exception};

pub use cortex_m_rt::entry;

/// Runs a loop of two instructions so many times, to calibrate clocks.
pub fn spin(rounds: u32) {
    // It adds one.
    ::cortex_m::asm::delay(rounds.saturating_sub(1));
}

/// The most bytes of stack that were in use since start-up, which paints it.
pub(super) fn deepest_stack() -> usize {
    unsafe extern "C" {
        static _stack_start: u32;
        static _stack_end: u32;
    }
    let top = &raw const _stack_start;
    let mut word = &raw const _stack_end;
    // SAFETY: the start-up code painted every word from the end of the static variables to the
    // top of the stack, so all of them are initialized memory.
    while word < top && unsafe { word.read_volatile() } == cortex_m_rt::STACK_PAINT_VALUE {
        word = word.wrapping_add(1);
    }
    top.addr() - word.addr()
}

/// Lets nothing but faults interrupt what follows.
pub(super) fn disable_interrupts() {
    ::cortex_m::interrupt::disable();
}

/// Resets the chip; memory keeps what it holds.
pub(super) fn restart() -> ! {
    SCB::sys_reset()
}

/// Memory faults and the like, which no safe code can cause.
// SAFETY: the handler touches no memory that the interrupted program owns.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    panic!("hard fault at {:#010x}", frame.pc());
}
