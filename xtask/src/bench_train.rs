//! `cargo xtask bench train`: how fast training is by each backend, beside PyTorch on the same machine.
//!
//! PyTorch is that of PyPI with the version of our libtorch, in a virtual environment below the
//! cache folder. All that is compared takes turns, so that what else the machine does disturbs it alike.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use host::paths;
use host::recipe::{BackendKind, DEFAULT_RECIPE, Recipe};
use host::toolchain::libtorch::VERSION;
use serde_json::{Value, json};

use crate::command::Invocation;
use crate::fma_peak;

/// What PyTorch runs.
const SCRIPT: &str = include_str!("bench_train.py");

/// How often each takes its turn.
const ROUNDS: usize = 3;

/// How long a turn takes.
const SECONDS: f64 = 5.0;

/// Symbols of the text: as many as the standard corpus has.
const SYMBOLS: std::ops::RangeInclusive<u8> = b'0'..=b'p';

/// The hidden sizes whose share of the processor's peak is measured; the first is compared with PyTorch.
const HIDDEN_SIZES: [i64; 3] = [128, 256, 512];

/// Steps between two measurements of the loss on the way to one that is wanted.
const MEASURED_EVERY: u64 = 50;

/// Options of `bench train`.
#[derive(Debug, clap::Args)]
pub struct Train {
    /// The validation loss, in nats per character, that the default recipe is timed to
    #[arg(long, value_name = "NATS", default_value_t = 1.60)]
    to: f64,

    /// The text that it is timed on [default: the standard corpus]
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,

    /// Leave PyTorch out, which takes several GB where it is not installed yet
    #[arg(long)]
    no_pytorch: bool,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// The backends, the one that the others are compared with first.
const BACKENDS: [BackendKind; 2] = [BackendKind::Native, BackendKind::Libtorch];

/// What was measured, each the best of its rounds.
#[derive(Debug, Clone, Default, PartialEq)]
struct Figures {
    /// Characters per second of `inkling train` by each of [`BACKENDS`], by hidden size.
    ours: [BTreeMap<i64, f64>; 2],
    /// Those of PyTorch's `nn.LSTM`, where it was measured.
    lstm: Option<f64>,
    /// Those of the tutorial's loop.
    tutorial: Option<f64>,
    /// Floating-point operations per second that the processor can do.
    peak: f64,
    /// The loss that the default recipe was timed to.
    to: f64,
    /// Seconds of learning until then, if it came so far.
    seconds: Option<f64>,
}

/// Runs `bench train`.
pub fn run(args: &Train) -> anyhow::Result<()> {
    let python = (!args.no_pytorch).then(python).transpose()?;
    Invocation::parse("cargo build --package trainer --bin inkling-trainer").run()?;
    let folder = tempfile::tempdir()?;
    let threads = Recipe::find("base")?.data.workers as usize;
    let mut figures = Figures {
        to: args.to,
        ..Figures::default()
    };
    for round in 1..=ROUNDS {
        eprintln!("round {round} of {ROUNDS}");
        figures.peak = figures.peak.max(fma_peak::measure(threads));
        for hidden in HIDDEN_SIZES {
            for (backend, ours) in BACKENDS.into_iter().zip(&mut figures.ours) {
                let speed = speed(folder.path(), hidden, backend)?;
                let best = ours.entry(hidden).or_default();
                *best = best.max(speed);
            }
        }
        if let Some(python) = &python {
            for (best, name) in [
                (&mut figures.lstm, "lstm"),
                (&mut figures.tutorial, "tutorial"),
            ] {
                let speed = theirs(python, name)?;
                *best = Some(best.unwrap_or(0.0).max(speed));
            }
        }
    }
    eprintln!("recipe {DEFAULT_RECIPE} to {} nats per character", args.to);
    figures.seconds = seconds_to(args.to, args.text.as_deref(), folder.path())?;
    if args.json {
        println!("{:#}", figures.json());
    } else {
        print!("{}", figures.text());
    }
    Ok(())
}

impl Figures {
    /// The speed by each backend with the size that PyTorch has.
    fn beside_pytorch(&self) -> [f64; 2] {
        let speed = |sizes: &BTreeMap<i64, f64>| sizes.get(&HIDDEN_SIZES[0]).copied();
        self.ours
            .each_ref()
            .map(|sizes| speed(sizes).unwrap_or_default())
    }

    /// By hidden size, the speed by each backend.
    fn sizes(&self) -> impl Iterator<Item = (i64, [f64; 2])> {
        let [native, libtorch] = &self.ours;
        native
            .iter()
            .filter_map(|(&hidden, &speed)| Some((hidden, [speed, *libtorch.get(&hidden)?])))
    }

