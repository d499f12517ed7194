//! `sample`: the exact text a board would print, or the best, the new and the short of it.

use std::collections::HashSet;
use std::io::Write;
use std::path::PathBuf;
use std::str::FromStr;

use anyhow::bail;
use comfy_table::{ContentArrangement, Table, presets};
use inkling_engine::image::crc32;
use inkling_engine::{Settings, Thousandths};
use serde::Serialize;

use super::choosing::{Choosing, Ending, among_others};
use super::known::{self, KnownArgs};
use super::model::image_path;
use crate::corpus::{Alphabet, prompt};
use crate::image;
use crate::output::Output;
use crate::predict::Predictor;
use crate::quantize::FloatModel;
use crate::runs;
use crate::wrap::Wrapped;
use crate::writing::{Author, Piece, Pieces, Wanted};
use crate::{note, output};

/// The width of a window that does not tell its own.
const USUAL_COLUMNS: usize = 80;

/// Options of `sample`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model: an image file, or the name of one in weights/ (with --float, a run)
    model: PathBuf,
    /// Text to continue from, read as the model's text was: what the model does not know is
    /// transliterated, or else left out
    #[arg(long, default_value = "", allow_hyphen_values = true)]
    prompt: String,
    /// 0 always takes the most probable symbol, 1 is the model's own distribution, more is wilder;
    /// several, as in 0.5,0.8,1, are shown side by side
    #[arg(
        long,
        default_value = "0.8",
        allow_hyphen_values = true,
        value_delimiter = ','
    )]
    temperature: Vec<Thousandths>,
    #[command(flatten)]
    choosing: Choosing,
    /// Same seed, same text; `random` takes another one each time and says which
    #[arg(
        long,
        default_value = "1",
        value_name = "SEED",
        allow_hyphen_values = true
    )]
    seed: Seed,
    /// Characters to generate behind the prompt, at most
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    length: usize,
    #[command(flatten)]
    ending: Ending,
    /// For each text write N and keep the one that the model itself finds most likely
    #[arg(long, default_value_t = 1, value_name = "N",
        value_parser = clap::value_parser!(u32).range(1..))]
    best_of: u32,
    /// Write nothing that the model's text has, nor anything twice: names that are new
    /// [default of --until: '\n']
    #[arg(long)]
    unseen: bool,
    #[command(flatten)]
    known: KnownArgs,
    /// Break lines between words at so many columns, or `off` [default: a terminal's width; elsewhere
    /// off]
    #[arg(long, value_name = "COLUMNS", num_args = 0..=1, default_missing_value = "window")]
    wrap: Option<Wrap>,
    /// Print the texts as JSON, with what each follows from and its checksum
    #[arg(long, conflicts_with_all = ["wrap"])]
    json: bool,
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

/// Where lines break.
#[derive(Debug, Clone, Copy)]
enum Wrap {
    /// Nowhere.
    Off,
    /// At the width of the window.
    Window,
    /// At so many columns.
    At(usize),
}

impl FromStr for Wrap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            "window" => Ok(Self::Window),
            number => match number.parse() {
                Ok(0) | Err(_) => Err("it must be a number of columns, or `off`".to_owned()),
                Ok(columns) => Ok(Self::At(columns)),
            },
        }
    }
}

impl Wrap {
    fn columns(self) -> Option<usize> {
        match self {
            Self::Off => None,
            Self::At(columns) => Some(columns),
            Self::Window => Some(window_columns()),
        }
    }
}

fn window_columns() -> usize {
    let size = crossterm::terminal::size();
    size.map_or(USUAL_COLUMNS, |(columns, _)| columns.max(1).into())
}

/// Runs `sample`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut output = output::stdout();
    let result = if args.float {
        let (_, model) = runs::load_weights(&args.model)?;
        let alphabet = Alphabet::from_symbols(&model.alphabet.iter().collect::<String>())?;
        let knows = |c| alphabet.knows(c);
        let known = match args.unseen {
            true => Some(args.known.items_of_run(&args.model, &until(args))?),
            false => None,
        };
        let model: &FloatModel = &model.as_trained();
        sample(args, known, knows, &mut output, |settings| {
            Author::of_floats(model, settings)
        })
    } else {
        let path = image_path(&args.model)?;
        let image = image::open(&path)?;
        let model = image.model()?;
        let knows = |c| model.alphabet().knows(c);
        let known = match args.unseen {
            true => Some(args.known.items_of_image(&path, &image, &until(args))?),
            false => None,
        };
        sample(args, known, knows, &mut output, |settings| {
            Author::of_image(model, settings)
        })
    };
    if output.is_terminal() && args.ending.count.is_none() && !args.json {
        writeln!(output)?;
    }
    output.flush()?;
    result
}

/// The characters that end a text.
fn until(args: &Args) -> Vec<char> {
    match args.unseen && !args.ending.is_named() {
        true => known::LINE_ENDS.to_vec(),
        false => args.ending.chars(),
    }
}

