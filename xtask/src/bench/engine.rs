//! `bench engine`: how many characters a second the engine writes on this PC, on one core.

use std::path::PathBuf;
use std::time::Instant;

use host::cli::model::image_path;
use host::engine::generator;
use host::image;
use inkling_engine::Settings;
use serde_json::json;

/// Rounds per model; the fastest counts, the others were disturbed.
const ROUNDS: usize = 5;

/// Options of `bench engine`.
#[derive(Debug, clap::Args)]
pub struct Engine {
    /// The models: image files, or names of some in weights/ [default: all that ship]
    models: Vec<PathBuf>,

    /// Characters per round
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u32).range(1..))]
    characters: u32,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug)]
struct Report {
    model: String,
    image_bytes: usize,
    hidden: usize,
    characters_per_second: f64,
}

/// Runs `bench engine`.
pub fn run(args: &Engine) -> anyhow::Result<()> {
    let models = match args.models.as_slice() {
        [] => super::shipped().map(PathBuf::from).collect(),
        models => models.to_vec(),
    };
    let reports = models
        .iter()
        .map(|model| measure(model.clone(), args.characters));
    let reports = reports.collect::<anyhow::Result<Vec<_>>>()?;
    if args.json {
        let reports = reports.iter().map(|report| {
            json!({
                "model": report.model,
                "image_bytes": report.image_bytes,
                "hidden": report.hidden,
                "characters_per_second": report.characters_per_second,
            })
        });
        let reports: Vec<_> = reports.collect();
        println!("{}", serde_json::to_string_pretty(&reports)?);
        return Ok(());
    }
    for report in reports {
        println!(
            "{:<20} {:>7} bytes, hidden {:>4}: {:>8.0} characters/s",
            report.model, report.image_bytes, report.hidden, report.characters_per_second
        );
    }
    Ok(())
}

/// Characters a second of a model.
pub fn speed(model: PathBuf, characters: u32) -> anyhow::Result<f64> {
    Ok(measure(model, characters)?.characters_per_second)
}

fn measure(model: PathBuf, characters: u32) -> anyhow::Result<Report> {
    let image = image::open(&image_path(&model)?)?;
    let model = image.model()?;
    let mut generator = generator(model, Settings::default(), 1);
    let mut seconds = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..characters {
            std::hint::black_box(generator.next_char());
        }
        seconds = seconds.min(start.elapsed().as_secs_f64());
    }
    Ok(Report {
        model: model.name().to_owned(),
        image_bytes: model.image_bytes(),
        hidden: model.hidden(),
        characters_per_second: f64::from(characters) / seconds,
    })
}