    /// The share of the peak that a training of this hidden size reaches, by the operations of the
    /// recurrent and the output matrix alone.
    fn share(&self, hidden: i64, speed: f64) -> f64 {
        let weights = hidden * (4 * hidden + SYMBOLS.count() as i64);
        // A multiply-add is two operations; the backward pass has two products for each of the forward.
        let per_character = 3.0 * 2.0 * weights as f64;
        speed * per_character / self.peak
    }

    fn json(&self) -> Value {
        let [native, by_libtorch] = self.beside_pytorch();
        let times = |other: Option<f64>| other.map(|other| native / other);
        let sizes = self.sizes().map(|(hidden, [native, by_libtorch])| {
            json!({
                "hidden": hidden,
                "characters_per_second": native,
                "share_of_fma_peak": self.share(hidden, native),
                "libtorch_backend_characters_per_second": by_libtorch,
                "times_libtorch_backend": native / by_libtorch,
            })
        });
        json!({
            "model": "hidden 128, embedding 30, 65 symbols, batch 32, sequences of 128, 2 threads",
            "libtorch": VERSION,
            "characters_per_second": native,
            "libtorch_backend_characters_per_second": by_libtorch,
            "pytorch_lstm_characters_per_second": self.lstm,
            "tutorial_loop_characters_per_second": self.tutorial,
            "times_libtorch_backend": times(Some(by_libtorch)),
            "times_pytorch_lstm": times(self.lstm),
            "times_tutorial_loop": times(self.tutorial),
            "fma_peak_flops": self.peak,
            "sizes": sizes.collect::<Vec<_>>(),
            "recipe": DEFAULT_RECIPE,
            "to_loss_nats": self.to,
            "seconds_to_loss": self.seconds,
        })
    }

