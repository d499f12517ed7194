//! Which part of a text is kept from training to measure on, and that part as symbols.
//!
//! Everybody who measures a loss, training, engine and `eval`, goes through [`Validation::blocks`], so
//! that their figures compare.

use std::collections::VecDeque;
use std::ops::Range;

use inkling_engine::alphabet::Symbols;
use serde::{Deserialize, Serialize};

use super::training_part;

/// The most characters of the validation part that are measured on, so that measuring a huge text
/// takes no longer than that of a large one.
pub const MAX_VALIDATION: usize = 1 << 19;

/// In how many places of a text is measured, at least, if it is long enough.
const PLACES: usize = 16;

/// A longer text is measured in more places rather than in longer blocks.
const LONGEST_BLOCK: usize = 8192;

/// A file is measured in fewer places rather than in shorter blocks.
const SHORTEST_BLOCK: usize = 64;

/// More files than this share their blocks with their neighbours.
const MOST_SECTIONS: usize = 512;

/// So many characters before a block are read and not measured, so that the state is warm.
const WARM_UP: usize = 256;

/// Which characters of a text are kept from training to measure on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// The last 10 % as one stream, as published figures are measured
    #[default]
    Last,
    /// Blocks spread evenly over the text, from every file, 10 % together
    Spread,
}

impl Split {
    /// The blocks to measure on, in order, of a text whose files end after so many characters.
    ///
    /// Characters are counted before any alphabet skips some, so that the parts are the same for every
    /// model.
    #[must_use]
    pub fn blocks(self, ends: &[usize]) -> Vec<Range<usize>> {
        let characters = ends.last().copied().unwrap_or(0);
        let begin = training_part(characters);
        let held = (characters - begin).min(MAX_VALIDATION);
        match self {
            Self::Last => std::iter::once(begin..begin + held).collect(),
            Self::Spread => {
                let places = held.div_ceil(LONGEST_BLOCK).max(PLACES);
                sections(ends)
                    .into_iter()
                    .flat_map(|section| spread(section, held, characters, places))
                    .collect()
            }
        }
    }
}

/// The files of a text or, of very many, runs of them about equally long.
fn sections(ends: &[usize]) -> Vec<Range<usize>> {
    let characters = ends.last().copied().unwrap_or(0);
    let least = match ends.len() > MOST_SECTIONS {
        true => characters / MOST_SECTIONS,
        false => 0,
    };
    let mut sections: Vec<Range<usize>> = Vec::new();
    let mut begin = 0;
    for &end in ends {
        if end - begin > least || end == characters {
            sections.push(begin..end);
            begin = end;
        }
    }
    sections
}

/// The blocks of a section: of a text of so many `characters`, `held` are measured on in `places`.
fn spread(
    section: Range<usize>,
    held: usize,
    characters: usize,
    places: usize,
) -> impl Iterator<Item = Range<usize>> {
    // What is rounded off in one section is made up for in the next.
    let share = |position: usize| (position as u128 * held as u128 / characters as u128) as usize;
    let size = share(section.end) - share(section.start);
    let wanted = (places * section.len()).div_ceil(characters.max(1));
    let count = wanted.min(size / SHORTEST_BLOCK).max(1);
    let part = move |whole: usize, index: usize| whole * index / count;
    (0..count).filter_map(move |index| {
        let length = part(size, index + 1) - part(size, index);
        let begin = section.start + part(section.len(), index);
        let end = section.start + part(section.len(), index + 1);
        let begin = begin + (end - begin - length) / 2;
        (length > 0).then_some(begin..begin + length)
    })
}

/// The validation part of a text: what a model reads and what of it is measured.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Validation {
    /// All blocks, each behind what it is warmed up on.
    symbols: Vec<u8>,
    blocks: Vec<Extent>,
}

/// A block within all symbols.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Extent {
    range: Range<usize>,
    before: usize,
    /// How many characters the symbols behind those are.
    characters: usize,
}

/// What is read from the zero state, and what of it is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block<'a> {
    /// All that is read.
    pub symbols: &'a [u8],
    /// So many symbols at its beginning are part of the training text.
    pub before: usize,
}

