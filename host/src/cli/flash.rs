//! `inkling flash`: a firmware, a model, or both onto a real board.

use std::io::{Write, stdin};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;

use super::model::image_path;
use super::{interrupt, monitor, terminal};
use crate::device::board::{Flasher, note_on};
use crate::device::flash::{self, Order, Package, Target, Written, drive, udev};
use crate::device::line::{self, port};
use crate::device::{Board, find};
use crate::image;
use crate::note;
use crate::output;
use crate::paths;

/// Write a firmware, a model, or both to a board.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --firmware, the firmware is built around the model; a program that was unpacked from a
release takes the firmware beside it, which needs no compiler. With --weights-only just the model
is written to the flash that the board sets aside for one; that needs no compiler either. What is
written is put together and checked before the board is touched. A Pico that runs Inkling needs no
button: it is asked over USB to restart into its boot loader.")]
pub struct Args {
    /// The board; `inkling boards` lists them [default: the one that the firmware is for]
    #[arg(long, required_unless_present_any = ["firmware", "udev"])]
    board: Option<String>,
    /// The model: an image file, or the name of one in weights/ [default: shakespeare-64k, or the
    /// one in the firmware]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Write this firmware instead of building one: .elf, .hex, .uf2, or .bin for the
    /// ESP32-C3
    #[arg(long, value_name = "FILE")]
    firmware: Option<PathBuf>,
    /// Write only the model, and keep the program that the board has
    #[arg(long, requires = "model")]
    weights_only: bool,
    /// The folder where the board's drive is mounted [default: found by itself]
    #[arg(long, value_name = "DIR")]
    drive: Option<PathBuf>,
    /// Flash by this debug probe, whatever the board is usually flashed by: its serial number, or
    /// VENDOR:PRODUCT:SERIAL as `probe-rs list` shows it
    #[arg(long, value_name = "SERIAL", conflicts_with = "drive")]
    probe: Option<String>,
    /// The board's serial port [default: found by itself]
    #[arg(long)]
    port: Option<String>,
    /// Wait this many seconds for the board's drive
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    wait: u64,
    /// Open the monitor afterwards without asking
    #[arg(long, conflicts_with = "no_monitor")]
    yes: bool,
    /// Do not open the monitor afterwards
    #[arg(long)]
    no_monitor: bool,
    /// Write the udev rule that lets you use boards on Linux, and end; - shows it
    #[arg(
        long,
        value_name = "DIR",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = udev::RULES_DIR,
        exclusive = true,
    )]
    udev: Option<PathBuf>,
}

/// Flashes.
pub fn run(args: &Args) -> Result<()> {
    if let Some(dir) = &args.udev {
        return install_rule(dir);
    }
    interrupt::watch();
    let board = match (&args.board, &args.firmware) {
        (Some(name), _) => {
            let board = find(name)?;
            if let Some(note) = note_on(name) {
                note!("{name} is flashed as {}: {note}", board.name);
            }
            board
        }
        (None, Some(firmware)) => flash::board_of(firmware)?,
        (None, None) => bail!("name the board with --board"),
    };
    let model = args.model.as_deref().map(image_path).transpose()?;
    let released = || paths::released_firmware(board.name).filter(|_| !args.weights_only);
    let order = Order {
        board,
        firmware: args.firmware.clone().or_else(released),
        model,
        weights_only: args.weights_only,
        by_probe: args.probe.is_some(),
        stand_in: paths::default_model(),
    };
    announce(&order)?;
    let package = flash::prepare(&order)?;
    confirm_foreign(&package, &order)?;
    write(&package, args)?;
    if wants_monitor(args)? {
        monitor::join(board, args.port.as_deref())?;
    }
    Ok(())
}

/// Flashes a firmware that cargo has just linked, and opens the monitor on a terminal.
pub fn linked(firmware: PathBuf) -> Result<()> {
    run(&Args {
        board: None,
        model: None,
        firmware: Some(firmware),
        weights_only: false,
        drive: None,
        probe: None,
        port: None,
        wait: 120,
        yes: true,
        no_monitor: !terminal::is_interactive(),
        udev: None,
    })
}

/// Says what is about to take a while.
fn announce(order: &Order) -> Result<()> {
    if order.firmware.is_some() || order.weights_only || order.board.flasher.is_none() {
        return Ok(());
    }
    let model = order.model.as_deref().unwrap_or(&order.stand_in);
    note!(
        "building the firmware for {} around {} ({} bytes)",
        order.board.name,
        model.display(),
        image::open(model)?.bytes().len()
    );
    Ok(())
}

