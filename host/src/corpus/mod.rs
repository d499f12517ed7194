//! The corpus: from a text file, or the standard one, to symbols for training and measuring.
//!
//! Everything here works without libtorch, so that `eval` and the tools around it can use it too.
//! The flow: [`Source`], or what [`gather`] finds → [`Text`] → [`Counts`] → [`Alphabet`] → symbols, cut
//! in two. The text is read several times, to find its encoding, to count and to encode, so that all of
//! it that stays in memory is a byte per character.

use std::ops::Range;
use std::path::Path;

use inkling_engine::alphabet::Symbols;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

mod advice;
mod alphabet;
mod download;
mod encoding;
mod error;
mod plays;
mod shuffle;
mod source;
mod standard;
mod survey;
mod text;
mod tidy;
mod validation;

pub use alphabet::{Alphabet, Counts, Limits, MAX_SYMBOLS, REPLACEMENT};
pub use encoding::Charset;
pub use error::CorpusError;
pub use inkling_prompt::{clean, prompt};
pub use shuffle::Shuffle;
pub use source::{Source, gather, run_name};
pub use standard::{Fetched, Standard, fetch, for_tests};
pub use text::{Digested, Text};
pub use tidy::Tidying;
pub use validation::{Block, MAX_VALIDATION, Split, Validation, in_words};

use shuffle::Lines;
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
    /// What is put in another order before that.
    #[serde(default)]
    pub shuffle: Option<Shuffle>,
    /// What is left out of it or put right in it.
    #[serde(default)]
    pub tidying: Tidying,
    /// Which of its characters become symbols.
    #[serde(default)]
    pub limits: Limits,
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
    training_characters: usize,
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
        let (looks, reading) = text.survey(reading)?;
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
        let is_printable = reading.printable && !reading.unicode;
        let alphabet = Alphabet::of_counts(&counts, is_printable, reading.limits);
        let characters = counts.total() as usize;
        let divided = divide(text, reading, &alphabet, &first, Some(characters))?;
        let mut notes = text.notes.clone();
        notes.extend(first.notes(counts.total()));
        notes.extend(advice::of_transliteration(first.by_sound, first.letters));
        notes.extend(advice::of_spelling(&counts, &alphabet));
        notes.extend(advice::of_replacement(&counts, &alphabet, reading.limits));
        let last = characters - training_part(characters);
        let measured = divided.measured;
        if reading.validation == Split::Last && measured < last.min(MAX_VALIDATION + 1) {
            notes.push(format!(
                "the loss is measured on the first {measured} of the last {last} characters"
            ));
        }
        let mut corpus = Self {
            description: text.description.clone(),
            sha256: first.sha256,
            reading: Reading {
                guess: text.guess,
                ..reading
            },
            alphabet,
            training: divided.training,
            training_characters: divided.training_characters,
            validation: divided.validation,
            notes,
        };
        // What everybody compares on is used as it is.
        if text.standard.is_none() {
            corpus.notes.extend(advice::of_looks(looks, reading));
            // The parts of a list differ as they are ordered, which has just been said.
            if looks.list.is_none() {
                corpus.notes.extend(advice::of_difference(&corpus));
            }
        }
        Ok(corpus)
    }

    /// The part to learn from.
    #[must_use]
    pub fn training(&self) -> &[u8] {
        &self.training
    }

    /// How many characters that is: as many as symbols, where none is spelt.
    #[must_use]
    pub fn training_characters(&self) -> usize {
        self.training_characters
    }

    /// How many symbols the model reads for a character of the part to learn from, on average.
    #[must_use]
    pub fn symbols_per_character(&self) -> f64 {
        match self.training_characters {
            0 => 1.0,
            characters => self.training.len() as f64 / characters as f64,
        }
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
    /// The rest of the text, where it was asked for.
    pub training: Vec<u8>,
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
    encode(text, alphabet, reading, false, say)
}

/// The same, with the rest of the text where it is `wanted`.
///
/// # Errors
/// As [`validation_symbols`].
pub fn encode(
    text: &Text,
    alphabet: &str,
    reading: Reading,
    wanted: bool,
    say: &dyn Fn(&str),
) -> Result<Encoded, CorpusError> {
    let alphabet = Alphabet::from_symbols(alphabet)?;
    let reading = match reading.tidying.blank_lines || reading.tidying.unwrap {
        true => text.survey(reading)?.1,
        false => reading,
    };
    let mut characters = 0;
    let first = text.read(reading, |_| characters += 1)?;
    let notes = first.notes(characters);
    notes.iter().for_each(|note| say(note));
    let kept = wanted.then_some(characters as usize);
    let divided = divide(text, reading, &alphabet, &first, kept)?;
    Ok(Encoded {
        validation: divided.validation,
        training: divided.training,
        skipped: divided.skipped,
    })
}

/// The two parts of a text.
struct Divided {
    training: Vec<u8>,
    training_characters: usize,
    validation: Validation,
    /// How many characters the validation part has, known or not.
    measured: usize,
    /// How many characters of the validation part the alphabet does not have.
    skipped: usize,
}

/// Reads a text, which was read once already, into its two parts. The training part is kept where the
/// text has so many `characters`.
fn divide(
    text: &Text,
    reading: Reading,
    alphabet: &Alphabet,
    first: &Digested,
    characters: Option<usize>,
) -> Result<Divided, CorpusError> {
    let split = reading.validation;
    let start = |ends: &[usize]| {
        let blocks = split.blocks(ends);
        let measured: usize = blocks.iter().map(Range::len).sum();
        let mut divider = Divider::new(split, blocks);
        if let Some(characters) = characters {
            divider.keep_training(characters.saturating_sub(measured));
        }
        divider
    };
    let (mut skipped, mut measured) = (0, 0);
    let mut take = |divider: &mut Divider, character: Symbols| {
        let is_measured = divider.take(character);
        measured += usize::from(is_measured);
        skipped += usize::from(is_measured && character.as_slice().is_empty());
    };
    let (second, divider) = match reading.shuffle {
        None => {
            let mut divider = start(&first.ends);
            let second = text.read(reading, |c| take(&mut divider, alphabet.encode(c)))?;
            (second, divider)
        }
        Some(Shuffle::Lines) => {
            let mut lines = Lines::new(alphabet);
            let second = text.read(reading, |c| lines.take(c))?;
            lines.finish();
            let mut divider = start(&[lines.len()]);
            lines.shuffled().for_each(|c| take(&mut divider, c));
            (second, divider)
        }
    };
    if second != *first {
        return Err(CorpusError::Changed(text.name.clone()));
    }
    let (training, training_characters, validation) = divider.finish();
    Ok(Divided {
        training,
        training_characters,
        validation,
        measured,
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
