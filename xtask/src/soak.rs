//! `cargo xtask soak`: lets an emulated board write for a long time, and compares every byte with what
//! the PC predicts. A restart, a lost character or a line that does not belong there ends it.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use firmware::console::Command;
use firmware::protocol::{BREAK, DONE, End, OWN, RESUMED, Start};
use host::device::{self, Emulator, Firmware, Options, Program};
use host::engine::generator;
use host::image;
use host::paths;
use inkling_engine::{Model, Settings};

/// The characters of a passage.
const LENGTH: u32 = 1000;

/// The seed of the first passage; the board counts on from it.
const FIRST_SEED: u64 = 1;

/// How long the slowest emulator may take for a passage.
const PATIENCE: Duration = Duration::from_secs(600);

/// How often progress is reported.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// Options of `soak`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The emulated board
    #[arg(long, default_value = device::DEFAULT_BOARD)]
    board: String,

    /// How long it writes
    #[arg(long, value_name = "N", default_value_t = 30)]
    minutes: u64,

    /// Listen at the USB port of a board that has one beside its UART
    #[arg(long)]
    usb: bool,

    /// The model image [default: weights/shakespeare-64k.img]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
}

/// Runs `soak`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let board = device::find(&args.board)?;
    let path = args.model.clone().unwrap_or_else(paths::default_model);
    let image = image::open(&path)?;
    let model = image
        .model()
        .with_context(|| format!("cannot use {}", path.display()))?;
    let firmware = Firmware::build(board, &path, Program::Console)?;
    let options = Options {
        usb: args.usb,
        ..Options::default()
    };
    let mut emulator = Emulator::start(&firmware, options)?;
    for command in [
        Command::Pause,
        Command::Rate(0),
        Command::Length(LENGTH),
        Command::Seed(FIRST_SEED),
        Command::Resume,
    ] {
        emulator.send_line(&command.to_string())?;
    }
    emulator.read_until(&format!("{OWN}{RESUMED}\n{DONE}"), PATIENCE)?;

    let start = Instant::now();
    let mut report = REPORT_INTERVAL;
    let mut passages = 0;
    while start.elapsed() < Duration::from_secs(60 * args.minutes) {
        let seed = FIRST_SEED + passages;
        let printed = emulator.read_until(" characters/s\n", PATIENCE)?;
        compare(&printed, &expected(model, seed))
            .with_context(|| format!("{} has gone astray at seed {seed}", board.name))?;
        passages += 1;
        if start.elapsed() >= report {
            println!("{} minutes: {passages} passages", report.as_secs() / 60);
            report += REPORT_INTERVAL;
        }
    }
    println!(
        "{}: {} characters in {} minutes, all as predicted, no restart",
        board.name,
        passages * u64::from(LENGTH),
        args.minutes
    );
    Ok(())
}

/// What the board is to print for a passage, up to its speed.
fn expected(model: Model<'_>, seed: u64) -> String {
    let settings = Settings::default();
    let mut generator = generator(model, settings, seed);
    let text: String = (0..LENGTH).map(|_| generator.next_char()).collect();
    let start = Start { seed, settings };
    let end = End {
        seed,
        characters: LENGTH,
        speed: 0,
    };
    let end = end.to_string();
    let up_to_its_speed = end.rsplit_once(", ").map_or(&*end, |(before, _)| before);
    format!("{OWN}{start}\n{text}{BREAK}{OWN}{up_to_its_speed}")
}

/// Fails with the place where `printed` stops being `expected`.
fn compare(printed: &str, expected: &str) -> anyhow::Result<()> {
    if printed.starts_with(expected) {
        return Ok(());
    }
    let same = printed
        .chars()
        .zip(expected.chars())
        .take_while(|(printed, expected)| printed == expected)
        .count();
    let rest = |text: &str| text.chars().skip(same).take(60).collect::<String>();
    bail!(
        "after {same} characters it printed {:?} instead of {:?}",
        rest(printed),
        rest(expected)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_shown_where_it_begins() {
        assert!(compare("to be 12 characters/s\n", "to be ").is_ok());
        let error = compare("to bee or", "to be or").expect_err("they differ");
        assert_eq!(
            error.to_string(),
            "after 5 characters it printed \"e or\" instead of \" or\""
        );
    }
}
