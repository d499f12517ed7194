//! `sample`: the exact text a board would print.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use firmware::fixed::LOGIT_FRACTION_BITS;
use firmware::generator::Generator;
use firmware::sampler::{Sampler, Settings, Thousandths};

use super::model::image_path;
use crate::image::AlignedImage;
use crate::quantize::float::FloatState;
use crate::runs;
use crate::{note, output};

/// Options of `sample`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model: an image file, or the name of one in weights/ (with --float, a run)
    model: PathBuf,
    /// Text to continue from; characters the model does not know are skipped
    #[arg(long, default_value = "")]
    prompt: String,
    /// 0 always takes the most probable symbol, 1 is the model's own distribution, more is wilder
    #[arg(long, default_value = "0.8", allow_hyphen_values = true)]
    temperature: Thousandths,
    /// Choose among this many of the most probable symbols only; 0 for all
    #[arg(long, default_value_t = 0, value_name = "K")]
    top_k: u8,
    /// Choose among the most probable symbols that together reach this probability
    #[arg(long, default_value = "1", value_name = "P")]
    top_p: Thousandths,
    /// Same seed, same text
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Characters to generate behind the prompt
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    length: usize,
    /// Use the float weights of a run instead of an image: not what a board would print
    #[arg(long)]
    float: bool,
}

/// Runs `sample`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut output = output::stdout();
    let result = if args.float {
        sample_float(args, &mut output)
    } else {
        sample_engine(args, &mut output)
    };
    if output.is_terminal() {
        writeln!(output)?;
    }
    result
}

fn sample_engine(args: &Args, output: &mut impl Write) -> anyhow::Result<()> {
    let image = AlignedImage::open(&image_path(&args.model)?)?;
    let mut generator = Generator::new(image.model()?, settings(args), args.seed);
    let mut skipped = String::new();
    for character in args.prompt.chars() {
        if generator.prompt_char(character) {
            write!(output, "{character}")?;
        } else {
            skipped.push(character);
        }
    }
    warn_skipped(&skipped);
    for _ in 0..args.length {
        write!(output, "{}", generator.next_char())?;
    }
    output.flush()?;
    Ok(())
}

fn sample_float(args: &Args, output: &mut impl Write) -> anyhow::Result<()> {
    let (_, model) = runs::load_weights(&args.model)?;
    let index_of = |character| model.alphabet.iter().position(|&c| c == character);
    let mut state = FloatState::new(&model);
    let mut sampler = Sampler::new(settings(args), args.seed);
    let mut last = index_of('\n').unwrap_or(0);
    let mut skipped = String::new();
    for character in args.prompt.chars() {
        if let Some(symbol) = index_of(character) {
            state.step(last);
            last = symbol;
            write!(output, "{character}")?;
        } else {
            skipped.push(character);
        }
    }
    warn_skipped(&skipped);
    let unit = f32::from(1_u16 << LOGIT_FRACTION_BITS);
    for _ in 0..args.length {
        state.step(last);
        // Float-to-integer conversion saturates, as the engine's logits do.
        let logits: Vec<i16> = state.logits().iter().map(|l| (l * unit) as i16).collect();
        last = sampler.sample(&logits).into();
        let character = model.alphabet.get(last).context("the alphabet is empty")?;
        write!(output, "{character}")?;
    }
    output.flush()?;
    Ok(())
}

fn settings(args: &Args) -> Settings {
    Settings {
        temperature: args.temperature,
        top_k: args.top_k,
        top_p: args.top_p,
    }
}

fn warn_skipped(skipped: &str) {
    if !skipped.is_empty() {
        note!("skipped characters of the prompt that the model does not know: {skipped:?}");
    }
}
