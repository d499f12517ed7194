//! `cargo xtask fuzz`: feeds every reader with whatever libFuzzer thinks of, on every core of this PC.
//!
//! The targets are in `fuzz/`, a workspace of its own, because they need a nightly compiler. What they begin
//! with is made here; what they find on the way, crashes too, is kept in `target/fuzz/`.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread;

use anyhow::{Context, bail};
use comfy_table::{Table, presets};
use host::toolchain::tools::FUZZ;

use crate::command::Invocation;
use crate::nightly;
use crate::setup;

mod elf;
/// What the targets call, for tests that need no nightly compiler.
#[cfg(test)]
#[path = "../../../fuzz/src/lib.rs"]
mod functions;
mod log;
mod seeds;
#[cfg(test)]
mod tests;

use log::Log;

/// Where everything is kept.
const FOLDER: &str = "target/fuzz";

/// The megabytes and seconds that one input may take.
const MOST_MEGABYTES: u32 = 2_048;
const MOST_SECONDS: u32 = 20;

/// Options of `fuzz`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these targets [default: all]
    targets: Vec<String>,

    /// How long each of them runs
    #[arg(long, value_name = "N", default_value_t = 60)]
    seconds: u64,

    /// The same in minutes
    #[arg(long, value_name = "N", conflicts_with = "seconds")]
    minutes: Option<u64>,

    /// Run one target once, on the input in this file: what repeats a crash
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,

    /// Print the targets and run none
    #[arg(long)]
    list: bool,
}

/// Runs `fuzz`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if args.list {
        for target in seeds::TARGETS {
            println!("{:<12} {}", target.name, target.reads);
        }
        return Ok(());
    }
    let targets = chosen(&args.targets)?;
    if missing().is_some() {
        install()?;
    }
    let programs = build(&targets)?;
    if let Some(input) = &args.input {
        let [target] = targets[..] else {
            bail!("--input takes one target: name the one that the input is for");
        };
        return Invocation::new(programs.join(target.name))
            .args([input.display().to_string()])
            .run()
            .with_context(|| format!("{} still fails on {}", target.name, input.display()));
    }
    let seconds = args.minutes.map_or(args.seconds, |minutes| 60 * minutes);
    fuzz(&targets, &programs, seconds)
}

/// The targets of these names, or all.
fn chosen(names: &[String]) -> anyhow::Result<Vec<&'static seeds::Target>> {
    let find = |name: &String| {
        let mut targets = seeds::TARGETS.iter();
        targets
            .find(|target| target.name == name)
            .with_context(|| format!("there is no target `{name}`: cargo xtask fuzz --list"))
    };
    match names {
        [] => Ok(seeds::TARGETS.iter().collect()),
        names => names.iter().map(find).collect(),
    }
}

/// What is not installed, in words.
pub fn missing() -> Option<String> {
    let nightly = nightly::missing(&[]);
    let tool = (!FUZZ.program().is_file()).then(|| {
        format!(
            "{} {} is not installed: cargo xtask fuzz",
            FUZZ.name, FUZZ.version
        )
    });
    nightly.or(tool)
}

fn install() -> anyhow::Result<()> {
    if let Some(missing) = nightly::missing(&[]) {
        bail!("fuzzing needs a nightly compiler: {missing}");
    }
    setup::install_tool(&FUZZ)
}

/// Builds targets and says where their programs are.
fn build(targets: &[&seeds::Target]) -> anyhow::Result<PathBuf> {
    let folder = std::path::absolute(Path::new(FOLDER).join("build"))?;
    let only = match targets {
        [target] => Some(target.name),
        _ => None,
    };
    let triple = nightly::host()?;
    Invocation::new(FUZZ.program())
        .args(["fuzz", "build", "--fuzz-dir", "fuzz", "--target", &triple])
        .args(["--target-dir".to_owned(), folder.display().to_string()])
        .args(only)
        .env("RUSTUP_TOOLCHAIN", nightly::NAME)
        .run()?;
    Ok(folder.join(triple).join("release"))
}

/// Runs all targets, as many at a time as there are cores.
fn fuzz(targets: &[&'static seeds::Target], programs: &Path, seconds: u64) -> anyhow::Result<()> {
    for target in targets {
        let corpus = corpus(target);
        fs::create_dir_all(&corpus)?;
        for (number, input) in target.seeds()?.iter().enumerate() {
            fs::write(corpus.join(format!("seed-{number}")), input)?;
        }
    }
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    println!(
        "{} targets for {seconds} seconds each, {cores} at a time",
        targets.len()
    );
    let waiting: Mutex<VecDeque<_>> = Mutex::new(targets.iter().copied().collect());
    let next = || waiting.lock().ok()?.pop_front();
    let ended = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..cores.min(targets.len()) {
            scope.spawn(|| {
                while let Some(target) = next() {
                    let log = run_one(target, programs, seconds);
                    if let Ok(mut ended) = ended.lock() {
                        ended.push((target.name, log));
                    }
                }
            });
        }
    });
    let mut ended = ended.into_inner().unwrap_or_default();
    let place = |name| targets.iter().position(|target| target.name == name);
    ended.sort_by_key(|(name, _)| place(*name));
    report(ended)
}

fn corpus(target: &seeds::Target) -> PathBuf {
    Path::new(FOLDER).join("corpus").join(target.name)
}

/// Runs one target; what libFuzzer prints is kept in a file.
fn run_one(target: &seeds::Target, programs: &Path, seconds: u64) -> anyhow::Result<Log> {
    let crashes = Path::new(FOLDER).join("crashes");
    fs::create_dir_all(&crashes)?;
    let path = Path::new(FOLDER).join(format!("{}.log", target.name));
    let printed = File::create(&path)?;
    let status = Invocation::new(programs.join(target.name))
        .args([
            corpus(target).display().to_string(),
            format!("-max_total_time={seconds}"),
            format!("-rss_limit_mb={MOST_MEGABYTES}"),
            format!("-timeout={MOST_SECONDS}"),
            format!("-artifact_prefix={}/{}-", crashes.display(), target.name),
            "-print_final_stats=1".to_owned(),
        ])
        .command()
        .stdout(printed.try_clone()?)
        .stderr(printed)
        .status()
        .with_context(|| format!("{} cannot be started", target.name))?;
    // Inputs that were printed need not be text.
    let text = fs::read(&path)?;
    Ok(Log::read(&String::from_utf8_lossy(&text), status.success()))
}

/// Shows what came of all targets, and fails where one of them crashed.
fn report(ended: Vec<(&'static str, anyhow::Result<Log>)>) -> anyhow::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["target", "executions", "coverage", "inputs", ""]);
    let mut failed = Vec::new();
    let mut findings = Vec::new();
    for (name, log) in ended {
        let log = log?;
        let verdict = if log.is_sound { "" } else { "CRASHED" };
        let [executions, coverage, inputs] =
            [log.executions, log.coverage, log.inputs].map(|number| number.to_string());
        table.add_row([name, &executions, &coverage, &inputs, verdict]);
        if !log.is_sound {
            failed.push(name);
            findings.push(log.finding(name));
        }
    }
    println!("{table}");
    if !failed.is_empty() {
        bail!("{}\n{}", failed.join(", "), findings.join("\n"));
    }
    Ok(())
}
