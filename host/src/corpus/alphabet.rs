//! The alphabet: which characters a model knows, and in which order.
//!
//! Order is by falling frequency, ties by code point, so symbol 0 is the most frequent one.

use std::collections::HashMap;

use super::CorpusError;

/// The most symbols a model may have: an index is one byte, and one value stays free.
pub const MAX_SYMBOLS: usize = 255;

/// The tutorial's alphabet: Python's `string.printable`.
const PRINTABLE: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\
    !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ \t\n\r\u{b}\u{c}";

/// Characters in index order, with the way back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alphabet {
    symbols: Vec<char>,
    indices: HashMap<char, u8>,
}

/// A text as symbols of an alphabet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// One index per character that the alphabet has.
    pub symbols: Vec<u8>,
    /// How many characters it does not have; they were left out.
    pub skipped: usize,
}

impl Alphabet {
    /// The characters that occur in `text`, most frequent first, at most [`MAX_SYMBOLS`] of them.
    ///
    /// With `printable` the 100 symbols of `string.printable` are in it as well, also those that
    /// never occur.
    #[must_use]
    pub fn of_text(text: &str, printable: bool) -> Self {
        let mut counts: HashMap<char, usize> = HashMap::new();
        if printable {
            counts.extend(PRINTABLE.chars().map(|c| (c, 0)));
        }
        for c in text.chars() {
            *counts.entry(c).or_default() += 1;
        }
        let mut symbols: Vec<(char, usize)> = counts.into_iter().collect();
        symbols.sort_unstable_by_key(|&(c, count)| (std::cmp::Reverse(count), c));
        symbols.truncate(MAX_SYMBOLS);
        Self::from_distinct(symbols.into_iter().map(|(c, _)| c).collect())
    }

    /// The alphabet that a model's metadata spells out.
    ///
    /// # Errors
    /// When it is empty, has more than [`MAX_SYMBOLS`] characters or one of them twice.
    pub fn from_symbols(symbols: &str) -> Result<Self, CorpusError> {
        let alphabet = Self::from_distinct(symbols.chars().take(MAX_SYMBOLS + 1).collect());
        match alphabet.symbols.len() {
            0 => Err(CorpusError::BadAlphabet("is empty")),
            n if n > MAX_SYMBOLS => Err(CorpusError::BadAlphabet("has more than 255 symbols")),
            n if n != alphabet.indices.len() => {
                Err(CorpusError::BadAlphabet("has a character twice"))
            }
            _ => Ok(alphabet),
        }
    }

    fn from_distinct(symbols: Vec<char>) -> Self {
        let indices = symbols.iter().copied().zip(0..=u8::MAX).collect();
        Self { symbols, indices }
    }

    /// How many symbols there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.symbols.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.symbols.is_empty()
    }

    /// The characters in index order.
    #[must_use]
    pub fn symbols(&self) -> &[char] {
        &self.symbols
    }

    /// The index of `c`, if the alphabet has it.
    #[must_use]
    pub fn index_of(&self, c: char) -> Option<u8> {
        self.indices.get(&c).copied()
    }

    /// The character of an index, if it is one of the alphabet's.
    #[must_use]
    pub fn char(&self, index: u8) -> Option<char> {
        self.symbols.get(usize::from(index)).copied()
    }

    /// Turns `text` into symbols; characters outside the alphabet are skipped and counted.
    #[must_use]
    pub fn encode(&self, text: &str) -> Encoded {
        let mut symbols = Vec::with_capacity(text.len());
        let mut skipped = 0;
        for c in text.chars() {
            match self.index_of(c) {
                Some(index) => symbols.push(index),
                None => skipped += 1,
            }
        }
        Encoded { symbols, skipped }
    }
}

impl std::fmt::Display for Alphabet {
    /// The symbols in index order, as model metadata holds them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.symbols.iter().try_for_each(|c| write!(f, "{c}"))
    }
}
