//! `cargo xtask page`: builds the page into `dist/page`, a folder that works from any web host.
//!
//! Three modules of WebAssembly (the engine with vectors and without, and one that reads prompts), the
//! scripts bundled by esbuild, the models that ship. What npm brings is named with its digests in the lock
//! file in `web/`, and none of its scripts run.

use std::fs;
use std::iter;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use host::device::board::Flasher;
use host::device::find;
use host::page::{MODELS, POLICY, offered};
use host::{paths, toolchain};
use serde_json::json;
use tempfile::TempDir;

use crate::command::Invocation;
use crate::dist;

mod browser;
pub mod modules;

/// Where the page goes.
const FOLDER: &str = "dist/page";

/// Where the tests have theirs, with the firmware as they build it, which is not to be handed on.
pub const FOR_TESTS: &str = "target/page/page";

/// Its sources.
const SOURCES: &str = "web";

/// Files that go into it as they are.
const STATIC: [&str; 2] = ["style.css", "icon.svg"];

/// Boards whose firmware the page brings, each with the ending of the file that a model is put into, and of what
/// runs in the page. A micro:bit without a place for models has its own in the midst of the linked program.
const FIRMWARE: [(&str, &str, Option<&str>); 4] = [
    ("pico", "uf2", Some("bin")),
    ("pico2", "uf2", None),
    ("microbit-v2", "hex", None),
    ("microbit", "elf", None),
];

/// The models that ship begin with one of these.
const SHIPPED: [&str; 2] = ["shakespeare-", "english-"];

/// Options of `page`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Instead, build it to target/page, try it in a browser without a window, and compare what it writes
    /// with `inkling sample`
    #[arg(long)]
    test: bool,
}

/// Runs `page`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    match args.test {
        true => {
            build_for_tests()?;
            browser::test()
        }
        false => {
            build(Path::new(FOLDER), true)?;
            println!("built in {FOLDER}: cargo run -p host -- page opens it");
            Ok(())
        }
    }
}

/// Builds it to [`FOR_TESTS`].
pub fn build_for_tests() -> anyhow::Result<()> {
    build(Path::new(FOR_TESTS), false)
}

/// Builds it, whole or not at all. What is not `to_hand_on` has the firmware as the tests build it.
fn build(target: &Path, to_hand_on: bool) -> anyhow::Result<()> {
    packages()?;
    let parent = target.parent().context("a folder in another one")?;
    fs::create_dir_all(parent).with_context(|| format!("cannot make {}", parent.display()))?;
    let partial = TempDir::with_prefix_in(".page-", parent)
        .with_context(|| format!("cannot write to {}", parent.display()))?;
    let folder = partial.path().join("page");
    fs::create_dir(&folder)?;
    modules::build(&folder)?;
    scripts(&folder)?;
    let sources = Path::new(SOURCES).join("page");
    for name in STATIC {
        copy(&sources.join(name), &folder.join(name))?;
    }
    let html = sources.join("index.html");
    let html = fs::read_to_string(&html).with_context(|| format!("cannot read {html:?}"))?;
    ensure!(
        html.contains("%POLICY%"),
        "index.html names no place for the policy"
    );
    fs::write(folder.join("index.html"), html.replace("%POLICY%", POLICY))?;
    models(&folder)?;
    firmware(&folder, to_hand_on)?;
    let context = || format!("cannot replace {}", target.display());
    if target.exists() {
        fs::remove_dir_all(target).with_context(context)?;
    }
    fs::rename(&folder, target).with_context(context)
}

/// Has npm bring what the lock file names, unless it has.
pub fn packages() -> anyhow::Result<()> {
    let lock = fs::read(Path::new(SOURCES).join("package-lock.json"))?;
    let stamp = Path::new(SOURCES).join("node_modules/.inkling-lock.json");
    if fs::read(&stamp).is_ok_and(|known| known == lock) {
        return Ok(());
    }
    if toolchain::find_program("npm").is_none() {
        bail!(
            "the page is built with packages of npm, which is missing: run `{}`",
            toolchain::SETUP
        );
    }
    Invocation::parse("npm ci --silent --ignore-scripts --no-audit --no-fund --prefix")
        .args([SOURCES])
        .run()
        .context("npm could not bring what the page is built with: check the network")?;
    paths::write_atomic(&stamp, &lock).context("cannot write to web/node_modules")
}

