//! The chip around the processor, as far as the firmware looks at it: registers that keep what is written
//! to them, and the few that do more.

use std::collections::HashMap;

use super::uart::Uart;

/// Cycles of the processor in a microsecond, as the firmware sets the clocks.
pub const CYCLES_PER_MICROSECOND: u64 = 150;

/// At 115,200 baud, ten bits.
const CYCLES_PER_UART_BYTE: u64 = 10 * 1_000_000 * CYCLES_PER_MICROSECOND / 115_200;

/// How long a stuck UART is.
const STUCK_CYCLES: u64 = 3_000_000 * CYCLES_PER_MICROSECOND;

const TIMER0_IRQ_0: u32 = 0;
const UART0_IRQ: u32 = 33;

const CLOCKS: u32 = 0x4001_0000;
const RESETS: u32 = 0x4002_0000;
const XOSC: u32 = 0x4004_8000;
const PLL_SYS: u32 = 0x4005_0000;
const PLL_USB: u32 = 0x4005_8000;
const UART0: u32 = 0x4007_0000;
const TIMER0: u32 = 0x400B_0000;
const WATCHDOG: u32 = 0x400D_8000;
const BOOT_RAM: u32 = 0x400E_0000;
const TRNG: u32 = 0x400F_0000;
const USB: u32 = 0x5011_0000;

/// The first registers of blocks that differ in more than that are 4 KiB apart, with three aliases between.
const ALIASES: u32 = 0x3000;
const BLOCK: u32 = !0x3FFF;

/// BX LR, for the routine that starts reading the flash in place.
const RETURN: u32 = 0x4770;

const READY: u32 = 1 << 31;
const ENABLE: u32 = 1 << 30;
const TRIGGER: u32 = 1 << 31;

/// What a register does with a value that is written to one of its addresses.
fn altered(old: u32, value: u32, alias: u32) -> u32 {
    match alias {
        0 => value,
        1 => old ^ value,
        2 => old | value,
        _ => old & !value,
    }
}

/// Peripherals.
#[derive(Debug, Default)]
pub struct Chip {
    /// Cycles since power-up.
    pub now: u64,
    pub uart: Uart,
    /// Whether the watchdog has gone off.
    pub has_expired: bool,
    registers: HashMap<u32, u32>,
    timer: Timer,
    watchdog: Watchdog,
    randomness: u64,
    /// Interrupts that were raised and not fetched yet.
    raised: u64,
    locks: u32,
    next_byte: u64,
}

#[derive(Debug, Default)]
struct Timer {
    alarms: [Option<u32>; 4],
    raised: u32,
    enabled: u32,
}

#[derive(Debug, Default)]
struct Watchdog {
    control: u32,
    microseconds: u32,
    deadline: u64,
    reason: u32,
    scratch: [u32; 8],
}

impl Chip {
    /// At power-up.
    pub fn new(is_stuck: bool) -> Self {
        Chip {
            uart: if is_stuck {
                Uart::stuck()
            } else {
                Uart::default()
            },
            randomness: 0x9E37_79B9_7F4A_7C15,
            ..Chip::default()
        }
    }

    /// After a reset, by the watchdog or the program.
    pub fn reset(&mut self, by_watchdog: bool) {
        let sent = std::mem::take(&mut self.uart.sent);
        *self = Chip {
            now: self.now,
            randomness: self.randomness,
            watchdog: Watchdog {
                // A reset by the program clears it.
                reason: u32::from(by_watchdog),
                scratch: self.watchdog.scratch,
                ..Watchdog::default()
            },
            ..Chip::default()
        };
        self.uart.sent = sent;
    }

    fn microseconds(&self) -> u64 {
        self.now / CYCLES_PER_MICROSECOND
    }

    /// The interrupts that were raised since the last call, a bit each.
    pub fn take_raised(&mut self) -> u64 {
        std::mem::take(&mut self.raised)
    }

    /// Lets what depends on time have its turn; answers with whether the next typed byte can arrive.
    pub fn tick(&mut self, has_typed: bool) -> bool {
        let time = self.microseconds() as u32;
        for (number, alarm) in self.timer.alarms.iter_mut().enumerate() {
            if alarm.is_some_and(|at| time.wrapping_sub(at) as i32 >= 0) {
                *alarm = None;
                self.timer.raised |= 1 << number;
            }
        }
        let watchdog = &mut self.watchdog;
        if watchdog.control & ENABLE != 0 && self.now >= watchdog.deadline {
            self.has_expired = true;
        }
        if self.now >= STUCK_CYCLES {
            self.uart.loosen();
        }
        let arrives = has_typed && self.now >= self.next_byte && self.uart.has_room();
        if arrives {
            self.next_byte = self.now + CYCLES_PER_UART_BYTE;
        }
        self.raise();
        arrives
    }

    /// Raises the interrupts whose lines are high.
    pub fn raise(&mut self) {
        let timer = self.timer.raised & self.timer.enabled;
        self.raised |= u64::from(timer) << TIMER0_IRQ_0;
        self.raised |= u64::from(self.uart.interrupts()) << UART0_IRQ;
    }