impl<'a> Block<'a> {
    /// So many symbols at the beginning are only read: the next one is the first that is predicted.
    /// Nothing predicts the first symbol of all.
    #[must_use]
    pub fn unmeasured(&self) -> usize {
        self.before.max(1)
    }

    /// How many symbols are predicted.
    #[must_use]
    pub fn predictions(&self) -> usize {
        self.symbols.len().saturating_sub(self.unmeasured())
    }

    /// The block without the training text before it.
    #[must_use]
    pub fn own(&self) -> &'a [u8] {
        &self.symbols[self.before..]
    }
}

impl Validation {
    /// One stream from the zero state, of a character each.
    #[must_use]
    pub fn stream(symbols: impl Into<Vec<u8>>) -> Self {
        let symbols = symbols.into();
        let characters = symbols.len();
        Self::stream_of(symbols, characters)
    }

    /// One stream from the zero state, of so many characters.
    #[must_use]
    pub fn stream_of(symbols: Vec<u8>, characters: usize) -> Self {
        Self {
            blocks: vec![Extent {
                range: 0..symbols.len(),
                before: 0,
                characters,
            }],
            symbols,
        }
    }

    /// What is measured one after the other, each from the zero state.
    pub fn blocks(&self) -> impl Iterator<Item = Block<'_>> {
        self.blocks.iter().map(|extent| Block {
            symbols: &self.symbols[extent.range.clone()],
            before: extent.before,
        })
    }

    /// In how many places of the text is measured.
    #[must_use]
    pub fn places(&self) -> usize {
        self.blocks.len()
    }

    /// How many symbols there are, without those of the training part.
    #[must_use]
    pub fn len(&self) -> usize {
        self.blocks().map(|block| block.own().len()).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many symbols are predicted.
    #[must_use]
    pub fn predictions(&self) -> usize {
        self.blocks().map(|block| block.predictions()).sum()
    }

    /// How many characters there are, without those of the training part.
    #[must_use]
    pub fn characters(&self) -> usize {
        self.blocks.iter().map(|extent| extent.characters).sum()
    }

    /// How many characters are predicted: all but the first, if nothing is read before it.
    #[must_use]
    pub fn predicted_characters(&self) -> usize {
        let predicted = |extent: &Extent| match extent.before {
            0 => extent.characters.saturating_sub(1),
            _ => extent.characters,
        };
        self.blocks.iter().map(predicted).sum()
    }

    /// What the mean loss of a prediction has to be multiplied with, to be one per character.
    #[must_use]
    pub fn symbols_per_character(&self) -> f64 {
        match self.predicted_characters() {
            0 => 1.0,
            characters => self.predictions() as f64 / characters as f64,
        }
    }

    /// The blocks one after the other, without the training text before them.
    #[must_use]
    pub fn own(&self) -> Vec<u8> {
        self.blocks()
            .flat_map(|block| block.own())
            .copied()
            .collect()
    }

    /// All that a model reads: the blocks and what they are warmed up on.
    #[must_use]
    pub fn as_read(&self) -> &[u8] {
        &self.symbols
    }

    /// How it is measured, in words.
    #[must_use]
    pub fn in_words(&self) -> String {
        in_words(self.places())
    }
}

/// How a loss in so many places is measured, in words.
#[must_use]
pub fn in_words(places: usize) -> String {
    match places {
        1 => "as one stream".to_owned(),
        places => format!("in {places} places spread over the text"),
    }
}

/// Divides a text, as it is read, into the two parts.
#[derive(Debug)]
pub struct Divider {
    /// Those not yet passed, the next one last.
    blocks: Vec<Range<usize>>,
    split: Split,
    position: usize,
    /// The last characters, not more symbols together than it takes to warm up.
    recent: VecDeque<Symbols>,
    recent_symbols: usize,
    training: Option<Vec<u8>>,
    training_characters: usize,
    validation: Validation,
}

impl Divider {
    /// Divides at `blocks`, which [`Split::blocks`] gave.
    #[must_use]
    pub fn new(split: Split, mut blocks: Vec<Range<usize>>) -> Self {
        blocks.reverse();
        Self {
            blocks,
            split,
            position: 0,
            recent: VecDeque::with_capacity(WARM_UP + 1),
            recent_symbols: 0,
            training: None,
            training_characters: 0,
            validation: Validation::default(),
        }
    }

