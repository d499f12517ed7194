//! What a text is like, in the figures that a model's own writing is compared with and kept to: streaks
//! of one character, and repeated pieces.
//!
//! Training takes them from the part to learn from, and they travel in the metadata of the weights; an
//! export puts those that [`inkling_engine::guard`] needs into the image, and [`crate::health`] reads the rest.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

use inkling_engine::format::STREAK_LEVELS;
use inkling_engine::guard::{Streaks, Watch, decode};
use serde::{Deserialize, Serialize};

use inkling_engine::writer::StreakParts;

use crate::corpus::Alphabet;

/// Their key in the metadata of tensors.
pub const KEY: &str = "figures";

/// The loss on the part to learn from, in nats per character, in the metadata of tensors.
pub const TRAINING_LOSS_KEY: &str = "training_loss_nats";

/// How many symbols a character of the part to learn from takes, in the metadata of tensors.
pub const SYMBOLS_KEY: &str = "symbols_per_character";

/// That number, by metadata; 1 where no character is spelt.
#[must_use]
pub fn symbols_per_character(metadata: &HashMap<String, String>) -> f64 {
    let number = metadata.get(SYMBOLS_KEY).and_then(|text| text.parse().ok());
    number.filter(|&number| number >= 1.0).unwrap_or(1.0)
}

/// Characters of a window; a last one that is not whole is left out.
pub const WINDOW: usize = 10_000;

/// Length of the pieces of text that are looked for again.
const PIECE: usize = 8;

/// As many windows of a long text are looked at, evenly spread.
const MOST_WINDOWS: usize = 200;

/// The part of the places in streaks that may be denser than the guard allows.
const DENSEST: f64 = 0.01;

/// What a text is like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Its length.
    pub characters: u64,
    /// `[V]`: how long each symbol's longest streak is, 0 for symbols that do not occur; a digit's is that of
    /// the characters whose spelling it begins.
    pub longest: Vec<u32>,
    /// How many streaks are at least as long as each of [`STREAK_LEVELS`].
    pub streaks: [u64; STREAK_LEVELS.len()],
    /// The density that all but the densest places in streaks stay below, in parts of 256.
    pub density: u8,
    /// The mean share of pieces of 8 characters that occurred before in their window of 10,000; none
    /// where the text has no whole window.
    pub repeated: Option<f64>,
    /// That of the most repetitive window.
    pub repeated_most: Option<f64>,
}

impl Figures {
    /// Reads a text in the symbols of an alphabet.
    #[must_use]
    pub fn of(text: &[u8], alphabet: &Alphabet) -> Self {
        let mut counter = StreakCounter::new(alphabet.len());
        let mut characters = 0;
        for (first, character) in alphabet.read(text) {
            counter.see(first, character);
            characters += 1;
        }
        let step = (characters / WINDOW).div_ceil(MOST_WINDOWS).max(1);
        let mut read = alphabet.read(text).map(|(_, character)| character);
        let mut shares = Vec::new();
        for index in 0..characters / WINDOW {
            let window: Vec<char> = read.by_ref().take(WINDOW).collect();
            if index % step == 0 {
                shares.push(repeated(&window));
            }
        }
        let mean = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
        Self {
            characters: characters as u64,
            longest: counter.longest.clone(),
            streaks: counter.streaks,
            density: counter.usual_density(),
            repeated: (!shares.is_empty()).then_some(mean),
            repeated_most: shares.iter().copied().reduce(f64::max),
        }
    }

    /// Those that the metadata of tensors of so many symbols tells of.
    #[must_use]
    pub fn in_metadata(metadata: &HashMap<String, String>, symbols: usize) -> Option<Self> {
        let figures: Self = serde_json::from_str(metadata.get(KEY)?).ok()?;
        (figures.longest.len() == symbols).then_some(figures)
    }

    /// As metadata holds them.
    #[must_use]
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// What an image holds of them.
    #[must_use]
    pub fn streak_parts(&self) -> StreakParts {
        let byte = |length: &u32| u8::try_from(*length).unwrap_or(u8::MAX).max(1);
        StreakParts {
            longest: self.longest.iter().map(byte).collect(),
            density: self.density.max(1),
            distances: self.streaks.map(|count| match count {
                0 => 0,
                count => encode(self.characters.div_ceil(count)),
            }),
        }
    }
}

/// The code of the shortest distance that is not below this one.
fn encode(distance: u64) -> u8 {
    let is_enough = |&code: &u8| u64::from(decode(code)) >= distance;
    (1..=u8::MAX).find(is_enough).unwrap_or(u8::MAX)
}

/// The share of pieces of `text` that occurred before in it.
#[must_use]
pub fn repeated<T: Eq + Hash>(text: &[T]) -> f64 {
    let pieces = text.windows(PIECE);
    let count = pieces.len().max(1);
    let different: HashSet<&[T]> = pieces.collect();
    1.0 - different.len() as f64 / count as f64
}

