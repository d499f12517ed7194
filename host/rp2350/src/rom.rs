//! What stands in for the boot ROM: the routines that write to the flash, and what finds them.
//!
//! A program that jumps to one of them gets its effect at once, in the time that the flash takes. There is
//! nothing else; the version that such a ROM tells is 0.

use std::fs::File;
use std::io::Write;

use anyhow::{Context, Result, bail};
use rp2350_emu::CortexM33;

use super::bus::{Bus, FLASH, RAM};
use super::chip::CYCLES_PER_MICROSECOND;

/// Behind the last address of the ROM.
pub const END: u32 = 0x8000;

/// Where the address of the routine is that finds others.
pub const LOOKUP_POINTER: u32 = 0x16;

/// The routines' addresses; this one is that which finds the others.
pub const STUBS: u16 = 0x200;

/// By the letters that they are found with: set up, leave and resume reading in place, erase, program.
const ROUTINES: [&[u8; 2]; 6] = [b"IF", b"EX", b"FC", b"CX", b"RE", b"RP"];

/// What the data sheet of the board's flash calls typical, in microseconds.
const SECTOR: u32 = 4096;
const SECTOR_ERASE: u64 = 45_000;
const PAGE: u32 = 256;
const PAGE_PROGRAM: u64 = 400;

/// Does what the routine at the program counter does, and returns from it; answers with the cycles that
/// have passed.
///
/// # Errors
/// When there is no such routine, or it is told of memory that is not there.
pub fn serve(core: &mut CortexM33, bus: &mut Bus, operations: &mut Option<File>) -> Result<u64> {
    let pc = core.regs.pc();
    let [first, second, third] = [core.reg(0), core.reg(1), core.reg(2)];
    let number = pc.checked_sub(STUBS.into()).map(|offset| offset / 4);
    let mut log = |what: String| match operations {
        Some(file) => writeln!(file, "{} {what}", bus.chip.now).context("cannot log an operation"),
        None => Ok(()),
    };
    let mut cycles = 1;
    match number {
        Some(0) => {
            let name = (first as u16).to_le_bytes();
            let Some(found) = ROUTINES.iter().position(|routine| **routine == name) else {
                bail!("the ROM has no routine '{}' here", name.escape_ascii());
            };
            core.set_reg(0, (u32::from(STUBS) + 4 * (found as u32 + 1)) | 1);
        }
        Some(number @ 1..=6) => match ROUTINES[number as usize - 1] {
            b"RE" => {
                log(format!("erase {first} {second}"))?;
                let flash = bus.flash.get_mut(first as usize..);
                let flash = flash.and_then(|flash| flash.get_mut(..second as usize));
                flash.context("erases what is no flash")?.fill(0xFF);
                core.invalidate_decode_cache_all();
                cycles = u64::from(second / SECTOR) * SECTOR_ERASE * CYCLES_PER_MICROSECOND;
            }
            b"RP" => {
                let data = bus.bytes(second, third as usize);
                let data = data.context("programs what is no memory")?.to_vec();
                let digits: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
                log(format!("program {first} {digits}"))?;
                let flash = bus.flash.get_mut(first as usize..).unwrap_or_default();
                if flash.len() < data.len() {
                    bail!("programs what is no flash");
                }
                for (cell, byte) in flash.iter_mut().zip(data) {
                    *cell &= byte;
                }
                core.invalidate_decode_cache_all();
                cycles = u64::from(third / PAGE) * PAGE_PROGRAM * CYCLES_PER_MICROSECOND;
            }
            _ => {}
        },
        _ => bail!(
            "the program jumps to {pc:#x} in the ROM, which is not there (from {:#x}; flash is at {FLASH:#x}, RAM at {RAM:#x})",
            core.reg(14)
        ),
    }
    core.regs.set_pc(core.reg(14) & !1);
    Ok(cycles)
}