    /// Keeps the part to learn from too, of so many characters.
    pub fn keep_training(&mut self, characters: usize) {
        self.training = Some(Vec::with_capacity(characters));
    }

    /// Takes the next character: its symbols, or none that the alphabet has. Returns whether it is
    /// measured on.
    pub fn take(&mut self, character: Symbols) -> bool {
        while self
            .blocks
            .last()
            .is_some_and(|block| block.end <= self.position)
        {
            self.blocks.pop();
        }
        let block = self.blocks.last();
        let is_measured = block.is_some_and(|block| block.contains(&self.position));
        if block.is_some_and(|block| block.start == self.position) {
            self.begin();
        }
        self.position += 1;
        let symbols = character.as_slice();
        if symbols.is_empty() {
            return is_measured;
        }
        if is_measured {
            self.validation.symbols.extend(symbols);
            let end = self.validation.symbols.len();
            if let Some(extent) = self.validation.blocks.last_mut() {
                extent.range.end = end;
                extent.characters += 1;
            }
        } else if self.split == Split::Spread || !self.blocks.is_empty() {
            self.training_characters += 1;
            if let Some(kept) = &mut self.training {
                kept.extend(symbols);
            }
        }
        if self.split == Split::Spread {
            self.recent.push_back(character);
            self.recent_symbols += symbols.len();
            while self.recent_symbols > WARM_UP
                && let Some(oldest) = self.recent.pop_front()
            {
                self.recent_symbols -= oldest.as_slice().len();
            }
        }
        is_measured
    }

    /// Begins a block with what was read just before it.
    fn begin(&mut self) {
        let Validation { symbols, blocks } = &mut self.validation;
        let begin = symbols.len();
        self.recent
            .iter()
            .for_each(|character| symbols.extend(character.as_slice()));
        blocks.push(Extent {
            range: begin..symbols.len(),
            before: self.recent_symbols,
            characters: 0,
        });
    }

    /// The part to learn from, in symbols and how many characters these are, and that to measure on.
    #[must_use]
    pub fn finish(self) -> (Vec<u8>, usize, Validation) {
        let training = self.training.unwrap_or_default();
        (training, self.training_characters, self.validation)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Corpus, Reading, gather, validation_symbols};
    use super::*;

    fn ends(lengths: &[usize]) -> Vec<usize> {
        let mut end = 0;
        lengths
            .iter()
            .map(|length| {
                end += length;
                end
            })
            .collect()
    }

    proptest! {
        #[test]
        fn a_tenth_of_every_file_is_measured_on_in_places_that_are_apart(
            lengths in prop::collection::vec(1_usize..30_000, 1..40),
        ) {
            let ends = ends(&lengths);
            let blocks = Split::Spread.blocks(&ends);
            let characters = *ends.last().unwrap();
            let held: usize = blocks.iter().map(Range::len).sum();
            prop_assert_eq!(held, characters - training_part(characters));
            for pair in blocks.windows(2) {
                prop_assert!(pair[0].end < pair[1].start);
            }
            for (end, length) in ends.iter().zip(&lengths) {
                let file = end - length..*end;
                let of_file = blocks.iter().filter(|block| file.contains(&block.start));
                let measured: usize = of_file.map(|block| {
                    assert!(block.end <= file.end, "{block:?} leaves {file:?}");
                    block.len()
                }).sum();
                prop_assert!(measured.abs_diff(length / 10) <= 2, "{} of {}", measured, length);
            }
        }

        #[test]
        fn both_parts_together_are_the_text(
            lengths in prop::collection::vec(1_usize..300, 1..9),
            spread: bool,
        ) {
            let split = if spread { Split::Spread } else { Split::Last };
            let ends = ends(&lengths);
            let characters = *ends.last().unwrap();
            let symbols: Vec<u8> = (0..characters).map(|n| (n * n % 251) as u8).collect();
            let blocks = split.blocks(&ends);
            let mut divider = Divider::new(split, blocks.clone());
            divider.keep_training(0);
            symbols.iter().for_each(|&symbol| { divider.take(Symbols::one(symbol)); });
            let (training, of_training, validation) = divider.finish();
            prop_assert_eq!(training.len(), of_training);
            prop_assert_eq!(training.len() + validation.len(), characters);
            let is_held = |position: &usize| blocks.iter().any(|block| block.contains(position));
            let rest = (0..characters).filter(|position| !is_held(position));
            let rest: Vec<u8> = rest.map(|position| symbols[position]).collect();
            prop_assert_eq!(training, rest);
            for (block, range) in validation.blocks().zip(&blocks) {
                prop_assert_eq!(block.own(), &symbols[range.clone()]);
                prop_assert!(block.before <= WARM_UP);
                let before = range.start - block.before..range.start;
                prop_assert_eq!(&block.symbols[..block.before], &symbols[before]);
            }
        }
    }

