//! `inkling boards`: the list of supported boards.

use std::io::{self, Write};

use anyhow::Result;

use crate::device::board::{Alias, Flasher};
use crate::device::{BOARDS, Board};
use crate::output::{self, Output, table};
use crate::toolchain::{rp2040js, rp2350};

/// List the supported boards.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Show all that is known of each board
    #[arg(long, short)]
    verbose: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Prints them.
pub fn run(args: &Args) -> Result<()> {
    if args.json {
        writeln!(
            output::stdout(),
            "{}",
            serde_json::to_string_pretty(*BOARDS)?
        )?;
        return Ok(());
    }
    let mut out = output::prose();
    if args.verbose {
        for board in BOARDS.iter() {
            describe(&mut out, board)?;
        }
    } else {
        list(&mut out)?;
    }
    Ok(())
}

/// One row per board.
fn list(out: &mut Output) -> io::Result<()> {
    let mut rows = table(&["board", "what", "flash", "RAM", "flashed by"], 2..4);
    for board in BOARDS.iter() {
        rows.add_row([
            board.name,
            board.description,
            &size(board.flash_bytes),
            &size(board.ram_bytes),
            board.flasher.map_or("emulated only", tool),
        ]);
    }
    writeln!(out, "{}\n", rows.trim_fmt())?;
    let emulated: Vec<_> = BOARDS
        .iter()
        .filter(|board| board.flasher.is_some() && board.emulator.is_some())
        .map(|board| board.name)
        .collect();
    writeln!(out, "emulated as well  {}", emulated.join(", "))?;
    writeln!(out, "other names:")?;
    for board in BOARDS.iter().filter(|board| !board.aliases.is_empty()) {
        let names: Vec<_> = board.aliases.iter().map(|alias| alias.name).collect();
        writeln!(out, "  {:<15} {}", board.name, names.join(", "))?;
    }
    Ok(())
}

/// All about one board.
fn describe(out: &mut Output, board: &Board) -> io::Result<()> {
    writeln!(out, "{}: {}", board.name, board.description)?;
    let mut line = |title: &str, value: String| writeln!(out, "  {title:<12}  {value}");
    line("core", format!("{}, target {}", board.core, board.target))?;
    let (flash, ram) = (size(board.flash_bytes), size(board.ram_bytes));
    line("memory", format!("{flash} of flash, {ram} of RAM"))?;
    if let Some(region) = board.model_region {
        let bytes = size(region.bytes);
        let address = region.address;
        line(
            "model",
            format!("{bytes} of the flash for one by itself, at {address:#x}"),
        )?;
    }
    if let Some(flasher) = board.flasher {
        let hint = match flasher {
            Flasher::Uf2 { hint, .. } => format!(": {hint}"),
            _ => String::new(),
        };
        line("flashed by", format!("{}{hint}", tool(flasher)))?;
    }
    if let Some(machine) = board.emulator {
        let name = machine.machine;
        let program = match machine.program {
            rp2040js::NODE => format!("{name}, which node runs"),
            rp2350::PROGRAM => format!("{name}, in the checkout's own {}", rp2350::PROGRAM),
            program => format!("{program} -M {name}"),
        };
        line("emulated by", program)?;
    }
    for Alias { name, note } in board.aliases {
        let note = note.map_or_else(String::new, |note| format!(": {note}"));
        line("other name", format!("{name}{note}"))?;
    }
    writeln!(out)
}

fn tool(flasher: Flasher) -> &'static str {
    match flasher {
        Flasher::Uf2 { .. } | Flasher::Daplink { .. } => "its drive",
        Flasher::Probe { .. } => "probe-rs",
        Flasher::Espflash { .. } => "espflash",
    }
}

fn size(bytes: u64) -> String {
    match bytes / 1024 {
        kib if kib % 1024 == 0 => format!("{} MiB", kib / 1024),
        kib => format!("{kib} KiB"),
    }
}
