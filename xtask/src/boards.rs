//! `cargo xtask boards`: builds the firmware for every board and shows what it takes.

use std::time::{Duration, Instant};

use anyhow::bail;
use comfy_table::{CellAlignment, Table, presets};
use host::device::{self, BOARDS, Board, Firmware, Fit, Program};
use host::image;
use host::paths;
use serde::Serialize;

/// Options of `boards`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these boards [default: all]
    boards: Vec<String>,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// What a board takes, as the file of results holds it.
#[derive(Debug, Serialize)]
struct Figures {
    core: &'static str,
    #[serde(flatten)]
    fit: Fit,
}

/// Builds for each board around the model that ships, and fails if one has too little room.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let boards: Vec<&'static Board> = match args.boards.as_slice() {
        [] => BOARDS.iter().collect(),
        names => names
            .iter()
            .map(|name| device::find(name))
            .collect::<Result<_, _>>()?,
    };
    let model = image::open(&paths::default_model())?;
    let model_bytes = model.bytes().len() as u64;
    let mut table = new_table();
    let mut all = Vec::new();
    let mut faults = Vec::new();
    for board in boards {
        eprintln!("building for {}", board.name);
        let start = Instant::now();
        // The tests on emulators use the same programs.
        let firmware = Firmware::with_room(board, Program::Console)?;
        let time = start.elapsed();
        let fit = Fit::of(&firmware, model_bytes);
        faults.extend(fit.faults());
        table.add_row(row(board, &fit, time));
        all.push(Figures {
            core: board.core,
            fit,
        });
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        println!("{table}");
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    Ok(())
}

const COLUMNS: [&str; 8] = [
    "board",
    "core",
    "program",
    "model",
    "of flash",
    "static RAM",
    "left for the stack",
    "built in",
];

fn new_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(COLUMNS);
    for column in table.column_iter_mut().skip(2) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn row(board: &Board, fit: &Fit, time: Duration) -> [String; COLUMNS.len()] {
    [
        board.name.into(),
        board.core.into(),
        fit.program_bytes.to_string(),
        fit.model_bytes.to_string(),
        fit.flash_bytes.to_string(),
        fit.static_ram_bytes.to_string(),
        fit.stack_bytes.to_string(),
        format!("{:.1} s", time.as_secs_f64()),
    ]
}
