//! The alphabet: which characters a model knows, and in which order.
//!
//! Order is by falling frequency, ties by code point, so symbol 0 is the most frequent one.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::CorpusError;

/// The most symbols a model may have: an index is one byte, and one value stays free.
pub const MAX_SYMBOLS: usize = 255;

/// An alphabet of so many symbols is small, and each of them stays: ASCII has 97 with what parts lines.
const FEW_SYMBOLS: usize = 100;

/// A symbol that occurs so often can be learned.
const LEARNED: u64 = 100;

/// One character in so many is hardly missed.
const MISSED: u64 = 1000;

/// The tutorial's alphabet: Python's `string.printable`.
const PRINTABLE: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ\
    !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~ \t\n\r\u{b}\u{c}";

/// What stands for the rarest characters of a text that has too many.
pub const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// How often each character occurs in a text.
#[derive(Debug, Clone)]
pub struct Counts {
    ascii: [u64; 128],
    others: HashMap<char, u64>,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            ascii: [0; 128],
            others: HashMap::new(),
        }
    }
}

impl Counts {
    /// Counts one character.
    pub fn add(&mut self, c: char) {
        match self.ascii.get_mut(c as usize) {
            Some(count) => *count += 1,
            None => *self.others.entry(c).or_default() += 1,
        }
    }

    /// All characters that occurred, in no order, with their counts.
    pub fn iter(&self) -> impl Iterator<Item = (char, u64)> {
        let ascii = (0_u8..128).map(char::from).zip(self.ascii);
        let others = self.others.iter().map(|(&c, &count)| (c, count));
        ascii.filter(|&(_, count)| count > 0).chain(others)
    }

    /// All characters together.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.iter().map(|(_, count)| count).sum()
    }
}

/// Which characters of a text become symbols of their own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// At most so many symbols.
    pub most: Option<usize>,
    /// Only those that occur so often.
    pub least: Option<u64>,
    /// Not those that cost more flash than they give.
    pub rare: bool,
}

impl Limits {
    /// How many of the `symbols`, the rarest last, are too rare in a text of `total` characters to earn
    /// their rows in the image: none of them is seen often enough to be learned, and all together are
    /// hardly ever missed.
    fn too_rare(self, symbols: &[(char, u64)], total: u64) -> usize {
        if !self.rare || symbols.len() <= FEW_SYMBOLS {
            return 0;
        }
        let mut together = 0;
        let rarest = symbols.iter().rev().take_while(|&&(_, count)| {
            together += count;
            count < LEARNED && together <= total / MISSED
        });
        match rarest.count() {
            // What would stand for a single one costs as much.
            1 => 0,
            count => count,
        }
    }
}

/// Characters in index order, with the way back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alphabet {
    symbols: Vec<char>,
    /// For characters below 128, most of most texts.
    ascii: [Option<u8>; 128],
    indices: HashMap<char, u8>,
}

impl Alphabet {
    /// The characters that were counted, most frequent first.
    ///
    /// Those that `limits` leave no place for, and of more than [`MAX_SYMBOLS`] the rarest, give way to
    /// one [`REPLACEMENT`]. With `printable` the 100 symbols of `string.printable` are in it as well, also
    /// those that never occur.
    #[must_use]
    pub fn of_counts(counts: &Counts, printable: bool, limits: Limits) -> Self {
        let mut all: HashMap<char, u64> = HashMap::new();
        if printable {
            all.extend(PRINTABLE.chars().map(|c| (c, 0)));
        }
        all.extend(counts.iter());
        let in_order = |all: HashMap<char, u64>| {
            let mut symbols: Vec<(char, u64)> = all.into_iter().collect();
            symbols.sort_unstable_by_key(|&(c, count)| (std::cmp::Reverse(count), c));
            symbols
        };
        let before = all.remove(&REPLACEMENT);
        let mut kept = in_order(all);
        // Whatever else goes, words and lines stay apart.
        let is_apart = |&(c, _): &(char, u64)| matches!(c, ' ' | '\n');
        let apart: Vec<_> = kept.extract_if(.., |symbol| is_apart(symbol)).collect();
        let mut others = kept;
        let least = limits.least.unwrap_or(0);
        let frequent = others.iter().filter(|&&(_, count)| count >= least).count();
        let mut stay = others.len();
        if !printable {
            stay = frequent.min(stay - limits.too_rare(&others, counts.total()));
        }
        let most = limits.most.unwrap_or(MAX_SYMBOLS).clamp(2, MAX_SYMBOLS);
        let is_replaced = before.is_some() || stay < others.len();
        if apart.len() + stay + usize::from(is_replaced) > most {
            stay = (most - 1).saturating_sub(apart.len()).min(stay);
        }
        let rarest = others.split_off(stay);
        let replaced = rarest.iter().map(|(_, count)| count).sum::<u64>() + before.unwrap_or(0);
        let mut all: HashMap<char, u64> = apart.into_iter().chain(others).collect();
        if before.is_some() || !rarest.is_empty() {
            all.insert(REPLACEMENT, replaced);
        }
        let symbols = in_order(all);
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
        let indices: HashMap<char, u8> = symbols.iter().copied().zip(0..=u8::MAX).collect();
        let ascii = std::array::from_fn(|code| indices.get(&char::from(code as u8)).copied());
        Self {
            symbols,
            ascii,
            indices,
        }
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
        match self.ascii.get(c as usize) {
            Some(&index) => index,
            None => self.indices.get(&c).copied(),
        }
    }

    /// The index of `c` or of what replaces it, if the alphabet has either.
    #[must_use]
    pub fn encode(&self, c: char) -> Option<u8> {
        self.index_of(c).or_else(|| self.index_of(REPLACEMENT))
    }

    /// The character of an index, if it is one of the alphabet's.
    #[must_use]
    pub fn char(&self, index: u8) -> Option<char> {
        self.symbols.get(usize::from(index)).copied()
    }
}

impl std::fmt::Display for Alphabet {
    /// The symbols in index order, as model metadata holds them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.symbols.iter().try_for_each(|c| write!(f, "{c}"))
    }
}
