//! The report of a run: what was trained on what, how the loss fell, what the model wrote and weighs.
//!
//! `runs/NAME/report.json` holds it; `report.html` and `curve.svg` ([`chart`]) show it.
//! Training writes all three again at each validation, and an export adds its figures.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::compare::Comparison;
use crate::corpus::Corpus;
use crate::device::Prospect;
use crate::export::{self, Exported};
use crate::paths;
use crate::recipe::{BackendKind, Recipe};

pub mod chart;
mod page;

/// What is known, and the page that shows it.
const JSON: &str = "report.json";
const PAGE: &str = "report.html";

/// Why a report could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file of it cannot be written.
    #[error("cannot write the report {}; what was there before is untouched", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The chart cannot be drawn.
    #[error("cannot draw the learning curve: {0}")]
    Draw(String),
}

/// Everything that is known about a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The run's name.
    pub name: String,
    /// How far it is.
    pub state: State,
    /// Steps done.
    pub step: u64,
    /// How far that is, from 0 to 1.
    pub done: f64,
    /// Seconds of training so far, measuring included.
    pub seconds: f64,
    /// Numbers that are learned.
    pub parameters: i64,
    /// Where it is computed.
    pub device: String,
    /// What computes losses and gradients; none in reports of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<BackendKind>,
    /// Every setting, as TOML.
    pub recipe: String,
    /// What it is trained on.
    pub text: TextStatistics,
    /// What the user was told, one sentence each.
    pub notes: Vec<String>,
    /// How the loss fell.
    pub curve: Vec<Point>,
    /// What the model wrote on the way, the oldest first.
    pub samples: Vec<Sample>,
    /// The loss of the weights on the validation part, computed in floats, once all steps
    /// are done; rounded, if training ended with rounded weights.
    pub float_loss_nats: Option<f64>,
    /// The models made of it.
    pub exports: Vec<Export>,
    /// How the model made last compares with what a reader knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comparison: Option<Comparison>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It trains.
    Training,
    /// It was interrupted and can be resumed.
    Interrupted,
    /// Its loss exploded.
    Diverged,
    /// All steps are done.
    Finished,
}

/// A point of the learning curve.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Steps done.
    pub step: u64,
    /// Seconds spent.
    pub seconds: f64,
    /// The mean training loss since the point before, in nats per character.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss_nats: Option<f64>,
    /// The validation loss of the averaged weights, as parallel streams.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_loss_nats: Option<f64>,
}

/// Something the model wrote on the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// After this step.
    pub step: u64,
    /// What it wrote.
    pub text: String,
}

/// What a text consists of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TextStatistics {
    /// What it is, for people.
    pub description: String,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: String,
    /// Characters to learn from.
    pub training_characters: usize,
    /// Characters to measure on.
    pub validation_characters: usize,
    /// Each symbol and how often it occurs in the part to learn from, the most frequent first; those that
    /// spell characters stand there as private code points, see [`inkling_engine::spelling`].
    pub symbols: Vec<(char, u64)>,
}

/// A model made of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Export {
    /// Its name.
    pub name: String,
    /// How its weights are kept, for people.
    pub weights: String,
    /// All the flash it needs.
    pub image_bytes: usize,
    /// With the engine's integers, in nats per character.
    pub engine_loss_nats: Option<f64>,
    /// With the run's floats, on the same text.
    pub float_loss_nats: Option<f64>,
    /// What it writes.
    #[serde(default)]
    pub samples: Vec<export::Sample>,
    /// What boards it fits and how fast it is there; none in reports of versions that did not know.
    #[serde(default)]
    pub boards: Vec<Prospect>,
}

impl TextStatistics {
    /// Counts the symbols of a corpus.
    #[must_use]
    pub fn of(corpus: &Corpus) -> Self {
        let mut counts = [0_u64; 256];
        for &symbol in corpus.training() {
            counts[usize::from(symbol)] += 1;
        }
        let symbols = corpus.alphabet.symbols().iter().copied();
        let mut symbols: Vec<(char, u64)> = symbols.zip(counts).collect();
        symbols.sort_by_key(|&(_, count)| std::cmp::Reverse(count));
        Self {
            description: corpus.description.clone(),
            sha256: corpus.sha256.clone(),
            training_characters: corpus.training_characters(),
            validation_characters: corpus.validation().characters(),
            symbols,
        }
    }

