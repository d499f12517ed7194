//! `host run`: what `cargo run` in `firmware/` does with the program it has linked.

use std::path::PathBuf;

use anyhow::Result;

use super::{emulate, flash};
use crate::device::Firmware;

/// Flash a linked firmware to its board, or boot it if the board exists in emulators only.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The linked firmware, which tells which board it is for
    #[arg(value_name = "FILE")]
    elf: PathBuf,
    /// Boot it even if it could be flashed
    #[arg(long)]
    emulate: bool,
}

/// Runs it.
pub fn run(args: Args) -> Result<()> {
    let firmware = Firmware::open(&args.elf)?;
    if args.emulate || firmware.board.flasher.is_none() {
        return emulate::boot(&firmware);
    }
    flash::linked(args.elf)
}
