//! `cargo xtask engine`: what programs of others rely on in the crate `inkling-engine`.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};
use clap::Subcommand;
use serde::Deserialize;

use crate::command::Invocation;
use crate::nightly;

/// The crate.
const CRATE: &str = "firmware/engine";

/// Its public interface, an item a line.
const INTERFACE: &str = "firmware/engine/api.txt";

/// Where both checks build: with other compilers, or other options, than everything else.
const FOLDER: &str = "target/engine";

/// Cores that it is built for with the oldest compiler: those with kernels of their own.
const TARGETS: [&str; 2] = ["thumbv6m-none-eabi", "thumbv7em-none-eabihf"];

/// What to check.
#[derive(Debug, Subcommand)]
pub enum Task {
    /// Write down the public interface, so that a change of it is seen
    Api {
        /// Write nothing, and fail if it is not what is written down
        #[arg(long)]
        check: bool,
    },
    /// Build with the oldest compiler that the crate promises
    OldestRust,
    /// Run the tests in Miri, which sees undefined behaviour; it needs a nightly compiler
    Miri {
        /// Only what takes less than a minute
        #[arg(long)]
        short: bool,
    },
    /// Run the tests with AddressSanitizer: those that take too long in Miri, too
    Asan,
}

/// Runs one of them.
pub fn run(task: &Task) -> anyhow::Result<()> {
    match task {
        Task::Api { check } => api(*check),
        Task::OldestRust => oldest_rust(),
        Task::Miri { short } => miri(*short),
        Task::Asan => asan(),
    }
}

fn api(check: bool) -> anyhow::Result<()> {
    // The compiler's description of a crate is not stable yet; it is asked for explicitly.
    Invocation::parse(&format!(
        "cargo rustdoc --quiet --locked -p inkling-engine --lib --features alloc --target-dir {FOLDER} -- \
         -Z unstable-options --output-format json"
    ))
    .env("RUSTC_BOOTSTRAP", "1")
    .run()?;
    let described = Path::new(FOLDER).join("doc/inkling_engine.json");
    let interface = public_api::Builder::from_rustdoc_json(described)
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .context("the description of the crate cannot be read: is there a newer `public-api`?")?;
    let interface = interface.to_string();
    if !check {
        fs::write(INTERFACE, interface).with_context(|| format!("cannot write {INTERFACE}"))?;
        println!("written to {INTERFACE}");
        return Ok(());
    }
    let recorded = fs::read_to_string(INTERFACE).unwrap_or_default();
    let only_in = |one: &str, other: &str, sign: char| -> Vec<String> {
        let known: Vec<&str> = other.lines().collect();
        let new = one.lines().filter(|line| !known.contains(line));
        new.map(|line| format!("{sign} {line}")).collect()
    };
    let mut changes = only_in(&recorded, &interface, '-');
    changes.extend(only_in(&interface, &recorded, '+'));
    if !changes.is_empty() {
        bail!(
            "the public interface of inkling-engine has changed:\n{}\nif it is meant to, say so in \
             CHANGELOG.md and run: cargo xtask engine api",
            changes.join("\n")
        );
    }
    println!("{} items, as in {INTERFACE}", interface.lines().count());
    Ok(())
}

#[derive(Deserialize)]
struct Manifest {
    package: Package,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Package {
    rust_version: String,
}

fn oldest_rust() -> anyhow::Result<()> {
    let manifest = fs::read_to_string(Path::new(CRATE).join("Cargo.toml"))?;
    let Manifest { package } = toml::from_str(&manifest)?;
    let version = package.rust_version;
    let path = match compiler(&version) {
        Some(path) => path,
        None => {
            if let Err(error) = install(&version) {
                println!("NOT CHECKED that the engine builds with Rust {version}: {error:#}");
                return Ok(());
            }
            compiler(&version).context("rustup does not find what it installed")?
        }
    };
    for target in TARGETS {
        // Cargo itself may be newer: the manifests of the workspace want that.
        Invocation::parse(&format!(
            "cargo check --quiet --locked -p inkling-engine --target {target} --target-dir {FOLDER}"
        ))
        .env("RUSTC", path.clone())
        .run()?;
        println!("builds with Rust {version} for {target}");
    }
    Ok(())
}

/// What is missing for Miri, with the command that installs it.
pub fn no_miri() -> Option<String> {
    nightly::missing(&["miri", "rust-src"])
}

/// Runs tests in Miri. Under it the wrappers of the assembly of Arm cores are used, around the same work in
/// Rust.
fn miri(short: bool) -> anyhow::Result<()> {
    if let Some(missing) = no_miri() {
        bail!("Miri is not installed: {missing}");
    }
    let mut miri = Invocation::parse(&format!(
        "cargo miri test --locked -p inkling-engine --target-dir {FOLDER}/miri"
    ));
    miri = match short {
        // A few steps by every kernel and of every form of image; a shipped model takes minutes.
        true => miri.args(["--test", "miri", "--", "--skip", "shipped"]),
        false => miri.args(["--lib", "--tests"]),
    };
    // Property tests look where they are, to remember what failed.
    miri.env("MIRIFLAGS", "-Zmiri-disable-isolation")
        .env("PROPTEST_CASES", "4")
        .env("RUSTUP_TOOLCHAIN", nightly::NAME)
        .run()
}

fn asan() -> anyhow::Result<()> {
    if let Some(missing) = nightly::missing(&[]) {
        bail!("AddressSanitizer needs a nightly compiler: {missing}");
    }
    let target = nightly::host()?;
    Invocation::parse(&format!(
        "cargo test --locked -p inkling-engine --lib --tests --target {target} --target-dir {FOLDER}/asan"
    ))
    .env("RUSTFLAGS", "-Zsanitizer=address")
    .env("RUSTUP_TOOLCHAIN", nightly::NAME)
    .run()
}

/// Where the compiler of a version is, if it is installed.
fn compiler(version: &str) -> Option<String> {
    let which = Invocation::parse(&format!("rustup which rustc --toolchain {version}"));
    let output = which.command().output().ok()?;
    let path = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(path)
}

fn install(version: &str) -> anyhow::Result<()> {
    let targets = TARGETS.map(|target| format!("--target={target}"));
    Invocation::parse("rustup --quiet toolchain install --profile minimal")
        .args(targets)
        .args([version])
        .run()
        .context("it is missing and cannot be installed")
}
