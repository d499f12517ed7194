//! The command line: one module per subcommand, each with its `Args` and its `run`.
//!
//! Modules below this one speak in typed errors; here they become one sentence on standard error
//! and a non-zero exit code.

use std::io::Write;
use std::process::ExitCode;

use crate::note;
use crate::output;
use clap::{Parser, Subcommand};

mod arguments;
mod boards;
mod choosing;
mod doctor;
mod emulate;
mod eval;
pub mod export;
mod fetch;
mod flash;
mod health;
mod inspect;
pub mod interrupt;
mod known;
pub mod model;
mod monitor;
mod page;
pub mod reading;
mod run;
pub mod runs;
mod sample;
mod send;
mod terminal;
pub mod train;

/// The exit code for a command line that cannot be understood.
const MISUSED: u8 = 2;

/// Train a character LSTM on your own text and let a microcontroller write with it.
#[derive(Debug, Parser)]
#[command(name = "inkling", version, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a model on a text and export it for a board
    Train(train::Args),
    /// Turn the float weights of a run into a model image
    Export(export::Args),
    /// Measure how well models predict a text, with the board's own arithmetic
    Eval(eval::Args),
    /// List, compare, rename and remove trainings
    Runs(runs::Args),
    /// Let a model write a million characters and say whether it stays sound
    Health(health::Args),
    /// Print the exact text that a board would print
    Sample(sample::Args),
    /// Show what is inside a model image and which boards it fits
    Inspect(inspect::Args),
    /// List the supported boards
    Boards(boards::Args),
    /// Build the firmware, boot it in an emulator and join its serial console
    Emulate(emulate::Args),
    /// Write a firmware, a model, or both to a board
    Flash(flash::Args),
    /// Send a model to a running board over its serial port
    Send(send::Args),
    /// Talk to a board over its serial port
    Monitor(monitor::Args),
    /// Try models in a browser, and talk to boards there
    Page(page::Args),
    /// Flash a linked firmware to its board, or boot it if the board exists in emulators only
    #[command(hide = true)]
    Run(run::Args),
    /// Download and check the standard corpus
    Fetch(fetch::Args),
    /// Say what is installed, what is missing and how to mend it
    Doctor(doctor::Args),
}

/// Parses the command line and runs it.
#[must_use]
pub fn main() -> ExitCode {
    start(run)
}

/// Parses a command line and hands it to `run`.
#[must_use]
pub fn start<P: Parser>(run: impl FnOnce(P) -> anyhow::Result<()>) -> ExitCode {
    let result = match arguments::parse() {
        Ok(cli) => run(cli),
        Err(error) if error.use_stderr() => {
            note!("{}", arguments::refusal(&error));
            return ExitCode::from(MISUSED);
        }
        // Help or the version was asked for.
        Err(error) => write!(output::stdout(), "{}", error.render()).map_err(Into::into),
    };
    end(result)
}

/// How a program ends whose work ended so: with one sentence if it failed.
fn end(result: anyhow::Result<()>) -> ExitCode {
    // What is still in the buffer may be what finds the disk full.
    let result = result.and_then(|()| Ok(output::stdout().flush()?));
    let was_asked_to_end = interrupt::happened();
    match result {
        Ok(()) if was_asked_to_end => ExitCode::from(interrupt::exit_code()),
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.chain().any(output::reader_is_gone) => ExitCode::SUCCESS,
        Err(error) => {
            note!("error: {error:#}");
            match was_asked_to_end {
                true => ExitCode::from(interrupt::exit_code()),
                false => ExitCode::FAILURE,
            }
        }
    }
}

fn run(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Command::Train(args) => train::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Runs(args) => runs::run(&args),
        Command::Health(args) => health::run(&args),
        Command::Sample(args) => sample::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Boards(args) => boards::run(&args),
        Command::Emulate(args) => emulate::run(&args),
        Command::Flash(args) => flash::run(&args),
        Command::Send(args) => send::run(&args),
        Command::Monitor(args) => monitor::run(&args),
        Command::Page(args) => page::run(&args),
        Command::Run(args) => run::run(args),
        Command::Fetch(args) => fetch::run(&args),
        Command::Doctor(args) => doctor::run(&args),
    }
}
