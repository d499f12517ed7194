//! `cargo xtask bench train`: how fast training is, beside PyTorch on the same machine.
//!
//! PyTorch is that of PyPI with the version of our libtorch, in a virtual environment below the
//! cache folder. All three take turns, so that what else the machine does disturbs them alike.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use host::paths;
use host::toolchain::libtorch::VERSION;
use serde_json::{Value, json};

use crate::command::Invocation;

/// What PyTorch runs.
const SCRIPT: &str = include_str!("bench_train.py");

/// How often each takes its turn.
const ROUNDS: usize = 3;

/// How long a turn takes.
const SECONDS: f64 = 5.0;

/// Symbols of the text: as many as the standard corpus has.
const SYMBOLS: std::ops::RangeInclusive<u8> = b'0'..=b'p';

/// Options of `bench train`.
#[derive(Debug, clap::Args)]
pub struct Train {
    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// Characters per second, each the best of its rounds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Speeds {
    /// `host train`.
    ours: f64,
    /// PyTorch's `nn.LSTM`.
    lstm: f64,
    /// The tutorial's loop.
    tutorial: f64,
}

/// Runs `bench train`.
pub fn run(args: &Train) -> anyhow::Result<()> {
    let python = python()?;
    Invocation::parse("cargo build --package trainer --bin inkling-trainer").run()?;
    let folder = tempfile::tempdir()?;
    let mut speeds = Speeds::default();
    for round in 1..=ROUNDS {
        eprintln!("round {round} of {ROUNDS}");
        speeds.ours = speeds.ours.max(ours(folder.path())?);
        speeds.lstm = speeds.lstm.max(theirs(&python, "lstm")?);
        speeds.tutorial = speeds.tutorial.max(theirs(&python, "tutorial")?);
    }
    if args.json {
        println!("{:#}", speeds.json());
    } else {
        print!("{}", speeds.text());
    }
    Ok(())
}

impl Speeds {
    fn json(&self) -> Value {
        json!({
            "model": "hidden 128, embedding 128, 65 symbols, batch 32, sequences of 128, 2 threads",
            "libtorch": VERSION,
            "characters_per_second": self.ours,
            "pytorch_lstm_characters_per_second": self.lstm,
            "tutorial_loop_characters_per_second": self.tutorial,
            "times_pytorch_lstm": self.ours / self.lstm,
            "times_tutorial_loop": self.ours / self.tutorial,
        })
    }

    fn text(&self) -> String {
        let mut text = String::from("characters learned from per second (hidden 128, 2 threads)\n");
        for (name, speed) in [
            ("host train", self.ours),
            ("PyTorch nn.LSTM", self.lstm),
            ("the tutorial's loop", self.tutorial),
        ] {
            let times = self.ours / speed;
            text += &format!("{name:<20}{speed:>9.0}{times:>8.2} ×\n");
        }
        text
    }
}

/// The speed of `host train` on a made-up text in `folder`.
fn ours(folder: &Path) -> anyhow::Result<f64> {
    let text = folder.join("text.txt");
    std::fs::write(&text, made_up_text(200_000))?;
    // Cargo has just put it beside this program.
    let program = std::env::current_exe()?
        .with_file_name(format!("inkling-trainer{}", std::env::consts::EXE_SUFFIX));
    let invocation = Invocation::new(program)
        .args(["--recipe", "base", "--json", "--no-export"])
        .args(["--device", "cpu", "--hidden", "128", "--batch", "32"])
        .args(["--seq-len", "128", "--text", "text.txt"])
        .args(["--minutes".to_owned(), (SECONDS / 60.0).to_string()]);
    let output = invocation.command().current_dir(folder).output()?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("`{invocation}` failed: {}", error.trim());
    }
    fastest(&String::from_utf8_lossy(&output.stdout))
        .with_context(|| format!("`{invocation}` told of no step"))
}

/// The highest speed in the events of a training.
fn fastest(events: &str) -> Option<f64> {
    events
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|event| event["event"] == "step")
        .filter_map(|event| event["characters_per_second"].as_f64())
        .max_by(f64::total_cmp)
}

/// A text in which each symbol is as likely as any other.
fn made_up_text(length: usize) -> Vec<u8> {
    let symbols: Vec<u8> = SYMBOLS.collect();
    let mut state = 1_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        symbols[(state >> 16) as usize % symbols.len()]
    };
    std::iter::repeat_with(next).take(length).collect()
}

/// The speed of what the script calls `name`.
fn theirs(python: &Path, name: &str) -> anyhow::Result<f64> {
    let printed = Invocation::new(python)
        .args(["-c", SCRIPT, name])
        .args([SECONDS.to_string()])
        .read()
        .with_context(|| format!("PyTorch could not run '{name}'"))?;
    printed
        .trim()
        .parse()
        .with_context(|| format!("PyTorch printed '{}' instead of a speed", printed.trim()))
}

/// The Python of a virtual environment with PyTorch, made where it is missing.
fn python() -> anyhow::Result<PathBuf> {
    let folder = paths::cache_dir().join(format!("pytorch-{VERSION}"));
    let programs = folder.join(if cfg!(windows) { "Scripts" } else { "bin" });
    let python = programs.join(format!("python{}", std::env::consts::EXE_SUFFIX));
    let works = || {
        let mut look = Invocation::new(&python)
            .args(["-c", "import torch"])
            .command();
        look.output().is_ok_and(|output| output.status.success())
    };
    if !works() {
        eprintln!(
            "installing PyTorch {VERSION} into {} (several GB; pip's settings choose another index)",
            folder.display()
        );
        Invocation::new(if cfg!(windows) { "python" } else { "python3" })
            .args(["-m", "venv", "--clear"])
            .args([folder.display().to_string()])
            .run()?;
        Invocation::new(&python)
            .args(["-m", "pip", "install", "--disable-pip-version-check"])
            .args(["numpy".to_owned(), format!("torch=={VERSION}")])
            .run()?;
    }
    Ok(python)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_step_counts() {
        let events = "{\"event\":\"start\"}\n\
            {\"event\":\"step\",\"characters_per_second\":2.0}\n\
            {\"event\":\"step\",\"characters_per_second\":3.0}\n\
            {\"event\":\"end\",\"characters_per_second\":9.0}\n";
        assert_eq!(fastest(events), Some(3.0));
        assert_eq!(fastest("nothing"), None);
    }

    #[test]
    fn speeds_stand_with_how_often_they_go_into_ours() {
        let speeds = Speeds {
            ours: 250_000.0,
            lstm: 125_000.0,
            tutorial: 1_000.0,
        };
        let text = speeds.text();
        assert!(
            text.contains("PyTorch nn.LSTM        125000    2.00 ×\n"),
            "{text}"
        );
        assert_eq!(speeds.json()["times_tutorial_loop"], 250.0);
    }

    #[test]
    fn the_made_up_text_has_as_many_symbols_as_the_standard_corpus() {
        let mut text = made_up_text(10_000);
        text.sort_unstable();
        text.dedup();
        assert_eq!(text.len(), 65);
    }
}
