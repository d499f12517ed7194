//! `host emulate`: a board on the desk without a desk. Builds, boots, joins the terminal.

use std::io::{IsTerminal, Read, Write, stdin, stdout};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use firmware::sampler::{Settings, Thousandths};

use crate::device::{DEFAULT_BOARD, Emulator, Firmware, Options, Program, Request, find};
use crate::image::AlignedImage;
use crate::paths;

/// How often the terminal looks whether it is to end.
const TICK: Duration = Duration::from_millis(50);

/// More than the length of the line that ends a passage.
const KEPT_BYTES: usize = 200;

/// What the board prints at the end of a passage.
const PASSAGE_END: &[u8] = b"\n# end: ";

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
    /// The model image [default: weights/shakespeare-64k.img]
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
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))
        .context("cannot watch for Ctrl-C")?;
    let mut emulator = Emulator::start(&firmware, options)?;
    let result = match args.length {
        Some(length) => print_passage(&mut emulator, &args.passage, length),
        None => converse(&mut emulator, &interrupted),
    };
    // Ctrl-C reaches the emulator too, and may reach it first.
    if result.is_err() {
        thread::sleep(TICK);
    }
    match (interrupted.load(Ordering::Relaxed), args.length) {
        (true, Some(_)) => bail!("interrupted before the passage was complete"),
        (true, None) => {
            eprintln!();
            Ok(())
        }
        (false, _) => result,
    }
}

fn build(args: &Args) -> Result<Firmware> {
    let board = find(&args.board)?;
    let model = args
        .model
        .clone()
        .unwrap_or_else(|| paths::weights_dir().join("shakespeare-64k.img"));
    let image = AlignedImage::open(&model)?;
    eprintln!(
        "building the firmware for {} around {} ({} bytes)",
        board.name,
        model.display(),
        image.bytes().len()
    );
    let firmware = Firmware::build(board, &model, Program::Console)?;
    eprintln!(
        "booting {} ({}): {} bytes of flash, {} of RAM without the stack",
        board.name, board.core, firmware.footprint.flash_bytes, firmware.footprint.static_ram_bytes
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
    let mut out = stdout().lock();
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

/// Joins the terminal to the serial port until Ctrl-C, or the end of piped commands.
fn converse(emulator: &mut Emulator, interrupted: &AtomicBool) -> Result<()> {
    if stdin().is_terminal() {
        eprintln!("joined to the board's console: /help lists its commands, Ctrl-C leaves");
    }
    let commands_end = Arc::new(AtomicBool::new(false));
    type_commands(emulator.input()?, Arc::clone(&commands_end));
    let mut out = stdout().lock();
    // What has come since the last command was typed, or the end of it.
    let mut last_words: Vec<u8> = Vec::new();
    while !interrupted.load(Ordering::Relaxed) {
        let commands_ended = commands_end.load(Ordering::Relaxed);
        let mut text = emulator.read(TICK)?;
        let mut is_over = false;
        if commands_ended {
            let seen = last_words.len();
            last_words.extend(&text);
            if let Some(end) = end_of_passage(&last_words) {
                text.truncate(end.saturating_sub(seen));
                is_over = true;
            }
            // Keeps enough for the end of a passage, which may come in pieces.
            let surplus = last_words.len().saturating_sub(KEPT_BYTES);
            last_words.drain(..surplus);
        }
        if out.write_all(&text).and_then(|()| out.flush()).is_err() || is_over {
            break;
        }
    }
    Ok(())
}

/// The end of the line that ends a passage.
fn end_of_passage(text: &[u8]) -> Option<usize> {
    let start = text
        .windows(PASSAGE_END.len())
        .position(|window| window == PASSAGE_END)?;
    let line = start + PASSAGE_END.len();
    let length = text[line..].iter().position(|&byte| byte == b'\n')?;
    Some(line + length + 1)
}

/// Passes standard input on to the board in a thread, since reading it cannot be interrupted.
fn type_commands(mut serial: impl Write + Send + 'static, end: Arc<AtomicBool>) {
    thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = stdin().lock().read(&mut buffer) {
            if serial.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        end.store(true, Ordering::Relaxed);
    });
}
