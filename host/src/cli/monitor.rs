//! `inkling monitor`: the serial console of a real board.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Result, bail};

use super::{interrupt, terminal};
use crate::device::flash::probe_log::ProbeLog;
use crate::device::line::{SerialLine, port};
use crate::device::{Board, Firmware, find};
use crate::note;
use crate::output;

/// Talk to a board over its serial port.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
On a terminal, text streams above a status line and an editor with history: type a line to start a
passage with it, /help to list the commands, Tab to complete one, Ctrl-C to leave. A board that is
unplugged is waited for. /send MODEL sends a model, as `inkling send` does.

In scripts, the lines of standard input are typed one after the other: each one when the board has
dealt with the line before, and when the passage is complete that this has started. A line /seed N
holds the text until the prompt behind it, so that this gets the seed. The program ends with the
passage of the last line that starts one, or, where none does, with the passage that is being
written then. While the script has the board paused or passages endless (/len 0), it waits for none.")]
pub struct Args {
    /// The serial port, or tcp:HOST:PORT [default: that of the one board that is plugged in]
    #[arg(long)]
    port: Option<String>,
    /// Look for this board only
    #[arg(long)]
    board: Option<String>,
    /// Also write what the board prints to this file, behind what it holds
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Start each line of that file with the time (UTC, ISO 8601)
    #[arg(long, requires = "log")]
    timestamps: bool,
    /// Show the board's log by a debug probe and probe-rs; this is the firmware that it runs
    #[arg(long, value_name = "FILE")]
    elf: Option<PathBuf>,
    /// Wait this many seconds for the board
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    wait: u64,
    /// List the serial ports and end
    #[arg(long, exclusive = true)]
    list: bool,
}

/// Talks.
pub fn run(args: &Args) -> Result<()> {
    if args.list {
        return list();
    }
    let firmware = args.elf.as_deref().map(Firmware::open).transpose()?;
    let board = match (&args.board, &firmware) {
        (Some(name), _) => Some(find(name)?),
        (None, Some(firmware)) => Some(firmware.board),
        (None, None) => None,
    };
    let append = |path| terminal::Transcript::append(path, args.timestamps);
    let transcript = args.log.as_deref().map(append).transpose()?;
    interrupt::watch();
    let mut line = connect(args.port.clone(), board, Duration::from_secs(args.wait))?;
    let _probe_log = match (&args.elf, board) {
        (Some(elf), Some(board)) => Some(attach(board, elf)?),
        _ => None,
    };
    terminal::converse(&mut line, transcript, None)
}

fn attach(board: &Board, elf: &Path) -> Result<ProbeLog> {
    let Some(flasher) = board.flasher else {
        bail!(
            "{} exists in emulators only: `inkling emulate --log` shows its log",
            board.name
        );
    };
    Ok(ProbeLog::attach(flasher.chip(), elf)?)
}

/// Talks to a board that has just been flashed, once it is there.
pub fn join(board: &'static Board, port: Option<&str>) -> Result<()> {
    const START_UP: Duration = Duration::from_secs(20);
    let mut line = connect(port.map(str::to_owned), Some(board), START_UP)?;
    terminal::converse(&mut line, None, None)
}

/// The line to the board, which is waited for.
pub fn connect(
    port: Option<String>,
    board: Option<&'static Board>,
    patience: Duration,
) -> Result<SerialLine> {
    let mut is_told = false;
    let goes_on = || {
        if !std::mem::replace(&mut is_told, true) {
            note!("waiting for the board");
        }
        !interrupt::happened()
    };
    Ok(SerialLine::connect(port, board, patience, goes_on)?)
}

fn list() -> Result<()> {
    let mut out = output::stdout();
    let ports = port::all()?;
    if ports.is_empty() {
        writeln!(out, "there are no serial ports")?;
    }
    for port in ports {
        let boards = match port.boards.as_slice() {
            [] => String::new(),
            boards => format!(" ({})", boards.join(" or ")),
        };
        writeln!(out, "{}{boards}", port.described())?;
    }
    Ok(())
}
