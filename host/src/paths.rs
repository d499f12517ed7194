//! Where Inkling keeps its files: caches outside the project, runs and weights inside it.
//!
//! Also the one way files are written: to a temporary file beside the target, then renamed, so that
//! an interruption or a full disk never leaves half a file.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

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

/// The project's root: the nearest folder above the working directory that holds `firmware/` and
/// `weights/`, else the working directory itself.
#[must_use]
pub fn project_dir() -> PathBuf {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
    here.ancestors()
        .find(|dir| dir.join("firmware/Cargo.toml").is_file() && dir.join("weights").is_dir())
        .map_or_else(|| here.clone(), Path::to_path_buf)
}

/// `runs/NAME`: checkpoints and float weights of one training.
#[must_use]
pub fn run_dir(name: &str) -> PathBuf {
    project_dir().join("runs").join(name)
}

/// `weights/`: the models that ship, and where new ones are exported to.
#[must_use]
pub fn weights_dir() -> PathBuf {
    project_dir().join("weights")
}

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
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
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
