//! The boards that the firmware runs on: what they have and how they are reached.
//!
//! A board's name is also the cargo feature of `firmware` that builds for it. Boards that take the same
//! program are other names of one.

use firmware::session::FEW_MODEL_WORDS;
use inkling_engine::format::Dimensions;
use inkling_engine::state::{MAX_STATE_WORDS, state_words};
use serde::Serialize;

use super::build::PROGRAM_BYTES;
use super::error::DeviceError;
use crate::toolchain::rp2040js;

/// The board that is used when none is named.
pub const DEFAULT_BOARD: &str = "mps2-an386";

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
    /// Where a model can be flashed by itself, apart from the program.
    pub model_region: Option<Region>,
    /// How it is emulated, if it can be.
    pub emulator: Option<Machine>,
    /// How it is flashed; `None` for boards that exist in emulators only.
    pub flasher: Option<Flasher>,
}

impl Board {
    /// The flash for the program and the model that is linked into it: what is in front of the
    /// model region.
    #[must_use]
    pub fn program_area_bytes(&self) -> u64 {
        self.flash_bytes - self.model_region.map_or(0, |region| region.bytes)
    }

    /// RAM that a model can work in.
    #[must_use]
    pub fn model_memory_bytes(&self) -> usize {
        4 * match self.name {
            "microbit" => FEW_MODEL_WORDS,
            _ => MAX_STATE_WORDS,
        }
    }

    /// Whether the board holds a model beside the program, in flash and in RAM.
    #[must_use]
    pub fn holds(&self, dimensions: &Dimensions) -> bool {
        dimensions.image_bytes() as u64 + self.program_bytes() <= self.program_area_bytes()
            && 4 * state_words(dimensions) <= self.model_memory_bytes()
    }

    /// Flash that is kept for the program when a model is checked before building. Chips with USB or a
    /// large abstraction layer have plenty.
    #[must_use]
    pub fn program_bytes(&self) -> u64 {
        if self.flash_bytes < MIB {
            PROGRAM_BYTES
        } else {
            PROGRAM_BYTES + 32 * KIB
        }
    }
}

/// Another name for a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Alias {
    /// The name.
    pub name: &'static str,
    /// What is different on the board that has it.
    pub note: Option<&'static str>,
}

const fn alias(name: &'static str) -> Alias {
    Alias { name, note: None }
}

const fn noted(name: &'static str, note: &'static str) -> Alias {
    Alias {
        name,
        note: Some(note),
    }
}

/// What works on boards whose light is not where the program looks for it.
const LED_ON_RADIO: &str = "its LED hangs on the radio chip and stays dark; everything else works";
const LED_IS_BUTTON: &str =
    "its LED stays dark, for the program's light is where it has a button; everything else works";

/// A part of a board's flash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Region {
    /// Its first address.
    pub address: u64,
    /// Its length.
    pub bytes: u64,
}

/// How a board takes a new program; `chip` is the chip's name in the tool probe-rs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum Flasher {
    /// A UF2 file copied to the drive that the boot loader shows.
    Uf2 {
        /// The chip.
        chip: &'static str,
        /// The UF2 family of the chip.
        family: u32,
        /// Whether what is of the family "absolute" is for it too.
        #[serde(skip)]
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

/// A machine that an emulator models; see the module `emulate` for how each program is started.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Machine {
    /// The emulator's program.
    pub program: &'static str,
    /// The name of the machine there.
    pub machine: &'static str,
    /// How fast the clock that the firmware counts runs, in virtual time.
    pub ticks_per_second: u64,
    /// What virtual time passes by.
    pub unit: Unit,
}

/// What an emulator counts, and so what the benchmark measures in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
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
    pub(super) fn per_second(self) -> f64 {
        match self {
            Unit::Instructions => 1e9,
            Unit::Cycles => 125e6,
        }
    }

    /// How many an instruction of the calibration loop takes: it is half subtractions, half branches.
    pub(super) fn per_loop_instruction(self) -> f64 {
        match self {
            Unit::Instructions => 1.0,
            Unit::Cycles => 1.5,
        }
    }
}