    fn text(&self) -> String {
        let [native, by_libtorch] = self.beside_pytorch();
        let mut text = String::from(
            "characters learned from per second (hidden size 128, 2 threads), and how often it goes into \
             native's\n",
        );
        for (name, speed) in [
            ("backend native", Some(native)),
            ("backend libtorch", Some(by_libtorch)),
            ("PyTorch nn.LSTM", self.lstm),
            ("the tutorial's loop", self.tutorial),
        ] {
            let Some(speed) = speed else { continue };
            let times = native / speed;
            text += &format!("{name:<20}{speed:>9.0}{times:>8.2} ×\n");
        }
        let peak = self.peak / 1e9;
        text += &format!(
            "by hidden size: native, its share of the multiply-add peak ({peak:.0} GFLOP/s), libtorch\n"
        );
        for (hidden, [native, by_libtorch]) in self.sizes() {
            let share = self.share(hidden, native);
            let times = native / by_libtorch;
            text += &format!(
                "hidden {hidden:<13}{native:>9.0}{share:>8.2}{by_libtorch:>9.0}{times:>8.2} ×\n"
            );
        }
        let to = self.to;
        text += &match self.seconds {
            Some(seconds) => format!("{seconds:.1} s of learning to {to} nats per character\n"),
            None => format!("{to} nats per character were not reached\n"),
        };
        text
    }
}

/// The speed of `inkling train` with this hidden size and backend on a made-up text in `folder`.
fn speed(folder: &Path, hidden: i64, backend: BackendKind) -> anyhow::Result<f64> {
    let text = folder.join("text.txt");
    std::fs::write(&text, made_up_text(200_000))?;
    let recipe = "inherits = 'base'\n[report]\nevery = 5\nvalidate_every = 0\nsample_every = 0\n";
    std::fs::write(folder.join("speed.toml"), recipe)?;
    let invocation = trainer()?
        .args(["--recipe", "speed.toml", "--json", "--no-export"])
        .args(["--device", "cpu", "--backend", backend.name()])
        .args(["--text", "text.txt"])
        .args(["--hidden".to_owned(), hidden.to_string()])
        .args(["--minutes".to_owned(), (SECONDS / 60.0).to_string()]);
    let events = events_of(&invocation, folder)?;
    fastest(&events).with_context(|| format!("`{invocation}` told of no step"))
}

/// The seconds that the default recipe learns for until its validation loss is `to`, measuring not
/// included; none if it never is.
fn seconds_to(to: f64, text: Option<&Path>, folder: &Path) -> anyhow::Result<Option<f64>> {
    let recipe = format!(
        "inherits = '{DEFAULT_RECIPE}'\n[report]\nevery = {MEASURED_EVERY}\n\
         validate_every = {MEASURED_EVERY}\nsample_every = 0\n"
    );
    std::fs::write(folder.join("way.toml"), recipe)?;
    let mut invocation = trainer()?
        .args(["--recipe", "way.toml", "--json", "--no-export"])
        .args(["--device", "cpu"]);
    if let Some(text) = text {
        let text = std::path::absolute(text)?.display().to_string();
        invocation = invocation.args(["--text".to_owned(), text]);
    }
    let data = Recipe::find(DEFAULT_RECIPE)?.data;
    let step = (data.batch * data.seq_len) as f64;
    Ok(learned_until(to, &events_of(&invocation, folder)?, step))
}

/// The seconds of learning in the events of a training until the first validation loss of at most `to`;
/// a step reads `characters`.
fn learned_until(to: f64, events: &str, characters: f64) -> Option<f64> {
    let (mut seconds, mut done) = (0.0, 0.0);
    for event in parsed(events) {
        match event["event"].as_str()? {
            "step" => {
                let step = event["step"].as_f64()?;
                seconds += (step - done) * characters / event["characters_per_second"].as_f64()?;
                done = step;
            }
            "validation" if event["loss_nats"].as_f64()? <= to => return Some(seconds),
            _ => {}
        }
    }
    None
}

/// The program that trains, which cargo has just put beside this one.
fn trainer() -> anyhow::Result<Invocation> {
    let name = format!("inkling-trainer{}", std::env::consts::EXE_SUFFIX);
    Ok(Invocation::new(
        std::env::current_exe()?.with_file_name(name),
    ))
}

/// What a training in `folder` tells of itself.
fn events_of(invocation: &Invocation, folder: &Path) -> anyhow::Result<String> {
    let output = invocation.command().current_dir(folder).output()?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("`{invocation}` failed: {}", error.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn parsed(events: &str) -> impl Iterator<Item = Value> {
    let lines = events.lines();
    lines.filter_map(|line| serde_json::from_str(line).ok())
}

/// The highest speed in the events of a training.
fn fastest(events: &str) -> Option<f64> {
    parsed(events)
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
    fn the_seconds_to_a_loss_are_those_of_the_steps_before_it() {
        let events = "{\"event\":\"start\"}\n\
            {\"event\":\"step\",\"step\":10,\"characters_per_second\":100.0}\n\
            {\"event\":\"validation\",\"step\":10,\"loss_nats\":1.7}\n\
            {\"event\":\"step\",\"step\":30,\"characters_per_second\":50.0}\n\
            {\"event\":\"validation\",\"step\":30,\"loss_nats\":1.6}\n";
        assert_eq!(learned_until(1.7, events, 10.0), Some(1.0));
        assert_eq!(learned_until(1.6, events, 10.0), Some(5.0));
        assert_eq!(learned_until(1.5, events, 10.0), None);
    }

    fn figures() -> Figures {
        Figures {
            ours: [
                [(128, 250_000.0), (256, 100_000.0)].into(),
                [(128, 100_000.0), (256, 50_000.0)].into(),
            ],
            lstm: Some(125_000.0),
            tutorial: Some(1_000.0),
            // As if every character of the first size took half of what could be done.
            peak: 2.0 * 250_000.0 * 6.0 * (128 * (4 * 128 + 65)) as f64,
            to: 1.6,
            seconds: Some(12.34),
        }
    }

    #[test]
    fn speeds_stand_with_how_often_they_go_into_ours() {
        let (figures, text) = (figures(), figures().text());
        assert!(
            text.contains("PyTorch nn.LSTM        125000    2.00 ×\n"),
            "{text}"
        );
        assert!(
            text.contains("backend libtorch       100000    2.50 ×\n"),
            "{text}"
        );
        assert!(
            text.contains("hidden 256             100000    0.75    50000    2.00 ×\n"),
            "{text}"
        );
        assert!(text.contains("12.3 s of learning to 1.6 nats"), "{text}");
        let json = figures.json();
        assert_eq!(json["times_tutorial_loop"], 250.0);
        assert_eq!(json["sizes"][0]["share_of_fma_peak"], 0.5);
        assert_eq!(json["times_libtorch_backend"], 2.5);
        assert_eq!(json["sizes"][1]["times_libtorch_backend"], 2.0);
        assert_eq!(json["seconds_to_loss"], 12.34);
    }

    #[test]
    fn what_was_not_measured_is_left_out() {
        let figures = Figures {
            lstm: None,
            tutorial: None,
            seconds: None,
            ..figures()
        };
        let text = figures.text();
        assert!(!text.contains("PyTorch"), "{text}");
        assert!(
            text.contains("1.6 nats per character were not reached"),
            "{text}"
        );
        let json = figures.json();
        assert!(json["times_pytorch_lstm"].is_null() && json["seconds_to_loss"].is_null());
    }

    #[test]
    fn the_made_up_text_has_as_many_symbols_as_the_standard_corpus() {
        let mut text = made_up_text(10_000);
        text.sort_unstable();
        text.dedup();
        assert_eq!(text.len(), 65);
    }
}
