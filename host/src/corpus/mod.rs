//! The corpus: from a text file, or the standard one, to symbols for training and measuring.
//!
//! Everything here works without libtorch, so that `eval` and the tools around it can use it too.
//! The flow: [`Source`] → [`Text`] → [`Counts`] → [`Alphabet`] → symbols, cut in two. The text is read
//! twice, once to count and once to encode, so that all of it that stays in memory is a byte per
//! character.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

mod alphabet;
mod download;
mod error;
mod plays;
mod standard;
pub mod text;

pub use alphabet::{Alphabet, Counts, Encoded, MAX_SYMBOLS, REPLACEMENT};
pub use error::CorpusError;
pub use standard::{Fetched, Standard, fetch, for_tests};
pub use text::{Bytes, Text};

/// The most characters of the validation part that are measured on, so that measuring a huge text
/// takes no longer than that of a large one.
pub const MAX_VALIDATION: usize = 1 << 19;

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
    /// The name of what it was made from, without the folder: model cards are for others to read.
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
        Self::from_text(&source.open(say)?, reading)
    }

    /// The same for the bytes of a file called `name`.
    ///
    /// # Errors
    /// When they are not a text, or when nothing of it is left.
    pub fn from_bytes(name: &str, bytes: Vec<u8>, reading: Reading) -> Result<Self, CorpusError> {
        let text = Text {
            name: name.to_owned(),
            bytes: Bytes::Memory(bytes),
        };
        Self::from_text(&text, reading)
    }

    /// The same for a text.
    ///
    /// # Errors
    /// When it cannot be read or decoded, or when nothing of it is left.
    pub fn from_text(text: &Text, reading: Reading) -> Result<Self, CorpusError> {
        let mut counts = Counts::default();
        let first = text.read(reading, |c| counts.add(c))?;
        let is_blank = counts.iter().all(|(c, _)| c.is_whitespace());
        if is_blank && first.dropped > 0 && !reading.unicode {
            return Err(CorpusError::NothingLeft(text.name.clone()));
        }
        if counts.total() == 0 {
            return Err(CorpusError::Empty(text.name.clone()));
        }
        let alphabet = Alphabet::of_counts(&counts, reading.printable && !reading.unicode);
        let characters = counts.total() as usize;
        let training_len = training_part(characters);
        let mut symbols = Vec::with_capacity(characters.min(training_len + MAX_VALIDATION));
        let second = text.read(reading, |c| {
            if symbols.len() < training_len + MAX_VALIDATION {
                symbols.extend(alphabet.encode(c));
            }
        })?;
        if second != first {
            return Err(CorpusError::Changed(text.name.clone()));
        }
        let validation = characters - training_len;
        let mut notes = Vec::new();
        if first.dropped > 0 {
            let what = if reading.unicode {
                "control characters"
            } else {
                "characters without an ASCII form (--unicode keeps those that can be printed)"
            };
            notes.push(format!("left out: {} {what}", first.dropped));
        }
        notes.extend(replacement_note(&counts, &alphabet));
        if validation > MAX_VALIDATION {
            notes.push(format!(
                "the loss is measured on the first {MAX_VALIDATION} of the last {validation} characters"
            ));
        }
        Ok(Self {
            description: file_name(&text.name),
            sha256: first.sha256,
            unicode: reading.unicode,
            alphabet,
            symbols,
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

    /// The part that is never trained on: the last 10 %, or the first [`MAX_VALIDATION`] of it.
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

    /// The text, ready to be read.
    ///
    /// # Errors
    /// When it cannot be found, read or downloaded.
    pub fn open(&self, say: &dyn Fn(&str)) -> Result<Text, CorpusError> {
        let (name, path) = match self {
            Self::Standard(standard) => {
                let fetched = fetch(*standard, say)?;
                (fetched.standard.to_string(), fetched.path)
            }
            Self::File(path) => (path.display().to_string(), path.clone()),
        };
        let bytes = match std::fs::metadata(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(CorpusError::NotFound(path));
            }
            Err(reason) => return Err(CorpusError::Unreadable { path, reason }),
            Ok(metadata) if metadata.is_dir() => return Err(CorpusError::Directory(path)),
            Ok(metadata) if metadata.is_file() => Bytes::File(path),
            // A pipe can be read only once.
            Ok(_) => match std::fs::read(&path) {
                Ok(bytes) => Bytes::Memory(bytes),
                Err(reason) => return Err(CorpusError::Unreadable { path, reason }),
            },
        };
        Ok(Text { name, bytes })
    }
}

/// The validation part of `source` as symbols of a model's own alphabet: what `eval` measures on, at
/// most [`MAX_VALIDATION`] characters.
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
    let text = source.open(say)?;
    let mut characters = 0;
    let first = text.read(reading, |_| characters += 1)?;
    let begin = training_part(characters);
    let validation = begin..characters.min(begin + MAX_VALIDATION);
    let mut encoded = Encoded {
        symbols: Vec::with_capacity(validation.len()),
        skipped: 0,
    };
    let mut position = 0;
    let second = text.read(reading, |c| {
        if validation.contains(&position) {
            match alphabet.encode(c) {
                Some(symbol) => encoded.symbols.push(symbol),
                None => encoded.skipped += 1,
            }
        }
        position += 1;
    })?;
    if second != first {
        return Err(CorpusError::Changed(text.name));
    }
    Ok(encoded)
}

/// How many of a text's characters are trained on; the last 10 % are for validation.
///
/// Characters are counted before any alphabet skips some, so that the parts are the same for every
/// model.
#[must_use]
pub fn training_part(characters: usize) -> usize {
    characters * 9 / 10
}

/// What a user should know of characters that are replaced, if any are.
fn replacement_note(counts: &Counts, alphabet: &Alphabet) -> Option<String> {
    let is_replaced = |&(c, _): &(char, u64)| alphabet.index_of(c).is_none();
    let replaced = counts.iter().filter(is_replaced);
    let (kinds, replaced) = replaced.fold((0, 0), |(kinds, sum), (_, n)| (kinds + 1, sum + n));
    let share = 100.0 * replaced as f64 / counts.total() as f64;
    (kinds > 0).then(|| {
        format!(
            "the text has {} different characters and a model at most {MAX_SYMBOLS}: the {kinds} \
             rarest ({share:.1} % of the text) are all read as '{REPLACEMENT}'",
            counts.iter().count()
        )
    })
}

/// The last part of `path`.
fn file_name(path: &str) -> String {
    let name = Path::new(path).file_name();
    name.map_or_else(
        || path.to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

/// SHA-256 of `bytes`, in hexadecimal.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
