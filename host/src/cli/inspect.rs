//! `inspect`: what is inside a model image.

use std::path::PathBuf;

use serde::Serialize;

use super::model::{Shape, image_path};
use crate::device::BOARDS;
use crate::image::AlignedImage;

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

/// Whether a board's flash holds the model and, by a generous estimate, the program.
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
            .map(|(name, bytes)| Section { name, bytes })
            .collect(),
        boards: BOARDS
            .iter()
            .map(|board| Fit {
                board: board.name,
                fits: model.image_bytes() as u64 + board.program_bytes()
                    <= board.program_area_bytes(),
            })
            .collect(),
    };
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report);
    }
    Ok(())
}

fn print(report: &Report) {
    println!("name      {}", report.name);
    println!(
        "image     {} bytes, checksum {}",
        report.shape.image_bytes, report.checksum
    );
    println!("shape     {}", report.shape);
    println!("alphabet  {:?}", report.alphabet);
    println!("sections");
    for section in &report.sections {
        println!("  {:<18} {:>7} bytes", section.name, section.bytes);
    }
    println!("boards");
    for fit in &report.boards {
        let verdict = if fit.fits { "fits" } else { "too large" };
        println!("  {:<18} {verdict}", fit.board);
    }
}
