//! `health`: whether a model can write for ever.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Result, bail};
use inkling_engine::{Model, Thousandths};

use super::choosing::Choosing;
use super::known::symbols_of_files;
use super::model::{bar, image_path};
use crate::corpus::{Alphabet, Validation, training_part};
use crate::evaluate::engine_loss;
use crate::figures::{Figures, WINDOW};
use crate::health::{AtEnd, Health, Known, examine};
use crate::image;
use crate::output;

/// Where nothing else is asked for: at 1 the text should be as surprising as that of people, and the
/// others are where models begin to repeat themselves.
const TEMPERATURES: [Thousandths; 3] = [Thousandths::ONE, Thousandths(700), Thousandths(500)];

/// Enough characters to know a loss.
const LOSS_CHARACTERS: usize = 100_000;

/// Options of `health`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model: an image file, or the name of one in weights/
    model: PathBuf,
    /// Characters to write, at each temperature
    #[arg(long, default_value_t = 1_000_000, value_name = "N",
        value_parser = clap::value_parser!(u64).range(WINDOW as u64..))]
    length: u64,
    /// The board's is 0.8; at 1 the text should be as surprising as that of people [default: 1,0.7,0.5]
    #[arg(long, value_delimiter = ',')]
    temperature: Vec<Thousandths>,
    /// Same seed, same text
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    choosing: Choosing,
    /// Compare with this text, a file or a folder [default: what is on record of the text the model was
    /// trained on]
    #[arg(long, value_name = "FILE")]
    text: Vec<PathBuf>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Runs `health`; an error when the model is not healthy.
pub fn run(args: &Args) -> Result<()> {
    let path = image_path(&args.model)?;
    let image = image::open(&path)?;
    let model = image.model()?;
    let known = match args.text[..] {
        [] => Known::on_record(&path, model.symbols()),
        _ => known_of_text(args, model)?,
    };
    let temperatures = match args.temperature[..] {
        [] => &TEMPERATURES,
        _ => &args.temperature[..],
    };
    let length = args.length as usize;
    let progress = bar(length * temperatures.len(), "writing");
    let mut found = Vec::new();
    for (index, &temperature) in temperatures.iter().enumerate() {
        let settings = args.choosing.settings(temperature);
        let health = examine(model, settings, args.seed, length, &known, |done| {
            progress.set_position((index * length) as u64 + done);
        });
        found.push(health);
    }
    progress.finish_and_clear();
    if args.json {
        writeln!(output::stdout(), "{}", json(&found)?)?;
    } else {
        let shown: Vec<String> = found.iter().map(Health::to_string).collect();
        writeln!(output::prose(), "{}", shown.join("\n\n"))?;
    }
    if !found.iter().all(|health| health.healthy) {
        bail!("the model is not healthy");
    }
    Ok(())
}

/// What was found at the first temperature, with the verdict on all, and all of them one by one.
fn json(found: &[Health]) -> Result<serde_json::Value> {
    let mut all = serde_json::to_value(found.first())?;
    all["healthy"] = found.iter().all(|health| health.healthy).into();
    let findings = found.iter().flat_map(|health| {
        let at = |finding| format!("at temperature {}: {finding}", health.temperature);
        health.findings.iter().map(at)
    });
    all["findings"] = findings.collect();
    all["temperatures"] = serde_json::to_value(found)?;
    Ok(all)
}

/// The figures of a text that was named, and the model's losses on its two parts.
fn known_of_text(args: &Args, model: Model<'_>) -> Result<Known> {
    let alphabet: String = model.alphabet().chars().collect();
    let alphabet = Alphabet::from_symbols(&alphabet)?;
    let symbols = symbols_of_files(&args.text, &alphabet)?;
    let mut middle = training_part(symbols.len());
    while middle < symbols.len() && !alphabet.begins(&symbols[..=middle])[middle] {
        middle += 1;
    }
    let (training, rest) = symbols.split_at(middle);
    let loss = |text: &[u8]| {
        let text = &text[..text.len().min(LOSS_CHARACTERS)];
        let characters = alphabet.characters(text).count();
        let text = Validation::stream_of(text.to_vec(), characters);
        (characters > 1).then(|| engine_loss(model, &text, |_| ()))
    };
    Ok(Known {
        loss: loss(rest),
        training_loss: loss(training),
        figures: Some(Figures::of(training, &alphabet)),
        at_end: Some(AtEnd::measure(model, training)),
    })
}
