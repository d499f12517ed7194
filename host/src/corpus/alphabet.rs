//! The alphabet: which characters a model knows, and in which order.
//!
//! Order is by falling frequency, ties by code point, so symbol 0 is the most frequent one. Of a text with
//! more characters than a model has symbols the rarest are spelt in digits, see [`inkling_engine::spelling`].

use std::collections::{BTreeMap, HashMap};

use inkling_engine::alphabet::Symbols;
use inkling_engine::spelling::{Digit, Spelling, digit, is_spelt, stand_ins};
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

/// Digits take places too, so that more has to be spelt than would be lost without them: at most so many times
/// as much, or it costs more than it gives.
const SPELT_FOR_LOST: u64 = 4;

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
    /// The others are spelt, where that serves. Runs of before do not know of it and go on without.
    pub spell: bool,
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
    /// one [`REPLACEMENT`], or to the digits that spell them, where `limits` want that and these are worth
    /// their places. With `printable` the 100 symbols of `string.printable` are in it as well, also those that
    /// never occur.
    #[must_use]
    pub fn of_counts(counts: &Counts, printable: bool, limits: Limits) -> Self {
        let mut all: HashMap<char, u64> = HashMap::new();
        if printable {
            all.extend(PRINTABLE.chars().map(|c| (c, 0)));
        }
        all.extend(counts.iter());
        let mut lost = all.remove(&REPLACEMENT).unwrap_or(0);
        // What stands for a digit is no character.
        lost += all
            .extract_if(|&c, _| digit(c.into()).is_some())
            .map(|(_, count)| count)
            .sum::<u64>();
        let mut others = in_order(all);
        // Whatever else goes, words and lines stay apart.
        let is_apart = |&mut (c, _): &mut (char, u64)| matches!(c, ' ' | '\n');
        let apart: Vec<_> = others.extract_if(.., is_apart).collect();
        let least = limits.least.unwrap_or(0);
        let frequent = others.iter().filter(|&&(_, count)| count >= least).count();
        let mut stay = others.len();
        if !printable {
            stay = frequent.min(stay - limits.too_rare(&others, counts.total()));
        }
        let most = limits.most.unwrap_or(MAX_SYMBOLS).clamp(2, MAX_SYMBOLS);
        let is_replaced = lost > 0 || stay < others.len();
        if apart.len() + stay + usize::from(is_replaced) > most {
            stay = (most - 1).saturating_sub(apart.len()).min(stay);
            let (frequent, rare) = others.split_at(frequent);
            let lost = lost + sum(rare);
            let is_missed = !limits.rare || sum(&others[stay..]) > counts.total() / MISSED;
            if limits.spell
                && is_missed
                && let Some(spelt) = Spelt::choose(&apart, frequent, stay, most, lost)
            {
                return Self::of_symbols(spelt.symbols, lost + spelt.unspelt);
            }
        }
        let rarest = others.split_off(stay);
        lost += sum(&rarest);
        Self::of_symbols(apart.into_iter().chain(others).collect(), lost)
    }

    /// These symbols in order, with what stands for what was lost.
    fn of_symbols(symbols: Vec<(char, u64)>, lost: u64) -> Self {
        let mut all: HashMap<char, u64> = symbols.into_iter().collect();
        if lost > 0 {
            all.insert(REPLACEMENT, lost);
        }
        Self::from_distinct(in_order(all).into_iter().map(|(c, _)| c).collect())
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

    /// The characters in index order, with what stands for digits among them.
    #[must_use]
    pub fn symbols(&self) -> &[char] {
        &self.symbols
    }

    /// The symbol that `c` has of its own, if it has one.
    #[must_use]
    pub fn index_of(&self, c: char) -> Option<u8> {
        match self.ascii.get(c as usize) {
            Some(&index) => index,
            None if digit(c.into()).is_some() => None,
            None => self.indices.get(&c).copied(),
        }
    }

    /// What `c` is read as: its own symbol, the digits that spell it, or the symbol of what replaces it; none
    /// where the alphabet has none of these.
    #[must_use]
    pub fn encode(&self, c: char) -> Symbols {
        if let Some(symbol) = self.index_of(c) {
            return Symbols::one(symbol);
        }
        if let Some(digits) = self.spell(c) {
            return Symbols::spelt(digits);
        }
        self.index_of(REPLACEMENT)
            .map_or(Symbols::NONE, Symbols::one)
    }

    /// The digits that spell `c`, where it has no symbol of its own and they are all there.
    #[must_use]
    pub fn spell(&self, c: char) -> Option<[u8; 3]> {
        if self.index_of(c).is_some() || !is_spelt(c) {
            return None;
        }
        match stand_ins(c).map(|digit| self.indices.get(&digit)) {
            [Some(&first), Some(&second), Some(&third)] => Some([first, second, third]),
            _ => None,
        }
    }

    /// Whether `c` can be read and written: it is a symbol, or can be spelt.
    #[must_use]
    pub fn knows(&self, c: char) -> bool {
        self.index_of(c).is_some() || self.spell(c).is_some()
    }

    /// The digit of an index, if it is that of one.
    fn digit(&self, index: u8) -> Option<Digit> {
        self.char(index).and_then(|c| digit(c.into()))
    }

    /// Whether the index is that of a digit.
    #[must_use]
    pub fn is_digit(&self, index: u8) -> bool {
        self.digit(index).is_some()
    }

    /// Whether there are digits.
    #[must_use]
    pub fn spells(&self) -> bool {
        self.symbols.iter().any(|&c| digit(c.into()).is_some())
    }

    /// The character of an index, or what stands for its digit, if it is one of the alphabet's.
    #[must_use]
    pub fn char(&self, index: u8) -> Option<char> {
        self.symbols.get(usize::from(index)).copied()
    }

    /// The characters that symbols mean, each with the first of its symbols; those that are spelt are put
    /// together.
    pub fn read<'a>(&'a self, symbols: &'a [u8]) -> impl Iterator<Item = (u8, char)> + 'a {
        let mut spelling = Spelling::default();
        let mut first = None;
        symbols.iter().filter_map(move |&symbol| {
            let begun = *first.get_or_insert(symbol);
            let character = spelling.push(self.char(symbol)?)?;
            first = None;
            // What a spelling was broken off by begins anew.
            let is_next = matches!(self.digit(symbol), Some(Digit::Next(_)));
            Some((if is_next { begun } else { symbol }, character))
        })
    }

    /// The characters that symbols mean.
    pub fn characters<'a>(&'a self, symbols: &'a [u8]) -> impl Iterator<Item = char> + 'a {
        self.read(symbols).map(|(_, character)| character)
    }

    /// Whether a character begins with each of these symbols.
    #[must_use]
    pub fn begins(&self, symbols: &[u8]) -> Vec<bool> {
        let mut spelling = Spelling::default();
        let is_first = |&symbol: &u8| {
            let is_next = matches!(self.digit(symbol), Some(Digit::Next(_)));
            let is_first = spelling.is_empty() || !is_next;
            spelling.push(self.char(symbol).unwrap_or(REPLACEMENT));
            is_first
        };
        symbols.iter().map(is_first).collect()
    }
}

