//! (stub)

/// Options
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs it.
pub fn run(_args: &Args) -> anyhow::Result<()> { anyhow::bail!("stub") }
