//! The emulator of the Raspberry Pi Pico, by npm, which checks it against the lock file here.

use std::fs;
use std::path::Path;

use anyhow::Context;
use host::toolchain::rp2040js::{VERSION, install_dir, is_installed};

use super::{partial_dir, say};
use crate::command::Invocation;

const NAME: &str = "rp2040js";

const MANIFEST: &str = include_str!("rp2040js/package.json");
const LOCK: &str = include_str!("rp2040js/package-lock.json");

/// Installs it where it is missing.
pub fn install(cache: &Path) -> anyhow::Result<()> {
    if is_installed() {
        return Ok(());
    }
    say(NAME, &format!("{VERSION}: downloading from npm"));
    let partial = partial_dir(cache)?;
    // What is renamed is whole.
    let whole = partial.path().join("whole");
    fs::create_dir(&whole)?;
    fs::write(whole.join("package.json"), MANIFEST)?;
    fs::write(whole.join("package-lock.json"), LOCK)?;
    Invocation::parse("npm ci --silent --ignore-scripts --no-audit --no-fund --prefix")
        .args([whole.display().to_string()])
        .read()?;
    let target = install_dir();
    if target.exists() {
        fs::remove_dir_all(&target)?;
    }
    fs::create_dir_all(cache.join("tools"))?;
    fs::rename(&whole, &target)
        .with_context(|| format!("cannot move {NAME} to {}", target.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_is_for_the_version_that_the_bridge_is_for() {
        assert!(MANIFEST.contains(&format!("\"rp2040js\": \"{VERSION}\"")));
        assert!(LOCK.contains(&format!("\"version\": \"{VERSION}\"")));
        assert!(LOCK.contains("\"integrity\": \"sha512-"));
    }
}
