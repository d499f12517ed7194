//! Checkpoints: everything that a run needs to go on as if it had never stopped, in one file.
//!
//! `runs/NAME/checkpoint.safetensors` holds the weights, their average, the best ones, the
//! optimizer's memory and the state of the streams; its metadata holds the job, the progress and the
//! digest of the text. Random choices need no state: each is a function of the seed and the
//! step.

use std::path::{Path, PathBuf};

use tch::{Device, Tensor};

use crate::TrainError;
use crate::backend::StreamState;
use crate::run::optimizer::Adam;
use crate::run::safetensors_io;
use crate::run::trainer::{Tensors, Trainer};
use host::checkpoint::{FORMAT, HEADER_KEY, Header, Job, NETWORKS, Numbers, STATES};
use host::corpus::Corpus;
use host::runs::{self, RunError, RunId};
use host::tensors::Archive;

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
    archive.text(HEADER_KEY, header);
    let networks = [weights, average, best, &adam.mean, &adam.square];
    for (prefix, flat) in NETWORKS.into_iter().zip(networks) {
        safetensors_io::add_network(&mut archive, prefix, &trainer.shape, flat);
    }
    let shape = &trainer.shape;
    let streams = state.hidden.len() / (shape.layers * shape.hidden);
    let size = [shape.layers, streams, shape.hidden];
    for (name, numbers) in STATES.into_iter().zip([&state.hidden, &state.cell]) {
        archive.numbers(name.to_owned(), &size, numbers);
    }
    safetensors_io::write(archive, &path)?;
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
        let header = Header::read(&bytes).map_err(|reason| bad(&path, reason))?;
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
        self.header.done()
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
        let size = [shape.layers, cut.batch as usize, shape.hidden];
        let numbers = Numbers::read(&self.bytes, &shape.layout(), &size)
            .map_err(|reason| bad(&self.path, reason))?;
        let flat = |numbers: Vec<f32>| Tensor::from_slice(&numbers).to_device(device);
        let [weights, average, best, mean, square] = numbers.networks.map(flat);
        let [hidden, cell] = numbers.states;
        let tensors = Tensors {
            weights,
            average,
            best,
            adam: Adam { mean, square },
            state: StreamState { hidden, cell },
        };
        Trainer::assemble(self.job, corpus, device, tensors, self.header.progress)
    }
}

fn bad(path: &Path, reason: String) -> TrainError {
    TrainError::BadCheckpoint {
        path: path.to_owned(),
        reason,
    }
}
