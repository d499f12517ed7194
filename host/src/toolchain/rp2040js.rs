//! The emulator of the Raspberry Pi Pico: rp2040js out of npm, which node runs.

use std::path::PathBuf;

use super::{Finding, SETUP, find_program};
use crate::paths;

/// The version that the bridge in `device/rp2040.mjs` was written for.
pub const VERSION: &str = "1.4.1";

/// The program that runs it.
pub const NODE: &str = "node";

/// Where set-up keeps this version; npm's `node_modules` is in it.
#[must_use]
pub fn install_dir() -> PathBuf {
    paths::cache_dir()
        .join("tools")
        .join(format!("rp2040js-{VERSION}"))
}

/// The package itself.
#[must_use]
pub fn package_dir() -> PathBuf {
    install_dir().join("node_modules/rp2040js")
}

/// Whether the package is there.
#[must_use]
pub fn is_installed() -> bool {
    package_dir().join("package.json").is_file()
}

/// Looks whether both are there.
#[must_use]
pub fn check() -> Finding {
    const NAME: &str = "Pico emulator";
    match find_program(NODE) {
        None => Finding::missing(NAME, format!("no {NODE} in PATH"), SETUP),
        Some(_) if !is_installed() => {
            Finding::missing(NAME, format!("no rp2040js {VERSION}"), SETUP)
        }
        Some(file) => Finding::ready(NAME, format!("rp2040js {VERSION} in {}", file.display())),
    }
}
