//! Runs: the folders in `runs/`, each with the files of one training and of no other.
//!
//! `runs/NAME/run.json` holds the identity that a training is given when its folder is made; its
//! checkpoint, weights and report repeat it, and whoever reads them compares. A training makes a new
//! folder, or replaces one where it was told to; while it runs it holds the folder's lock.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::export;
use crate::identity::IDENTITY;
use crate::name::Name;
use crate::paths;
use crate::quantize::FloatModel;
use crate::quantize::float::LoadError;
use crate::report::ReportError;
use crate::tensors;

mod shelf;

pub use crate::identity::{IDENTITY_KEY, RunId};
pub use shelf::{Run, RunState, list, remove_all, rename};

/// The file with the float weights of a finished run.
pub const WEIGHTS: &str = "weights.safetensors";

/// The file with what a run needs to go on.
pub const CHECKPOINT: &str = "checkpoint.safetensors";

/// The file that is locked while a run is trained; it says by which process.
const LOCK: &str = "lock";

/// The file in `runs/` that is locked while a folder is made, taken over or replaced.
const CLAIMS: &str = ".lock";

/// How the names of folders begin that are about to be removed.
const REPLACED: &str = ".replaced-";

/// Why a run's folder or its files could not be had.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Another process trains it.
    #[error("the run '{name}' is being trained by {holder}; wait for it, or stop it first")]
    InUse {
        /// The run.
        name: Name,
        /// The process, as far as it is known.
        holder: String,
    },
    /// There is no such run.
    #[error("there is no run '{0}': `inkling train` makes runs")]
    Missing(String),
    /// It has no weights yet.
    #[error(
        "the run '{0}' is not finished, so it has no weights yet: `inkling train --resume {0}` goes on with it"
    )]
    Unfinished(String),
    /// A file of another training lies in a run's folder.
    #[error(
        "{} belongs to another training than the folder it is in: put it back where it came from, or train again",
        .0.display()
    )]
    Stranger(PathBuf),
    /// Another training has the folder by now.
    #[error(
        "{} has been given to another training while this one ran, so it stops without touching it",
        .0.display()
    )]
    Taken(PathBuf),
    /// A run or a model has the name.
    #[error("there is a run or another model '{0}' already; take another name")]
    NotFree(Name),
    /// The report of a renamed run still tells the old name.
    #[error("the run is called '{name}' now, but its report is not: {reason}")]
    Report {
        /// The new name.
        name: Name,
        /// Why it could not be written.
        reason: ReportError,
    },
    /// The weights cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A folder or file cannot be written.
    #[error("cannot write to {}: {reason}", path.display())]
    Write {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
}

/// A run that this process trains. Its lock ends with this value.
#[derive(Debug)]
pub struct Claimed {
    /// The name, which is the folder's.
    pub name: Name,
    /// `runs/NAME`.
    pub folder: PathBuf,
    /// What ties its files together.
    pub id: RunId,
    _lock: File,
}

/// Whether neither a run nor a model is called `name`.
#[must_use]
pub fn is_free(name: &Name) -> bool {
    let run = paths::run_dir(name);
    // A dangling link is there as well.
    fs::symlink_metadata(run).is_err() && export::is_free(&paths::weights_dir(), name)
}

/// Makes a folder for a new training: that of `wanted`, or of the next free name.
///
/// # Errors
/// When `runs/` cannot be written to.
pub fn create(wanted: &Name) -> Result<Claimed, RunError> {
    let _claims = claims()?;
    make(wanted.next_free(is_free))
}

/// Makes a folder for a new training in the place of what has its name.
///
/// # Errors
/// When that is being trained, or `runs/` cannot be written to.
pub fn replace(name: Name) -> Result<Claimed, RunError> {
    let _claims = claims()?;
    let folder = paths::run_dir(&name);
    if fs::symlink_metadata(&folder).is_ok() {
        take_away(&name, &folder)?;
    }
    make(name)
}

/// Removes the folder of a run that nobody trains. The claims must be held: without them nobody takes
/// it over meanwhile.
fn take_away(name: &Name, folder: &Path) -> Result<(), RunError> {
    drop(lock(name, folder)?);
    let away = paths::runs_dir().join(format!("{REPLACED}{:016x}", rand::random::<u64>()));
    fs::rename(folder, &away).map_err(unwritable(folder))?;
    remove(&away);
    Ok(())
}

/// Takes over the folder of a run to go on with it.
///
/// # Errors
/// When there is none, another process trains it, or it cannot be written to.
pub fn take_over(name: Name) -> Result<Claimed, RunError> {
    let folder = paths::run_dir(&name);
    if !folder.is_dir() {
        return Err(RunError::Missing(name.to_string()));
    }
    let _claims = claims()?;
    let lock = lock(&name, &folder)?;
    paths::sweep(&folder);
    Ok(Claimed {
        id: RunId::of_folder(&folder),
        name,
        folder,
        _lock: lock,
    })
}

/// Makes sure that `folder` is that of the training `id` before something is written to it: somebody may
/// have moved or removed it meanwhile.
///
/// # Errors
/// When it belongs to another training by now, or is gone and cannot be made again.
pub fn confirm(folder: &Path, id: &RunId) -> Result<(), RunError> {
    if RunId::of_folder(folder) == *id {
        return Ok(());
    }
    // No other training is given a folder while the claims are held.
    let _claims = claims()?;
    let is_another = match fs::symlink_metadata(folder.join(IDENTITY)) {
        Ok(_) => RunId::of_folder(folder) != *id,
        // Removed just before this training put its own file there, or of a version without identity.
        Err(_) => [CHECKPOINT, WEIGHTS].iter().any(|file| {
            tensors::metadata_of(&folder.join(file))
                .is_some_and(|strings| RunId::of_metadata(strings.get(IDENTITY_KEY)) != *id)
        }),
    };
    if is_another {
        return Err(RunError::Taken(folder.to_owned()));
    }
    identify(folder, id)
}

