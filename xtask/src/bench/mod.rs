//! `cargo xtask bench`: figures that can be compared between machines and versions.

use std::path::{Path, PathBuf};

use anyhow::bail;
use firmware::kernels::Bits;
use host::device::bench::{self, BenchReport, TUTORIAL_HIDDEN, TUTORIAL_SYMBOLS};
use host::device::budget::{self, BUDGET_BOARDS, Budget, Budgets};
use host::device::{self, BOARDS, Board};
use host::image::AlignedImage;
use host::paths;
use host::quantize::{Widths, quantize};
use host::synthetic::float_model;
use tempfile::TempDir;

use crate::bench_train;

mod report;

/// The hidden sizes that `--all` compares, on the default board.
const HIDDEN_SIZES: [usize; 4] = [64, 100, 128, 256];

/// What to measure.
#[derive(Debug, clap::Subcommand)]
pub enum Task {
    /// Count the instructions (on the Pico: cycles) that a board needs for one character
    Device(Device),
    /// Measure how fast training is, beside PyTorch
    Train(bench_train::Train),
}

/// Options of `bench device`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --hidden or --bits a model of that shape with 65 symbols and made-up weights is measured: what
the kernels cost does not depend on the values of weights and state, only sampling depends on them
a little. Without either, it is the model that ships.")]
pub struct Device {
    /// The emulated board
    #[arg(long, default_value = device::DEFAULT_BOARD)]
    board: String,

    /// The model image [default: weights/shakespeare-64k.img]
    #[arg(long, value_name = "FILE", conflicts_with = "hidden")]
    model: Option<PathBuf>,

    /// Measure a made-up model of this hidden size [default with --bits: 100, as in the tutorial]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=512))]
    hidden: Option<u16>,

    /// Bits per weight of the made-up model [default: 8]
    #[arg(long, value_parser = parse_bits)]
    bits: Option<Bits>,

    /// Measure every board, int8 and int4, and several hidden sizes
    #[arg(long, conflicts_with_all = ["board", "model", "hidden", "bits"])]
    all: bool,

    /// Record what is measured now as the budgets that the tests check
    #[arg(long, conflicts_with_all = ["board", "model", "hidden", "bits", "all", "json", "markdown"])]
    update_budgets: bool,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,

    /// Print the figures as tables for the README
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

/// Reads 8 or 4.
fn parse_bits(text: &str) -> Result<Bits, String> {
    let count = text.parse().ok();
    let bits = count.and_then(Bits::from_count);
    bits.ok_or_else(|| "weights have 8 or 4 bits".to_owned())
}

/// Runs `bench`.
pub fn run(task: &Task) -> anyhow::Result<()> {
    match task {
        Task::Device(args) => run_device(args),
        Task::Train(args) => bench_train::run(args),
    }
}

fn run_device(args: &Device) -> anyhow::Result<()> {
    if args.update_budgets {
        return update_budgets();
    }
    let reports = if args.all {
        measure_all()?
    } else {
        vec![measure(args)?]
    };
    if args.markdown {
        print!("{}", report::markdown(&reports));
    } else if args.json && args.all {
        println!("{}", serde_json::to_string_pretty(&reports)?);
    } else if args.json {
        for report in &reports {
            println!("{}", serde_json::to_string_pretty(report)?);
        }
    } else {
        for report in &reports {
            print!("{}", report::text(report));
        }
    }
    Ok(())
}

fn update_budgets() -> anyhow::Result<()> {
    let mut budgets = Budgets::new();
    for name in BUDGET_BOARDS {
        let measured = Budget::measure(device::find(name)?)?;
        println!("{name}: {measured:?}");
        budgets.insert(name.into(), measured);
    }
    budget::save(&budgets)?;
    println!("recorded in {}", budget::path().display());
    Ok(())
}

fn measure(args: &Device) -> anyhow::Result<BenchReport> {
    let board = device::find(&args.board)?;
    if args.model.is_none() && (args.hidden.is_some() || args.bits.is_some()) {
        let hidden = args.hidden.map_or(TUTORIAL_HIDDEN, usize::from);
        return measure_shape(board, hidden, args.bits.unwrap_or(Bits::Eight));
    }
    let shipped = || paths::weights_dir().join("shakespeare-64k.img");
    let model = args.model.clone().unwrap_or_else(shipped);
    if let Some(bits) = args.bits {
        check_bits(&model, bits)?;
    }
    Ok(bench::run(board, &model)?)
}

/// Refuses a model whose weights are not as wide as the user thinks.
fn check_bits(path: &Path, bits: Bits) -> anyhow::Result<()> {
    let found = AlignedImage::open(path)?.model()?.weight_bits();
    if found != bits.count() {
        bail!(
            "the weights of {} have {found} bits: leave --bits out, or export the model with it",
            path.display()
        );
    }
    Ok(())
}

/// Every emulated board with the tutorial's shape, then every hidden size on the default board.
fn measure_all() -> anyhow::Result<Vec<BenchReport>> {
    let default = device::find(device::DEFAULT_BOARD)?;
    let emulated = BOARDS.iter().filter(|board| board.emulator.is_some());
    let boards = emulated.map(|board| (board, TUTORIAL_HIDDEN));
    let other_sizes = HIDDEN_SIZES.iter().filter(|&&size| size != TUTORIAL_HIDDEN);
    let sizes = other_sizes.map(|&size| (default, size));
    let mut reports = Vec::new();
    for (board, hidden) in boards.chain(sizes) {
        for bits in [Bits::Eight, Bits::Four] {
            eprintln!(
                "measuring {}, hidden {hidden}, int{}",
                board.name,
                bits.count()
            );
            reports.push(measure_shape(board, hidden, bits)?);
        }
    }
    Ok(reports)
}

/// Measures a model that has the shape and nothing else.
fn measure_shape(board: &'static Board, hidden: usize, bits: Bits) -> anyhow::Result<BenchReport> {
    let parts = quantize(
        &float_model(TUTORIAL_SYMBOLS, hidden, 1, 1),
        Widths::uniform(bits),
    )?;
    let folder = TempDir::new()?;
    let model = folder.path().join("synthetic.img");
    std::fs::write(&model, parts.to_image()?.bytes())?;
    Ok(bench::run(board, &model)?)
}
