//! `eval`: how well models predict a text, with the board's own arithmetic.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use comfy_table::Table;
use serde::Serialize;

use super::model::{Shape, TextArgs, bar, folder_of, image_path};
use inkling_engine::state::state_words;

use crate::compare::Comparison;
use crate::corpus::{Alphabet, Encoded, in_words};
use crate::evaluate::{Saturation, bits, engine_block_loss, engine_loss};
use crate::export::comes_from;
use crate::image;
use crate::name::Name;
use crate::output::{self, Output, table};
use crate::quantize::FloatModel;
use crate::runs;
use crate::words::count;
use crate::{note, paths};
use inkling_engine::AlignedImage;

/// Enough characters to see how often numbers are at their ends.
const SATURATION_CHARACTERS: usize = 20_000;

/// Options of `eval`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The models: image files, or names of those in weights/
    #[arg(required = true, value_name = "MODEL")]
    models: Vec<PathBuf>,
    /// The run it was exported from, for float loss and gap [default: the run of the model's name]
    #[arg(long, value_name = "RUN")]
    float: Option<PathBuf>,
    /// Also measure on independent blocks of so many characters, as transformers of that context are
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    blocks: Option<u32>,
    /// Also say how compressors do on the same part, and how much of what the model writes are words of
    /// the text and copies from it
    #[arg(long)]
    compare: bool,
    #[command(flatten)]
    text: TextArgs,
    /// Print everything about each of several models
    #[arg(long, short)]
    verbose: bool,
    /// Print one line of JSON per model
    #[arg(long)]
    json: bool,
}

/// What `eval` prints of a model.
#[derive(Debug, Serialize)]
struct Report {
    model: String,
    engine_loss_nats: f64,
    bits_per_char: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    float_loss_nats: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gap_nats: Option<f64>,
    perplexity: f64,
    characters: usize,
    /// How many symbols a character takes, where some are spelt.
    #[serde(skip_serializing_if = "Option::is_none")]
    symbols_per_character: Option<f64>,
    /// In how many places of the text; in one, as one stream.
    places: usize,
    #[serde(flatten)]
    blocks: Option<Blocks>,
    /// Shares of numbers at the ends of their ranges.
    saturation: Saturation,
    saturation_characters: usize,
    #[serde(flatten)]
    shape: Shape,
    /// Memory of the engine's state on a board.
    ram_bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    comparison: Option<Comparison>,
}

/// What `--blocks` adds.
#[derive(Debug, Serialize)]
struct Blocks {
    block_characters: u32,
    /// None where the text is shorter than a block.
    block_loss_nats: Option<f64>,
}

/// Runs `eval`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    ensure!(
        args.float.is_none() || args.models.len() == 1,
        "--float names the run of one model: evaluate the others without it"
    );
    let mut reports = Vec::new();
    for model in &args.models {
        let report = match measure(args, model) {
            Ok(report) => report,
            Err(error) if args.models.len() == 1 => return Err(error),
            // The others are measured all the same.
            Err(error) => {
                note!("{}: {error:#}", model.display());
                continue;
            }
        };
        if args.json {
            writeln!(output::stdout(), "{}", serde_json::to_string(&report)?)?;
        }
        reports.push(report);
    }
    let mut out = output::prose();
    match &reports[..] {
        _ if args.json => {}
        [] => {}
        [report] => print(&mut out, report)?,
        reports => {
            writeln!(out, "{}", compared(reports).trim_fmt())?;
            for report in reports {
                if args.verbose {
                    writeln!(out)?;
                    print(&mut out, report)?;
                } else if let Some(comparison) = &report.comparison {
                    writeln!(out, "\n{}\n{comparison}", output::one_line(&report.model))?;
                }
            }
        }
    }
    let failed = args.models.len() - reports.len();
    ensure!(
        failed == 0,
        "{failed} of {} models could not be measured, see above",
        args.models.len()
    );
    Ok(())
}

