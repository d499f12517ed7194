//! What ties the files of one training together: an identity that each of them repeats.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::paths;

/// The file with a run's identity.
pub(crate) const IDENTITY: &str = "run.json";

/// The key of the identity in the metadata of tensors.
pub const IDENTITY_KEY: &str = "run";

/// What ties the files of one training together. Empty for runs of versions that gave none.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

/// The content of [`IDENTITY`].
#[derive(Debug, Serialize, Deserialize)]
struct Identity {
    id: RunId,
}

impl RunId {
    /// One that no other training has.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self(format!("{:032x}", rand::random::<u128>()))
    }

    /// That of the run in `folder`.
    #[must_use]
    pub fn of_folder(folder: &Path) -> Self {
        Self::from_json(&fs::read(folder.join(IDENTITY)).unwrap_or_default())
    }

    /// That which these bytes of a file tell; empty where they are no such file.
    #[must_use]
    pub fn from_json(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).map_or_else(|_| Self::default(), |Identity { id }| id)
    }

    /// That which the metadata of tensors tells of, if any.
    #[must_use]
    pub fn of_metadata(value: Option<&String>) -> Self {
        Self(value.cloned().unwrap_or_default())
    }

    /// The identity as metadata holds it; empty for runs of versions that gave none.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Writes it into the folder of its run.
    ///
    /// # Errors
    /// When the folder takes no file.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let text = serde_json::to_vec(&Identity { id: self.clone() }).unwrap_or_default();
        paths::write_atomic(&folder.join(IDENTITY), &text)
    }
}
