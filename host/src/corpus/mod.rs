//! The corpus: from a text file, or the standard one, to symbols for training and measuring.
//!
//! Everything here works without libtorch, so that `eval` and the tools around it can use it too.
//! The flow: [`Source`] → bytes → [`text`] → [`Alphabet`] → symbols, cut in two by [`split`].

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

mod alphabet;
mod download;
mod error;
mod plays;
mod standard;
pub mod text;

pub use alphabet::{Alphabet, Encoded, MAX_SYMBOLS};
pub use error::CorpusError;
pub use standard::{Fetched, Standard, fetch, for_tests};

/// Where a text comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A standard corpus, from the cache or downloaded into it.
    Standard(Standard),
    /// The user's own file.
    File(PathBuf),
}

/// How a text is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Keep the text's own characters instead of transliterating to ASCII.
    pub unicode: bool,
    /// Drop undecodable bytes instead of refusing the file.
    pub lossy: bool,
    /// Add all of Python's `string.printable` to the alphabet, as the tutorial does.
    pub printable: bool,
}

/// A text as symbols of its own alphabet, ready to be trained on.
#[derive(Debug, Clone)]
pub struct Corpus {
    /// What it was made from, for people.
    pub description: String,
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub sha256: String,
    /// Whether it kept its own characters.
    pub unicode: bool,
    /// The symbols that occur in it.
    pub alphabet: Alphabet,
    symbols: Vec<u8>,
    training_len: usize,
    /// What a user should know about how it was read, one sentence each.
    pub notes: Vec<String>,
}

impl Corpus {
    /// Reads `source`; `say` hears about downloads and fallbacks as they happen.
    ///
    /// # Errors
    /// When the text cannot be found, read, decoded or downloaded, or when nothing of it is left.
    pub fn load(
        source: &Source,
        reading: Reading,
        say: &dyn Fn(&str),
    ) -> Result<Self, CorpusError> {
        let (description, bytes) = source.read(say)?;
        Self::from_bytes(&description, bytes, reading)
    }

    /// The same for the bytes of a file called `description`.
    ///
    /// # Errors
    /// When they are not a text, or when nothing of it is left.
    pub fn from_bytes(
        description: &str,
        bytes: Vec<u8>,
        reading: Reading,
    ) -> Result<Self, CorpusError> {
        let sha256 = sha256_hex(&bytes);
        let raw = text::decode(description, bytes, reading.lossy)?;
        let clean = text::clean(&raw, reading.unicode);
        if clean.dropped > 0 && !reading.unicode && clean.text.trim().is_empty() {
            return Err(CorpusError::NothingLeft(description.to_owned()));
        }
        if clean.text.is_empty() {
            return Err(CorpusError::Empty(description.to_owned()));
        }
        let mut notes = Vec::new();
        if clean.dropped > 0 {
            let what = if reading.unicode {
                "control characters"
            } else {
                "characters without an ASCII form (--unicode keeps those that can be printed)"
            };
            notes.push(format!("left out: {} {what}", clean.dropped));
        }
        let alphabet = Alphabet::of_text(&clean.text, reading.printable && !reading.unicode);
        let (training, validation) = split(&clean.text);
        let mut encoded = alphabet.encode(training);
        let training_len = encoded.symbols.len();
        let tail = alphabet.encode(validation);
        encoded.symbols.extend(tail.symbols);
        let skipped = encoded.skipped + tail.skipped;
        if skipped > 0 {
            notes.push(format!(
                "left out: {skipped} characters, the rarest ones, for a model has at most \
                 {MAX_SYMBOLS} symbols"
            ));
        }
        Ok(Self {
            description: description.to_owned(),
            sha256,
            unicode: reading.unicode,
            alphabet,
            symbols: encoded.symbols,
            training_len,
            notes,
        })
    }

    /// The part to learn from.
    #[must_use]
    pub fn training(&self) -> &[u8] {
        &self.symbols[..self.training_len]
    }

    /// `[V]`: how often each symbol occurs in the part to learn from.
    #[must_use]
    pub fn counts(&self) -> Vec<u64> {
        let mut counts = vec![0; self.alphabet.len()];
        for &symbol in self.training() {
            counts[usize::from(symbol)] += 1;
        }
        counts
    }

    /// The part that is never trained on.
    #[must_use]
    pub fn validation(&self) -> &[u8] {
        &self.symbols[self.training_len..]
    }
}

impl Source {
    /// The user's file where one was named, else the standard corpus.
    #[must_use]
    pub fn choose(file: Option<&Path>, standard: Standard) -> Self {
        file.map_or(Self::Standard(standard), |path| Self::File(path.to_owned()))
    }

    /// The bytes of the text, with a description for people.
    ///
    /// # Errors
    /// When the text cannot be found, read or downloaded.
    pub fn read(&self, say: &dyn Fn(&str)) -> Result<(String, Vec<u8>), CorpusError> {
        match self {
            Self::Standard(standard) => {
                let fetched = fetch(*standard, say)?;
                Ok((fetched.standard.to_string(), read_file(&fetched.path)?))
            }
            Self::File(path) => Ok((path.display().to_string(), read_file(path)?)),
        }
    }
}

/// The validation part of `source` as symbols of a model's own alphabet: what `eval` measures on.
///
/// # Errors
/// As [`Corpus::load`], and when `alphabet` is none.
pub fn validation_symbols(
    source: &Source,
    alphabet: &str,
    reading: Reading,
    say: &dyn Fn(&str),
) -> Result<Encoded, CorpusError> {
    let alphabet = Alphabet::from_symbols(alphabet)?;
    let (description, bytes) = source.read(say)?;
    let raw = text::decode(&description, bytes, reading.lossy)?;
    let clean = text::clean(&raw, reading.unicode);
    Ok(alphabet.encode(split(&clean.text).1))
}

/// Splits a clean text into what is trained on and the last 10 %, the validation part.
///
/// Characters are counted before any alphabet skips some, so that the parts are the same for every
/// model.
#[must_use]
pub fn split(text: &str) -> (&str, &str) {
    let training = text.chars().count() * 9 / 10;
    let end = text.char_indices().nth(training);
    text.split_at(end.map_or(text.len(), |(byte, _)| byte))
}

/// SHA-256 of `bytes`, in hexadecimal.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn read_file(path: &Path) -> Result<Vec<u8>, CorpusError> {
    if path.is_dir() {
        return Err(CorpusError::Directory(path.to_owned()));
    }
    std::fs::read(path).map_err(|reason| match reason.kind() {
        std::io::ErrorKind::NotFound => CorpusError::NotFound(path.to_owned()),
        _ => CorpusError::Unreadable {
            path: path.to_owned(),
            reason,
        },
    })
}
