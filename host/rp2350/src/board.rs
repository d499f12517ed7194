//! The board: its processor, what is around it, and what happens between two instructions.

use std::collections::VecDeque;
use std::fs::File;
use std::sync::Arc;

use anyhow::{Context, Result};
use rp2350_emu::CortexM33;
use rp2350_emu::threaded::CoreAtomics;

use super::bus::{Bus, FLASH, FLASH_BYTES, RAM};
use super::chip::Chip;
use super::elf::Elf;
use super::opcode::Pack;
use super::rom;

/// Between two looks at what depends on time.
const CYCLES_PER_CHECK: u64 = 1_000;

const CORE: usize = 0;
const HARD_FAULT: u32 = 3;
const THUMB: u32 = 1 << 24;
/// Of the register that resets: the key that a write has to bring, and the request.
const RESET_KEY: u32 = 0x05FA;
const RESET_REQUEST: u32 = 1 << 2;
/// Of the fault status: the stack is below its limit.
const STACK_OVERFLOW: u32 = 1 << 20;
/// Of the hard fault's: another fault has become it.
const FORCED: u32 = 1 << 30;
/// Of the control register: the other stack, and floats to be saved.
const OTHER_STACK_OR_FLOATS: u32 = 0b110;
/// In the link register: back to the program, on the main stack.
const TO_THREAD: u32 = 0xFFFF_FFF9;
const FRAME_BYTES: u32 = 32;

/// A Pico 2.
pub struct Pico2 {
    core: CortexM33,
    bus: Bus,
    /// Cycles before those that the core has counted since its reset.
    before: u64,
    typed: VecDeque<u8>,
    rtt: Option<u32>,
    operations: Option<File>,
}

impl Pico2 {
    /// One with a firmware in its flash, at power-up.
    ///
    /// # Errors
    /// When the firmware does not fit.
    pub fn power(elf: &Elf, is_stuck: bool, operations: Option<File>) -> Result<Self> {
        let atomics = Arc::new(CoreAtomics::default());
        let mut bus = Bus::new(Arc::clone(&atomics), Chip::new(is_stuck));
        for (address, bytes) in &elf.segments {
            let start = address.checked_sub(FLASH).map(|start| start as usize);
            let place = start.and_then(|start| bus.flash.get_mut(start..));
            let place = place.and_then(|place| place.get_mut(..bytes.len()));
            place
                .with_context(|| {
                    format!(
                        "{} bytes at {address:#x} are not in the {FLASH_BYTES} of the flash",
                        bytes.len()
                    )
                })?
                .copy_from_slice(bytes);
        }
        let mut board = Pico2 {
            core: CortexM33::new(CORE as u8, atomics),
            bus,
            before: 0,
            typed: VecDeque::new(),
            rtt: elf.rtt,
            operations,
        };
        board.start();
        Ok(board)
    }

    /// Starts the program, whose vectors are the first words of the flash.
    fn start(&mut self) {
        let word = |at| {
            let bytes = self.bus.bytes(FLASH + at, 4);
            bytes.map_or(0, |bytes| {
                bytes
                    .iter()
                    .rev()
                    .fold(0, |word, &byte| word << 8 | u32::from(byte))
            })
        };
        let regs = &mut self.core.regs;
        regs.msp = word(0);
        regs.r[13] = word(0);
        regs.set_pc(word(4) & !1);
        regs.xpsr = THUMB;
        self.core.ppb.vtor = FLASH;
    }

    /// Memory and the watchdog's reason stay.
    fn restart(&mut self, by_watchdog: bool) {
        self.bus.atomics.reset();
        self.bus.chip.reset(by_watchdog);
        self.before = self.bus.chip.now;
        self.core = CortexM33::new(CORE as u8, Arc::clone(&self.bus.atomics));
        self.start();
    }

    /// Types at the UART.
    pub fn type_in(&mut self, bytes: &[u8]) {
        self.typed.extend(bytes);
    }

