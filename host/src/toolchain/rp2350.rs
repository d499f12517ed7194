//! The emulator of the Raspberry Pi Pico 2: a program of the checkout, which cargo builds when it is needed.

use std::io::{self, IsTerminal};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Mutex;

use super::cargo;
use crate::{note, paths};

/// The name of the program.
pub const PROGRAM: &str = "inkling-rp2350";

/// The package that it is in.
const PACKAGE: &str = "rp2350";

/// Why there is no emulator.
#[derive(Debug, thiserror::Error)]
pub enum Rp2350Error {
    /// There is nothing to build it from.
    #[error(
        "the emulator of the Pico 2 is built from source, and there is none here: run this in a checkout of Inkling"
    )]
    NoSource,
    /// Cargo has printed why.
    #[error("the emulator of the Pico 2 did not build, see above")]
    Build,
    /// Cargo could not be started.
    #[error("cannot run cargo to build the emulator of the Pico 2: {0}")]
    Cargo(#[from] io::Error),
}

/// Where the program is, built if need be.
///
/// # Errors
/// When this is no checkout, or cargo fails.
pub fn program() -> Result<PathBuf, Rp2350Error> {
    // Once for all boards that a program boots.
    static BUILT: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut built = BUILT
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    if let Some(program) = &*built {
        return Ok(program.clone());
    }
    let program = build()?;
    *built = Some(program.clone());
    Ok(program)
}

fn build() -> Result<PathBuf, Rp2350Error> {
    let project = paths::project_dir();
    if !paths::is_checkout(&project) {
        return Err(Rp2350Error::NoSource);
    }
    let mut cargo = cargo::cargo();
    cargo
        .current_dir(&project)
        .args(["build", "--package", PACKAGE, "--bin", PROGRAM])
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let name = format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX);
    if project.join("target/debug").join(name).is_file() || !io::stderr().is_terminal() {
        cargo.arg("--quiet");
    } else {
        note!("building the emulator of the Pico 2: a minute, once");
    }
    let output = cargo.output()?;
    match cargo::executable(&output.stdout) {
        Some(program) if output.status.success() => Ok(program),
        _ => Err(Rp2350Error::Build),
    }
}
