//! Mixes the lines of a list before it is divided, so that what is measured is like what is learned.
//!
//! The order is always the same for so many lines: losses of several runs compare, and a run that goes on
//! reads the text as before.

use inkling_engine::alphabet::Symbols;
use serde::{Deserialize, Serialize};

use super::Alphabet;

/// What of a text is put in another order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Shuffle {
    /// Its lines; blank ones are left out
    Lines,
}

/// Stands for a character that the alphabet does not have: an index is at most 254.
const UNKNOWN: u8 = u8::MAX;

/// The lines of a text, a byte per symbol.
#[derive(Debug)]
pub struct Lines<'a> {
    alphabet: &'a Alphabet,
    symbols: Vec<u8>,
    characters: usize,
    /// Where the lines that are not blank end, line end included.
    ends: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// None yet.
    #[must_use]
    pub fn new(alphabet: &'a Alphabet) -> Self {
        Self {
            alphabet,
            symbols: Vec::new(),
            characters: 0,
            ends: Vec::new(),
        }
    }

    /// Takes the next character.
    pub fn take(&mut self, c: char) {
        let begin = self.ends.last().copied().unwrap_or(0);
        if c == '\n' && self.symbols.len() == begin {
            return;
        }
        self.characters += 1;
        match self.alphabet.encode(c).as_slice() {
            [] => self.symbols.push(UNKNOWN),
            symbols => self.symbols.extend(symbols),
        }
        if c == '\n' {
            self.ends.push(self.symbols.len());
        }
    }

    /// Ends the last line as all others.
    pub fn finish(&mut self) {
        self.take('\n');
    }

    /// How many characters there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.characters
    }

    /// All characters in the new order of the lines; no symbols where the alphabet does not have one.
    pub fn shuffled(&self) -> impl Iterator<Item = Symbols> {
        let mut order: Vec<usize> = (0..self.ends.len()).collect();
        order.sort_by_cached_key(|&line| mixed(line as u64));
        order.into_iter().flat_map(|line| {
            let begin = line.checked_sub(1).map_or(0, |before| self.ends[before]);
            self.characters_of(&self.symbols[begin..self.ends[line]])
        })
    }

    /// The characters of a line.
    fn characters_of(&self, mut line: &[u8]) -> impl Iterator<Item = Symbols> {
        std::iter::from_fn(move || match *line {
            [first, second, third, ref rest @ ..] if self.alphabet.is_digit(first) => {
                line = rest;
                Some(Symbols::spelt([first, second, third]))
            }
            [symbol, ref rest @ ..] => {
                line = rest;
                Some(match symbol {
                    UNKNOWN => Symbols::NONE,
                    symbol => Symbols::one(symbol),
                })
            }
            [] => None,
        })
    }
}

/// A number that looks random and is another one for every `number` (SplitMix64).
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shuffled(text: &str) -> String {
        let alphabet = Alphabet::from_symbols("abcdefghijklmnopqrstuvwxyz0123456789 \n").unwrap();
        let mut lines = Lines::new(&alphabet);
        text.chars().for_each(|c| lines.take(c));
        lines.finish();
        let mixed: Vec<u8> = lines.shuffled().map(|c| c.as_slice()[0]).collect();
        assert_eq!(lines.len(), mixed.len());
        alphabet.characters(&mixed).collect()
    }

    #[test]
    fn shuffling_moves_whole_lines_and_always_to_the_same_places() {
        let text: String = (0..1000).map(|n| format!("line {n}\n")).collect();
        let mixed = shuffled(&text);
        assert_eq!(mixed, shuffled(&text));
        let (mut lines, mut before): (Vec<_>, Vec<_>) =
            (mixed.lines().collect(), text.lines().collect());
        let unmoved = lines.iter().zip(&before).filter(|(a, b)| a == b).count();
        assert!(unmoved < 10, "{unmoved}");
        lines.sort_unstable();
        before.sort_unstable();
        assert_eq!(lines, before);
    }

    #[test]
    fn blank_lines_are_left_out_and_the_last_line_is_ended() {
        let mixed = shuffled("\na\n\n\nb");
        assert!(["a\nb\n", "b\na\n"].contains(&mixed.as_str()), "{mixed:?}");
        assert_eq!(shuffled("one"), "one\n");
    }
}