    /// What the UART has sent since the last call.
    pub fn printed(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.bus.chip.uart.sent)
    }

    /// The instruction that comes next.
    pub fn instruction(&self) -> u32 {
        self.core.regs.pc()
    }

    /// Whether a fault has come while another was handled: nothing goes on from there.
    pub fn is_locked_up(&self) -> bool {
        self.core.is_halted() && self.core.regs.ipsr() == HARD_FAULT
    }

    /// Runs for so many cycles.
    ///
    /// # Errors
    /// When the program does what stands in for nothing here.
    pub fn run(&mut self, cycles: u64) -> Result<()> {
        let end = self.bus.chip.now + cycles;
        while self.bus.chip.now < end && !self.is_locked_up() {
            let check = self.bus.chip.now + CYCLES_PER_CHECK;
            while self.bus.chip.now < check {
                if self.core.is_halted() || self.core.is_wfe_waiting() {
                    self.pass(check - self.bus.chip.now);
                } else {
                    self.step()?;
                }
            }
            self.check();
        }
        Ok(())
    }

    /// Lets time pass without instructions.
    fn pass(&mut self, cycles: u64) {
        self.before += cycles;
        self.bus.chip.now += cycles;
    }

    /// Runs an instruction, or takes an interrupt.
    #[inline(always)]
    fn step(&mut self) -> Result<()> {
        let Pico2 { core, bus, .. } = self;
        let pc = core.regs.pc();
        if pc < rom::END {
            let cycles = rom::serve(core, bus, &mut self.operations)?;
            self.pass(cycles);
            return Ok(());
        }
        // Half of an instruction that is served here; the other halfword says which.
        let first = bus.halfword(pc).unwrap_or_default();
        let pack = if first & 0xFFF0 == 0xEAC0 {
            let pack = bus
                .halfword(pc + 2)
                .and_then(|second| Pack::read(first, second));
            pack.filter(|_| is_passed(core))
        } else {
            None
        };
        let stack = core.regs.r[13];
        core.step(bus);
        if let Some(pack) = pack
            && core.regs.pc() == pc + 4
        {
            core.regs.r[pack.to] = pack.of(&core.regs.r);
        }
        // The handler of the fault has a stack of its own; the status stays until the board restarts.
        let is_below = core.regs.r[13] < core.regs.msplim || core.ppb.cfsr & STACK_OVERFLOW != 0;
        if is_below && core.regs.ipsr() != HARD_FAULT {
            overflow(core, bus, stack, pc);
        }
        if !bus.stale.is_empty() {
            core.invalidate_decode_cache_entries(&bus.stale);
            bus.stale.clear();
        }
        bus.chip.now = self.before + core.cycles();
        Ok(())
    }

    /// Looks at what depends on time, and whether the program has asked for a reset.
    fn check(&mut self) {
        let Pico2 { core, bus, .. } = self;
        if bus.chip.tick(!self.typed.is_empty())
            && let Some(byte) = self.typed.pop_front()
        {
            bus.chip.uart.receive(byte);
            bus.chip.raise();
        }
        let raised = bus.chip.take_raised();
        for irq in (0..64).filter(|irq| raised >> irq & 1 == 1) {
            bus.atomics.assert_irq(CORE, irq);
        }
        let pending = bus.atomics.irq_pending_load(CORE);
        let wakes = core.ppb.any_pending_enabled(pending);
        if core.is_halted() && wakes && core.regs.ipsr() != HARD_FAULT {
            core.wake();
        }
        if core.is_wfe_waiting() && (wakes || bus.atomics.event_flag_consume(CORE)) {
            bus.atomics.clear_wfe_waiting(CORE);
        }
        let wants_reset = core.ppb.aircr >> 16 == RESET_KEY && core.ppb.aircr & RESET_REQUEST != 0;
        if bus.chip.has_expired {
            self.restart(true);
        } else if wants_reset {
            self.restart(false);
        }
    }

    /// What the firmware has put into its first RTT channel since the last call.
    pub fn logged(&mut self) -> Vec<u8> {
        let mut found = Vec::new();
        let Some(block) = self.rtt else { return found };
        let is_ready = self.bus.bytes(block, 10) == Some(b"SEGGER RTT");
        let word = |at| {
            let bytes = self.bus.bytes(block + at, 4).filter(|_| is_ready)?;
            Some(u32::from_le_bytes(bytes.try_into().ok()?))
        };
        let (Some(buffer), Some(size), Some(write), Some(read)) =
            (word(28), word(32), word(36), word(40))
        else {
            return found;
        };
        let parts = match write < read {
            true => [read..size, 0..write],
            false => [read..write, 0..0],
        };
        for part in parts {
            let bytes = self.bus.bytes(buffer.wrapping_add(part.start), part.len());
            found.extend_from_slice(bytes.unwrap_or_default());
        }
        let place = (block - RAM) as usize + 40;
        self.bus.ram[place..place + 4].copy_from_slice(&write.to_le_bytes());
        found
    }
}

/// Whether the next instruction is run, by the condition that an instruction before it may have set.
fn is_passed(core: &CortexM33) -> bool {
    match core.it_state() {
        state if state & 0xF == 0 => true,
        state => core.regs.condition_passed(state >> 4),
    }
}

/// Takes the fault of a stack below its limit, which the emulated processor looks at only when it takes
/// an interrupt, and then does not end. The instruction at `pc` has not happened then; without room for
/// what the processor puts on the stack itself, it puts nothing there.
#[cold]
fn overflow(core: &mut CortexM33, bus: &mut Bus, stack: u32, pc: u32) {
    use rp2350_emu::core::CoreBus;

    // This ends the fault that would come again and again.
    core.halt();
    core.wake();
    core.ppb.cfsr |= STACK_OVERFLOW;
    core.ppb.hfsr |= FORCED;
    let regs = &mut core.regs;
    let limit = regs.msplim;
    let frame = (stack & !7).wrapping_sub(FRAME_BYTES);
    let has_room = frame >= limit && regs.control & OTHER_STACK_OR_FLOATS == 0;
    if has_room {
        let kept = [
            regs.r[0], regs.r[1], regs.r[2], regs.r[3], regs.r[12], regs.r[14], pc, regs.xpsr,
        ];
        for (at, word) in (0..).step_by(4).zip(kept) {
            bus.write32(frame + at, word, CORE as u8);
        }
    }
    regs.msp = if has_room { frame } else { limit };
    regs.r[13] = regs.msp;
    regs.r[14] = TO_THREAD;
    regs.control &= !OTHER_STACK_OR_FLOATS;
    regs.xpsr = regs.xpsr & !0x1FF | HARD_FAULT;
    let vector = bus.read32(core.ppb.vtor + 4 * HARD_FAULT, CORE as u8);
    core.regs.set_pc(vector & !1);
    // What the instruction may have done below the RAM.
    bus.clear_bus_fault(CORE as u8);
}
