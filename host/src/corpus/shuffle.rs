//! Mixes the lines of a list before it is divided, so that what is measured is like what is learned.
//!
//! The order is always the same for so many lines: losses of several runs compare, and a run that goes on
//! reads the text as before.

use serde::{Deserialize, Serialize};

/// What of a text is put in another order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Shuffle {
    /// Its lines; blank ones are left out
    Lines,
}

/// Stands for a character that the alphabet does not have: an index is at most 254.
const UNKNOWN: u8 = u8::MAX;

/// The lines of a text, a byte per character.
#[derive(Debug, Default)]
pub struct Lines {
    symbols: Vec<u8>,
    /// Where the lines that are not blank end, line end included.
    ends: Vec<usize>,
}

impl Lines {
    /// Takes the next character and its symbol, if the alphabet has it.
    pub fn take(&mut self, c: char, symbol: Option<u8>) {
        let begin = self.ends.last().copied().unwrap_or(0);
        if c == '\n' && self.symbols.len() == begin {
            return;
        }
        self.symbols.push(symbol.unwrap_or(UNKNOWN));
        if c == '\n' {
            self.ends.push(self.symbols.len());
        }
    }

    /// Ends the last line as all others, with the symbol of a line end.
    pub fn finish(&mut self, line_end: Option<u8>) {
        self.take('\n', line_end);
    }

    /// How many characters there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.symbols.len()
    }

    /// All symbols in the new order of the lines; none where the alphabet does not have the character.
    pub fn shuffled(&self) -> impl Iterator<Item = Option<u8>> {
        let mut order: Vec<usize> = (0..self.ends.len()).collect();
        order.sort_by_cached_key(|&line| mixed(line as u64));
        order.into_iter().flat_map(|line| {
            let begin = line.checked_sub(1).map_or(0, |before| self.ends[before]);
            let line = &self.symbols[begin..self.ends[line]];
            line.iter()
                .map(|&symbol| (symbol != UNKNOWN).then_some(symbol))
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
        let mut lines = Lines::default();
        text.bytes()
            .for_each(|byte| lines.take(byte.into(), Some(byte)));
        lines.finish(Some(b'\n'));
        let bytes: Vec<u8> = lines.shuffled().flatten().collect();
        assert_eq!(lines.len(), bytes.len());
        String::from_utf8(bytes).unwrap()
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
