//! `inspect`: what is inside a model image.

use std::io::Write;
use std::path::PathBuf;

use firmware::format::Dimensions;
use firmware::lstm::memory_words;
use serde::Serialize;

use super::model::{Shape, image_path};
use crate::device::{BOARDS, Board, speed};
use crate::image::AlignedImage;
use crate::output::{self, Output, table};
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
    /// Flash that is left beside model and program; less than none where they do not fit.
    flash_left_bytes: i64,
    /// The same of the RAM that models work in.
    ram_left_bytes: i64,
    /// An estimate; none for boards that exist in emulators only.
    characters_per_second: Option<f64>,
}

impl Fit {
    fn of(board: &Board, dimensions: &Dimensions) -> Fit {
        let signed = |bytes| i64::try_from(bytes).unwrap_or(i64::MAX);
        let needed = board.program_bytes() + dimensions.image_bytes() as u64;
        let memory = 4 * memory_words(dimensions);
        Fit {
            board: board.name,
            fits: board.holds(dimensions),
            flash_left_bytes: signed(board.program_area_bytes()) - signed(needed),
            ram_left_bytes: signed(board.model_memory_bytes() as u64) - signed(memory as u64),
            characters_per_second: speed::characters_per_second(board, dimensions),
        }
    }

    /// What is left of the flash, or what is lacking.
    fn room(&self) -> String {
        let kib = |bytes: i64| format!("{} KiB", bytes.unsigned_abs().div_ceil(1024));
        match self {
            Fit { fits: true, .. } => format!("{} KiB", self.flash_left_bytes / 1024),
            Fit {
                flash_left_bytes: left @ ..0,
                ..
            } => format!("{} of flash too little", kib(*left)),
            _ => format!("{} of RAM too little", kib(self.ram_left_bytes)),
        }
    }

    /// How fast it writes, if it does.
    fn speed(&self) -> String {
        let speed = self.characters_per_second.filter(|_| self.fits);
        speed.map_or("-".to_owned(), speed::in_words)
    }
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
            .map(|board| Fit::of(board, &model.dimensions()))
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
    writeln!(out, "alphabet  {:?}", report.alphabet)?;
    writeln!(out, "sections")?;
    for section in &report.sections {
        writeln!(out, "  {:<18} {:>7} bytes", section.name, section.bytes)?;
    }
    let (owned, emulated): (Vec<_>, Vec<_>) = report
        .boards
        .iter()
        .partition(|fit| fit.characters_per_second.is_some());
    let titles = ["board", "flash left", "characters/s, about"];
    let mut rows = table(&titles, 1..3);
    for fit in owned {
        rows.add_row([fit.board.to_owned(), fit.room(), fit.speed()]);
    }
    writeln!(out, "\n{}", rows.trim_fmt())?;
    let fitting = emulated.iter().filter(|fit| fit.fits).count();
    writeln!(
        out,
        "Of {} that exist in emulators only, {fitting} hold it.",
        count(emulated.len(), "board")
    )
}
