//! QEMU's RISC-V machine `virt` with one RV32 core; it exists nowhere else.
//!
//! The serial port is its NS16550, the clock the timer of the CLINT at 10 MHz. It has no light and no
//! watchdog; its test device restarts it.

use core::arch::global_asm;
use core::convert::Infallible;
use core::task::Poll;

use ::riscv::register::{Permission, Range, mcause, pmpaddr0, pmpaddr1, pmpcfg0};
use embedded_hal::digital::{self, OutputPin};

use super::failure::{Failure, Fault};
use super::port::{Port, Wire};
use super::register::Register;
use super::{Board, facts, panic, riscv};

mod register {
    use super::Register;

    const fn at(address: usize) -> Register {
        // SAFETY: called below only, with addresses of word-sized device registers of the machine;
        // accessing them has no effect on memory.
        unsafe { Register::at(address) }
    }

    pub(super) const TEST: Register = at(0x0010_0000);
    pub(super) const TIMER: Register = at(0x0200_BFF8);
}

/// The NS16550, whose registers are bytes.
const UART: usize = 0x1000_0000;
const UART_DATA: usize = UART;
const UART_LINE_STATUS: usize = UART + 5;

const DATA_READY: u8 = 1;
const TRANSMITTER_EMPTY: u8 = 1 << 5;

/// Written to the test device, restarts the machine.
const RESET: u32 = 0x7777;

unsafe extern "C" {
    /// The last word that the stack may have, at the beginning of what stands for RAM.
    static _stack_end: u32;
}

/// QEMU's machine.
pub struct RiscvVirt {
    serial: Port<Uart>,
    led: NoLed,
}

impl RiscvVirt {
    /// Gets ready to measure the stack; everything else is as it is at power-up.
    #[must_use]
    pub fn start() -> Self {
        riscv::paint_stack();
        RiscvVirt {
            serial: Port::new(Uart(())),
            led: NoLed,
        }
    }

    /// Makes what stands for flash, and ends where the stack does, as unchangeable as flash is: a stack that
    /// overflows is a fault.
    pub(super) fn guard_stack() {
        let end = (&raw const _stack_end).addr();
        // SAFETY: nothing is written between the two addresses.
        unsafe {
            pmpaddr0::write(facts::FLASH_ADDRESS as usize >> 2);
            pmpaddr1::write(end >> 2);
            pmpcfg0::set_pmp(1, Range::TOR, Permission::RX, true);
        }
    }

    /// The serial port once more, for a last message when nothing else runs any more.
    pub(super) fn last_words() -> Port<Uart> {
        Port::new(Uart(()))
    }

    /// The clock, for the time stamps of logs.
    pub(super) fn clock() -> u32 {
        register::TIMER.get()
    }

    /// Resets the machine.
    pub(super) fn restart() -> ! {
        register::TEST.set(RESET);
        loop {
            core::hint::spin_loop();
        }
    }
}

// Exceptions; there are no interrupts. The stack may have no room and the program does not go on, so the
// handler takes the stack from its beginning.
global_asm!(
    ".section .trap.start, \"ax\"",
    ".balign 4",
    ".global _start_trap",
    "_start_trap:",
    "mv a0, sp",
    "csrr a1, mepc",
    "mv a2, ra",
    "la sp, _stack_start",
    "j {exception}",
    exception = sym exception,
);

/// Tells of an exception and restarts: the stack pointer, the instruction and where it returns to.
extern "C" fn exception(stack_pointer: u32, pc: u32, caller: u32) -> ! {
    let fault = Fault {
        pc,
        caller,
        stack_pointer,
        status: Some(mcause::read().bits() as u32),
    };
    let stack_end = (&raw const _stack_end).addr() as u32;
    panic::end(format_args!("{}{fault}", fault.name(stack_end)))
}

impl Board for RiscvVirt {
    const NAME: &'static str = facts::NAME;
    const TICKS_PER_SECOND: u32 = facts::TICKS_PER_SECOND;
    type Serial = Port<Uart>;
    type Led = NoLed;

    fn serial(&mut self) -> &mut Port<Uart> {
        &mut self.serial
    }

    fn led(&mut self) -> &mut NoLed {
        &mut self.led
    }

    fn ticks(&mut self) -> u32 {
        Self::clock()
    }

    fn entropy(&mut self) -> Option<u64> {
        None
    }

    fn deepest_stack(&self) -> Option<usize> {
        Some(riscv::deepest_stack())
    }

    fn is_well(&mut self) {
        panic::forget_failures();
    }

    fn failure(&self) -> Option<Failure> {
        panic::failure(false)
    }
}

/// The NS16550, polled, with its FIFO off: the emulator holds bytes back until the last one is read.
pub struct Uart(());

/// Reads a register of the UART.
fn get(register: usize) -> u8 {
    // SAFETY: called with the addresses above only, which are those of a device's registers.
    unsafe { core::ptr::with_exposed_provenance::<u8>(register).read_volatile() }
}

/// Writes a register of the UART.
fn set(register: usize, value: u8) {
    // SAFETY: as above.
    unsafe { core::ptr::with_exposed_provenance_mut::<u8>(register).write_volatile(value) }
}

impl Wire for Uart {
    fn receive(&mut self) -> Option<u8> {
        (get(UART_LINE_STATUS) & DATA_READY != 0).then(|| get(UART_DATA))
    }

    fn send(&mut self, bytes: &[u8]) -> Poll<usize> {
        if !self.is_idle() {
            return Poll::Pending;
        }
        let sent = bytes.iter().take(1);
        Poll::Ready(sent.map(|&byte| set(UART_DATA, byte)).count())
    }

    fn is_idle(&mut self) -> bool {
        get(UART_LINE_STATUS) & TRANSMITTER_EMPTY != 0
    }
}

/// The machine has no light.
pub struct NoLed;

impl digital::ErrorType for NoLed {
    type Error = Infallible;
}

impl OutputPin for NoLed {
    fn set_low(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}
