//! `cargo xtask bench`: figures that can be compared between machines and versions.

use std::path::{Path, PathBuf};

use host::cli::model::image_path;
use host::device::bench::{self, BenchReport, SHAPE_PLANES, TUTORIAL_HIDDEN, TUTORIAL_SYMBOLS};
use host::device::budget::{self, BUDGET_BOARDS, Budget, Budgets};
use host::device::{self, BOARDS, Board};
use host::paths;
use host::quantize::{InputForm, quantize};
use host::synthetic::float_model;
use tempfile::TempDir;

use crate::bench_train;
use crate::tables::results;

mod corpora;
mod engine;
mod page;
mod power_cuts;
mod report;

/// The hidden sizes that `--all` compares, on the default board.
const HIDDEN_SIZES: [usize; 4] = [64, 100, 128, 256];

/// The sizes of the models that ship.
const SHIPPED_SIZES: [&str; 6] = ["32k", "40k", "64k", "128k", "256k", "512k"];

/// What to measure.
#[derive(Debug, clap::Subcommand)]
pub enum Task {
    /// Count the instructions (on the Pico: cycles) that a board needs for one character
    Device(Device),
    /// Measure how fast the engine writes on this PC
    Engine(engine::Engine),
    /// Measure how fast the page's engine writes in node
    Page(page::Page),
    /// Train on texts of many kinds and measure what comes of it, beside compressors
    Corpora(corpora::Corpora),
    /// Let power fail at every operation on the emulated Pico's flash while a model is sent to it
    PowerCuts(power_cuts::PowerCuts),
    /// Measure how fast training is, beside PyTorch
    Train(bench_train::Train),
}

/// Options of `bench device`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
With --hidden or --inputs a model of that shape with 65 symbols and made-up weights is measured: what
the kernels cost does not depend on the values of weights and state, only sampling depends on them
a little. Without either, it is the model that ships.")]
pub struct Device {
    /// The emulated board
    #[arg(long, default_value = device::DEFAULT_BOARD)]
    board: String,

    /// The model: an image file, or the name of one in weights/ [default: shakespeare-64k]
    #[arg(long, conflicts_with_all = ["hidden", "inputs"])]
    model: Option<PathBuf>,

    /// Measure a made-up model of this hidden size [default with --inputs: 100, as in the tutorial]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    hidden: Option<u16>,

    /// How the made-up model keeps its inputs [default: smallest]
    #[arg(long, value_enum)]
    inputs: Option<InputForm>,

    /// Measure every board with both forms of inputs, several hidden sizes, and the models that ship
    #[arg(long, conflicts_with_all = ["board", "model", "hidden", "inputs"])]
    all: bool,

    /// Record what is measured now as the budgets that the tests check
    #[arg(long, conflicts_with_all = ["board", "model", "hidden", "inputs", "all", "json", "markdown"])]
    update_budgets: bool,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,

    /// Print the figures as tables in Markdown
    #[arg(long, conflicts_with = "json")]
    markdown: bool,
}

/// Runs `bench`.
pub fn run(task: &Task) -> anyhow::Result<()> {
    match task {
        Task::Device(args) => run_device(args),
        Task::Engine(args) => engine::run(args),
        Task::Page(args) => page::run(args),
        Task::Corpora(args) => corpora::run(args),
        Task::PowerCuts(args) => power_cuts::run(args),
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
        let reports: Vec<results::Device> =
            serde_json::from_value(serde_json::to_value(&reports)?)?;
        print!("{}", results::of_boards(&reports));
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
    if args.hidden.is_some() || args.inputs.is_some() {
        let hidden = args.hidden.map_or(TUTORIAL_HIDDEN, usize::from);
        return measure_shape(board, hidden, args.inputs.unwrap_or_default());
    }
    let model = args.model.clone().unwrap_or_else(paths::default_model);
    Ok(bench::run(board, &image_path(&model)?)?)
}

/// Every board whose emulator counts with the tutorial's shape, then every hidden size and every model that ships on
/// the default board.
fn measure_all() -> anyhow::Result<Vec<BenchReport>> {
    let default = device::find(device::DEFAULT_BOARD)?;
    let counts = |board: &&Board| board.emulator.is_some_and(|machine| machine.unit.is_some());
    let boards = BOARDS
        .iter()
        .filter(counts)
        .map(|board| (board, TUTORIAL_HIDDEN));
    let other_sizes = HIDDEN_SIZES.iter().filter(|&&size| size != TUTORIAL_HIDDEN);
    let sizes = other_sizes.map(|&size| (default, size));
    let mut reports = Vec::new();
    for (board, hidden) in boards.chain(sizes) {
        for form in [InputForm::Embedded, InputForm::Folded] {
            eprintln!("measuring {}, hidden {hidden}, inputs {form}", board.name);
            reports.push(measure_shape(board, hidden, form)?);
        }
    }
    for model in shipped() {
        eprintln!("measuring {}, {model}", default.name);
        reports.push(bench::run(default, &image_path(Path::new(&model))?)?);
    }
    Ok(reports)
}

/// The names of the models that ship, the smallest first.
fn shipped() -> impl Iterator<Item = String> {
    SHIPPED_SIZES
        .map(|size| format!("shakespeare-{size}"))
        .into_iter()
}

/// Measures a model that has the shape and nothing else.
fn measure_shape(
    board: &'static Board,
    hidden: usize,
    form: InputForm,
) -> anyhow::Result<BenchReport> {
    let parts = quantize(
        &float_model(TUTORIAL_SYMBOLS, hidden, 1, 1),
        SHAPE_PLANES,
        form,
    )?;
    let folder = TempDir::new()?;
    let model = folder.path().join("synthetic.img");
    std::fs::write(&model, parts.to_image()?.bytes())?;
    Ok(bench::run(board, &model)?)
}
