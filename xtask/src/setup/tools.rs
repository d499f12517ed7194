//! The tools of `cargo xtask test`: from a wheel where there is one, else built by cargo.
//!
//! They are kept in the cache folder by version, so that nothing the user has is replaced.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use host::toolchain::libtorch;
use host::toolchain::tools::{TOOLS, TYPOS, Tool};

use super::wheel::{self, Wheel};
use super::{partial_dir, say};
use crate::command::Invocation;

const TYPOS_WHEEL: [Wheel; 1] = [Wheel {
    name: TYPOS.name,
    version: TYPOS.version,
    sha256: "418fd85f7fc11dec14e5482e747f6e916af56da96207cde0cdd69540a4b389f6",
    bytes: 7_897_311,
}];

/// Installs the missing tools.
pub fn install(cache: &Path) -> anyhow::Result<()> {
    TOOLS.iter().try_for_each(|tool| install_one(tool, cache))
}

/// Installs a tool if it is missing.
pub fn install_one(tool: &Tool, cache: &Path) -> anyhow::Result<()> {
    if tool.program().is_file() {
        return Ok(());
    }
    let partial = partial_dir(cache)?;
    let bin = if tool.name == TYPOS.name && libtorch::HAS_WHEELS && wheel::pip_runs() {
        unpack_typos(partial.path())?
    } else {
        build(tool, cache, partial.path())?
    };
    // What is renamed is whole.
    let whole = partial.path().join("whole");
    fs::create_dir(&whole)?;
    fs::rename(bin, whole.join("bin"))?;
    if tool.dir().exists() {
        fs::remove_dir_all(tool.dir())?;
    }
    fs::create_dir_all(cache.join("tools"))?;
    fs::rename(&whole, tool.dir())
        .with_context(|| format!("cannot move {} to {}", tool.name, tool.dir().display()))
}

fn unpack_typos(partial: &Path) -> anyhow::Result<PathBuf> {
    let size = wheel::size(&TYPOS_WHEEL);
    say(
        TYPOS.name,
        &format!("{}: downloading {size} from PyPI", TYPOS.version),
    );
    let bin = partial.join("bin");
    for wheel in wheel::download(&TYPOS_WHEEL, partial)? {
        wheel::unpack(&wheel, &bin, |name| {
            name.ends_with("/scripts/typos").then(|| TYPOS.name.into())
        })?;
    }
    Ok(bin)
}

/// Builds a tool without optimization, which takes a third of the time: it runs for a second.
fn build(tool: &Tool, cache: &Path, partial: &Path) -> anyhow::Result<PathBuf> {
    say(
        tool.name,
        &format!("{}: building it takes about a minute", tool.version),
    );
    let target = cache.join("tools/build");
    let root = partial.join("root");
    Invocation::parse("cargo install --quiet --locked --debug --no-track")
        .args(["--version", tool.version, "--root"])
        .args([root.display().to_string(), "--target-dir".into()])
        .args([target.display().to_string(), tool.package.into()])
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .run()?;
    fs::remove_dir_all(target)?;
    Ok(root.join("bin"))
}
