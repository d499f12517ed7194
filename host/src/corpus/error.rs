//! What can go wrong between a file and its symbols; the messages are what users read.

use std::io;
use std::path::PathBuf;

/// Why a text could not be used.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// The path names nothing.
    #[error("cannot find the text '{}'; check the path", .0.display())]
    NotFound(PathBuf),
    /// The path names a folder.
    #[error("'{}' is a directory; name one text file in it", .0.display())]
    Directory(PathBuf),
    /// The file is there but cannot be read.
    #[error("cannot read '{}': {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The file has no bytes, or only blank ones that were removed.
    #[error("'{0}' is empty; a model needs some text to learn from")]
    Empty(String),
    /// The file holds zero bytes, as no text does.
    #[error(
        "'{name}' looks like a binary file (zero byte at offset {offset}); give plain text, in UTF-8"
    )]
    Binary {
        /// The file.
        name: String,
        /// Where the first zero byte is.
        offset: usize,
    },
    /// The file is in another encoding.
    #[error(
        "'{name}' is not UTF-8 (first bad byte at offset {offset}); convert it, or pass --lossy to drop such bytes"
    )]
    NotUtf8 {
        /// The file.
        name: String,
        /// Where the first undecodable byte is.
        offset: usize,
    },
    /// The file was written to while it was read.
    #[error("'{0}' changed while it was read; try again when it is complete")]
    Changed(String),
    /// Transliteration left nothing.
    #[error("no character of '{0}' has an ASCII form; pass --unicode to keep its own characters")]
    NothingLeft(String),
    /// An alphabet from a model's metadata is empty, too long or has a character twice.
    #[error("the alphabet {0}, so it belongs to no model of this program")]
    BadAlphabet(&'static str),
    /// The standard corpus could neither be downloaded nor replaced.
    #[error("{0}")]
    Fetch(String),
    /// What was downloaded is not what was expected.
    #[error(
        "{what} has SHA-256 {found} instead of {expected}; it was not kept, try again or pass --text FILE"
    )]
    Checksum {
        /// What was downloaded or converted.
        what: String,
        /// The digest of what came.
        found: String,
        /// The digest that it should have.
        expected: &'static str,
    },
    /// A cache file could not be written.
    #[error("cannot write '{}': {reason}; free some space or set INKLING_CACHE to another folder", path.display())]
    Unwritable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
}
