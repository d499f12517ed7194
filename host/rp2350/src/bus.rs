//! What the processor sees of the world: memory, registers, and instructions as it can run them.

use std::sync::Arc;

use rp2350_emu::core::CoreBus;
use rp2350_emu::threaded::CoreAtomics;

use super::chip::Chip;
use super::{opcode, rom};

/// Where the flash is read in place.
pub const FLASH: u32 = 0x1000_0000;
/// And how much there is.
pub const FLASH_BYTES: usize = 4 << 20;
/// Where the RAM is.
pub const RAM: u32 = 0x2000_0000;
const RAM_BYTES: usize = 520 << 10;

/// Granularity of knowing which RAM is run.
const PAGE: u32 = 256;

/// The one core that runs.
const CORE: usize = 0;

/// The bus.
pub struct Bus {
    /// What interrupts, events and faults go through.
    pub atomics: Arc<CoreAtomics>,
    /// The flash.
    pub flash: Vec<u8>,
    /// The RAM.
    pub ram: Vec<u8>,
    /// Everything else.
    pub chip: Chip,
    /// Addresses of instructions in RAM that were written after they had been read.
    pub stale: Vec<u32>,
    /// Pages of RAM that instructions were read from.
    runs: Vec<bool>,
    /// The instruction that is run.
    instruction: u32,
    last_fetch: u32,
    waits: u32,
}

impl Bus {
    /// With a blank flash.
    pub fn new(atomics: Arc<CoreAtomics>, chip: Chip) -> Self {
        Bus {
            atomics,
            flash: vec![0xFF; FLASH_BYTES],
            ram: vec![0; RAM_BYTES],
            chip,
            stale: Vec::new(),
            runs: vec![false; RAM_BYTES / PAGE as usize],
            instruction: 0,
            last_fetch: u32::MAX,
            waits: 0,
        }
    }

    /// So many bytes of memory.
    pub fn bytes(&self, address: u32, count: usize) -> Option<&[u8]> {
        let (memory, start) = match address >> 28 {
            1 => (&self.flash, FLASH),
            2 => (&self.ram, RAM),
            _ => return None,
        };
        let start = (address - start) as usize;
        memory.get(start..)?.get(..count)
    }

    /// The halfword of an instruction.
    #[inline(always)]
    pub fn halfword(&self, address: u32) -> Option<u16> {
        let bytes = self.bytes(address, 2)?;
        Some(u16::from_le_bytes([bytes[0], bytes[1]]))
    }

    fn fault(&self, address: u32) {
        self.atomics.set_bus_fault(CORE, address);
    }

    #[inline(always)]
    fn read<const BYTES: usize>(&mut self, address: u32) -> [u8; BYTES] {
        if let Some(bytes) = self.bytes(address, BYTES) {
            return bytes.try_into().unwrap_or([0; BYTES]);
        }
        let word = match address >> 28 {
            0 => match address & !3 {
                at if at == rom::LOOKUP_POINTER & !3 => u32::from(rom::STUBS | 1) << 16,
                _ if address < rom::END => 0,
                _ => return self.nothing(address),
            },
            4 | 5 => {
                // The bridge to them takes its time.
                self.waits += 3 * u32::from(address >> 28 == 4);
                self.chip.read(address & !3)
            }
            0xD => self.chip.read_single_cycle(address & 0xFFC),
            _ => return self.nothing(address),
        };
        let word = word.to_le_bytes();
        std::array::from_fn(|at| word[((address as usize & 3) + at) & 3])
    }

    #[cold]
    fn nothing<const BYTES: usize>(&mut self, address: u32) -> [u8; BYTES] {
        self.fault(address);
        [0; BYTES]
    }

    #[inline(always)]
    fn write<const BYTES: usize>(&mut self, address: u32, value: [u8; BYTES]) {
        match address >> 28 {
            2 => {
                let start = (address - RAM) as usize;
                let place = self.ram.get_mut(start..);
                match place.and_then(|place| place.get_mut(..BYTES)) {
                    Some(place) => place.copy_from_slice(&value),
                    None => return self.fault(address),
                }
                if self.runs[start / PAGE as usize] {
                    self.stale.extend([address, address + BYTES as u32 / 2]);
                }
            }
            4 | 5 => {
                self.waits += 3 * u32::from(address >> 28 == 4);
                // What is narrow is on all of the lines.
                let word = std::array::from_fn(|at| value[at % BYTES]);
                self.chip.write(address & !3, u32::from_le_bytes(word));
            }
            0xD => self.chip.write_single_cycle(address & 0xFFC),
            _ => self.fault(address),
        }
    }

