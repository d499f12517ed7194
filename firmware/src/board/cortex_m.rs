//! What all Cortex-M boards share: start-up, restart, faults, the stack's depth and its guard.

use core::arch::global_asm;

use ::cortex_m::peripheral::SCB;

pub use cortex_m_rt::entry;

use super::failure::Fault;
use super::panic;

unsafe extern "C" {
    /// Behind the first word of the stack.
    static _stack_start: u32;
    /// The last word that it may have.
    static _stack_end: u32;
    static __stext: u32;
    static __etext: u32;
}

/// Whether the core has the configurable fault status.
const HAS_STATUS: bool = !cfg!(any(feature = "pico", feature = "microbit"));

/// Runs a loop of two instructions so many times, to calibrate clocks.
pub fn spin(rounds: u32) {
    // It adds one.
    ::cortex_m::asm::delay(rounds.saturating_sub(1));
}

/// The most bytes of stack that were in use since start-up, which paints it.
pub(super) fn deepest_stack() -> usize {
    let top = &raw const _stack_start;
    let mut word = &raw const _stack_end;
    // SAFETY: the start-up code painted every word of the stack, so all of them are initialized memory.
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

/// Makes sure that a stack which overflows is a fault.
///
/// It is one where nothing lies below the RAM, whose beginning the stack is. Where the core can forbid
/// addresses, nobody has to know what the chip does there. Armv8-M has a limit of the stack instead, which
/// the start-up code sets; the Cortex-M0 of the nRF51 has neither.
#[cfg(not(any(feature = "microbit", feature = "pico2", feature = "mps2-an505")))]
pub(super) fn guard_stack() {
    use ::cortex_m::asm::{dsb, isb};
    use ::cortex_m::peripheral::MPU;

    /// More than any function takes of the stack before it puts something there.
    const BYTES: u32 = 32 * 1024;
    /// The first region, with no access for anybody.
    const REGION: u32 = 0;
    const NEVER_EXECUTE: u32 = 1 << 28;
    const SIZE: u32 = (BYTES.ilog2() - 1) << 1;
    const ENABLE: u32 = 1;
    /// Everything else is as it is without a unit.
    const DEFAULT_MAP: u32 = 1 << 2;

    let base = (&raw const _stack_end).addr() as u32 - BYTES;
    // SAFETY: nothing else uses the unit, and no memory lies where it forbids access.
    unsafe {
        let mpu = &*MPU::PTR;
        if mpu._type.read() == 0 {
            return;
        }
        mpu.rnr.write(REGION);
        mpu.rbar.write(base);
        mpu.rasr.write(NEVER_EXECUTE | SIZE | ENABLE);
        mpu.ctrl.write(DEFAULT_MAP | ENABLE);
    }
    dsb();
    isb();
}

/// See above.
#[cfg(any(feature = "microbit", feature = "pico2", feature = "mps2-an505"))]
pub(super) fn guard_stack() {}

// Memory faults and the like. The stack may have no room, not even for what the processor itself puts
// there, and the program does not go on: the handler takes the stack from its beginning, after it has read
// from it where the program was.
global_asm!(
    ".section .HardFault.inkling, \"ax\", %progbits",
    ".global HardFault",
    ".type HardFault, %function",
    ".thumb_func",
    "HardFault:",
    "mrs r0, MSP",
    "ldr r3, =_stack_start",
    "ldr r4, =_stack_end",
    "movs r1, #0",
    "movs r2, #0",
    // Only a frame that lies on the stack is one.
    "cmp r0, r4",
    "blo 1f",
    "movs r5, #32",
    "adds r5, r5, r0",
    "cmp r5, r3",
    "bhi 1f",
    "ldr r1, [r0, #24]",
    "ldr r2, [r0, #20]",
    "1:",
    "mov sp, r3",
    "bl {hard_fault}",
    ".pool",
    hard_fault = sym hard_fault,
);

/// Tells of a fault and restarts: the stack pointer, the instruction and where it returns to, as far as
/// they are known.
extern "C" fn hard_fault(stack_pointer: u32, pc: u32, caller: u32) -> ! {
    let stack_end = (&raw const _stack_end).addr() as u32;
    // SAFETY: the register is of the core, and reading it has no effect.
    let status = HAS_STATUS.then(|| unsafe { super::register::Register::at(0xE000_ED28) }.get());
    let mut fault = Fault {
        pc,
        caller: caller & !1,
        stack_pointer,
        status,
    };
    if fault.is_overflow(stack_end) {
        // What the processor wrote there, it wrote without room.
        fault.pc = 0;
        fault.caller = lowest_return();
    }
    panic::end(format_args!("{}{fault}", fault.name(stack_end)))
}

/// The lowest word on the stack that could be where a function returns to; 0 if there is none.
fn lowest_return() -> u32 {
    let code = (&raw const __stext).addr() as u32..(&raw const __etext).addr() as u32;
    let top = &raw const _stack_start;
    let mut word = &raw const _stack_end;
    while word < top {
        // SAFETY: it is a word of the stack.
        let value = unsafe { word.read_volatile() };
        if value & 1 == 1 && code.contains(&value) {
            return value & !1;
        }
        word = word.wrapping_add(1);
    }
    0
}
