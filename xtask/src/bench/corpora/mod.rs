//! `bench corpora`: how good the models are that `train --budget` makes of texts of many kinds, beside
//! what compressors make of them.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use comfy_table::{Table, presets};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use texts::{CORPORA, Corpus};

mod texts;

/// Options of `bench corpora`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Only the texts that are asked for are made: of Debian packages, which apt-get downloads and nothing
installs, of the Python that is installed, of the crates that cargo has unpacked, and names of a Python
package. They stay in the folder for the next time, and any text
may be put there as NAME.txt beforehand.")]
pub struct Corpora {
    /// Which texts [default: all]
    names: Vec<String>,

    /// The flash to train for; several are separated by commas
    #[arg(
        long,
        value_name = "SIZES",
        default_value = "64k",
        value_delimiter = ','
    )]
    budget: Vec<String>,

    /// Where the texts are
    #[arg(long, value_name = "FOLDER", default_value = "target/corpora")]
    folder: PathBuf,

    /// Keep the results in weights/corpora.json, in the place of older ones of the same text and budget
    #[arg(long)]
    record: bool,

    /// Only show what weights/corpora.json holds
    #[arg(long, conflicts_with_all = ["record", "names"])]
    recorded: bool,

    /// Print the results as JSON
    #[arg(long)]
    json: bool,
}

/// What became of one text at one budget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Outcome {
    corpus: String,
    budget: String,
    characters: u64,
    symbols: u64,
    /// Cells of the model that was chosen.
    hidden: u64,
    steps: u64,
    seconds: f64,
    /// Of the engine, in bits per character.
    bits_per_char: f64,
    xz_bits: f64,
    ppmd_bits: f64,
    /// When and on what this was measured.
    date: String,
    machine: String,
}

/// Runs `bench corpora`.
pub fn run(args: &Corpora) -> Result<()> {
    let mut recorded = read_recorded()?;
    if args.recorded {
        return show(&recorded, args.json);
    }
    let known = |name: &String| CORPORA.iter().find(|corpus| corpus.name == name.as_str());
    let chosen = match args.names.as_slice() {
        [] => CORPORA.iter().collect(),
        names => names
            .iter()
            .map(|name| {
                let all = CORPORA.map(|corpus| corpus.name).join(", ");
                known(name).with_context(|| format!("there is no text '{name}'; there are {all}"))
            })
            .collect::<Result<Vec<_>>>()?,
    };
    std::fs::create_dir_all(&args.folder)?;
    let folder = args.folder.canonicalize()?;
    let mut outcomes = Vec::new();
    let mut failed = Vec::new();
    for corpus in chosen {
        for budget in &args.budget {
            eprintln!("{} ({}) for {budget}", corpus.name, corpus.about);
            match measure(corpus, budget, &folder) {
                Ok(outcome) => {
                    if args.record {
                        let is_other = |old: &Outcome| {
                            (&old.corpus, &old.budget) != (&outcome.corpus, &outcome.budget)
                        };
                        recorded.retain(is_other);
                        recorded.push(outcome.clone());
                        write_recorded(&recorded)?;
                    }
                    outcomes.push(outcome);
                }
                // One text that cannot be had is no reason to throw hours of others away.
                Err(error) => {
                    eprintln!("{}: {error:#}", corpus.name);
                    failed.push(corpus.name);
                }
            }
        }
    }
    show(&outcomes, args.json)?;
    ensure!(failed.is_empty(), "not measured: {}", failed.join(", "));
    Ok(())
}

