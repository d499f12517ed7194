//! Parts of the Rust toolchain: bare-metal targets, clippy and rustfmt.

use anyhow::{Context, bail};
use host::toolchain;

use super::say;
use crate::command::Invocation;

const NAME: &str = "rust";

/// Adds what is missing. Explicitly: rustup's automatic installation may be switched off.
pub fn install() -> anyhow::Result<()> {
    let (targets, components) = toolchain::missing_rust_parts().context("rustc does not run")?;
    if targets.is_empty() && components.is_empty() {
        return Ok(());
    }
    if toolchain::find_program("rustup").is_none() {
        bail!(
            "this Rust lacks {} and there is no rustup to add them: install it from https://rustup.rs",
            [components, targets].concat().join(", ")
        );
    }
    if !components.is_empty() {
        say(
            NAME,
            &format!("adding {} (about 10 MB)", components.join(", ")),
        );
        Invocation::parse("rustup --quiet component add")
            .args(components)
            .run()?;
    }
    if !targets.is_empty() {
        let size = 60 * targets.len();
        say(
            NAME,
            &format!("adding {} ({size} MB on disk)", targets.join(", ")),
        );
        Invocation::parse("rustup --quiet target add")
            .args(targets)
            .run()?;
    }
    Ok(())
}
