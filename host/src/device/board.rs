//! The boards that the firmware runs on: what they have and how they are reached.
//!
//! A board's name is also the cargo feature of `firmware` that builds for it.

use serde::Serialize;

use super::error::DeviceError;

/// The board that is used when none is named.
pub const DEFAULT_BOARD: &str = "mps2-an386";

/// One supported board.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Board {
    /// Its name, also that of the firmware's cargo feature.
    pub name: &'static str,
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
    /// How it is emulated, if it can be.
    pub emulator: Option<Machine>,
    /// How it is flashed.
    pub flashed: &'static str,
}

/// A machine that QEMU models.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Machine {
    /// The emulator's program.
    pub program: &'static str,
    /// The name of the machine there.
    pub machine: &'static str,
    /// How fast the clock that the firmware counts runs, in virtual time.
    pub ticks_per_second: u64,
}

/// All supported boards.
pub const BOARDS: &[Board] = &[
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
        emulator: Some(qemu_arm("mps2-an505", 20_000_000)),
        ..mps2(
            "mps2-an505",
            "Arm MPS2, image AN505",
            "Cortex-M33",
            "thumbv8m.main-none-eabihf",
        )
    },
    Board {
        name: "microbit",
        description: "BBC micro:bit v1 (nRF51822)",
        core: "Cortex-M0",
        target: "thumbv6m-none-eabi",
        flash_bytes: 256 * KIB,
        ram_bytes: 16 * KIB,
        emulator: Some(qemu_arm("microbit", 16_000_000)),
        flashed: "emulated only",
    },
];

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
        description,
        core,
        target,
        flash_bytes: 4 * MIB,
        ram_bytes: 4 * MIB,
        emulator: Some(qemu_arm(name, 25_000_000)),
        flashed: "emulated only",
    }
}

const fn qemu_arm(machine: &'static str, ticks_per_second: u64) -> Machine {
    Machine {
        program: "qemu-system-arm",
        machine,
        ticks_per_second,
    }
}

/// The board of that name.
///
/// # Errors
/// When there is none; the message lists those there are.
pub fn find(name: &str) -> Result<&'static Board, DeviceError> {
    BOARDS
        .iter()
        .find(|board| board.name == name)
        .ok_or_else(|| DeviceError::UnknownBoard { name: name.into() })
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

    #[test]
    fn an_unknown_board_is_answered_with_the_known_ones() {
        let error = find("abacus").unwrap_err().to_string();
        assert!(error.contains("abacus") && error.contains(DEFAULT_BOARD));
    }
}
