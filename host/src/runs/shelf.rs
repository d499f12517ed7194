//! What runs there are, and other names or no place for them.

use std::fs::{self, File, TryLockError};
use std::path::Path;
use std::time::SystemTime;

use jiff::Timestamp;
use serde::Serialize;

use super::{CHECKPOINT, LOCK, RunError, RunId, WEIGHTS, claims, lock, take_away, unwritable};
use crate::evaluate::bits;
use crate::export::{self, Owner};
use crate::name::Name;
use crate::paths;
use crate::recipe::{Length, Recipe};
use crate::report::{Report, State};

/// A run as lists show it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Run {
    /// Its name.
    pub name: Name,
    /// The text, for people; none where there is no report.
    pub text: Option<String>,
    /// How far it is.
    pub state: RunState,
    /// Steps done.
    pub steps: Option<u64>,
    /// Steps in all; none for runs that were given time instead.
    pub all_steps: Option<u64>,
    /// The loss on text that was never trained on.
    pub loss_nats: Option<f64>,
    /// The same in bits.
    pub bits_per_char: Option<f64>,
    /// The name of the latest model made of it.
    pub model: Option<String>,
    /// The flash that this takes.
    pub image_bytes: Option<usize>,
    /// What the folder takes on disk.
    pub disk_bytes: u64,
    /// When something was last written there.
    pub changed: Timestamp,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// A process trains it.
    Training,
    /// It can be resumed.
    Interrupted,
    /// Its loss exploded.
    Diverged,
    /// It has weights.
    Finished,
    /// It has nothing yet to go on with.
    Empty,
}

impl RunState {
    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Training => "training",
            Self::Interrupted => "stopped",
            Self::Diverged => "exploded",
            Self::Finished => "finished",
            Self::Empty => "empty",
        }
    }
}

impl Run {
    /// The run in a folder, whatever of it is there.
    fn read(name: Name, folder: &Path) -> Self {
        let report = Report::read(folder);
        let is_there = |file: &str| folder.join(file).is_file();
        let state = match report.as_ref().map(|report| report.state) {
            _ if is_trained(folder) => RunState::Training,
            Some(State::Diverged) => RunState::Diverged,
            Some(State::Finished) => RunState::Finished,
            None if is_there(WEIGHTS) => RunState::Finished,
            _ if is_there(CHECKPOINT) => RunState::Interrupted,
            _ => RunState::Empty,
        };
        Self::of(name, report.as_ref(), state, disk(folder))
    }

    /// The run of this name, of which there is this report; its folder takes so many bytes since then.
    #[must_use]
    pub fn of(
        name: Name,
        report: Option<&Report>,
        state: RunState,
        (disk_bytes, changed): (u64, SystemTime),
    ) -> Self {
        let recipe = report.and_then(|report| Recipe::from_toml(&report.recipe).ok());
        let export = report.and_then(|report| report.exports.last());
        let measured = export.and_then(|export| export.engine_loss_nats);
        let loss_nats = measured.or_else(|| report?.loss_nats());
        Self {
            name,
            state,
            steps: report.map(|report| report.step),
            all_steps: recipe.and_then(|recipe| match recipe.length {
                Length::Steps(steps) => Some(steps),
                Length::Minutes(_) => None,
            }),
            loss_nats,
            bits_per_char: loss_nats.map(bits),
            model: export.map(|export| export.name.clone()),
            image_bytes: export.map(|export| export.image_bytes),
            text: report.map(|report| report.text.description.clone()),
            disk_bytes,
            changed: Timestamp::try_from(changed).unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }
}

/// All runs, the one that was written to last first.
#[must_use]
pub fn list() -> Vec<Run> {
    let folders = fs::read_dir(paths::runs_dir()).into_iter().flatten();
    let mut runs: Vec<Run> = folders
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .filter_map(|entry| {
            let name: Name = entry.file_name().to_str()?.parse().ok()?;
            Some(Run::read(name, &entry.path()))
        })
        .collect();
    runs.sort_by(|a, b| b.changed.cmp(&a.changed).then_with(|| a.name.cmp(&b.name)));
    runs
}

/// Gives a run another name; it stays the same run, and models made of it keep theirs.
///
/// # Errors
/// When there is no such run, it is being trained, the name is not free, or a file cannot be written.
pub fn rename(old: &Name, new: &Name) -> Result<(), RunError> {
    let folder = paths::run_dir(old);
    if !folder.is_dir() {
        return Err(RunError::Missing(old.to_string()));
    }
    let _claims = claims()?;
    drop(lock(old, &folder)?);
    let target = paths::run_dir(new);
    let is_mine = match export::owner(&paths::weights_dir(), new) {
        Owner::Nobody => true,
        Owner::Run(id) => id == RunId::of_folder(&folder),
        Owner::Unknown => false,
    };
    if !is_mine || fs::symlink_metadata(&target).is_ok() {
        return Err(RunError::NotFree(new.clone()));
    }
    fs::rename(&folder, &target).map_err(unwritable(&folder))?;
    let Some(mut report) = Report::read(&target) else {
        return Ok(());
    };
    report.name = new.to_string();
    report.write(&target).map_err(|reason| RunError::Report {
        name: new.clone(),
        reason,
    })
}

/// Removes runs, all or none of them.
///
/// # Errors
/// When one of them is not there or is being trained, or a folder cannot be removed.
pub fn remove_all(names: &[Name]) -> Result<(), RunError> {
    let folders = names.iter().map(|name| (name, paths::run_dir(name)));
    let folders: Vec<_> = folders.collect();
    if let Some((name, _)) = folders
        .iter()
        .find(|(_, folder)| fs::symlink_metadata(folder).is_err())
    {
        return Err(RunError::Missing(name.to_string()));
    }
    let _claims = claims()?;
    for (name, folder) in folders.iter().filter(|(_, folder)| folder.is_dir()) {
        drop(lock(name, folder)?);
    }
    for (name, folder) in &folders {
        if folder.is_dir() {
            take_away(name, folder)?;
        } else {
            // A link that leads nowhere, or a stray file.
            fs::remove_file(folder).map_err(unwritable(folder))?;
        }
    }
    Ok(())
}

/// Whether a process trains the run in a folder.
fn is_trained(folder: &Path) -> bool {
    // A training that starts at this moment must not find the lock taken by who only looks.
    let _claims = claims().ok();
    let lock = File::open(folder.join(LOCK));
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// The bytes of all files in a folder, and when the latest of them was written.
fn disk(folder: &Path) -> (u64, SystemTime) {
    let mut sum = (0, SystemTime::UNIX_EPOCH);
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(metadata) = entry.metadata() else {
            continue;
        };
        let (bytes, changed) = if metadata.is_dir() {
            disk(&entry.path())
        } else {
            let changed = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            (metadata.len(), changed)
        };
        sum = (sum.0 + bytes, sum.1.max(changed));
    }
    sum
}
