//! What all Cortex-M boards share: start-up, device registers, panics, stack depth, log times.

use core::fmt::Write as _;
use core::panic::PanicInfo;

use cortex_m_rt::{ExceptionFrame, exception};
use defmt_semihosting as _;

use super::{Board, Selected};
use crate::serial::Text;

pub use cortex_m_rt::entry;

/// A device register of one word.
#[derive(Clone, Copy)]
pub(super) struct Register(usize);

impl Register {
    /// The register at this address.
    ///
    /// # Safety
    /// The address must be that of a word-sized device register whose reads and writes have no
    /// effect on memory.
    pub(super) const unsafe fn at(address: usize) -> Self {
        Register(address)
    }

    /// Reads it.
    pub(super) fn get(self) -> u32 {
        // SAFETY: `at` was promised a device register.
        unsafe { core::ptr::with_exposed_provenance::<u32>(self.0).read_volatile() }
    }

    /// Writes it.
    pub(super) fn set(self, value: u32) {
        // SAFETY: `at` was promised a device register.
        unsafe { core::ptr::with_exposed_provenance_mut::<u32>(self.0).write_volatile(value) }
    }
}

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

/// Says what went wrong on the serial port and in the log, then stands still.
#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    ::cortex_m::interrupt::disable();
    let mut serial = Selected::last_words();
    let _ = write!(Text(&mut serial), "\n# panic: {info}\n");
    defmt::error!("panic: {}", defmt::Display2Format(info));
    loop {
        ::cortex_m::asm::wfi();
    }
}

/// Memory faults and the like, which no safe code can cause.
// SAFETY: the handler touches no memory that the interrupted program owns.
#[exception]
unsafe fn HardFault(frame: &ExceptionFrame) -> ! {
    panic!("hard fault at {:#010x}", frame.pc());
}

defmt::timestamp!(
    "{=u32:us}",
    Selected::clock() / (Selected::TICKS_PER_SECOND / 1_000_000)
);