/// The emulator of the RP2040, which node runs; the firmware counts microseconds there.
const RP2040JS: Machine = Machine {
    program: rp2040js::NODE,
    machine: "rp2040js",
    ticks_per_second: 1_000_000,
    unit: Unit::Cycles,
};

/// All supported boards, first those that people own.
pub const BOARDS: &[Board] = &[
    Board {
        name: "pico",
        aliases: &[
            noted("pico-w", LED_ON_RADIO),
            alias("pico-h"),
            alias("rp2040"),
        ],
        description: "Raspberry Pi Pico (RP2040)",
        core: "Cortex-M0+",
        target: "thumbv6m-none-eabi",
        flash_bytes: 2 * MIB,
        ram_bytes: 264 * KIB,
        model_region: Some(Region {
            address: 0x1010_0000,
            bytes: MIB,
        }),
        emulator: Some(RP2040JS),
        flasher: Some(Flasher::Uf2 {
            chip: "RP2040",
            family: 0xE48B_FF56,
            takes_absolute: false,
            board_id: "RPI-RP2",
            hint: "hold BOOTSEL while you plug the board in",
        }),
    },
    Board {
        name: "pico2",
        aliases: &[noted("pico2-w", LED_ON_RADIO), alias("rp2350")],
        description: "Raspberry Pi Pico 2 (RP2350)",
        core: "Cortex-M33",
        target: "thumbv8m.main-none-eabihf",
        flash_bytes: 4 * MIB,
        ram_bytes: 520 * KIB,
        model_region: Some(Region {
            address: 0x1020_0000,
            bytes: 2 * MIB,
        }),
        emulator: None,
        flasher: Some(Flasher::Uf2 {
            chip: "RP235x",
            family: 0xE48B_FF59,
            takes_absolute: true,
            board_id: "RP2350",
            hint: "hold BOOTSEL while you plug the board in",
        }),
    },
    Board {
        name: "microbit-v2",
        aliases: &[],
        description: "BBC micro:bit v2 (nRF52833)",
        core: "Cortex-M4F",
        target: "thumbv7em-none-eabihf",
        flash_bytes: 512 * KIB,
        ram_bytes: 128 * KIB,
        model_region: Some(Region {
            address: 0x4_0000,
            bytes: 256 * KIB,
        }),
        emulator: None,
        flasher: Some(Flasher::Daplink {
            chip: "nRF52833_xxAA",
            ids: &["9903", "9904", "9905", "9906"],
        }),
    },
    Board {
        name: "microbit",
        aliases: &[alias("microbit-v1")],
        description: "BBC micro:bit v1 (nRF51822)",
        core: "Cortex-M0",
        target: "thumbv6m-none-eabi",
        flash_bytes: 256 * KIB,
        ram_bytes: 16 * KIB,
        // Half of the flash would hold no program with a model of the usual size.
        model_region: None,
        emulator: Some(qemu(ARM, "microbit", 16_000_000)),
        flasher: Some(Flasher::Daplink {
            chip: "nRF51822_xxAA",
            ids: &["9900", "9901"],
        }),
    },
    Board {
        name: "nrf52840-dk",
        aliases: &[alias("pca10056")],
        description: "Nordic nRF52840-DK",
        core: "Cortex-M4F",
        target: "thumbv7em-none-eabihf",
        flash_bytes: MIB,
        ram_bytes: 256 * KIB,
        model_region: Some(Region {
            address: 0x8_0000,
            bytes: 512 * KIB,
        }),
        emulator: None,
        flasher: Some(Flasher::Probe {
            chip: "nRF52840_xxAA",
        }),
    },
    Board {
        name: "blackpill",
        aliases: &[
            noted("nucleo-f411re", LED_IS_BUTTON),
            noted("nucleo", LED_IS_BUTTON),
            alias("stm32f411"),
        ],
        description: "Black Pill, Nucleo (STM32F411)",
        core: "Cortex-M4F",
        target: "thumbv7em-none-eabihf",
        flash_bytes: 512 * KIB,
        ram_bytes: 128 * KIB,
        model_region: Some(Region {
            address: 0x0804_0000,
            bytes: 256 * KIB,
        }),
        emulator: None,
        flasher: Some(Flasher::Probe {
            chip: "STM32F411CEUx",
        }),
    },
    Board {
        name: "esp32c3",
        aliases: &[
            alias("esp32c3-supermini"),
            noted(
                "esp32c3-devkitm-1",
                "its LED is one of many colours and stays dark; everything else works",
            ),
        ],
        description: "Espressif ESP32-C3",
        core: "RISC-V RV32IMC",
        target: "riscv32imc-unknown-none-elf",
        flash_bytes: 4 * MIB,
        ram_bytes: 400 * KIB,
        model_region: Some(Region {
            address: 0x3C20_0000,
            bytes: 2 * MIB,
        }),
        emulator: None,
        flasher: Some(Flasher::Espflash {
            chip: "esp32c3",
            id: 5,
        }),
    },
    Board {
        name: "netduinoplus2",
        aliases: &[],
        description: "Netduino Plus 2 (STM32F405)",
        core: "Cortex-M4F",
        target: "thumbv7em-none-eabihf",
        flash_bytes: MIB,
        ram_bytes: 128 * KIB,
        model_region: None,
        emulator: Some(qemu(ARM, "netduinoplus2", 1_000_000_000 / 16)),
        flasher: None,
    },
    Board {
        name: "riscv-virt",
        aliases: &[],
        description: "QEMU's RISC-V machine",
        core: "RISC-V RV32IMC",
        target: "riscv32imc-unknown-none-elf",
        flash_bytes: 4 * MIB,
        ram_bytes: 4 * MIB,
        model_region: None,
        emulator: Some(qemu("qemu-system-riscv32", "virt", 10_000_000)),
        flasher: None,
    },
    mps2(
        "mps2-an385",
        "Arm MPS2, image AN385",
        "Cortex-M3",
        "thumbv7m-none-eabi",
    ),
    mps2(
        "mps2-an386",
        "Arm MPS2, image AN386",
        "Cortex-M4F",
        "thumbv7em-none-eabihf",
    ),
    mps2(
        "mps2-an500",
        "Arm MPS2, image AN500",
        "Cortex-M7F",
        "thumbv7em-none-eabihf",
    ),
    Board {
        ram_bytes: 2 * MIB,
        emulator: Some(qemu(ARM, "mps2-an505", 20_000_000)),
        ..mps2(
            "mps2-an505",
            "Arm MPS2, image AN505",
            "Cortex-M33",
            "thumbv8m.main-none-eabihf",
        )
    },
];

