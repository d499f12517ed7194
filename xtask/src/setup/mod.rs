//! `cargo xtask setup`: installs what `doctor` finds missing.
//!
//! Every download and every unpacking happens in a temporary folder beside its target, which is
//! renamed at the end: an interrupted set-up leaves nothing that looks complete, and the next one
//! sweeps up and starts again. With nothing missing it only looks, and touches nothing.
//!
//! What is downloaded here is known by its digest, checked before it is used, and bounded in size. What
//! others install is theirs to check: apt-get and rustup by signatures, cargo by the digests in the
//! index of crates.io. The one download that nobody checks is not made here: where set-up has no
//! libtorch, torch-sys fetches one while the trainer is built; see [`toolchain::libtorch`].

use std::fs::{self, File, TryLockError};
use std::path::Path;

use anyhow::{Context, bail};
use host::corpus::{self, Standard};
use host::paths;
use host::toolchain::tools::Tool;
use host::toolchain::{self, DISK_SPACE};

mod libtorch;
mod progress;
mod rp2040js;
mod rust;
mod system;
mod tools;
mod wheel;

/// Prefix of the temporary folders in the cache.
const PARTIAL: &str = "partial-";

/// Options of `setup`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only say what is there and what is missing
    #[arg(long)]
    check: bool,
}

/// Runs `setup`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if args.check {
        let findings = toolchain::check();
        println!("{}", toolchain::table(&findings));
        if findings.iter().any(|finding| !finding.ready) {
            bail!("something is missing");
        }
        return Ok(());
    }
    if ensure()? {
        println!("Set-up is complete.");
    } else {
        println!("Set-up: everything is there.");
    }
    Ok(())
}

/// Installs what is missing; says whether anything was.
pub fn ensure() -> anyhow::Result<bool> {
    if is_complete() && !system::wants_browser() {
        return Ok(false);
    }
    let cache = paths::cache_dir();
    let _lock = lock(&cache)?;
    if is_complete() && !system::wants_browser() {
        // The set-up that this one waited for has done it all.
        return Ok(false);
    }
    sweep(&cache)?;
    println!("Setting up, with downloads in {}:", cache.display());
    if let Some(mend) = toolchain::disk_space().mend {
        say("warning", &format!("this may not be enough disk: {mend}"));
    }
    let parts = [
        ("system", system::install()),
        ("rust", rust::install()),
        ("libtorch", libtorch::install(&cache)),
        ("rp2040js", rp2040js::install(&cache)),
        ("tools", tools::install(&cache)),
        ("corpus", fetch_corpus()),
    ];
    if system::wants_browser()
        && let Err(error) = system::install_browser()
    {
        println!("NOT INSTALLED: a browser, so the page is not tested in one: {error:#}");
    }
    let mut failed = Vec::new();
    for (name, result) in parts {
        if let Err(error) = result {
            eprintln!("error: {name}: {error:#}");
            failed.push(name);
        }
    }
    if !failed.is_empty() {
        bail!("set-up is not complete: {} failed", failed.join(", "));
    }
    if !is_complete() {
        bail!(
            "still missing after set-up:\n{}",
            toolchain::table(&toolchain::check())
        );
    }
    Ok(true)
}

/// Installs a tool that only some checks need, if it is missing.
pub fn install_tool(tool: &Tool) -> anyhow::Result<()> {
    let cache = paths::cache_dir();
    let _lock = lock(&cache)?;
    tools::install_one(tool, &cache)
}

/// Whether everything that can be installed is there.
fn is_complete() -> bool {
    toolchain::check()
        .iter()
        .all(|finding| finding.ready || finding.name == DISK_SPACE)
}

fn fetch_corpus() -> anyhow::Result<()> {
    corpus::fetch(Standard::default(), &|line| say("corpus", line))?;
    Ok(())
}

/// One line about one thing.
fn say(name: &str, line: &str) {
    println!("  {name:<13} {line}");
}

/// Keeps a second set-up waiting until this one ends.
fn lock(cache: &Path) -> anyhow::Result<File> {
    let path = cache.join("setup.lock");
    let context = || format!("cannot write {}", path.display());
    fs::create_dir_all(cache).with_context(context)?;
    let file = File::create(&path).with_context(context)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            println!("Waiting for another set-up to end...");
            file.lock().with_context(context)?;
        }
        Err(TryLockError::Error(error)) => return Err(error).with_context(context),
    }
    Ok(file)
}

/// Removes what an interrupted set-up left.
fn sweep(cache: &Path) -> anyhow::Result<()> {
    for entry in fs::read_dir(cache)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(PARTIAL) {
            // A pip that outlived its set-up may still write there; the next sweep gets the rest.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
    Ok(())
}

/// A temporary folder in the cache, where a finished download can be renamed from.
fn partial_dir(cache: &Path) -> anyhow::Result<tempfile::TempDir> {
    tempfile::Builder::new()
        .prefix(PARTIAL)
        .tempdir_in(cache)
        .with_context(|| format!("cannot write to {}", cache.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leftovers_are_swept_and_nothing_else() {
        let cache = tempfile::tempdir().expect("a folder");
        for name in ["partial-1/deep", "libtorch-2.13.0/lib"] {
            fs::create_dir_all(cache.path().join(name)).expect("a folder");
        }
        fs::write(cache.path().join("tinyshakespeare.txt"), "text").expect("a file");
        sweep(cache.path()).expect("swept");
        let mut left: Vec<_> = fs::read_dir(cache.path())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["libtorch-2.13.0", "tinyshakespeare.txt"]);
    }
}
