//! `sample`: the exact text a board would print.

use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::Context;
use firmware::alphabet::Symbol;
use firmware::fixed::LOGIT_FRACTION_BITS;
use firmware::sampler::{Sampler, Settings, Thousandths};

use super::model::image_path;
use crate::corpus::{REPLACEMENT, prompt};
use crate::engine::generator;
use crate::image::AlignedImage;
use crate::quantize::float::FloatState;
use crate::runs;
use crate::{note, output};

/// Options of `sample`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model: an image file, or the name of one in weights/ (with --float, a run)
    model: PathBuf,
    /// Text to continue from, read as the model's text was: what the model does not know is
    /// transliterated, or else left out
    #[arg(long, default_value = "", allow_hyphen_values = true)]
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
    /// Same seed, same text; `random` takes another one each time and says which
    #[arg(
        long,
        default_value = "1",
        value_name = "SEED",
        allow_hyphen_values = true
    )]
    seed: Seed,
    /// Characters to generate behind the prompt
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    length: usize,
    /// Use the float weights of a run instead of an image: not what a board would print
    #[arg(long)]
    float: bool,
}

/// What a text follows from, besides the model and the prompt.
#[derive(Debug, Clone, Copy)]
enum Seed {
    /// Another one each time.
    Random,
    /// This one.
    Fixed(u64),
}

impl FromStr for Seed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "random" => Ok(Self::Random),
            number => number
                .parse()
                .map(Self::Fixed)
                .map_err(|_| format!("it must be a number from 0 to {}, or `random`", u64::MAX)),
        }
    }
}

impl Seed {
    /// The number, drawn and told if nobody chose it.
    fn number(self) -> u64 {
        match self {
            Self::Fixed(seed) => seed,
            Self::Random => {
                let seed = rand::random();
                note!("the same text again: --seed {seed}");
                seed
            }
        }
    }
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
    let model = image.model()?;
    let mut generator = generator(model, settings(args), args.seed.number());
    for character in prompt_for(args, |c| model.alphabet().index_of(c).is_some()).chars() {
        if generator.prompt_char(character) {
            write!(output, "{character}")?;
        }
    }
    for _ in 0..args.length {
        write!(output, "{}", generator.next_char())?;
    }
    output.flush()?;
    Ok(())
}

fn sample_float(args: &Args, output: &mut impl Write) -> anyhow::Result<()> {
    let (_, model) = runs::load_weights(&args.model)?;
    let index_of = |character| model.alphabet.iter().position(|&c| c == character);
    let unwritten = index_of(REPLACEMENT).and_then(|index| Symbol::try_from(index).ok());
    let model = model.as_trained();
    let mut state = FloatState::new(&model);
    let mut sampler = Sampler::new(settings(args), args.seed.number()).without(unwritten);
    let mut last = index_of('\n').unwrap_or(0);
    for character in prompt_for(args, |c| index_of(c).is_some()).chars() {
        if let Some(symbol) = index_of(character) {
            state.step(last);
            last = symbol;
            write!(output, "{character}")?;
        }
    }
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

/// The prompt in the model's characters; says what it does not know.
fn prompt_for(args: &Args, knows: impl Fn(char) -> bool) -> String {
    let prompt = prompt::read(&args.prompt, knows);
    if let Some(note) = prompt.note() {
        note!("{note}");
    }
    prompt.text
}

fn settings(args: &Args) -> Settings {
    Settings {
        temperature: args.temperature,
        top_k: args.top_k,
        top_p: args.top_p,
    }
}
