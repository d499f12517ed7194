//! `cargo xtask demo`: from a text to a microcontroller that writes.

/// Options of `demo`.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs `demo`.
pub fn run(_args: &Args) -> anyhow::Result<()> {
    crate::setup::ensure()?;
    Ok(())
}