    /// Reads a register, by the address of its word.
    pub fn read(&mut self, address: u32) -> u32 {
        let (block, register) = (address & BLOCK, address & !BLOCK & !ALIASES);
        let kept = |chip: &Chip| {
            let registers = &chip.registers;
            registers
                .get(&(address & !ALIASES))
                .copied()
                .unwrap_or_default()
        };
        match (block, register) {
            // One clock source each, the selected one.
            (CLOCKS, 0x38) => 1 << (self.read(CLOCKS + 0x30) & 0b11),
            (CLOCKS, 0x44) => 1 << (self.read(CLOCKS + 0x3C) & 0b1),
            (RESETS, 0x8) => !kept_at(&self.registers, RESETS),
            (XOSC, 0x4) => READY,
            (PLL_SYS | PLL_USB, 0) => kept(self) | READY,
            (UART0, _) => match self.uart.read(register) {
                Some(value) => value,
                None => kept(self),
            },
            // Latched or not, the upper and the lower half.
            (TIMER0, 0x08 | 0x24) => (self.microseconds() >> 32) as u32,
            (TIMER0, 0x0C | 0x28) => self.microseconds() as u32,
            (TIMER0, 0x3C) => self.timer.raised,
            (TIMER0, 0x40) => self.timer.enabled,
            (TIMER0, 0x48) => self.timer.raised & self.timer.enabled,
            (WATCHDOG, _) => self.watchdog.read(register, self.now),
            (BOOT_RAM, 0) => RETURN,
            // A value is ready, and the generator is not busy with another.
            (TRNG, 0x104 | 0x110) => 1,
            (TRNG, 0x114..=0x128) => self.random(),
            // Nobody is at the other end: status and interrupts say nothing.
            (USB, 0x50 | 0x58 | 0x8C | 0x98) => 0,
            _ => kept(self),
        }
    }

    /// Writes a register, by the address of its word or of an alias that sets, clears or turns bits.
    pub fn write(&mut self, address: u32, value: u32) {
        let (block, register) = (address & BLOCK, address & !BLOCK & !ALIASES);
        let alias = address >> 12 & 0b11;
        match (block, register) {
            (UART0, _) => {
                // Of data and what clears there is nothing to alter.
                let old = match register {
                    0 | 0x44 => 0,
                    _ => self.read(address & !ALIASES),
                };
                if !self.uart.write(register, altered(old, value, alias)) {
                    self.keep(address & !ALIASES, value, alias);
                }
                self.raise();
            }
            (TIMER0, 0x10..=0x1C) => {
                let number = (register - 0x10) / 4;
                self.timer.alarms[number as usize] = Some(value);
            }
            (TIMER0, 0x20) => {
                for number in (0..4).filter(|number| value >> number & 1 == 1) {
                    self.timer.alarms[number] = None;
                }
            }
            (TIMER0, 0x3C) => self.timer.raised &= !value,
            (TIMER0, 0x40) => self.timer.enabled = altered(self.timer.enabled, value, alias),
            (WATCHDOG, _) => {
                let old = self.watchdog.read(register, self.now);
                let value = altered(old, value, alias);
                self.has_expired |= self.watchdog.write(register, value, self.now);
            }
            _ => self.keep(address & !ALIASES, value, alias),
        }
    }

    fn keep(&mut self, address: u32, value: u32, alias: u32) {
        let register = self.registers.entry(address).or_default();
        *register = altered(*register, value, alias);
    }

    /// Reads one of the registers that the processor reaches in a cycle.
    pub fn read_single_cycle(&mut self, register: u32) -> u32 {
        match register {
            // The FIFO to the other core has room and holds nothing.
            0x50 => 2,
            // A lock is taken by reading it.
            0x100..0x180 => {
                let lock = 1 << ((register - 0x100) / 4);
                let was_free = self.locks & lock == 0;
                self.locks |= lock;
                if was_free { lock } else { 0 }
            }
            // Among them the number of the core.
            _ => 0,
        }
    }

    /// Writes one of them.
    pub fn write_single_cycle(&mut self, register: u32) {
        if let 0x100..0x180 = register {
            self.locks &= !(1 << ((register - 0x100) / 4));
        }
    }

    /// The same in every run.
    fn random(&mut self) -> u32 {
        self.randomness ^= self.randomness << 13;
        self.randomness ^= self.randomness >> 7;
        self.randomness ^= self.randomness << 17;
        (self.randomness >> 32) as u32
    }
}

fn kept_at(registers: &HashMap<u32, u32>, address: u32) -> u32 {
    registers.get(&address).copied().unwrap_or_default()
}

impl Watchdog {
    fn read(&self, register: u32, now: u64) -> u32 {
        match register {
            0x00 => {
                let left = self.deadline.saturating_sub(now) / CYCLES_PER_MICROSECOND;
                self.control & !0xFF_FFFF | left as u32 & 0xFF_FFFF
            }
            0x08 => self.reason,
            0x0C..=0x28 => self.scratch[((register - 0x0C) / 4) as usize],
            _ => 0,
        }
    }

    /// Whether that resets the chip at once.
    fn write(&mut self, register: u32, value: u32, now: u64) -> bool {
        match register {
            0x00 => {
                let starts = value & !self.control & ENABLE != 0;
                self.control = value & !TRIGGER;
                if starts {
                    self.load(now);
                }
            }
            0x04 => {
                self.microseconds = value & 0xFF_FFFF;
                self.load(now);
            }
            0x0C..=0x28 => self.scratch[((register - 0x0C) / 4) as usize] = value,
            _ => {}
        }
        register == 0 && value & TRIGGER != 0
    }

    fn load(&mut self, now: u64) {
        self.deadline = now + u64::from(self.microseconds) * CYCLES_PER_MICROSECOND;
    }
}
