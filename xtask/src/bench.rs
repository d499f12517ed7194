//! `cargo xtask bench`: figures that can be compared between machines and versions.

use anyhow::bail;

/// What to measure.
#[derive(Debug, clap::Subcommand)]
pub enum Task {
    /// Count the instructions that a board needs for one character
    Device(Device),
}

/// Options of `bench device`.
#[derive(Debug, clap::Args)]
pub struct Device {
    /// The emulated board
    #[arg(long, default_value = "mps2-an386")]
    board: String,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// Runs `bench`.
pub fn run(task: &Task) -> anyhow::Result<()> {
    match task {
        Task::Device(args) => bail!("{} {}", args.board, args.json),
    }
}
