//! What is known of one board. Serialized, it is what the list of boards says in JSON.

use serde::{Deserialize, Serialize};

const KIB: u64 = 1024;

/// Flash that is kept for the program when a model is checked against a board before building.
const PROGRAM_BYTES: u64 = 64 * KIB;

/// What is kept besides where there is plenty: chips with USB or a large abstraction layer have it.
const MORE_PROGRAM_BYTES: u64 = 32 * KIB;

/// What is kept besides where there is none, for what writes models to the flash.
const STORE_BYTES: u64 = 16 * KIB;

/// From how much flash on there is plenty.
const PLENTY_OF_FLASH: u64 = 1024 * KIB;

/// One supported board.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Board {
    /// Its name, also that of the firmware's cargo feature.
    pub name: &'static str,
    /// What else people call it, and boards that take the same program.
    pub aliases: &'static [Alias],
    /// What it is, for people.
    pub description: &'static str,
    /// Its processor core.
    pub core: &'static str,
    /// The Rust target to build for.
    pub target: &'static str,
    /// Flash, or what stands for it.
    pub flash_bytes: u64,
    /// RAM.
    pub ram_bytes: u64,
    /// Where a model can be flashed by itself, apart from the program: the end of the flash.
    pub model_region: Option<Region>,
    /// Whether the program writes models there that come over the serial line, with records of its own.
    #[serde(skip)]
    pub takes_models: bool,
    /// How it is emulated, if it can be.
    pub emulator: Option<Machine>,
    /// How it is flashed; `None` for boards that exist in emulators only.
    pub flasher: Option<Flasher>,
    /// How the linker is told where everything goes.
    #[serde(skip)]
    pub link: Link,
    /// How fast the clock runs that the firmware counts.
    #[serde(skip)]
    pub ticks_per_second: u32,
    /// 32-bit words that a model can work in; `None` where there is room for any.
    #[serde(skip)]
    pub model_words: Option<usize>,
    /// Images of up to so many bytes are copied from a slow flash to RAM.
    #[serde(skip)]
    pub copied_bytes: usize,
    /// What speeds are estimated from, for boards that people own.
    #[serde(skip)]
    pub speed: Option<Speed>,
}

impl Board {
    /// The flash for the program and the model that is linked into it: what is in front of the
    /// model region.
    #[must_use]
    pub fn program_area_bytes(&self) -> u64 {
        self.flash_bytes - self.model_region.map_or(0, |region| region.bytes)
    }

    /// Flash that is kept for the program when a model is checked before building.
    #[must_use]
    pub fn program_bytes(&self) -> u64 {
        match (self.flash_bytes < PLENTY_OF_FLASH, self.takes_models) {
            (true, false) => PROGRAM_BYTES,
            (true, true) => PROGRAM_BYTES + STORE_BYTES,
            (false, _) => PROGRAM_BYTES + MORE_PROGRAM_BYTES,
        }
    }

    /// Whether this is a name of the board: capitals and what stands between words do not count.
    #[must_use]
    pub fn is_called(&self, typed: &str) -> bool {
        is_same(self.name, typed) || self.alias(typed).is_some()
    }

    /// The other name of the board that this is, if it is one.
    #[must_use]
    pub fn alias(&self, typed: &str) -> Option<&'static Alias> {
        self.aliases.iter().find(|alias| is_same(alias.name, typed))
    }
}

/// Whether two names mean the same.
pub(crate) fn is_same(name: &str, typed: &str) -> bool {
    let plain = |name: &str| -> String {
        name.chars()
            .filter(|c| !matches!(c, '-' | '_' | ' ' | ':'))
            .map(|c| c.to_ascii_lowercase())
            .collect()
    };
    plain(name) == plain(typed)
}

/// Another name for a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alias {
    /// The name.
    pub name: &'static str,
    /// What is different on the board that has it.
    pub note: Option<&'static str>,
}

/// A part of a board's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Region {
    /// Its first address.
    pub address: u64,
    /// Its length.
    pub bytes: u64,
}

impl Region {
    /// Behind its last address.
    #[must_use]
    pub fn end(self) -> u64 {
        self.address + self.bytes
    }
}