const ARM: &str = "qemu-system-arm";

const KIB: u64 = 1024;
const MIB: u64 = 1024 * KIB;

const fn mps2(
    name: &'static str,
    description: &'static str,
    core: &'static str,
    target: &'static str,
) -> Board {
    Board {
        name,
        aliases: &[],
        description,
        core,
        target,
        flash_bytes: 4 * MIB,
        ram_bytes: 4 * MIB,
        emulator: Some(qemu(ARM, name, 25_000_000)),
        model_region: None,
        flasher: None,
    }
}

const fn qemu(program: &'static str, machine: &'static str, ticks_per_second: u64) -> Machine {
    Machine {
        program,
        machine,
        ticks_per_second,
        unit: Unit::Instructions,
    }
}

/// The board of that name, or of that other name: capitals and what stands between words do not count.
///
/// # Errors
/// When there is none; the message lists those there are.
pub fn find(name: &str) -> Result<&'static Board, DeviceError> {
    BOARDS
        .iter()
        .find(|board| is_same(board.name, name) || alias_of(board, name).is_some())
        .ok_or_else(|| DeviceError::UnknownBoard { name: name.into() })
}

/// What is different on the board that has this name, if it is another name of a board's.
#[must_use]
pub fn note_on(name: &str) -> Option<&'static str> {
    BOARDS.iter().find_map(|board| alias_of(board, name))?.note
}

fn alias_of(board: &Board, name: &str) -> Option<&'static Alias> {
    board.aliases.iter().find(|alias| is_same(alias.name, name))
}

