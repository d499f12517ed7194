//! `host boards`: the list of supported boards.

use std::io::Write;

use anyhow::Result;
use comfy_table::{Table, presets};

use crate::device::board::{Alias, Flasher};
use crate::device::{BOARDS, Board};
use crate::output;

/// List the supported boards.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Columns of the table; targets are in the JSON.
const COLUMNS: usize = 7;

/// Prints them.
pub fn run(args: &Args) -> Result<()> {
    let mut out = output::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string_pretty(BOARDS)?)?;
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let header: [&str; COLUMNS] = [
        "board",
        "what",
        "core",
        "flash",
        "RAM",
        "emulated by",
        "flashed by",
    ];
    table.set_header(header);
    for board in BOARDS {
        table.add_row(row(board));
    }
    writeln!(out, "{table}\n\nOther names:")?;
    for board in BOARDS {
        for Alias { name, note } in board.aliases {
            let note = note.map_or_else(String::new, |note| format!(": {note}"));
            writeln!(out, " {name} is {}{note}", board.name)?;
        }
    }
    Ok(())
}

fn row(board: &Board) -> [String; COLUMNS] {
    let emulator = board.emulator.map_or_else(
        || "-".into(),
        |machine| format!("{} -M {}", machine.program, machine.machine),
    );
    [
        board.name.into(),
        board.description.into(),
        board.core.into(),
        kib(board.flash_bytes),
        kib(board.ram_bytes),
        emulator,
        flasher(board).into(),
    ]
}

fn flasher(board: &Board) -> &'static str {
    match board.flasher {
        Some(Flasher::Uf2 { .. } | Flasher::Daplink { .. }) => "copying to its drive",
        Some(Flasher::Probe { .. }) => "probe-rs",
        Some(Flasher::Espflash { .. }) => "espflash",
        None => "emulated only",
    }
}

fn kib(bytes: u64) -> String {
    format!("{} KiB", bytes / 1024)
}
