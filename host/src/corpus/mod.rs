//! The corpus: from a text file, or the standard one, to symbols for training and measuring.
//!
//! Everything here works without libtorch, so that `eval` and the tools around it can use it too.
//! The flow: [`Source`], or what [`gather`] finds → [`Text`] → [`Counts`] → [`Alphabet`] → symbols, cut
//! in two. The text is read several times, to find its encoding, to count and to encode, so that all of
//! it that stays in memory is a byte per character.

use std::ops::Range;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

mod alphabet;
pub mod clean;
mod download;
mod encoding;
mod error;
mod plays;
pub mod prompt;
mod source;
mod standard;
mod text;
mod validation;

pub use alphabet::{Alphabet, Counts, MAX_SYMBOLS, REPLACEMENT};
pub use encoding::Charset;
pub use error::CorpusError;
pub use source::{Source, gather, run_name};
pub use standard::{Fetched, Standard, fetch, for_tests};
pub use text::{Digested, Text};
pub use validation::{Block, MAX_VALIDATION, Split, Validation, in_words};

use crate::words::{count, share};
use text::{Bytes, TextFile};
use validation::Divider;

/// How a text is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Keep the text's own characters instead of transliterating to ASCII.
    pub unicode: bool,
    /// Drop undecodable bytes, if they are few, instead of refusing the file.
    pub lossy: bool,
    /// Add all of Python's `string.printable` to the alphabet, as the tutorial does.
    pub printable: bool,
    /// The encoding that the user named, of all files without a byte-order mark.
    #[serde(default)]
    pub encoding: Option<Charset>,
    /// The encoding that was found to be the likeliest one, of all files that are neither UTF-8 nor
    /// UTF-16; kept so that the text is always read the same.
    #[serde(default)]
    pub guess: Option<Charset>,
    /// Which part of it is kept to measure on.
    #[serde(default)]
    pub validation: Split,
}

/// A text as symbols of its own alphabet, ready to be trained on.
#[derive(Debug, Clone)]
pub struct Corpus {
    /// The name of what it was made from, without the folder: model cards are for others to read.
    pub description: String,
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub sha256: String,
    /// How it was read, with the encoding that was found.
    pub reading: Reading,
    /// The symbols that occur in it.
    pub alphabet: Alphabet,
    training: Vec<u8>,
    validation: Validation,
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
        Self::from_text(&source.open(reading, say)?, reading)
    }

    /// The same for the bytes of a file called `name`.
    ///
    /// # Errors
    /// When they are not a text, or when nothing of it is left.
    pub fn from_bytes(name: &str, bytes: Vec<u8>, reading: Reading) -> Result<Self, CorpusError> {
        let file = TextFile {
            name: name.to_owned(),
            bytes: Bytes::Memory(bytes),
            found: false,
        };
        let description = file_name(Path::new(name));
        let text = Text::new(name.to_owned(), description, vec![file], reading)?;
        Self::from_text(&text, reading)
    }

    /// The same for a text.
    ///
    /// # Errors
    /// When it cannot be read or decoded, or when nothing of it is left.
    pub fn from_text(text: &Text, reading: Reading) -> Result<Self, CorpusError> {
        let mut counts = Counts::default();
        let first = text.read(reading, |c| counts.add(c))?;
        let kept = counts.iter().filter(|(c, _)| !c.is_whitespace());
        let kept: u64 = kept.map(|(_, count)| count).sum();
        if first.left_out.foreign > kept {
            return Err(CorpusError::NothingLeft {
                name: text.name.clone(),
                characters: first.left_out.foreign,
            });
        }
        if counts.total() == 0 {
            return Err(CorpusError::Empty(text.name.clone()));
        }
        let alphabet = Alphabet::of_counts(&counts, reading.printable && !reading.unicode);
        let blocks = reading.validation.blocks(&first.ends);
        let measured: usize = blocks.iter().map(Range::len).sum();
        let characters = counts.total() as usize;
        let mut divider = Divider::new(reading.validation, blocks);
        divider.keep_training(characters - measured);
        let second = text.read(reading, |c| {
            divider.take(alphabet.encode(c));
        })?;
        if second != first {
            return Err(CorpusError::Changed(text.name.clone()));
        }
        let (training, validation) = divider.finish();
        let mut notes = text.notes.clone();
        notes.extend(first.notes(counts.total()));
        notes.extend(replacement_note(&counts, &alphabet));
        let last = characters - training_part(characters);
        if reading.validation == Split::Last && measured < last {
            notes.push(format!(
                "the loss is measured on the first {measured} of the last {last} characters"
            ));
        }
        Ok(Self {
            description: text.description.clone(),
            sha256: first.sha256,
            reading: Reading {
                guess: text.guess,
                ..reading
            },
            alphabet,
            training,
            validation,
            notes,
        })
    }

    /// The part to learn from.
    #[must_use]
    pub fn training(&self) -> &[u8] {
        &self.training
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

    /// The part that is never trained on: 10 %, or [`MAX_VALIDATION`] characters of a huge text.
    #[must_use]
    pub fn validation(&self) -> &Validation {
        &self.validation
    }
}