fn is_same(name: &str, typed: &str) -> bool {
    let plain = |name: &str| -> String {
        name.chars()
            .filter(|c| !matches!(c, '-' | '_' | ' ' | ':'))
            .map(|c| c.to_ascii_lowercase())
            .collect()
    };
    plain(name) == plain(typed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_board_has_its_feature_and_its_memory_map() {
        let firmware = concat!(env!("CARGO_MANIFEST_DIR"), "/../firmware");
        let manifest = std::fs::read_to_string(format!("{firmware}/Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        for board in BOARDS {
            assert!(
                manifest["features"].get(board.name).is_some(),
                "{}",
                board.name
            );
            let map = format!("{firmware}/memory/{}.x", board.name);
            assert!(std::path::Path::new(&map).is_file(), "{map}");
        }
    }

    /// The memory regions of a linker script: name, origin, length.
    fn regions(script: &str) -> Vec<(String, u64, u64)> {
        let number = |text: &str| {
            let text = text.trim();
            let (digits, unit) = match text.split_at(text.len() - 1) {
                (digits, "K") => (digits, KIB),
                (digits, "M") => (digits, MIB),
                _ => (text, 1),
            };
            let digits = digits.trim();
            let number = match digits.strip_prefix("0x") {
                Some(hex) => u64::from_str_radix(hex, 16),
                None => digits.parse(),
            };
            number.unwrap_or_else(|error| panic!("{text}: {error}")) * unit
        };
        let difference = |text: &str| text.split('-').map(number).reduce(|a, b| a - b).unwrap();
        let region = |line: &str| {
            let (name, place) = line.split_once(": ORIGIN = ")?;
            let (origin, length) = place.split_once(", LENGTH = ")?;
            let name = name.split_whitespace().next()?.to_owned();
            Some((name, difference(origin), difference(length)))
        };
        script.lines().filter_map(region).collect()
    }

    #[test]
    fn the_list_and_the_memory_maps_agree() {
        for board in BOARDS {
            let firmware = concat!(env!("CARGO_MANIFEST_DIR"), "/../firmware");
            let map = std::fs::read_to_string(format!("{firmware}/memory/{}.x", board.name));
            let map = map.unwrap_or_else(|error| panic!("{}: {error}", board.name));
            let regions = regions(&map);
            let find = |name| regions.iter().find(|region| region.0 == name);

            let model = find("MODEL").map(|&(_, address, bytes)| Region { address, bytes });
            assert_eq!(model, board.model_region, "{}", board.name);
            assert_eq!(map.contains("_model_region_start"), model.is_some());
            if find("RAM").is_none() {
                // The abstraction layer has the rest of the map, which the linker keeps to.
                assert_eq!(board.name, "esp32c3");
                continue;
            }
            if let (Some(&(_, origin, length)), Some(model)) = (find("FLASH"), model) {
                assert_eq!(origin + length, model.address, "{}", board.name);
            }

            let program: u64 = regions
                .iter()
                .filter(|(name, ..)| name != "RAM" && name != "MODEL")
                .map(|region| region.2)
                .sum();
            assert_eq!(program, board.program_area_bytes(), "{}", board.name);
            assert_eq!(find("RAM").unwrap().2, board.ram_bytes, "{}", board.name);
        }
    }

    #[test]
    fn a_board_is_found_by_any_of_its_names() {
        let found = |name| find(name).unwrap().name;
        assert_eq!(found("microbit-v1"), "microbit");
        assert_eq!(found("pico-w"), "pico");
        assert_eq!(found("Pico_2W"), "pico2");
        assert_eq!(found("nucleo"), "blackpill");
        assert_eq!(found("NUCLEO-F411RE"), "blackpill");
        assert_eq!(found("micro:bit v2"), "microbit-v2");
        assert_eq!(found("ESP32-C3"), "esp32c3");
        assert!(find("").is_err());
        assert!(note_on("picow").unwrap().contains("LED"));
        assert_eq!(note_on("pico"), None);
        // No name is that of two boards.
        for board in BOARDS {
            for alias in board.aliases {
                let others = BOARDS.iter().flat_map(|other| {
                    let names = other.aliases.iter().map(|alias| alias.name);
                    names.chain([other.name])
                });
                assert_eq!(others.filter(|name| is_same(name, alias.name)).count(), 1);
            }
        }
    }

    #[test]
    fn an_unknown_board_is_answered_with_the_known_ones() {
        let error = find("abacus").unwrap_err().to_string();
        assert!(error.contains("abacus") && error.contains(DEFAULT_BOARD));
    }
}
