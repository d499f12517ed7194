//! `host emulate`: a board on the desk without a desk. Builds, boots, joins the terminal.

use std::io::Write;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use firmware::sampler::{Settings, Thousandths};

use super::model::find_image;
use super::{interrupt, terminal};
use crate::device::{DEFAULT_BOARD, Emulator, Firmware, Options, Program, Request, find};
use crate::image::AlignedImage;
use crate::paths;
use crate::{note, output};

/// How long Ctrl-C may take to reach this program when it has reached the emulator.
const DELAY: Duration = Duration::from_millis(50);

/// Build the firmware, boot it in an emulator and join its serial console.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With neither --length nor a firmware of your own, the terminal becomes the board's serial console:
type a line to start a passage with it, /help to list the commands, Ctrl-C to leave. Commands can
also be piped in; the program then ends with the passage that is being written when they end.")]
pub struct Args {
    /// The board; `host boards` lists them
    #[arg(long, default_value = DEFAULT_BOARD)]
    board: String,
    /// The model: an image file, or the name of one in weights/ [default: shakespeare-64k]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Boot a firmware that is already linked instead of building one
    #[arg(long, value_name = "FILE", conflicts_with_all = ["board", "model"])]
    elf: Option<PathBuf>,
    /// Show the firmware's log on standard error
    #[arg(long)]
    log: bool,
    /// Join the USB port of a board that has one beside its UART
    #[arg(long)]
    usb: bool,
    /// Print one passage of this many characters, nothing else, and end
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    length: Option<u32>,
    #[command(flatten)]
    passage: Passage,
}

/// What the passage of `--length` follows from.
#[derive(Debug, clap::Args)]
struct Passage {
    /// The seed of the passage
    #[arg(long, default_value_t = 1, requires = "length")]
    seed: u64,
    /// What the passage starts with
    #[arg(
        long,
        default_value = "",
        requires = "length",
        hide_default_value = true
    )]
    prompt: String,
    /// 0 is greedy, 0.8 usual, more is wilder
    #[arg(long, default_value = "0.8", requires = "length")]
    temperature: Thousandths,
    /// Draw from this many likeliest symbols only; 0 is off
    #[arg(long, default_value_t = 0, requires = "length")]
    top_k: u8,
    /// Draw from the likeliest symbols of this total probability only; 1 is off
    #[arg(long, default_value = "1", requires = "length")]
    top_p: Thousandths,
}

/// Boots and talks.
pub fn run(args: &Args) -> Result<()> {
    let firmware = match &args.elf {
        Some(path) => Firmware::open(path)?,
        None => build(args)?,
    };
    let options = Options {
        log: args.log,
        usb: args.usb,
        ..Options::default()
    };
    let mut emulator = start(&firmware, options)?;
    let Some(length) = args.length else {
        return converse(&mut emulator);
    };
    let result = unless_interrupted(print_passage(&mut emulator, &args.passage, length));
    if interrupt::happened() {
        bail!("interrupted before the passage was complete");
    }
    result
}

/// Boots a firmware, shows its log and joins its console.
pub fn boot(firmware: &Firmware) -> Result<()> {
    let options = Options {
        log: true,
        ..Options::default()
    };
    converse(&mut start(firmware, options)?)
}

fn start(firmware: &Firmware, options: Options) -> Result<Emulator> {
    interrupt::watch();
    Ok(Emulator::start(firmware, options)?)
}

fn converse(emulator: &mut Emulator) -> Result<()> {
    unless_interrupted(terminal::converse(emulator, None))
}

/// Ctrl-C reaches the emulator too, and may reach it first: that it ended is no failure then.
fn unless_interrupted(result: Result<()>) -> Result<()> {
    if result.is_err() {
        thread::sleep(DELAY);
    }
    match interrupt::happened() {
        true => Ok(()),
        false => result,
    }
}

fn build(args: &Args) -> Result<Firmware> {
    let board = find(&args.board)?;
    let model = match &args.model {
        Some(model) => find_image(model).unwrap_or_else(|| model.clone()),
        None => paths::weights_dir().join("shakespeare-64k.img"),
    };
    let image = AlignedImage::open(&model)?;
    note!(
        "building the firmware for {} around {} ({} bytes)",
        board.name,
        model.display(),
        image.bytes().len()
    );
    let firmware = Firmware::build(board, &model, Program::Console)?;
    note!(
        "booting {} ({}): {} bytes of flash, {} of RAM without the stack",
        board.name,
        board.core,
        firmware.footprint.flash_bytes,
        firmware.footprint.static_ram_bytes
    );
    Ok(firmware)
}

fn print_passage(emulator: &mut Emulator, passage: &Passage, length: u32) -> Result<()> {
    let request = Request {
        seed: passage.seed,
        prompt: passage.prompt.clone(),
        length,
        settings: Settings {
            temperature: passage.temperature,
            top_k: passage.top_k,
            top_p: passage.top_p,
        },
    };
    let mut out = output::stdout();
    let mut written = Ok(());
    emulator.stream_passage(&request, |text| {
        if written.is_ok() {
            written = out.write_all(text).and_then(|()| out.flush());
        }
    })?;
    if out.is_terminal() {
        written = written.and_then(|()| writeln!(out));
    }
    written.context("cannot write the passage")
}
