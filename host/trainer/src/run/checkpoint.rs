//! Checkpoints: everything that a run needs to go on as if it had never stopped, in one file.
//!
//! `runs/NAME/checkpoint.safetensors` holds the weights, their average, the best ones, the
//! optimizer's memory and the state of the streams; its metadata holds the job, the progress and the
//! digest of the text. Random choices need no state: each is a function of the seed and the
//! step.

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use tch::Device;

use crate::TrainError;
use crate::backend::StreamState;
use crate::run::optimizer::Adam;
use crate::run::safetensors_io::{self, Archive};
use crate::run::trainer::{Job, Progress, Tensors, Trainer};
use host::corpus::Corpus;
use host::runs::{self, RunError, RunId};

const FORMAT: &str = "inkling-checkpoint-2";

/// Where the checkpoint of a run lies.
#[must_use]
pub fn path(run_dir: &Path) -> PathBuf {
    run_dir.join(runs::CHECKPOINT)
}

/// A checkpoint that was read but not yet brought back to life.
#[derive(Debug)]
pub struct Checkpoint {
    /// What was being trained. Its recipe may be changed before [`Checkpoint::resume`].
    pub job: Job,
    header: Header,
    path: PathBuf,
    bytes: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    job: Job,
    progress: Progress,
    corpus_sha256: String,
}

/// Saves a training.
///
/// # Errors
/// When the file cannot be written; the checkpoint before it is then untouched.
pub fn save(trainer: &Trainer, run_dir: &Path) -> Result<PathBuf, TrainError> {
    let path = path(run_dir);
    let header = Header {
        job: trainer.job.clone(),
        progress: trainer.progress.clone(),
        corpus_sha256: trainer.corpus.sha256.clone(),
    };
    let header = serde_json::to_string(&header).map_err(|error| TrainError::Unwritable {
        path: path.clone(),
        reason: error.into(),
    })?;
    let Tensors {
        weights,
        average,
        best,
        adam,
        state,
    } = &trainer.tensors;
    let mut archive = Archive::default();
    archive.text("format", FORMAT);
    archive.text(runs::IDENTITY_KEY, trainer.job.run.as_str());
    archive.text("header", header);
    for (prefix, flat) in [
        ("weights/", weights),
        ("average/", average),
        ("best/", best),
        ("adam.mean/", &adam.mean),
        ("adam.square/", &adam.square),
    ] {
        archive.network(prefix, &trainer.shape, flat);
    }
    let shape = &trainer.shape;
    let streams = state.hidden.len() / (shape.layers * shape.hidden);
    let size = [shape.layers, streams, shape.hidden];
    archive.numbers("state.hidden".to_owned(), &size, &state.hidden);
    archive.numbers("state.cell".to_owned(), &size, &state.cell);
    archive.write(&path)?;
    Ok(path)
}

impl Checkpoint {
    /// Reads the checkpoint of a run.
    ///
    /// # Errors
    /// When there is none, or when it is damaged.
    pub fn read(run_dir: &Path) -> Result<Self, TrainError> {
        let path = path(run_dir);
        let bytes = std::fs::read(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => TrainError::NoCheckpoint(run_dir.to_owned()),
            _ => bad(&path, error.to_string()),
        })?;
        let (_, metadata) =
            SafeTensors::read_metadata(&bytes).map_err(|error| bad(&path, error.to_string()))?;
        let strings = metadata.metadata().clone().unwrap_or_default();
        if strings.get("format").map(String::as_str) != Some(FORMAT) {
            let reason = format!(
                "it is not of the format {FORMAT}; a run that another version began is to be trained anew"
            );
            return Err(bad(&path, reason));
        }
        let header: Header = strings
            .get("header")
            .ok_or_else(|| bad(&path, "it has no header".to_owned()))
            .and_then(|text| {
                serde_json::from_str(text).map_err(|error| bad(&path, error.to_string()))
            })?;
        if header.job.run != RunId::of_folder(run_dir) {
            return Err(RunError::Stranger(path).into());
        }
        Ok(Self {
            job: header.job.clone(),
            header,
            path,
            bytes,
        })
    }

    /// Steps done when it was saved.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.header.progress.step
    }

    /// How much of its run was done then, from 0 to 1.
    #[must_use]
    pub fn done(&self) -> f64 {
        let progress = &self.header.progress;
        self.job.recipe.length.done(progress.step, progress.seconds)
    }

    /// The training as it was, with the settings of `job`.
    ///
    /// # Errors
    /// When the text has changed or the file does not fit.
    pub fn resume(self, corpus: Corpus, device: Device) -> Result<Trainer, TrainError> {
        if corpus.sha256 != self.header.corpus_sha256 {
            return Err(TrainError::TextChanged {
                found: corpus.sha256,
                expected: self.header.corpus_sha256,
            });
        }
        let cut = Trainer::cut(&self.job, &corpus)?;
        let shape = Trainer::shape_of(&self.job, &corpus);
        let tensors = (|| {
            let file = SafeTensors::deserialize(&self.bytes).map_err(|error| error.to_string())?;
            let flat = |prefix| {
                safetensors_io::network(&file, prefix, &shape)
                    .map(|tensor| tensor.to_device(device))
            };
            let size = [shape.layers, cut.batch as usize, shape.hidden];
            let state = |name| safetensors_io::numbers(&file, name, &size);
            Ok(Tensors {
                weights: flat("weights/")?,
                average: flat("average/")?,
                best: flat("best/")?,
                adam: Adam {
                    mean: flat("adam.mean/")?,
                    square: flat("adam.square/")?,
                },
                state: StreamState {
                    hidden: state("state.hidden")?,
                    cell: state("state.cell")?,
                },
            })
        })()
        .map_err(|reason: String| bad(&self.path, reason))?;
        Trainer::assemble(self.job, corpus, device, tensors, self.header.progress)
    }
}

fn bad(path: &Path, reason: String) -> TrainError {
    TrainError::BadCheckpoint {
        path: path.to_owned(),
        reason,
    }
}
