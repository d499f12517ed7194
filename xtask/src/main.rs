//! `cargo xtask`: the chores of the project, each one command on a bare machine.
//!
//! One module per subcommand. Nothing here needs libtorch: set-up brings it, and what trains is
//! started as `cargo run -p host`.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

mod bench;
mod bench_train;
mod boards;
mod command;
mod demo;
mod dist;
mod engine;
mod esp;
mod fma_peak;
mod fuzz;
mod homes;
mod nightly;
mod page;
mod picture;
mod setup;
mod soak;
mod supply;
mod tables;
mod test;
#[cfg(test)]
mod workflows;

/// Set-up, demo, tests and benchmarks of Inkling
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Install whatever is missing, and nothing else
    Setup(setup::Args),
    /// Train a model and let an emulated microcontroller write with it
    Demo(demo::Args),
    /// Build firmware files for the boards that people own, to hand on
    Dist(dist::Args),
    /// Build the firmware of one board with the flags of this program's environment
    #[command(hide = true)]
    DistBuild(dist::Build),
    /// Build the page: models in a browser
    Page(page::Args),
    /// Check everything: style, lints, licences, tests on the PC and on emulated boards
    Test(test::Args),
    /// Look the dependencies up in the RustSec database of known vulnerabilities
    Advisories,
    /// Let an emulated board write for a long time and compare every byte with the PC
    Soak(soak::Args),
    /// Build the firmware for every board and check that it fits
    Boards(boards::Args),
    /// Check what other programs rely on in the crate inkling-engine
    #[command(subcommand)]
    Engine(engine::Task),
    /// Feed every reader with whatever a fuzzer thinks of, with a nightly compiler
    Fuzz(fuzz::Args),
    /// Record a board's console as a picture for README and book
    Picture(picture::Args),
    /// Write the tables of README and book from the files of results
    Tables(tables::Args),
    /// Measure
    #[command(subcommand)]
    Bench(bench::Task),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = enter_project().and_then(|()| match cli.task {
        Task::Setup(args) => setup::run(&args),
        Task::Demo(args) => demo::run(&args),
        Task::Dist(args) => dist::run(&args),
        Task::DistBuild(args) => dist::build(&args),
        Task::Page(args) => page::run(&args),
        Task::Test(args) => test::run(&args),
        Task::Advisories => supply::advisories::run(),
        Task::Soak(args) => soak::run(&args),
        Task::Boards(args) => boards::run(&args),
        Task::Engine(task) => engine::run(&task),
        Task::Fuzz(args) => fuzz::run(&args),
        Task::Picture(args) => picture::run(&args),
        Task::Tables(args) => tables::run(&args),
        Task::Bench(task) => bench::run(&task),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Everything works from the project's root, wherever the user stands.
fn enter_project() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::env::set_current_dir(&root)
        .with_context(|| format!("cannot enter the project folder {}", root.display()))
}
