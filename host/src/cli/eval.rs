//! `eval`: how well a model predicts a text, with the board's own arithmetic.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::model::{Shape, TextArgs, bar, float_weights_path, image_path};
use crate::evaluate::{bits, engine_loss};
use crate::image::AlignedImage;
use crate::quantize::FloatModel;

/// Options of `eval`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model: an image file, or the name of one in weights/
    model: PathBuf,
    /// The run it was exported from, for float loss and gap [default: the run of the model's name]
    #[arg(long, value_name = "RUN")]
    float: Option<PathBuf>,
    #[command(flatten)]
    text: TextArgs,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// What `eval` prints.
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
    #[serde(flatten)]
    shape: Shape,
    /// Memory of the engine's state on a board.
    ram_bytes: usize,
}

/// Runs `eval`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let path = image_path(&args.model)?;
    let image = AlignedImage::open(&path)?;
    let model = image.model()?;
    let alphabet: String = model.alphabet().chars().collect();
    let float = match &args.float {
        Some(run) => Some(FloatModel::load(&float_weights_path(run)?)?),
        // The run of the same name, where it is still there.
        None => float_weights_path(Path::new(model.name()))
            .ok()
            .and_then(|path| FloatModel::load(&path).ok()),
    };
    // A run that was trained again under the same name may have another alphabet.
    let float = float.filter(|float| float.alphabet.iter().collect::<String>() == alphabet);
    let validation = args.text.validation(&alphabet, float.as_ref())?;

    let progress = bar(validation.len(), "engine");
    let engine = engine_loss(model, &validation, |done| progress.set_position(done));
    progress.finish_and_clear();
    let float_loss = float.map(|float| {
        let progress = bar(validation.len(), "float");
        let loss = float.loss(&validation, |done| progress.set_position(done));
        progress.finish_and_clear();
        loss
    });
    let report = Report {
        model: model.name().to_owned(),
        engine_loss_nats: engine,
        bits_per_char: bits(engine),
        float_loss_nats: float_loss,
        gap_nats: float_loss.map(|float| engine - float),
        perplexity: engine.exp(),
        characters: validation.len() - 1,
        shape: Shape::of(&model),
        ram_bytes: size_of::<firmware::generator::Generator<'_>>(),
    };
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        print(&report);
    }
    Ok(())
}

fn print(report: &Report) {
    println!("model        {}", report.model);
    println!(
        "engine loss  {:.4} nats/char ({:.4} bits/char, perplexity {:.3})",
        report.engine_loss_nats, report.bits_per_char, report.perplexity
    );
    if let (Some(float), Some(gap)) = (report.float_loss_nats, report.gap_nats) {
        println!("float loss   {float:.4} nats/char, gap {gap:+.4}");
    }
    println!(
        "measured on  {} characters, as one stream",
        report.characters
    );
    println!("shape        {}", report.shape);
    println!(
        "needs        {} bytes of flash, {} bytes of RAM",
        report.shape.image_bytes, report.ram_bytes
    );
}