/// Checks the types of all scripts, and bundles those of the page.
fn scripts(folder: &Path) -> anyhow::Result<()> {
    node_tool("typescript/bin/tsc")
        .args(["--project", SOURCES])
        .run()
        .context("the scripts of the page are not sound")?;
    let source = |name: &str| format!("{SOURCES}/page/{name}.ts");
    node_tool("esbuild/bin/esbuild")
        .args(["main", "worker", "pico"].map(source))
        .args(["--bundle", "--minify", "--format=esm", "--target=es2022"])
        .args(["--log-level=warning", "--legal-comments=none"])
        .args([format!("--outdir={}", folder.display())])
        .run()
        .context("the scripts of the page cannot be bundled")
}

/// A tool out of npm.
fn node_tool(path: &str) -> Invocation {
    Invocation::new("node").args([format!("{SOURCES}/node_modules/{path}")])
}

/// Bundles a script for node, which may use packages of npm; answers with its path.
pub fn bundle_for_node(script: &str) -> anyhow::Result<PathBuf> {
    let name = Path::new(script).file_stem().unwrap_or_default();
    let bundle = Path::new(SOURCES)
        .join("node_modules/.inkling")
        .join(name)
        .with_extension("mjs");
    node_tool("esbuild/bin/esbuild")
        .args([
            format!("{SOURCES}/{script}"),
            "--bundle".into(),
            "--format=esm".into(),
        ])
        .args([
            "--platform=node",
            "--packages=external",
            "--log-level=warning",
        ])
        .args([format!("--outfile={}", bundle.display())])
        .run()
        .with_context(|| format!("{script} cannot be bundled"))?;
    Ok(bundle)
}

/// Puts the models that ship into the page, and their list.
fn models(folder: &Path) -> anyhow::Result<()> {
    let weights = paths::weights_dir();
    let mut models = offered(&weights);
    models.retain(|model| SHIPPED.iter().any(|start| model.name.starts_with(start)));
    ensure!(
        !models.is_empty(),
        "there are no models in {}",
        weights.display()
    );
    fs::create_dir(folder.join("models"))?;
    for model in &models {
        let file = format!("{}.img", model.name);
        copy(&weights.join(&file), &folder.join("models").join(&file))?;
    }
    fs::write(folder.join(MODELS), serde_json::to_vec(&models)?)?;
    Ok(())
}

/// Puts the firmware into the page that runs in it or goes onto drives, and says where models have their
/// place.
fn firmware(folder: &Path, to_hand_on: bool) -> anyhow::Result<()> {
    let folder = folder.join("firmware");
    fs::create_dir(&folder)?;
    let mut list = Vec::new();
    for (name, ending, running) in FIRMWARE {
        let board = find(name)?;
        let place = board.model_region.map(|region| {
            json!({
                "address": region.address,
                "bytes": region.bytes,
                "takesModels": board.takes_models,
            })
        });
        ensure!(
            place.is_some() != (ending == "elf"),
            "{name}: models go into linked programs only where they have no place of their own"
        );
        let mut entry = json!({
            "board": board.name,
            "description": board.description,
            "made": "hex",
            "model": place,
        });
        if let Some(Flasher::Uf2 { family, .. }) = board.flasher {
            entry["made"] = "uf2".into();
            entry["family"] = family.into();
        }
        let endings: Vec<_> = iter::once(ending).chain(running).collect();
        for (file, bytes) in dist::files_of(board, &endings, to_hand_on)? {
            fs::write(folder.join(&file), bytes)?;
            let is_running = running.is_some_and(|running| file.ends_with(running));
            entry[if is_running { "bin" } else { "file" }] = file.into();
        }
        list.push(entry);
    }
    fs::write(folder.join("boards.json"), serde_json::to_vec(&list)?)?;
    Ok(())
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

/// Flags that keep paths of this machine out of what is built.
fn flags(target: &Path) -> anyhow::Result<String> {
    dist::flags(&std::path::absolute(target)?)
}
