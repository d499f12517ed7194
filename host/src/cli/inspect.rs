//! `inspect`: what is inside a model image.

use std::io::Write;
use std::path::PathBuf;

use inkling_engine::spelling::digit;
use serde::Serialize;

use super::model::{Shape, image_path};
use crate::device::{BOARDS, Prospect};
use crate::figures::symbols_per_character;
use crate::image;
use crate::output::{self, Output, table};
use crate::tensors;
use crate::words::count;

/// Options of `inspect`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model: an image file, or the name of one in weights/
    model: PathBuf,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// What `inspect` prints.
#[derive(Debug, Serialize)]
struct Report {
    name: String,
    checksum: String,
    #[serde(flatten)]
    shape: Shape,
    alphabet: String,
    sections: Vec<Section>,
    boards: Vec<Prospect>,
}

#[derive(Debug, Serialize)]
struct Section {
    name: &'static str,
    bytes: usize,
}

/// Runs `inspect`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let path = image_path(&args.model)?;
    let image = image::open(&path)?;
    let model = image.model()?;
    let stored = tensors::metadata_of(&path.with_extension("safetensors"));
    let steps = symbols_per_character(&stored.unwrap_or_default().into_iter().collect());
    let report = Report {
        name: model.name().to_owned(),
        checksum: format!("{:08x}", model.checksum()),
        shape: Shape::of(&model),
        alphabet: model.alphabet().chars().collect(),
        sections: model
            .dimensions()
            .sections()
            .map(|(section, bytes)| Section {
                name: section.name(),
                bytes,
            })
            .collect(),
        boards: BOARDS
            .iter()
            .map(|board| Prospect::of(board, &model.dimensions()).with_steps(steps))
            .collect(),
    };
    if args.json {
        writeln!(output::stdout(), "{}", serde_json::to_string(&report)?)?;
    } else {
        print(&mut output::prose(), &report)?;
    }
    Ok(())
}

fn print(out: &mut Output, report: &Report) -> std::io::Result<()> {
    writeln!(out, "name      {}", output::one_line(&report.name))?;
    writeln!(
        out,
        "image     {} bytes, checksum {}",
        report.shape.image_bytes, report.checksum
    )?;
    writeln!(out, "shape     {}", report.shape)?;
    let symbols = report.alphabet.chars();
    let (digits, own): (String, String) = symbols.partition(|&c| digit(c.into()).is_some());
    writeln!(out, "alphabet  {own:?}")?;
    match digits.chars().count() {
        0 => {}
        digits => writeln!(
            out,
            "          and {}, three of which spell a character",
            count(digits, "digit")
        )?,
    }
    writeln!(out, "sections")?;
    for section in &report.sections {
        writeln!(out, "  {:<18} {:>7} bytes", section.name, section.bytes)?;
    }
    let (owned, emulated): (Vec<_>, Vec<_>) = report
        .boards
        .iter()
        .partition(|board| board.characters_per_second.is_some());
    let titles = ["board", "flash left", "characters/s, about"];
    let mut rows = table(&titles, 1..3);
    for board in owned {
        rows.add_row([board.board.clone(), board.room(), board.speed()]);
    }
    writeln!(out, "\n{}", rows.trim_fmt())?;
    let fitting = emulated.iter().filter(|board| board.fits).count();
    writeln!(
        out,
        "Of {} that exist in emulators only, {fitting} hold it.",
        count(emulated.len(), "board")
    )
}