fn sample<P: Predictor>(
    args: &Args,
    known: Option<HashSet<String>>,
    knows: impl Fn(char) -> bool,
    output: &mut Output,
    author: impl Fn(Settings) -> Author<P>,
) -> anyhow::Result<()> {
    let prompt = prompt::read(&args.prompt, knows);
    if let Some(note) = prompt.note() {
        note!("{note}");
    }
    let wanted = Wanted {
        prompt: prompt.text,
        length: args.length,
        until: until(args),
        best_of: args.best_of as usize,
        known,
    };
    let seed = args.seed.number();
    let pieces = |temperature| {
        let settings = args.choosing.settings(temperature);
        Pieces::new(author(settings), wanted.clone(), seed)
    };
    if args.json {
        return as_json(args, pieces, output);
    }
    let columns = match args.wrap {
        Some(wrap) => wrap.columns(),
        None => output.is_terminal().then(window_columns),
    };
    match args.temperature[..] {
        [temperature] => one_by_one(args, pieces(temperature), output, columns),
        _ => side_by_side(args, pieces, output, columns),
    }
}

/// Writes the texts of one temperature as they come.
fn one_by_one<P: Predictor>(
    args: &Args,
    mut pieces: Pieces<P>,
    output: &mut Output,
    columns: Option<usize>,
) -> anyhow::Result<()> {
    let mut wrapped = Wrapped::new(output, columns);
    let is_plain = args.ending.count.is_none() && args.best_of == 1 && !args.unseen;
    if is_plain {
        pieces.write(|character| wrapped.push(character))?;
        wrapped.end_line()?;
        return Ok(());
    }
    let count = args.ending.count.unwrap_or(1);
    for number in 0..count {
        let Some(piece) = pieces.next_piece() else {
            bail!(nothing_new(number, count));
        };
        let text = shown(args, &piece, number);
        wrapped.push_str(&text)?;
        wrapped.end_line()?;
    }
    Ok(())
}

/// A text as it is shown.
fn shown(args: &Args, piece: &Piece, number: u32) -> String {
    match args.ending.count {
        None => piece.text.clone(),
        Some(_) => among_others(&piece.text, number, &until(args)),
    }
}

fn nothing_new(found: u32, wanted: u32) -> String {
    format!(
        "found {found} of {wanted} texts that are new: what came after them is all in the text that the \
         model was trained on; a higher --temperature, or a --prompt, leads elsewhere"
    )
}

/// A text as JSON has it.
#[derive(Debug, Serialize)]
struct Written {
    temperature: f64,
    seed: u64,
    text: String,
    /// With those of the prompt.
    characters: usize,
    /// CRC-32 of the text in UTF-8.
    checksum: String,
}

/// Writes all texts as a list, one behind the other for each temperature.
fn as_json<P: Predictor>(
    args: &Args,
    pieces: impl Fn(Thousandths) -> Pieces<P>,
    output: &mut Output,
) -> anyhow::Result<()> {
    let mut texts = Vec::new();
    let count = args.ending.count.unwrap_or(1);
    for &temperature in &args.temperature {
        let mut pieces = pieces(temperature);
        for number in 0..count {
            let Some(piece) = pieces.next_piece() else {
                bail!(nothing_new(number, count));
            };
            texts.push(Written {
                temperature: f64::from(temperature.0) / 1_000.0,
                seed: piece.seed,
                characters: piece.text.chars().count(),
                checksum: format!("{:08x}", crc32(piece.text.as_bytes())),
                text: piece.text,
            });
        }
    }
    writeln!(output, "{}", serde_json::to_string_pretty(&texts)?)?;
    Ok(())
}

/// Writes the texts of several temperatures: in columns where there is a width, else one below the other.
fn side_by_side<P: Predictor>(
    args: &Args,
    pieces: impl Fn(Thousandths) -> Pieces<P>,
    output: &mut Output,
    columns: Option<usize>,
) -> anyhow::Result<()> {
    let mut texts = Vec::new();
    let mut missing = None;
    let count = args.ending.count.unwrap_or(1);
    for &temperature in &args.temperature {
        let mut pieces = pieces(temperature);
        let mut text = String::new();
        for number in 0..count {
            match pieces.next_piece() {
                Some(piece) => text += &shown(args, &piece, number),
                None => {
                    missing = Some(nothing_new(number, count));
                    break;
                }
            }
        }
        texts.push((format!("temperature {temperature}"), text));
    }
    match columns {
        None => {
            for (index, (title, text)) in texts.iter().enumerate() {
                let gap = if index > 0 { "\n" } else { "" };
                writeln!(output, "{gap}# {title}\n{}", text.trim_end_matches('\n'))?;
            }
        }
        Some(columns) => {
            let texts = texts.into_iter();
            let texts = texts.map(|(title, text)| (title, text.trim_end().to_owned()));
            let (titles, texts): (Vec<_>, Vec<_>) = texts.unzip();
            let mut table = Table::new();
            table
                .load_style(presets::NOTHING)
                .set_content_arrangement(ContentArrangement::DynamicFullWidth)
                .set_width(u16::try_from(columns).unwrap_or(u16::MAX))
                .set_header(titles)
                .add_row(texts);
            writeln!(output, "{table}")?;
        }
    }
    match missing {
        Some(missing) => bail!(missing),
        None => Ok(()),
    }
}
