//! `cargo xtask demo`: from a text to a microcontroller that writes, each part real.
//!
//! Trains the quick recipe, exports it, builds the firmware around it, boots that on an emulated
//! board, shows what the board writes, and ends with the figures that matter.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use anyhow::{Context, bail};
use comfy_table::{Table, presets};
use host::device::bench::{self, BenchReport};
use host::device::{self, Emulator, Firmware, Options, Program, Request};
use host::paths;
use inkling_engine::Settings;
use serde_json::Value;

use crate::command::Invocation;
use crate::setup;

/// The name of the run and of the model.
const NAME: &str = "demo";

/// Whether a program is running that handles Ctrl-C itself.
static CHILD_DECIDES: AtomicBool = AtomicBool::new(false);

/// Options of `demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The emulated board
    #[arg(long, default_value = device::DEFAULT_BOARD)]
    board: String,

    /// How many characters the board writes
    #[arg(long, default_value_t = 1_200, value_parser = clap::value_parser!(u32).range(1..))]
    length: u32,
}

/// Runs `demo`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let board = device::find(&args.board)?;
    ctrlc::set_handler(|| {
        if !CHILD_DECIDES.load(Ordering::Relaxed) {
            std::process::exit(130);
        }
    })
    .context("cannot watch for Ctrl-C")?;
    let start = Instant::now();

    heading("1. Set-up");
    if !setup::ensure()? {
        println!("everything is there");
    }
    heading("2. Building the trainer");
    Invocation::parse("cargo build --package host").run()?;
    Invocation::parse("cargo build --package trainer --bin inkling-trainer").run()?;

    heading("3. Training on the PC");
    let training_start = Instant::now();
    train()?;
    let training_seconds = training_start.elapsed().as_secs();
    let model = paths::weights_dir().join(format!("{NAME}.img"));

    heading("4. Measuring with the board's arithmetic");
    let evaluation = evaluate(&model)?;

    heading(&format!("5. Building the firmware for {}", board.name));
    let firmware = Firmware::build(board, &model, Program::Console)?;

    heading(&format!("6. What the {} writes", board.core));
    stream(&firmware, args.length)?;

    heading("7. Counting instructions");
    let cost = bench::run(board, &model)?;

    println!("\n{}\n", summary(&evaluation, &cost, training_seconds));
    println!(
        "All of it took {} s. Talk to it: cargo run -p host -- emulate --model {}",
        start.elapsed().as_secs(),
        model
            .strip_prefix(paths::project_dir())
            .unwrap_or(&model)
            .display()
    );
    Ok(())
}

fn heading(text: &str) {
    println!("\n── {text}");
}

/// Trains and exports. Interrupted, the training saves itself and says how to go on.
fn train() -> anyhow::Result<()> {
    CHILD_DECIDES.store(true, Ordering::Relaxed);
    let trained = Invocation::parse(
        "cargo run --quiet --package host -- train --recipe quick --overwrite --name",
    )
    .args([NAME])
    .run();
    CHILD_DECIDES.store(false, Ordering::Relaxed);
    trained
}

fn evaluate(model: &Path) -> anyhow::Result<Value> {
    let invocation = Invocation::parse("cargo run --quiet --package host -- eval --json")
        .args([model.display().to_string()]);
    let report = invocation.read()?;
    serde_json::from_str(&report).with_context(|| format!("`{invocation}` printed no JSON"))
}

/// Boots the firmware and shows what it writes, as it writes it.
fn stream(firmware: &Firmware, length: u32) -> anyhow::Result<()> {
    let mut emulator = Emulator::start(firmware, Options::default())?;
    let request = Request {
        seed: 1,
        prompt: String::new(),
        length,
        settings: Settings::default(),
        until: firmware::until::Until::OFF,
        count: 1,
    };
    let mut out = std::io::stdout().lock();
    let mut written = 0;
    emulator.stream_passage(&request, |text| {
        written += text.len();
        // A reader that went away, as in `| head`, ends nothing.
        let _ = out.write_all(text).and_then(|()| out.flush());
        ControlFlow::Continue(())
    })?;
    if written < length as usize {
        bail!("the board wrote {written} characters instead of {length}");
    }
    println!();
    Ok(())
}

/// The figures that matter, side by side.
fn summary(evaluation: &Value, cost: &BenchReport, training_seconds: u64) -> Table {
    let loss = |key: &str| match evaluation[key].as_f64() {
        Some(nats) => format!("{nats:.4} nats/char"),
        None => "unknown".into(),
    };
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    for (name, figure) in [
        ("loss on unseen text, engine", loss("engine_loss_nats")),
        ("the same with float weights", loss("float_loss_nats")),
        ("gap", loss("gap_nats")),
        (
            "bits/char",
            format!(
                "{:.3}",
                evaluation["bits_per_char"].as_f64().unwrap_or(f64::NAN)
            ),
        ),
        ("model image", format!("{} bytes", cost.image_bytes)),
        (
            "firmware and model, flash",
            format!("{} bytes", cost.flash_bytes),
        ),
        (
            "firmware, RAM with stack",
            format!("{} bytes", cost.ram_bytes),
        ),
        (
            "instructions per character",
            format!("{:.0}", cost.instructions_per_char),
        ),
        ("training and export", format!("{training_seconds} s")),
    ] {
        table.add_row([name, &figure]);
    }
    table
}