    /// How many symbols there are, whatever a report claims of each.
    pub(crate) fn total(&self) -> f64 {
        self.symbols.iter().map(|&(_, count)| count as f64).sum()
    }

    /// The loss of who knows nothing but how frequent each symbol is, in nats per character.
    #[must_use]
    pub fn guessing_loss_nats(&self) -> f64 {
        let total = self.total();
        let shares = self.symbols.iter().map(|&(_, n)| n as f64 / total);
        let of_a_symbol: f64 = shares
            .filter(|&share| share > 0.0)
            .map(|share| -share * share.ln())
            .sum();
        of_a_symbol * total / self.training_characters.max(1) as f64
    }
}

impl Export {
    /// What is to be said of an exported model.
    #[must_use]
    pub fn of(exported: &Exported) -> Self {
        let name = exported.image.file_stem().unwrap_or_default();
        Self {
            name: name.to_string_lossy().into_owned(),
            weights: exported.weights.clone(),
            image_bytes: exported.image_bytes,
            engine_loss_nats: exported.losses.map(|losses| losses.engine_loss_nats),
            float_loss_nats: exported.losses.map(|losses| losses.float_loss_nats),
            samples: exported.samples.clone(),
            boards: exported.boards.clone(),
        }
    }
}

impl Report {
    /// The loss on text that was never trained on, in nats per character: that of all of it where it is
    /// known, else the latest.
    #[must_use]
    pub fn loss_nats(&self) -> Option<f64> {
        let latest = self.curve.iter().rev();
        let mut latest = latest.filter_map(|point| point.validation_loss_nats);
        self.float_loss_nats.or_else(|| latest.next())
    }

    /// Characters learned from in a second, measuring included; none before the first.
    #[must_use]
    pub fn characters_per_second(&self) -> Option<f64> {
        let data = Recipe::from_toml(&self.recipe).ok()?.data;
        let characters = self.step as f64 * data.batch as f64 * data.seq_len as f64;
        let speed = characters / self.seconds;
        (speed.is_finite() && speed > 0.0).then_some(speed)
    }

    /// Where a run's report lies, for people to open.
    #[must_use]
    pub fn path(run_dir: &Path) -> PathBuf {
        run_dir.join(PAGE)
    }

    /// Writes the report, its page and its curve to the folder of a run, each whole or not at all.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write(&self, run_dir: &Path) -> Result<(), ReportError> {
        for (name, bytes) in self.files()? {
            let path = run_dir.join(name);
            paths::write_atomic(&path, &bytes)
                .map_err(|source| ReportError::Write { path, source })?;
        }
        Ok(())
    }

    /// The files that it is: name and content of each.
    ///
    /// # Errors
    /// When the curve cannot be drawn.
    pub fn files(&self) -> Result<[(&'static str, Vec<u8>); 3], ReportError> {
        let json = serde_json::to_vec(self).map_err(io::Error::from);
        let json = json.map_err(|source| ReportError::Write {
            path: JSON.into(),
            source,
        })?;
        let curve = chart::draw(&self.curve, chart::Paper::White)?;
        let page = page::render(self)?;
        Ok([
            (JSON, json),
            ("curve.svg", curve.into_bytes()),
            (PAGE, page.into_bytes()),
        ])
    }

    /// Reads the report of a run; none where there is none that this program wrote.
    #[must_use]
    pub fn read(run_dir: &Path) -> Option<Self> {
        Self::from_json(&std::fs::read(run_dir.join(JSON)).ok()?)
    }

    /// The report that these bytes of a file are, if this program wrote them.
    #[must_use]
    pub fn from_json(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }

    /// Adds to the report of a run how a model of it compares with what a reader knows.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn add_comparison(run_dir: &Path, comparison: Comparison) -> Result<(), ReportError> {
        let Some(mut report) = Self::read(run_dir) else {
            return Ok(());
        };
        report.comparison = Some(comparison);
        report.write(run_dir)
    }

    /// Adds a model to the report of the run that it was made of, in the place of one of its name.
    /// Returns where the report is; none where the run has none.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn add_export(run_dir: &Path, export: Export) -> Result<Option<PathBuf>, ReportError> {
        let Some(mut report) = Self::read(run_dir) else {
            return Ok(None);
        };
        report.exports.retain(|other| other.name != export.name);
        report.exports.push(export);
        report.write(run_dir)?;
        Ok(Some(Self::path(run_dir)))
    }
}
