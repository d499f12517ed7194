//! What can go wrong while training; the messages are what users read.

use std::io;
use std::path::PathBuf;

use host::corpus::CorpusError;
use host::quantize::float::LoadError;
use host::recipe::RecipeError;
use host::report::ReportError;
use host::runs::RunError;
use host::words::count;

/// Why a training could not start or go on.
#[derive(Debug, thiserror::Error)]
pub enum TrainError {
    /// The text could not be used.
    #[error(transparent)]
    Corpus(#[from] CorpusError),
    /// The run's folder or files could not be had.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The settings cannot be used.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The training part is too short for even one prediction.
    #[error("the text has only {}; training needs at least 3", count(*characters, "character"))]
    TooShort {
        /// The length of the whole text.
        characters: usize,
    },
    /// The GPU was asked for and is not there.
    #[error(
        "no CUDA device can be used; train with --device cpu, or link a libtorch built for CUDA"
    )]
    NoCuda,
    /// The GPU was asked for, and a backend that knows only the CPU.
    #[error(
        "the backend native computes on the CPU only: train with --device cpu, or a new run with \
         --backend libtorch"
    )]
    NativeOnGpu,
    /// There is nothing to resume.
    #[error(
        "the run in '{}' has no checkpoint to go on from: it was ended before its first; train it anew",
        .0.display()
    )]
    NoCheckpoint(PathBuf),
    /// A checkpoint cannot be understood.
    #[error("the checkpoint '{}' cannot be used: {reason}", path.display())]
    BadCheckpoint {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The weights to start with cannot be read.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The weights to start with do not fit.
    #[error("a run cannot start with '{}': {reason}", path.display())]
    BadStart {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// A run is resumed on another text.
    #[error(
        "the text of this run has changed (SHA-256 {found}, was {expected}); bring the old one back, say with --text where it is, or start a new run"
    )]
    TextChanged {
        /// The digest of the text as it is.
        found: String,
        /// The digest of the text that the run was trained on.
        expected: String,
    },
    /// The loss is no number any more, or grows without end.
    #[error(
        "the loss became {loss} at step {step}: training stopped, {kept}; try a lower --lr (it is {learning_rate}) or a smaller clip_norm"
    )]
    Diverged {
        /// The step at which it happened.
        step: u64,
        /// The loss.
        loss: f64,
        /// The learning rate of the recipe.
        learning_rate: f64,
        /// What is left on disk.
        kept: String,
    },
    /// A file of the run could not be written.
    #[error("cannot write '{}': {}; what was saved before is untouched", path.display(), describe(reason))]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The report of the run could not be drawn.
    #[error(transparent)]
    Report(ReportError),
    /// A thread that computes has ended, which only a defect makes it do.
    #[error(
        "a thread of the training has ended; what was saved before can be gone on with by --resume"
    )]
    WorkerEnded,
    /// libtorch refused an operation.
    #[error(transparent)]
    Torch(#[from] tch::TchError),
}

impl From<ReportError> for TrainError {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Write {
                path,
                source: reason,
            } => Self::Unwritable { path, reason },
            error => Self::Report(error),
        }
    }
}

fn describe(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full, free some space".to_owned()
        }
        _ => error.to_string(),
    }
}