/// The validation part of a text in the symbols of a model's own alphabet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// What can be measured on.
    pub validation: Validation,
    /// How many of its characters the alphabet does not have; they were left out.
    pub skipped: usize,
}

/// The validation part of a text as symbols of a model's own alphabet: what `eval` measures on, at
/// most [`MAX_VALIDATION`] characters. `say` hears of what is left out of the text.
///
/// # Errors
/// When it cannot be read or decoded, and when `alphabet` is none.
pub fn validation_symbols(
    text: &Text,
    alphabet: &str,
    reading: Reading,
    say: &dyn Fn(&str),
) -> Result<Encoded, CorpusError> {
    let alphabet = Alphabet::from_symbols(alphabet)?;
    let mut characters = 0;
    let first = text.read(reading, |_| characters += 1)?;
    let notes = first.notes(characters);
    notes.iter().for_each(|note| say(note));
    let blocks = reading.validation.blocks(&first.ends);
    let mut divider = Divider::new(reading.validation, blocks);
    let mut skipped = 0;
    let second = text.read(reading, |c| {
        let symbol = alphabet.encode(c);
        let is_measured = divider.take(symbol);
        skipped += usize::from(is_measured && symbol.is_none());
    })?;
    if second != first {
        return Err(CorpusError::Changed(text.name.clone()));
    }
    Ok(Encoded {
        validation: divider.finish().1,
        skipped,
    })
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
    let total = counts.total();
    let is_replaced = |&(c, _): &(char, u64)| alphabet.index_of(c).is_none();
    let replaced = counts.iter().filter(is_replaced);
    let (kinds, replaced) = replaced.fold((0_u64, 0), |(kinds, sum), (_, n)| (kinds + 1, sum + n));
    if kinds > 0 {
        return Some(format!(
            "the text has {} different characters and a model at most {MAX_SYMBOLS}: the {kinds} \
             rarest ({} of the text) are all read as '{REPLACEMENT}', which the model never writes; \
             without --unicode the text is transliterated to ASCII and nothing of it is replaced",
            counts.iter().count(),
            share(replaced, total)
        ));
    }
    let (_, broken) = counts.iter().find(|&(c, _)| c == REPLACEMENT)?;
    Some(format!(
        "{} of the text ({}) {} '{REPLACEMENT}', which stands for what was lost when the text was \
         converted; the model never writes it, but a sound copy of the text would teach it more",
        count(broken, "character"),
        share(broken, total),
        if broken == 1 { "is" } else { "are" }
    ))
}

/// The last part of `path`.
fn file_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

/// SHA-256 of `bytes`, in hexadecimal.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