/// Measures one model.
fn measure(args: &Args, model: &Path) -> anyhow::Result<Report> {
    let image = image::open(&image_path(model)?)?;
    let model = image.model()?;
    let alphabet: String = model.alphabet().chars().collect();
    let float = match &args.float {
        Some(run) => {
            let (path, float) = runs::load_weights(run)?;
            ensure!(
                float.alphabet.iter().copied().eq(alphabet.chars()),
                "{} knows other characters than {}: it was not exported from that run",
                model.name(),
                run.display()
            );
            Some((path, float))
        }
        None => origin(&image, model.name()),
    };
    let run = float.as_ref().map(|(path, float)| (folder_of(path), float));
    let Encoded {
        validation,
        training,
        ..
    } = args.text.parts(&alphabet, run, args.compare)?;
    let comparison = args.compare.then(|| {
        let alphabet = Alphabet::from_symbols(&alphabet)?;
        let measured = Comparison::measure(model, &alphabet, &training, &validation);
        measured.context("cannot compare the model with compressors")
    });

    let read = validation.as_read().len();
    let progress = bar(read, "engine");
    let engine = engine_loss(model, &validation, |done| progress.set_position(done));
    let blocks = args.blocks.map(|length| Blocks {
        block_characters: length,
        block_loss_nats: engine_block_loss(model, &validation, length as usize),
    });
    progress.finish_and_clear();
    let float_loss = float.map(|(_, float)| {
        let progress = bar(read, "float");
        let trained = float.as_trained();
        let loss = trained.loss(&validation, |done| progress.set_position(done));
        progress.finish_and_clear();
        loss
    });
    let spells = model.version() == inkling_engine::format::VERSION;
    let beginning = &validation.as_read()[..read.min(SATURATION_CHARACTERS)];
    Ok(Report {
        model: model.name().to_owned(),
        engine_loss_nats: engine,
        bits_per_char: bits(engine),
        float_loss_nats: float_loss,
        gap_nats: float_loss.map(|float| engine - float),
        perplexity: engine.exp(),
        characters: validation.predicted_characters(),
        symbols_per_character: spells.then(|| validation.symbols_per_character()),
        places: validation.places(),
        blocks,
        saturation: Saturation::measure(model, beginning),
        saturation_characters: beginning.len(),
        shape: Shape::of(&model),
        ram_bytes: 4 * state_words(&model.dimensions()),
        comparison: comparison.transpose()?,
    })
}

/// The float weights that the image was exported from: those of the run of its name, if it is still
/// there and has not been trained again.
fn origin(image: &AlignedImage, name: &str) -> Option<(PathBuf, FloatModel)> {
    let name_of_run: Name = name.parse().ok()?;
    let (path, float) = runs::load_weights(&paths::run_dir(&name_of_run)).ok()?;
    if !comes_from(image, &float) {
        note!("{name}: the run of this name holds other weights; name its own with --float");
        return None;
    }
    Some((path, float))
}

fn print(out: &mut Output, report: &Report) -> std::io::Result<()> {
    writeln!(out, "model        {}", output::one_line(&report.model))?;
    writeln!(
        out,
        "engine loss  {:.4} nats/char ({:.4} bits/char, perplexity {:.3})",
        report.engine_loss_nats, report.bits_per_char, report.perplexity
    )?;
    if let (Some(float), Some(gap)) = (report.float_loss_nats, report.gap_nats) {
        writeln!(out, "float loss   {float:.4} nats/char, gap {gap:+.4}")?;
    }
    writeln!(
        out,
        "measured on  {}{}, {}",
        count(report.characters, "character"),
        report
            .symbols_per_character
            .map_or(String::new(), |symbols| format!(" of {symbols:.2} symbols")),
        in_words(report.places)
    )?;
    if let Some(blocks) = &report.blocks {
        let length = count(blocks.block_characters, "character");
        match blocks.block_loss_nats {
            Some(loss) => writeln!(
                out,
                "in blocks    {loss:.4} nats/char, over independent blocks of {length}"
            )?,
            None => writeln!(
                out,
                "in blocks    the text is shorter than one block of {length}"
            )?,
        }
    }
    let Saturation {
        input_gate,
        forget_gate,
        candidate,
        output_gate,
        cells,
    } = report.saturation;
    let [i, f, g, o, c] = [input_gate, forget_gate, candidate, output_gate, cells].map(percent);
    writeln!(
        out,
        "saturation   gates i {i}, f {f}, g {g}, o {o}; cells {c} (first {})",
        count(report.saturation_characters, "character")
    )?;
    writeln!(out, "shape        {}", report.shape)?;
    writeln!(
        out,
        "needs        {} bytes of flash, {} bytes of RAM",
        report.shape.image_bytes, report.ram_bytes
    )?;
    if let Some(comparison) = &report.comparison {
        writeln!(out, "{comparison}")?;
    }
    Ok(())
}

/// One row per model.
fn compared(reports: &[Report]) -> Table {
    let has_gap = reports.iter().any(|report| report.gap_nats.is_some());
    let has_blocks = reports.iter().any(|report| report.blocks.is_some());
    let mut titles = vec!["model", "bytes", "bits/char", "nats/char"];
    titles.extend(has_gap.then_some("gap"));
    titles.extend(has_blocks.then_some("in blocks"));
    let mut rows = table(&titles, 1..titles.len());
    for report in reports {
        let or_none = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
        let mut row = vec![
            output::name_cell(&report.model),
            report.shape.image_bytes.to_string(),
            format!("{:.4}", report.bits_per_char),
            format!("{:.4}", report.engine_loss_nats),
        ];
        row.extend(has_gap.then(|| or_none(report.gap_nats.map(|gap| format!("{gap:+.4}")))));
        let blocks = report.blocks.as_ref();
        let loss = blocks.and_then(|blocks| blocks.block_loss_nats);
        row.extend(has_blocks.then(|| or_none(loss.map(|loss| format!("{loss:.4}")))));
        rows.add_row(row);
    }
    rows
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}
