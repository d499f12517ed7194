//! `inkling emulate`: a board on the desk without a desk. Builds, boots, joins the terminal.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use inkling_engine::{ImageError, Thousandths};

use super::choosing::{Choosing, Ending, among_others};
use super::model::find_image;
use super::terminal::Known;
use super::{interrupt, terminal};
use crate::corpus::prompt;
use crate::device::passage::Part;
use crate::device::{Board, DEFAULT_BOARD, Emulator, Firmware, Options, Program, Request, find};
use crate::image;
use crate::paths;
use crate::{note, output};
use inkling_engine::AlignedImage;

/// How long Ctrl-C may take to reach this program when it has reached the emulator.
const DELAY: Duration = Duration::from_millis(50);

/// Build the firmware, boot it in an emulator and join its serial console.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With neither --length nor a firmware of your own, the terminal becomes the board's serial console:
type a line to start a passage with it, /help to list the commands, Ctrl-C to leave.

In scripts, the lines of standard input are typed one after the other: each one when the board has
dealt with the line before, and when the passage is complete that this has started. A line /seed N
holds the text until the prompt behind it, so that this gets the seed. The program ends with the
passage of the last line that starts one, or, where none does, with the passage that is being
written then. While the script has the board paused or passages endless (/len 0), it waits for none.")]
pub struct Args {
    /// The board; `inkling boards` lists them
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
    /// Print one passage of this many characters at most, nothing else, and end
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    length: Option<u32>,
    #[command(flatten)]
    passage: Passage,
}

/// What the passage of `--length` follows from.
#[derive(Debug, clap::Args)]
#[command(
    mut_group("Choosing", |group| group.requires("length")),
    mut_group("Ending", |group| group.requires("length"))
)]
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
    #[command(flatten)]
    choosing: Choosing,
    #[command(flatten)]
    ending: Ending,
}

impl Passage {
    fn request(&self, length: u32) -> Result<Request> {
        Ok(Request {
            seed: self.seed,
            prompt: self.prompt.clone(),
            length,
            settings: self.choosing.settings(self.temperature),
            until: self
                .ending
                .until()
                .context("cannot use --until on a board")?,
            count: self.ending.count.unwrap_or(1),
        })
    }
}

/// Boots and talks.
pub fn run(args: &Args) -> Result<()> {
    let request = args.length.map(|length| args.passage.request(length));
    let mut request = request.transpose()?;
    if let Some(request) = &request {
        request.check()?;
    }
    let (firmware, known) = match &args.elf {
        Some(path) => (Firmware::open(path)?, None),
        None => {
            let board = find(&args.board)?;
            let model = match &args.model {
                Some(model) => find_image(model).unwrap_or_else(|| model.clone()),
                None => paths::default_model(),
            };
            let image = image::open(&model)?;
            let known = known(&image).with_context(|| format!("cannot use {}", model.display()))?;
            if let Some(request) = &mut request {
                read_prompt(request, &known)?;
            }
            (build(board, &model, &image)?, Some(known))
        }
    };
    let options = Options {
        log: args.log,
        usb: args.usb,
        ..Options::default()
    };
    let mut emulator = start(&firmware, options)?;
    let Some(request) = request else {
        return converse(&mut emulator, known);
    };
    let result = unless_interrupted(match args.passage.ending.count {
        None => print_passage(&mut emulator, &request),
        Some(_) => print_passages(&mut emulator, &request),
    });
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
    converse(&mut start(firmware, options)?, None)
}

fn start(firmware: &Firmware, options: Options) -> Result<Emulator> {
    interrupt::watch();
    Ok(Emulator::start(firmware, options)?)
}

fn converse(emulator: &mut Emulator, known: Option<Known>) -> Result<()> {
    unless_interrupted(terminal::converse(emulator, None, known))
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

fn build(board: &'static Board, model: &Path, image: &AlignedImage) -> Result<Firmware> {
    note!(
        "building the firmware for {} around {} ({} bytes)",
        board.name,
        model.display(),
        image.bytes().len()
    );
    let firmware = Firmware::build(board, model, Program::Console)?;
    note!(
        "booting {} ({}): {} bytes of flash, {} of RAM without the stack",
        board.name,
        board.core,
        firmware.footprint.flash_bytes,
        firmware.footprint.static_ram_bytes
    );
    Ok(firmware)
}

/// The characters that a model knows.
fn known(image: &AlignedImage) -> Result<Known, ImageError> {
    Ok(Known::of(image.model()?.alphabet()))
}

/// Reads the prompt as the text was that the model learned.
fn read_prompt(request: &mut Request, known: &Known) -> Result<()> {
    let prompt = prompt::read(&request.prompt, |c| known.knows(c));
    if let Some(note) = prompt.note() {
        note!("{note}");
    }
    request.prompt = prompt.text;
    Ok(request.check()?)
}

fn print_passage(emulator: &mut Emulator, request: &Request) -> Result<()> {
    let mut out = output::passage();
    let mut written = Ok(());
    let skipped = emulator.stream_passage(request, |text| {
        written = out.write_all(text).and_then(|()| out.flush());
        match written.is_err() || interrupt::happened() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    if let Some(note) = skipped.as_deref().and_then(prompt::note) {
        note!("{note}");
    }
    if out.is_terminal() {
        written = written.and_then(|()| writeln!(out));
    }
    Ok(written?)
}

/// Prints several, each as it is complete: as `sample` shows them.
fn print_passages(emulator: &mut Emulator, request: &Request) -> Result<()> {
    let until: Vec<char> = request.until.chars().collect();
    let mut out = output::passage();
    let mut written = Ok(());
    let mut number = 0;
    let mut text = Vec::new();
    let skipped = emulator.stream_passages(request, |part| {
        match part {
            Part::Text(more) => text.extend_from_slice(more),
            Part::End => {
                let shown = among_others(&String::from_utf8_lossy(&text), number, &until);
                written = out.write_all(shown.as_bytes()).and_then(|()| out.flush());
                number += 1;
                text.clear();
            }
        }
        match written.is_err() || interrupt::happened() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    })?;
    if let Some(note) = skipped.as_deref().and_then(prompt::note) {
        note!("{note}");
    }
    Ok(written?)
}