/// Trains on a text with no setting but the budget, and measures the image that comes of it.
fn measure(corpus: &Corpus, budget: &str, folder: &Path) -> Result<Outcome> {
    let file = corpus.file(folder)?;
    let name = format!("corpora-{}-{budget}", corpus.name);
    let mut options = vec!["--budget", budget, "--name", &name, "--overwrite", "--json"];
    let file = file.map(|file| file.display().to_string());
    if let Some(file) = &file {
        options.extend(["--text", file]);
    }
    if corpus.unicode {
        options.push("--unicode");
    }
    let events = events("train", &options)?;
    let of = |kind: &str| {
        let mut kinds = events.iter().filter(|event| event["event"] == kind);
        kinds
            .next_back()
            .with_context(|| format!("the training told no '{kind}'"))
    };
    let (start, end) = (of("start")?, of("end")?);
    let mut options = vec![name.as_str(), "--compare", "--json"];
    if let Some(file) = &file {
        options.extend(["--text", file]);
    }
    let measured = events_of_eval(&options)?;
    let number = |value: &Value| value.as_f64().context("a figure is missing");
    let whole = |value: &Value| value.as_u64().context("a figure is missing");
    let compressors = &measured["comparison"]["compressors"];
    let outcome = Outcome {
        corpus: corpus.name.to_owned(),
        budget: budget.to_owned(),
        characters: whole(&start["training_characters"])? + whole(&start["validation_characters"])?,
        symbols: whole(&start["symbols"])?,
        hidden: whole(&start["hidden"])?,
        steps: whole(&end["step"])?,
        seconds: number(&end["seconds"])?,
        bits_per_char: number(&measured["bits_per_char"])?,
        xz_bits: number(&compressors["xz_bits"])?,
        ppmd_bits: number(&compressors["ppmd_bits"])?,
        date: jiff::Zoned::now().date().to_string(),
        machine: machine(),
    };
    remove(&name);
    Ok(outcome)
}

fn events_of_eval(options: &[&str]) -> Result<Value> {
    let mut events = events("eval", options)?;
    events.pop().context("eval told nothing")
}

/// What a subcommand of the host prints with `--json`, line by line.
fn events(subcommand: &str, options: &[&str]) -> Result<Vec<Value>> {
    let mut child = Command::new("cargo")
        .args(["run", "--quiet", "--package", "host", "--", subcommand])
        .args(options)
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start cargo")?;
    let output = child.stdout.take().context("no output")?;
    let mut events = Vec::new();
    for line in BufReader::new(output).lines() {
        events.push(serde_json::from_str(&line?).context("a line that is no JSON")?);
    }
    if !child.wait()?.success() {
        bail!("`host {subcommand}` failed, see above");
    }
    Ok(events)
}

/// Removes the run and the model of a measurement: they are large, and made again in minutes.
fn remove(name: &str) {
    let _ = std::fs::remove_dir_all(Path::new("runs").join(name));
    for extension in ["img", "md", "safetensors"] {
        let _ = std::fs::remove_file(Path::new("weights").join(format!("{name}.{extension}")));
    }
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split(": ").nth(1));
    format!("{}, {cores} cores", model.unwrap_or(std::env::consts::ARCH))
}

fn recorded_path() -> PathBuf {
    host::paths::weights_dir().join("corpora.json")
}

fn read_recorded() -> Result<Vec<Outcome>> {
    match std::fs::read(recorded_path()) {
        Ok(bytes) => serde_json::from_slice(&bytes).context("weights/corpora.json is damaged"),
        Err(_) => Ok(Vec::new()),
    }
}

fn write_recorded(outcomes: &[Outcome]) -> Result<()> {
    let mut text = serde_json::to_string_pretty(outcomes)?;
    text.push('\n');
    Ok(host::paths::write_atomic(
        &recorded_path(),
        text.as_bytes(),
    )?)
}

fn show(outcomes: &[Outcome], json: bool) -> Result<()> {
    if json {
        println!("{}", serde_json::to_string_pretty(outcomes)?);
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header([
        "text",
        "characters",
        "symbols",
        "budget",
        "units",
        "steps",
        "minutes",
        "bits",
        "PPMd",
        "xz",
    ]);
    for outcome in outcomes {
        table.add_row([
            outcome.corpus.clone(),
            outcome.characters.to_string(),
            outcome.symbols.to_string(),
            outcome.budget.clone(),
            outcome.hidden.to_string(),
            outcome.steps.to_string(),
            format!("{:.1}", outcome.seconds / 60.0),
            format!("{:.3}", outcome.bits_per_char),
            format!("{:.3}", outcome.ppmd_bits),
            format!("{:.3}", outcome.xz_bits),
        ]);
    }
    println!("{table}");
    Ok(())
}