/// Says that a firmware is not Inkling's; on a terminal, asks whether to go on. Scripts have named the
/// file, and a board's own boot loader undoes it.
fn confirm_foreign(package: &Package, order: &Order) -> Result<()> {
    let Some(path) = order.firmware.as_deref().filter(|_| package.is_foreign) else {
        return Ok(());
    };
    note!(
        "{} is not an Inkling firmware: it will do whatever it does, and nobody has checked that it \
         is for {}",
        output::one_line(&path.display().to_string()),
        package.board.name
    );
    if terminal::is_interactive() && !ask("write it all the same? [y/N] ")?.starts_with('y') {
        bail!("nothing was written");
    }
    Ok(())
}

fn write(package: &Package, args: &Args) -> Result<()> {
    let board = package.board;
    let by_drive = matches!(
        board.flasher,
        Some(Flasher::Uf2 { .. } | Flasher::Daplink { .. })
    ) && args.probe.is_none();
    let target = Target {
        drive: args.drive.as_deref(),
        is_coming: by_drive && ask_running(board, args),
        probe: args.probe.as_deref(),
        port: args.port.as_deref(),
        patience: Duration::from_secs(args.wait),
    };
    let is_waiting = by_drive && (args.drive.is_none() || target.is_coming);
    let spinner = is_waiting.then(|| {
        note!(
            "waiting for the drive of {}: {}",
            board.name,
            drive::hint(board)
        );
        output::bar(ProgressBar::new_spinner().with_message("waiting"))
    });
    let written = package.write(&target, || !interrupt::happened());
    drop(spinner);
    let bytes = package.load.bytes();
    match written? {
        Written::ByTool => note!("{bytes} bytes written; {} starts", board.name),
        Written::Copied { drive, confirmed } => {
            let drive = output::one_line(&drive.display().to_string());
            let name = board.name;
            if confirmed {
                note!("{bytes} bytes copied to {drive}; {name} starts");
            } else {
                note!(
                    "{bytes} bytes copied to {drive}; {name} has not confirmed them: if it does not \
                     start, plug it in again, and if that does not help, repeat this"
                );
            }
        }
    }
    Ok(())
}

/// Asks a board that runs Inkling to show its drive, so that nobody needs to press a button; whether one
/// was asked. Whatever goes wrong, the button remains.
fn ask_running(board: &Board, args: &Args) -> bool {
    if !drive::comes_on_demand(board) || drive::is_there(board, args.drive.as_deref()) {
        return false;
    }
    let ports = port::all().unwrap_or_default();
    let running = port::running(board, &ports);
    let named = args.port.as_deref();
    let own = running
        .iter()
        .find(|port| named.is_none_or(|name| port.name == name));
    let asked = match (own, named) {
        (Some(_), None) if running.len() > 1 => {
            note!(
                "several boards run as {}: name the port of one with --port, or press the button",
                board.name
            );
            return false;
        }
        (Some(port), _) => port::touch(&port.name).map(|()| port.name.as_str()),
        (None, Some(name)) if ports.iter().any(|port| port.name == name && port.is_own()) => {
            note!("{name} is the port of another board than {}", board.name);
            return false;
        }
        (None, Some(name)) => port::type_boot_loader(name).map(|()| name),
        (None, None) => return false,
    };
    match &asked {
        Ok(port) => note!(
            "{port} is asked to restart {} into its boot loader",
            board.name
        ),
        Err(error) => note!(
            "{} cannot be asked to restart into its boot loader: {error}",
            board.name
        ),
    }
    asked.is_ok()
}

/// Whether to open the monitor; asks on a terminal.
fn wants_monitor(args: &Args) -> Result<bool> {
    if args.yes || args.no_monitor || !terminal::is_interactive() {
        return Ok(args.yes && !args.no_monitor);
    }
    let answer = ask("open the monitor? [Y/n] ")?;
    Ok(!answer.is_empty() && !answer.starts_with('n'))
}

/// What somebody at a terminal answers, in small letters; with its line end, so that nothing at all is
/// the end of the input.
fn ask(question: &str) -> Result<String> {
    let mut out = output::stdout();
    write!(out, "{question}")?;
    out.flush()?;
    let mut answer = String::new();
    stdin()
        .read_line(&mut answer)
        .context("cannot read your answer")?;
    Ok(answer.trim_start_matches([' ', '\t']).to_lowercase())
}

fn install_rule(dir: &Path) -> Result<()> {
    if dir == Path::new("-") {
        return Ok(write!(output::stdout(), "{}", udev::rules())?);
    }
    match udev::install(dir) {
        Ok(path) => {
            note!("written to {}", path.display());
            note!(
                "to use it now: sudo udevadm control --reload && sudo udevadm trigger, and plug the board in again"
            );
            if line::is_remote() {
                note!(
                    "it helps whoever sits at this machine; over SSH, join the group of the board's port, \
                     such as dialout: `sudo usermod -aG dialout $USER`"
                );
            }
            Ok(())
        }
        Err(reason) => {
            write!(output::stdout(), "{}", udev::rules())?;
            bail!(
                "cannot write to {} ({reason}): run this as root, or let root put the rule above there \
                 as {}",
                dir.display(),
                udev::FILE
            )
        }
    }
}
