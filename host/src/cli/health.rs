//! `health`: whether a model can write for ever.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, bail};
use firmware::sampler::{Settings, Thousandths};

use super::model::{bar, image_path};
use crate::health::{WINDOW, examine, recorded_loss};
use crate::image::AlignedImage;
use crate::output;

/// Options of `health`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model: an image file, or the name of one in weights/
    model: PathBuf,
    /// Characters to write
    #[arg(long, default_value_t = 1_000_000, value_name = "N",
        value_parser = clap::value_parser!(u64).range(WINDOW as u64..))]
    length: u64,
    /// The board's is 0.8; at 1 the text should be as surprising as that of people
    #[arg(long, default_value = "1")]
    temperature: Thousandths,
    /// Same seed, same text
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Runs `health`; an error when the model is not healthy.
pub fn run(args: &Args) -> Result<()> {
    let path = image_path(&args.model)?;
    let image = AlignedImage::open(&path)?;
    let settings = Settings {
        temperature: args.temperature,
        ..Settings::default()
    };
    let loss = recorded_loss(&path).filter(|_| args.temperature == Thousandths(1_000));
    let length = args.length as usize;
    let progress = bar(length, "writing");
    let health = examine(image.model()?, settings, args.seed, length, loss, |done| {
        progress.set_position(done);
    });
    progress.finish_and_clear();
    if args.json {
        writeln!(output::stdout(), "{}", serde_json::to_string(&health)?)?;
    } else {
        writeln!(output::prose(), "{health}")?;
    }
    if !health.healthy {
        bail!("the model is not healthy");
    }
    Ok(())
}
