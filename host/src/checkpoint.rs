//! Checkpoints as far as they are read without libtorch: what is trained, how far it is, and its numbers.
//!
//! `runs/NAME/checkpoint.safetensors` holds the weights, their average, the best ones, the optimizer's memory
//! and the state of the streams; its metadata holds a [`Header`]. The trainer writes it and goes on with it.

use std::path::PathBuf;

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::corpus::{Reading, Source};
use crate::name::Name;
use crate::recipe::{AlphabetKind, Recipe};
use crate::report::{Point, Sample};
use crate::runs::RunId;
use crate::tensors;

/// The format that is read and written.
pub const FORMAT: &str = "inkling-checkpoint-2";

/// The metadata with the [`Header`].
pub const HEADER_KEY: &str = "header";

/// What is to be trained: enough to start a run, and to start it again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The run's name.
    pub name: Name,
    /// What ties the run's files together.
    #[serde(default)]
    pub run: RunId,
    /// The text.
    pub source: Source,
    /// How the text is read.
    pub reading: Reading,
    /// Every setting.
    pub recipe: Recipe,
    /// The float weights to start with, instead of random ones.
    #[serde(default)]
    pub from: Option<PathBuf>,
}

impl Job {
    /// A job whose alphabet and validation part are those of its recipe.
    #[must_use]
    pub fn new(name: Name, source: Source, reading: Reading, recipe: Recipe) -> Self {
        let reading = Reading {
            printable: recipe.model.alphabet == AlphabetKind::Printable,
            validation: recipe.data.validation,
            ..reading
        };
        Self {
            name,
            run: RunId::default(),
            source,
            reading,
            recipe,
            from: None,
        }
    }
}

/// How far a training is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Seconds spent, measuring included.
    pub seconds: f64,
    /// Seconds spent, measuring not included.
    pub step_seconds: f64,
    /// The lowest validation loss on the way and its step.
    pub best: Option<(f64, u64)>,
    /// The step from which on weights are rounded.
    pub rounded_since: Option<u64>,
    /// The learning curve.
    pub curve: Vec<Point>,
    /// What was written on the way.
    #[serde(default)]
    pub samples: Vec<Sample>,
}

/// All of a checkpoint but its numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// What is trained.
    pub job: Job,
    /// How far it is.
    pub progress: Progress,
    /// The digest of its text.
    pub corpus_sha256: String,
}

impl Header {
    /// The header in these bytes of a file.
    ///
    /// # Errors
    /// With the reason, when they are damaged or of another format.
    pub fn read(bytes: &[u8]) -> Result<Self, String> {
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
        let strings = metadata.metadata().as_ref();
        let string = |key| strings.and_then(|strings| strings.get(key));
        if string("format").map(String::as_str) != Some(FORMAT) {
            return Err(format!(
                "it is not of the format {FORMAT}; a run that another version began is to be trained anew"
            ));
        }
        let header = string(HEADER_KEY).ok_or("it has no header")?;
        serde_json::from_str(header).map_err(|error| error.to_string())
    }

    /// How much of its run was done when it was saved, from 0 to 1.
    #[must_use]
    pub fn done(&self) -> f64 {
        let Progress { step, seconds, .. } = self.progress;
        self.job.recipe.length.done(step, seconds)
    }
}

/// The tensors of a network, as PyTorch calls them, and the size of each, in the order in which checkpoints
/// and the trainer's flat tensor have them.
#[must_use]
pub fn layout(
    symbols: usize,
    embedding: usize,
    hidden: usize,
    layers: usize,
) -> Vec<(String, Vec<usize>)> {
    let mut tensors = vec![("embedding.weight".to_owned(), vec![symbols, embedding])];
    for layer in 0..layers {
        let input = if layer == 0 { embedding } else { hidden };
        tensors.extend([
            (format!("lstm.weight_ih_l{layer}"), vec![4 * hidden, input]),
            (format!("lstm.weight_hh_l{layer}"), vec![4 * hidden, hidden]),
            (format!("lstm.bias_ih_l{layer}"), vec![4 * hidden]),
            (format!("lstm.bias_hh_l{layer}"), vec![4 * hidden]),
        ]);
    }
    tensors.push(("output.weight".to_owned(), vec![symbols, hidden]));
    tensors.push(("output.bias".to_owned(), vec![symbols]));
    tensors
}

/// What precedes the names of the tensors of each network in a checkpoint: the weights, their average, the
/// best ones, and the optimizer's two memories.
pub const NETWORKS: [&str; 5] = [
    "weights/",
    "average/",
    "best/",
    "adam.mean/",
    "adam.square/",
];

/// The tensors with the state of the streams.
pub const STATES: [&str; 2] = ["state.hidden", "state.cell"];

/// The numbers of a checkpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbers {
    /// Those of each of [`NETWORKS`], one tensor behind the other.
    pub networks: [Vec<f32>; NETWORKS.len()],
    /// Those of each of [`STATES`].
    pub states: [Vec<f32>; STATES.len()],
}

impl Numbers {
    /// The numbers in these bytes of a file, whose networks have this layout and whose states this size.
    ///
    /// # Errors
    /// With the reason, when they are damaged, or a tensor is missing or of another size.
    pub fn read(
        bytes: &[u8],
        layout: &[(String, Vec<usize>)],
        state_size: &[usize],
    ) -> Result<Self, String> {
        let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
        let mut networks = [const { Vec::new() }; NETWORKS.len()];
        for (prefix, network) in NETWORKS.iter().zip(&mut networks) {
            for (name, size) in layout {
                network.extend(tensors::numbers(&file, &format!("{prefix}{name}"), size)?);
            }
        }
        let mut states = [const { Vec::new() }; STATES.len()];
        for (name, state) in STATES.iter().zip(&mut states) {
            *state = tensors::numbers(&file, name, state_size)?.collect();
        }
        Ok(Self { networks, states })
    }
}
