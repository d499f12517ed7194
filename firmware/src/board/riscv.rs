//! What RISC-V boards share: start-up, interrupts, a loop of known length.

use core::arch::asm;

#[cfg(feature = "esp32c3")]
pub use esp_hal::main as entry;
#[cfg(feature = "riscv-virt")]
pub use riscv_rt::entry;

pub(super) use super::Selected;

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