/// Writes the identity of the training that has a folder.
fn identify(folder: &Path, id: &RunId) -> Result<(), RunError> {
    id.write(folder).map_err(unwritable(&folder.join(IDENTITY)))
}

/// The float weights of a finished run: `run` is its name, its folder, or the file itself. They have the
/// name of the run now, whatever it was when it was trained.
///
/// # Errors
/// When there are none, or they do not belong to the run in whose folder they are.
pub fn load_weights(run: &Path) -> Result<(PathBuf, FloatModel), RunError> {
    let path = weights_path(run)?;
    let mut model = FloatModel::load(&path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    if folder.join(IDENTITY).is_file() {
        if model.run != RunId::of_folder(folder) {
            return Err(RunError::Stranger(path));
        }
        let name = folder.file_name().and_then(|name| name.to_str());
        model.name = name.and_then(|name| name.parse().ok()).or(model.name);
    }
    Ok((path, model))
}

/// Where the weights of [`load_weights`] are, whatever is in them.
fn weights_path(run: &Path) -> Result<PathBuf, RunError> {
    if run.is_file() {
        return Ok(run.to_owned());
    }
    let shown = || crate::output::one_line(&run.display().to_string());
    let named = run.to_str().and_then(|name| name.parse::<Name>().ok());
    let folder = [
        Some(run.to_owned()),
        named.map(|name| paths::run_dir(&name)),
    ]
    .into_iter()
    .flatten()
    .find(|folder| folder.join(WEIGHTS).is_file() || folder.join(IDENTITY).is_file())
    .ok_or_else(|| RunError::Missing(shown()))?;
    let path = folder.join(WEIGHTS);
    if path.is_file() {
        Ok(path)
    } else {
        Err(RunError::Unfinished(shown()))
    }
}

/// The step at which a run's checkpoint was saved, if that is behind the step of its weights: somebody
/// has gone on with a finished run, but not to the end.
#[must_use]
pub fn newer_checkpoint(weights: &Path, model: &FloatModel) -> Option<u64> {
    let strings = tensors::metadata_of(&weights.with_file_name(CHECKPOINT))?;
    let header: serde_json::Value = serde_json::from_str(strings.get("header")?).ok()?;
    let step = header["progress"]["step"].as_u64()?;
    let steps: u64 = model.metadata.get("steps")?.parse().ok()?;
    (step > steps).then_some(step)
}

/// Waits until no other process makes, takes over or replaces a folder.
fn claims() -> Result<File, RunError> {
    let runs = paths::runs_dir();
    fs::create_dir_all(&runs).map_err(unwritable(&runs))?;
    let path = runs.join(CLAIMS);
    let file = open_lock(&path)?;
    file.lock().map_err(unwritable(&path))?;
    // What a process that was killed in the middle of `replace` has left.
    for entry in fs::read_dir(&runs).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(REPLACED) {
            remove(&entry.path());
        }
    }
    Ok(file)
}

/// Makes the folder, which must not be there.
fn make(name: Name) -> Result<Claimed, RunError> {
    let folder = paths::run_dir(&name);
    fs::create_dir(&folder).map_err(unwritable(&folder))?;
    let claimed = (|| {
        let lock = lock(&name, &folder)?;
        let id = RunId::new();
        identify(&folder, &id)?;
        Ok((lock, id))
    })();
    match claimed {
        Ok((lock, id)) => Ok(Claimed {
            name,
            folder,
            id,
            _lock: lock,
        }),
        Err(error) => {
            // Nothing is in it yet that anybody could miss.
            remove(&folder);
            Err(error)
        }
    }
}

/// Locks a run's folder for this process.
fn lock(name: &Name, folder: &Path) -> Result<File, RunError> {
    let path = folder.join(LOCK);
    let mut file = open_lock(&path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let told = file.read_to_string(&mut holder).is_ok() && !holder.is_empty();
            return Err(RunError::InUse {
                name: name.clone(),
                holder: if told {
                    crate::output::one_line(holder.trim())
                } else {
                    "another process".to_owned()
                },
            });
        }
        Err(TryLockError::Error(reason)) => return Err(unwritable(&path)(reason)),
    }
    file.set_len(0)
        .and_then(|()| write!(file, "process {}", std::process::id()))
        .map_err(unwritable(&path))?;
    Ok(file)
}

fn open_lock(path: &Path) -> Result<File, RunError> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
        .map_err(unwritable(path))
}

/// Removes a folder as far as possible; what is left is tried again at the next start.
fn remove(folder: &Path) {
    let is_link = fs::symlink_metadata(folder).is_ok_and(|metadata| metadata.is_symlink());
    let _ = if is_link {
        fs::remove_file(folder)
    } else {
        fs::remove_dir_all(folder)
    };
}

fn unwritable(path: &Path) -> impl Fn(io::Error) -> RunError {
    let path = path.to_owned();
    move |reason| RunError::Write {
        path: path.clone(),
        reason,
    }
}