/// Counts the streaks of a text as it comes.
#[derive(Debug, Clone)]
pub struct StreakCounter {
    /// `[V]`: the longest of each symbol.
    pub longest: Vec<u32>,
    /// `[V]`: which character it is of.
    pub longest_of: Vec<char>,
    /// How many reach each of [`STREAK_LEVELS`].
    pub streaks: [u64; STREAK_LEVELS.len()],
    /// How often each density, in parts of 256, stood at a place in a streak.
    densities: [u64; 256],
    watch: Watch,
    last: Option<char>,
    length: u32,
}

impl StreakCounter {
    /// For a text of so many kinds of symbols.
    #[must_use]
    pub fn new(symbols: usize) -> Self {
        Self {
            longest: vec![0; symbols],
            longest_of: vec![char::REPLACEMENT_CHARACTER; symbols],
            streaks: [0; STREAK_LEVELS.len()],
            densities: [0; 256],
            watch: Watch::new(),
            last: None,
            length: 0,
        }
    }

    /// Takes the next character and the first of its symbols.
    pub fn see(&mut self, first: u8, character: char) {
        const NOTHING_KNOWN: Streaks<'static> = Streaks {
            words: &[],
            density: 0,
            distances: [0; STREAK_LEVELS.len()],
        };
        let is_same = self.last == Some(character);
        self.watch.see(is_same, &NOTHING_KNOWN);
        self.length = if is_same { self.length + 1 } else { 1 };
        self.last = Some(character);
        let index = usize::from(first);
        let place = self.longest.get_mut(index);
        if let Some((longest, of)) = place.zip(self.longest_of.get_mut(index))
            && self.length > *longest
        {
            (*longest, *of) = (self.length, character);
        }
        for (count, level) in self.streaks.iter_mut().zip(STREAK_LEVELS) {
            *count += u64::from(self.length == u32::from(level));
        }
        if self.length >= u32::from(STREAK_LEVELS[0]) {
            let density = self.watch.density().div_ceil(256).min(255);
            self.densities[density as usize] += 1;
        }
    }

    /// The density that all but the densest places in streaks stay below.
    fn usual_density(&self) -> u8 {
        let places: u64 = self.densities.iter().sum();
        let denser = (places as f64 * DENSEST) as u64;
        let mut above = 0;
        let densest = self.densities.iter().enumerate().rev().find(|&(_, count)| {
            above += count;
            above > denser
        });
        densest.map_or(0, |(density, _)| density as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streaks_are_counted_by_symbol_and_by_length() {
        let mut text = vec![0; 3];
        text.extend([1; 12]);
        text.extend([0, 2, 2]);
        text.extend([1; 5]);
        let alphabet = Alphabet::from_symbols("abcd").unwrap();
        let figures = Figures::of(&text, &alphabet);
        assert_eq!(figures.longest, [3, 12, 2, 0]);
        assert_eq!(figures.streaks, [2, 1, 0, 0]);
        assert_eq!(figures.repeated, None);
        let parts = figures.streak_parts();
        assert_eq!(parts.longest, [3, 12, 2, 1]);
        assert_eq!(parts.distances[2..], [0, 0]);
        assert!(parts.density >= 1);
    }

    #[test]
    fn a_distance_is_kept_as_the_next_one_that_a_byte_can_hold() {
        for distance in [1, 2, 5, 8, 9, 17, 100, 4_095, 65_537, 4_000_000_000] {
            let kept = u64::from(decode(encode(distance)));
            let most = distance + distance.div_ceil(8);
            assert!((distance..=most).contains(&kept), "{kept} for {distance}");
        }
        assert_eq!(encode(u64::MAX), u8::MAX);
        assert!((0..u8::MAX).all(|code| decode(code) <= decode(code + 1)));
    }

    #[test]
    fn repetition_is_the_share_of_pieces_seen_before() {
        let text: Vec<u8> = (0..=255).collect();
        assert_eq!(repeated(&text), 0.0);
        let twice = text.repeat(2);
        let pieces = (twice.len() - PIECE + 1) as f64;
        assert!((repeated(&twice) - (1.0 - 256.0 / pieces)).abs() < 1e-12);
        assert!(repeated(&[7; WINDOW]) > 0.99);
    }

    #[test]
    fn figures_travel_as_metadata_and_only_for_their_alphabet() {
        let alphabet = Alphabet::from_symbols("ab").unwrap();
        let figures = Figures::of(&[0, 1, 1, 0].repeat(5_000), &alphabet);
        assert!(figures.repeated.unwrap() > 0.9);
        let metadata = HashMap::from([(KEY.to_owned(), figures.to_json())]);
        assert_eq!(Figures::in_metadata(&metadata, 2), Some(figures));
        assert_eq!(Figures::in_metadata(&metadata, 3), None);
    }
}