/// A choice of which characters are spelt.
struct Spelt {
    /// The characters that are symbols and the digits, with how often they occur.
    symbols: Vec<(char, u64)>,
    /// How often characters occur that are neither.
    unspelt: u64,
}

impl Spelt {
    /// The most symbols that leave room for the digits of the other ones; none where spelling these is worth
    /// less than losing all but `stay`.
    fn choose(
        apart: &[(char, u64)],
        others: &[(char, u64)],
        stay: usize,
        most: usize,
        lost: u64,
    ) -> Option<Self> {
        // Only what can be spelt may give way; nearly everything can.
        let unspelt: Vec<_> = others
            .iter()
            .copied()
            .filter(|(c, _)| !is_spelt(*c))
            .collect();
        let mut own: Vec<_> = others.iter().filter(|(c, _)| is_spelt(*c)).collect();
        // Those that stay beside letters are few: a tab, perhaps.
        let (always, unspelt) = unspelt.split_at(unspelt.len().min(2));
        let mut room = most.checked_sub(apart.len() + always.len())?;
        room -= usize::from(lost > 0 || !unspelt.is_empty());
        // From the rarest on, for as long as those in front of it have no room beside the digits.
        let mut counts: BTreeMap<char, u64> = BTreeMap::new();
        let mut spelt = 0;
        while own.len() + counts.len() > room {
            let &(c, count) = own.pop()?;
            spelt += count;
            stand_ins(c)
                .into_iter()
                .for_each(|digit| *counts.entry(digit).or_default() += count);
        }
        let would_be_lost = sum(others.get(stay..)?);
        if spelt > SPELT_FOR_LOST * would_be_lost {
            return None;
        }
        let symbols = apart.iter().chain(always).chain(own).copied();
        Some(Self {
            symbols: symbols.chain(counts).collect(),
            unspelt: sum(unspelt),
        })
    }
}

/// By falling frequency, ties by code point.
fn in_order(all: HashMap<char, u64>) -> Vec<(char, u64)> {
    let mut symbols: Vec<(char, u64)> = all.into_iter().collect();
    symbols.sort_unstable_by_key(|&(c, count)| (std::cmp::Reverse(count), c));
    symbols
}

/// How often they occur together.
fn sum(symbols: &[(char, u64)]) -> u64 {
    symbols.iter().map(|(_, count)| count).sum()
}

impl std::fmt::Display for Alphabet {
    /// The symbols in index order, as model metadata holds them.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.symbols.iter().try_for_each(|c| write!(f, "{c}"))
    }
}
