//! What can go wrong between a file and its symbols; the messages are what users read.

use std::io;
use std::path::PathBuf;

use super::text::MOST_DROPPED;
use crate::words::{count, share};

/// Why a text could not be used.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// The path names nothing.
    #[error("cannot find the text '{}'; check the path, or say with --text where it is", .0.display())]
    NotFound(PathBuf),
    /// A folder holds no text.
    #[error("there is no text in '{0}'; name a text file, or a folder that holds some")]
    NoText(String),
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
    /// The file holds zero bytes, as only UTF-16 has them.
    #[error(
        "'{name}' looks like a binary file (zero byte at offset {offset}); give plain text, or name its encoding with --encoding if it is one"
    )]
    Binary {
        /// The file.
        name: String,
        /// Where the first zero byte is.
        offset: u64,
    },
    /// The file is of a known format that is not read.
    #[error("'{name}' is {what}; save it as plain text in UTF-8 first")]
    Format {
        /// The file.
        name: String,
        /// What it is.
        what: &'static str,
    },
    /// The file is in no encoding that could be found out.
    #[error(
        "'{name}' is neither UTF-8 (first bad byte at offset {first}) nor UTF-16, and makes no sense in any other encoding that was tried; name it with --encoding, or convert the file to UTF-8"
    )]
    Unknown {
        /// The file.
        name: String,
        /// Where the first byte is that is not UTF-8.
        first: u64,
    },
    /// Some bytes of the file do not belong to its encoding.
    #[error(
        "'{name}' has {} that cannot be read as {encoding} ({} of it, the first at offset {first}); {}",
        count(*bad, "byte"), share(*bad, *bytes), advice(*bad, *bytes)
    )]
    Undecodable {
        /// The file.
        name: String,
        /// What it was read as.
        encoding: &'static str,
        /// How many bytes are meant.
        bad: u64,
        /// How many it has.
        bytes: u64,
        /// Where the first one is.
        first: u64,
    },
    /// So many bytes would be dropped that what is left is not the text any more.
    #[error(
        "--lossy would drop {} of '{name}' ({} of it, more than {MOST_DROPPED} %); name its encoding with --encoding instead, or convert the file to UTF-8",
        count(*dropped, "byte"), share(*dropped, *bytes)
    )]
    TooLossy {
        /// The text.
        name: String,
        /// How many bytes would be dropped.
        dropped: u64,
        /// How many it has.
        bytes: u64,
    },
    /// What came through a pipe could not be copied.
    #[error(
        "cannot set aside what comes from {name}: {reason}; free some space, set TMPDIR to another folder, or give a file"
    )]
    NotSetAside {
        /// The pipe.
        name: String,
        /// What the system said.
        reason: io::Error,
    },
    /// More comes through a pipe than any text is long.
    #[error(
        "more than 4 GiB come from {0}, so it may never end; save what you need of it in a file"
    )]
    Endless(String),
    /// The copy of a text that the run needs could not be written.
    #[error("cannot keep the text as '{}': {reason}; free some space, or give a file", path.display())]
    NotKept {
        /// The copy.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// The file was written to while it was read.
    #[error("'{0}' changed while it was read; try again when it is complete")]
    Changed(String),
    /// Transliteration left nothing, or less than it takes away.
    #[error(
        "{} of '{name}' {} no ASCII form, which is most of it; pass --unicode to keep its own characters",
        count(*characters, "character"), if *characters == 1 { "has" } else { "have" }
    )]
    NothingLeft {
        /// The text.
        name: String,
        /// How many characters would be left out.
        characters: u64,
    },
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
    /// More came than there is.
    #[error(
        "{url} sends more than the {most} bytes that there are; nothing of it was kept, try again or pass --text FILE"
    )]
    TooLong {
        /// Where it came from.
        url: String,
        /// How many there are.
        most: u64,
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

/// What to do about bytes that do not belong to an encoding.
fn advice(bad: u64, bytes: u64) -> &'static str {
    if bad * 100 > bytes * MOST_DROPPED {
        "name its encoding with --encoding, or convert the file to UTF-8"
    } else {
        "pass --lossy to leave that out, or name another encoding with --encoding"
    }
}
