//! `inspect`: what is inside a model image.

use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::model::{Shape, image_path};
use crate::device::BOARDS;
use crate::image::AlignedImage;
use crate::output::{self, Output};

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
    boards: Vec<Fit>,
}

#[derive(Debug, Serialize)]
struct Section {
    name: &'static str,
    bytes: usize,
}

/// Whether a board holds the model and, by a generous estimate, the program.
#[derive(Debug, Serialize)]
struct Fit {
    board: &'static str,
    fits: bool,
}

/// Runs `inspect`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let image = AlignedImage::open(&image_path(&args.model)?)?;
    let model = image.model()?;
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
            .map(|board| Fit {
                board: board.name,
                fits: board.holds(&model.dimensions()),
            })
            .collect(),
    };
    let mut out = output::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?;
    } else {
        print(&mut out, &report)?;
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
    writeln!(out, "alphabet  {:?}", report.alphabet)?;
    writeln!(out, "sections")?;
    for section in &report.sections {
        writeln!(out, "  {:<18} {:>7} bytes", section.name, section.bytes)?;
    }
    writeln!(out, "boards")?;
    for fit in &report.boards {
        let verdict = if fit.fits { "fits" } else { "too large" };
        writeln!(out, "  {:<18} {verdict}", fit.board)?;
    }
    Ok(())
}
