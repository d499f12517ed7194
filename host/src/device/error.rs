//! What can go wrong between a PC and a board, each in one sentence with what to do.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::output::one_line;

/// Why a firmware could not be built, booted or talked to.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No board has the name.
    #[error(
        "there is no board '{}'; the boards are {}, and `inkling boards` lists their other names",
        one_line(name),
        known.join(", ")
    )]
    UnknownBoard {
        /// What was asked for.
        name: String,
        /// The names that there are.
        known: Vec<&'static str>,
    },
    /// No emulator has a model of the board.
    #[error("the board {board} cannot be emulated; `inkling boards` lists those that can")]
    NoEmulator {
        /// The board's name.
        board: &'static str,
    },
    /// Its emulator counts neither instructions nor cycles as the chip has them.
    #[error(
        "the emulator of {board} takes one cycle for everything, so that no speed comes of it: name another board with its core"
    )]
    NoUnit {
        /// The board's name.
        board: &'static str,
    },
    /// The model file cannot be read.
    #[error("cannot read the model {}: {reason}", shown(path))]
    ReadModel {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// Model and program together exceed the board's flash for them.
    #[error(
        "the model {} ({image} bytes) and the program (about {program} bytes) do not fit the \
         {flash} bytes of flash that {board} has for them: export a smaller model or choose a larger board",
        shown(path)
    )]
    TooLarge {
        /// The model file.
        path: PathBuf,
        /// Its length.
        image: u64,
        /// Flash kept for the program.
        program: u64,
        /// The board's flash for both.
        flash: u64,
        /// The board's name.
        board: &'static str,
    },
    /// Cargo could not be started.
    #[error("cannot run cargo to build the firmware: {reason}")]
    Cargo {
        /// The system's reason.
        reason: io::Error,
    },
    /// The program is not in a checkout.
    #[error(
        "there is no source here to build the firmware for {board} from: run this in a checkout of Inkling, or \
         flash a firmware file with --firmware"
    )]
    NoSource {
        /// The board's name.
        board: &'static str,
    },
    /// Cargo said above what is wrong.
    #[error(
        "the firmware for {board} did not build, see above; if the target {target} is missing, run \
         `cargo xtask setup`"
    )]
    Build {
        /// The board's name.
        board: &'static str,
        /// The Rust target that was built for.
        target: &'static str,
    },
    /// The linked firmware cannot be read.
    #[error("cannot read the firmware {}: {reason}", shown(path))]
    Elf {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// Another model cannot take the place of the linked one.
    #[error("cannot replace the model of the linked firmware: {0}")]
    Room(String),
    /// The budget file cannot be used.
    #[error("cannot use the budgets {}: {reason}", shown(path))]
    Budgets {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The emulator program is not there.
    #[error("{program} is not installed: run `cargo xtask setup`")]
    EmulatorMissing {
        /// The program's name.
        program: &'static str,
    },
    /// The emulator that is built here is not.
    #[error(transparent)]
    EmulatorNotBuilt(#[from] crate::toolchain::rp2350::Rp2350Error),
    /// The machine has no USB port.
    #[error("the emulated {machine} has no USB port: leave --usb out")]
    NoUsb {
        /// The machine's name.
        machine: &'static str,
    },
    /// The emulator ended by itself.
    #[error("the emulator ended unexpectedly{}", quoted(.said))]
    EmulatorEnded {
        /// What it wrote to its standard error.
        said: String,
    },
    /// The board did not say in time what was waited for.
    #[error("the board did not print '{wanted}' within {timeout:?}; it last printed '{last}'")]
    Timeout {
        /// What was waited for.
        wanted: String,
        /// For how long.
        timeout: Duration,
        /// The end of what came instead.
        last: String,
    },
    /// The prompt cannot be typed at the console.
    #[error(
        "a board takes a prompt of one line of at most {} bytes without control characters",
        firmware::console::LINE_BYTES
    )]
    Prompt,
    /// The bench program's figures make no sense.
    #[error("the bench program failed: {0}")]
    Bench(String),
    /// The model file is not a sound image.
    #[error(transparent)]
    Model(#[from] crate::image::FileError),
    /// Pipes, sockets and temporary files.
    #[error("cannot talk to the emulator: {reason}")]
    Io {
        /// The system's reason.
        reason: io::Error,
    },
}

impl From<io::Error> for DeviceError {
    fn from(reason: io::Error) -> Self {
        DeviceError::Io { reason }
    }
}

/// A path as it stands in a sentence.
pub(super) fn shown(path: &Path) -> String {
    one_line(&path.display().to_string())
}

fn quoted(text: &str) -> String {
    match text.trim() {
        "" => String::new(),
        text => format!(": {text}"),
    }
}