/// How the linker is told where everything goes.
#[derive(Debug, Clone, Copy)]
pub struct Link {
    /// All of the flash.
    pub flash: Region,
    /// All of the RAM.
    pub ram: Region,
    /// What of it is for the stack; 0 where a hardware abstraction layer says it.
    pub stack_bytes: u64,
    /// Bytes at the start of the flash that are for a boot program.
    pub boot_bytes: u64,
    /// Whether a hardware abstraction layer brings the memory map, all but the model region.
    pub mapped_by_hal: bool,
    /// A linker script in `firmware/link/` that belongs to the board's chip.
    pub script: Option<&'static str>,
}

/// How a board takes a new program; `chip` is the chip's name in the tool probe-rs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by", deny_unknown_fields)]
pub enum Flasher {
    /// A UF2 file copied to the drive that the boot loader shows.
    Uf2 {
        /// The chip.
        chip: &'static str,
        /// The UF2 family of the chip.
        family: u32,
        /// Whether what is of the family "absolute" is for it too.
        #[serde(skip_serializing, default)]
        takes_absolute: bool,
        /// `Board-ID` in the drive's `INFO_UF2.TXT`.
        board_id: &'static str,
        /// How a person starts the boot loader.
        hint: &'static str,
    },
    /// A hex file copied to the drive of the board's DAPLink interface.
    Daplink {
        /// The chip.
        chip: &'static str,
        /// What the `Unique ID` in the drive's `DETAILS.TXT` begins with.
        #[serde(deserialize_with = "crate::table::kept")]
        ids: &'static [&'static str],
    },
    /// A debug probe, by the tool probe-rs.
    Probe {
        /// The chip.
        chip: &'static str,
    },
    /// The serial boot loader of Espressif's chips, by the tool espflash.
    Espflash {
        /// The chip; that tool calls it the same.
        chip: &'static str,
        /// The chip's number in what its boot loader takes.
        id: u16,
    },
}

impl Flasher {
    /// The name of the board's chip in the tool probe-rs.
    #[must_use]
    pub fn chip(self) -> &'static str {
        match self {
            Flasher::Uf2 { chip, .. }
            | Flasher::Daplink { chip, .. }
            | Flasher::Probe { chip }
            | Flasher::Espflash { chip, .. } => chip,
        }
    }
}

/// A machine that an emulator models.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Machine {
    /// The emulator's program.
    pub program: &'static str,
    /// The name of the machine there.
    pub machine: &'static str,
    /// How fast the clock that the firmware counts runs, in virtual time.
    pub ticks_per_second: u64,
    /// What virtual time passes by; none where that tells nothing of the chip's speed.
    pub unit: Option<Unit>,
}

/// What an emulator counts, and so what the benchmark measures in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Instructions of QEMU, each of which takes a nanosecond.
    Instructions,
    /// Cycles of rp2040js at 125 MHz. Loads take two and taken branches as many as on the chip; flash
    /// is never waited for, as if everything were in its cache.
    Cycles,
}

impl Unit {
    /// Its name in the plural.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Unit::Instructions => "instructions",
            Unit::Cycles => "cycles",
        }
    }

    /// How many pass in a second of virtual time.
    #[must_use]
    pub fn per_second(self) -> f64 {
        match self {
            Unit::Instructions => 1e9,
            Unit::Cycles => 125e6,
        }
    }

    /// How many an instruction of the calibration loop takes: it is half subtractions, half branches.
    #[must_use]
    pub fn per_loop_instruction(self) -> f64 {
        match self {
            Unit::Instructions => 1.0,
            Unit::Cycles => 1.5,
        }
    }
}

/// What the speed of a board is estimated from, as its program sets the chip up.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Speed {
    /// The processor's clock.
    pub mega_hertz: f64,
    /// Loads and taken branches take more than a cycle, on some chips flash does too.
    pub cycles_per_instruction: f64,
    /// To fetch a byte of an image that is not copied to RAM; 0 where flash is as fast as RAM.
    #[serde(default)]
    pub flash_cycles_per_byte: f64,
}

/// A kind of USB device behind which boards may be.
#[derive(Debug, Clone, Copy)]
pub struct Device {
    /// What it is, for people.
    pub what: &'static str,
    /// The vendor's number.
    pub vendor: u16,
    /// The numbers of the products; none for all of the vendor's.
    pub products: &'static [u16],
    /// Whether many boards have it for their serial port, not only those of ours.
    pub is_adapter: bool,
    /// The boards that may be behind its serial port.
    pub boards: &'static [&'static str],
}
