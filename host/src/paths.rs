//! Where Inkling keeps its files: caches outside the project, runs and weights inside it.
//!
//! Also the one way files are written: to a temporary file beside the target, then renamed, so that
//! an interruption or a full disk never leaves half a file.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use inkling_boards::DEFAULT_MODEL;
use tempfile::NamedTempFile;

use crate::name::Name;

/// The folder for downloads (corpus, libtorch): `$INKLING_CACHE`, else the user's cache folder.
#[must_use]
pub fn cache_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("INKLING_CACHE") {
        return PathBuf::from(dir);
    }
    directories::ProjectDirs::from("", "", "inkling").map_or_else(
        || PathBuf::from(".cache/inkling"),
        |dirs| dirs.cache_dir().to_path_buf(),
    )
}

/// The project's root: the nearest folder above the working directory that holds a checkout, else the
/// folder of this program if it came with firmware and models, else the working directory itself.
#[must_use]
pub fn project_dir() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    let checkout = here.ancestors().find(|dir| is_checkout(dir));
    checkout
        .map(Path::to_path_buf)
        .or_else(release_dir)
        .unwrap_or(here)
}

/// Whether a folder holds the sources.
#[must_use]
pub fn is_checkout(dir: &Path) -> bool {
    dir.join("firmware/Cargo.toml").is_file() && dir.join("weights").is_dir()
}

/// The folder of this program, if it was unpacked from a release.
fn release_dir() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let dir = program.parent()?;
    let is_release = dir.join("firmware/manifest.json").is_file() && dir.join("weights").is_dir();
    is_release.then(|| dir.to_path_buf())
}

/// The linked firmware of a board that came with this program; none in a checkout, which builds its own.
#[must_use]
pub fn released_firmware(board: &str) -> Option<PathBuf> {
    let dir = project_dir();
    let path = dir.join(format!("firmware/inkling-{board}.elf"));
    (!is_checkout(&dir) && path.is_file()).then_some(path)
}

/// `runs/NAME`: the files of one training.
#[must_use]
pub fn run_dir(name: &Name) -> PathBuf {
    runs_dir().join(name)
}

/// `runs/`: a folder for each training.
#[must_use]
pub fn runs_dir() -> PathBuf {
    project_dir().join("runs")
}

/// `weights/`: the models that ship, and where new ones are exported to.
#[must_use]
pub fn weights_dir() -> PathBuf {
    project_dir().join("weights")
}

/// The model that is taken if none is named.
#[must_use]
pub fn default_model() -> PathBuf {
    weights_dir()
        .join(DEFAULT_MODEL)
        .with_added_extension("img")
}

/// How the names of files begin that are being written.
const PARTIAL: &str = ".partial-";

/// How old a file must be before it may be taken for left over.
const LEFT_OVER: Duration = Duration::from_secs(10);

/// Writes `bytes` to `path` so that it holds either its old content or all of the new one.
///
/// # Errors
/// When the folder cannot be created or the disk is full; the old content is then untouched.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> io::Result<()> {
    copy_atomic(path, &mut &bytes[..])
}

/// The same for all that `source` gives, however much that is.
///
/// # Errors
/// As [`write_atomic`], and when `source` cannot be read.
pub fn copy_atomic(path: &Path, source: &mut dyn Read) -> io::Result<()> {
    let dir = path
        .parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir)?;
    sweep(dir);
    let mut file = partial_in(dir)?;
    io::copy(source, &mut file)?;
    file.as_file().sync_all()?;
    // Temporary files are private to the user; a finished one follows the usual mode.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let permissions = std::fs::Permissions::from_mode(0o644);
        file.as_file().set_permissions(permissions)?;
    }
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Whether files can be written to a folder, which is made if it is missing.
///
/// # Errors
/// Why not.
pub fn check_writable(dir: &Path) -> io::Result<()> {
    std::fs::create_dir_all(dir)?;
    partial_in(dir)?.write_all(b"x")
}

/// A file that is renamed when it is complete, locked until then.
fn partial_in(dir: &Path) -> io::Result<NamedTempFile> {
    let file = tempfile::Builder::new().prefix(PARTIAL).tempfile_in(dir)?;
    // Where files cannot be locked, age alone tells what is left over.
    let _ = file.as_file().try_lock();
    Ok(file)
}

/// Removes what killed processes were writing to a folder.
pub fn sweep(dir: &Path) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let is_partial = entry.file_name().to_string_lossy().starts_with(PARTIAL);
        if is_partial && is_left_over(&entry.path()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Whether nobody is writing a file any more.
fn is_left_over(path: &Path) -> bool {
    let is_old = || {
        let modified = std::fs::symlink_metadata(path)?.modified()?;
        Ok::<_, io::Error>(modified.elapsed().unwrap_or_default() > LEFT_OVER)
    };
    let is_unlocked = || Ok::<_, io::Error>(File::open(path)?.try_lock().is_ok());
    is_old().unwrap_or(false) && is_unlocked().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn what_a_killed_process_was_writing_is_swept_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let old = SystemTime::now() - 2 * LEFT_OVER;
        let file = |name: &str| {
            let file = File::create(dir.path().join(name)).unwrap();
            file.set_modified(old).unwrap();
            file
        };
        drop([file(".partial-dead"), file("kept"), file(".partial")]);
        let alive = file(".partial-alive");
        alive.lock().unwrap();
        let young = partial_in(dir.path()).unwrap();

        write_atomic(&dir.path().join("new"), b"bytes").unwrap();
        let young = young.path().file_name().unwrap().to_str().unwrap();
        let mut left: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let mut expected = [".partial", ".partial-alive", young, "kept", "new"];
        expected.sort();
        assert_eq!(left, expected);
    }

    #[test]
    fn a_file_has_its_old_or_its_new_content() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/file");
        write_atomic(&path, b"old").unwrap();
        write_atomic(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        // A folder in its place cannot be replaced, and nothing is left beside it.
        std::fs::create_dir(dir.path().join("folder")).unwrap();
        assert!(write_atomic(&dir.path().join("folder"), b"x").is_err());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }
}