    #[test]
    fn validation_is_spread_over_the_text_and_every_file_of_it() {
        let spread = Reading {
            validation: Split::Spread,
            ..Reading::default()
        };
        let folder = tempfile::tempdir().unwrap();
        let files = [('a', 30_000), ('b', 900), ('c', 5_000)].map(|(c, length)| {
            let path = folder.path().join(format!("{c}.txt"));
            std::fs::write(&path, c.to_string().repeat(length)).unwrap();
            path
        });
        let text = gather(&files, spread, &|_| ()).unwrap();
        let corpus = Corpus::from_text(&text, spread).unwrap();
        let of_file = |symbols: &[u8], c| {
            let index = corpus.alphabet.index_of(c).unwrap();
            symbols.iter().filter(|&&symbol| symbol == index).count()
        };
        let own = corpus.validation().own();
        assert_eq!(
            ['a', 'b', 'c'].map(|c| of_file(&own, c)),
            [3_000, 90, 501],
            "a tenth of each, with the blank lines between them"
        );
        assert_eq!(of_file(corpus.training(), 'b'), 810);
        assert!(corpus.validation().places() >= 16);
        assert!(corpus.notes.is_empty(), "{:?}", corpus.notes);
        // A model measures on the same characters, whatever it knows of them.
        let alphabet = corpus.alphabet.to_string();
        let encoded = validation_symbols(&text, &alphabet, spread, &|_| ()).unwrap();
        assert_eq!(&encoded.validation, corpus.validation());
        let encoded = validation_symbols(&text, "bc", spread, &|_| ()).unwrap();
        assert_eq!((encoded.validation.len(), encoded.skipped), (591, 3_000));
    }

    #[test]
    fn readings_that_say_nothing_of_validation_keep_the_last_part_for_it() {
        let of_before = r#"{"unicode": false, "lossy": false, "printable": false}"#;
        let reading: Reading = serde_json::from_str(of_before).unwrap();
        assert_eq!(reading, Reading::default());
        assert_eq!(reading.validation, Split::Last);
    }

    #[test]
    fn a_long_text_is_measured_in_more_places_and_a_short_one_in_fewer() {
        let places = |characters| Split::Spread.blocks(&[characters]).len();
        assert_eq!(places(1_000_000), PLACES);
        assert_eq!(places(20_000), PLACES);
        assert_eq!(places(3_000), 4);
        assert_eq!(places(50), 1);
        assert_eq!(places(5_000_000), 62);
        let blocks = Split::Spread.blocks(&[120_000_000]);
        assert_eq!(blocks.len(), MAX_VALIDATION / LONGEST_BLOCK);
        assert_eq!(blocks.iter().map(Range::len).sum::<usize>(), MAX_VALIDATION);
        assert!(blocks[0].start < 2_000_000 && blocks[63].end > 118_000_000);
    }

    #[test]
    fn thousands_of_files_take_no_more_warming_up_than_hundreds() {
        let blocks = Split::Spread.blocks(&ends(&[900; 20_000]));
        assert!(blocks.len() <= MOST_SECTIONS, "{}", blocks.len());
        assert_eq!(blocks.iter().map(Range::len).sum::<usize>(), MAX_VALIDATION);
    }
}
