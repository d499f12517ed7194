//! The emulator of the Raspberry Pi Pico, by npm, which checks it against the SHA-512 in the lock file
//! here. It does so while it unpacks, into a folder that is thrown away unless the digest is right, and
//! that takes so much and no more; no script of the package runs.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, bail};
use host::toolchain::rp2040js::{VERSION, install_dir, is_installed};

use super::{partial_dir, progress, say};
use crate::command::Invocation;

const NAME: &str = "rp2040js";

const MANIFEST: &str = include_str!("rp2040js/package.json");
const LOCK: &str = include_str!("rp2040js/package-lock.json");

/// What npm writes: the package, unpacked and in its cache.
const BYTES: u64 = 1_100_000;

/// What npm may write.
const LIMIT: u64 = 64 << 20;

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
    // A cache of its own counts too, and leaves nothing behind.
    let npm = Invocation::parse("npm ci --silent --ignore-scripts --no-audit --no-fund --prefix")
        .args([whole.display().to_string(), "--cache".into()])
        .args([partial.path().join("cache").display().to_string()]);
    let mut command = npm.command();
    command.stdout(Stdio::null());
    let status = progress::download(&mut command, partial.path(), (BYTES, LIMIT))?;
    if !status.success() {
        bail!("`{npm}` failed ({status}); check the network and run this again");
    }
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
    }

    #[test]
    fn every_package_in_the_lock_file_has_its_digest() {
        let lock: serde_json::Value = serde_json::from_str(LOCK).expect("JSON");
        let packages = lock["packages"].as_object().expect("packages");
        let others = packages.iter().filter(|(path, _)| !path.is_empty());
        for (path, package) in others {
            let digest = package["integrity"].as_str().unwrap_or_default();
            assert!(digest.starts_with("sha512-"), "{path}");
        }
    }
}