    /// The halfword at an address that belongs to the instruction which is run.
    fn fetched(&mut self, address: u32) -> Option<u16> {
        let first = self.halfword(self.instruction)?;
        let second = self.halfword(self.instruction + 2).unwrap_or_default();
        if self.instruction >> 28 == RAM >> 28 {
            let pages = [self.instruction, address];
            for page in pages.map(|at| ((at - RAM) / PAGE) as usize) {
                self.runs[page] = true;
            }
        }
        let (first, second) = opcode::served(first, second);
        Some(if address == self.instruction {
            first
        } else {
            second
        })
    }
}

impl CoreBus for Bus {
    fn read8(&mut self, addr: u32, _core: u8) -> u8 {
        self.read::<1>(addr)[0]
    }

    fn read16(&mut self, addr: u32, _core: u8) -> u16 {
        // Instructions are read by halfwords, and no instruction reads its own as data.
        if (addr == self.instruction || addr == self.instruction.wrapping_add(2))
            && let Some(halfword) = self.fetched(addr)
        {
            return halfword;
        }
        u16::from_le_bytes(self.read(addr))
    }

    fn read32(&mut self, addr: u32, _core: u8) -> u32 {
        u32::from_le_bytes(self.read(addr))
    }

    fn write8(&mut self, addr: u32, val: u8, _core: u8) {
        self.write(addr, [val]);
    }

    fn write16(&mut self, addr: u32, val: u16, _core: u8) {
        self.write(addr, val.to_le_bytes());
    }

    fn write32(&mut self, addr: u32, val: u32, _core: u8) {
        self.write(addr, val.to_le_bytes());
    }

    fn set_active_pc(&mut self, pc: u32, _core: u8) {
        self.instruction = pc;
    }

    fn bus_fault(&self, core: u8) -> bool {
        self.atomics.is_bus_fault(core.into())
    }

    fn bus_fault_addr(&self, core: u8) -> u32 {
        self.atomics.bus_fault_addr(core.into())
    }

    fn clear_bus_fault(&mut self, core: u8) {
        self.atomics.clear_bus_fault(core.into());
    }

    fn set_burst_mode(&mut self, _on: bool) {}

    fn add_extra_wait_states(&mut self, n: u32) {
        self.waits += n;
    }

    fn take_extra_wait_states(&mut self) -> u32 {
        std::mem::take(&mut self.waits)
    }

    fn extra_wait_states(&self) -> u32 {
        self.waits
    }

    fn reset_extra_wait_states(&mut self) {
        self.waits = 0;
    }

    fn atomics(&self) -> &Arc<CoreAtomics> {
        &self.atomics
    }

    // Pins are not looked at.
    fn gpio_read_out(&self) -> u32 {
        0
    }

    fn gpio_write_out(&mut self, _val: u32) {}

    fn gpio_set_out(&mut self, _mask: u32) {}

    fn gpio_clear_out(&mut self, _mask: u32) {}

    fn gpio_xor_out(&mut self, _mask: u32) {}

    fn gpio_read_oe(&self) -> u32 {
        0
    }

    fn gpio_write_oe(&mut self, _val: u32) {}

    fn gpio_set_oe(&mut self, _mask: u32) {}

    fn gpio_clear_oe(&mut self, _mask: u32) {}

    fn gpio_xor_oe(&mut self, _mask: u32) {}

    fn gpio_read_in(&self) -> u32 {
        0
    }

    fn last_fetch_addr(&self) -> u32 {
        self.last_fetch
    }

    fn set_last_fetch_addr(&mut self, addr: u32) {
        self.last_fetch = addr;
    }

    fn mmio_trace_enabled(&self) -> bool {
        false
    }

    fn emit_mmio_trace(&mut self, _rw: char, _size: u32, _addr: u32, _val: u32, _core: u8) {}
}
