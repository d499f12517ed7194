//! Decoding: from the logits of each step to characters.
//!
//! It knows nothing of what computes the logits, so the engine and the floats that a model was made of
//! write by the same rules: sample a symbol, spell a character that takes three, keep deserts out.

use crate::alphabet::{Alphabet, Symbol};
use crate::guard::{Streaks, Watch};
use crate::sampler::{Drawn, Sampler, Settings};
use crate::spelling::{Spelling, SymbolSet, digit};
use crate::surprisal::Surprisal;

/// What the next character depends on besides the logits.
#[derive(Clone, Debug)]
pub struct Decoder {
    sampler: Sampler,
    watch: Watch,
    /// What must not come between two characters.
    barred: SymbolSet,
    /// What of the next character is written.
    spelling: Spelling,
    /// The first symbol of the next character, once there is one.
    begun: Option<Symbol>,
    /// The last symbol written or read, which the next step reads.
    last: Symbol,
    /// The last character, the first of its symbols and the last.
    character: char,
    first: Symbol,
    end: Symbol,
}

impl Decoder {
    /// At the start of a passage.
    #[must_use]
    pub fn new(alphabet: Alphabet<'_>, settings: Settings, seed: u64) -> Self {
        let start = alphabet.start();
        Self {
            sampler: Sampler::new(settings, seed),
            watch: Watch::new(),
            barred: Spelling::default().barred(alphabet),
            spelling: Spelling::default(),
            begun: None,
            last: start,
            character: alphabet.char(start),
            first: start,
            end: start,
        }
    }

    /// Starts a new passage: a new random sequence, the start symbol to be read first.
    pub fn restart(&mut self, alphabet: Alphabet<'_>, seed: u64) {
        self.sampler.reseed(seed);
        self.watch = Watch::new();
        let start = alphabet.start();
        self.last = start;
        (self.spelling, self.begun) = (Spelling::default(), None);
        (self.character, self.first, self.end) = (alphabet.char(start), start, start);
    }

    /// How symbols are chosen.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.sampler.settings()
    }

    /// Changes how symbols are chosen, from the next one on.
    pub fn set_settings(&mut self, settings: Settings) {
        self.sampler.set_settings(settings);
    }

    /// How surprising the text of this passage is to the model.
    #[must_use]
    pub fn surprisal(&self) -> &Surprisal {
        self.sampler.surprisal()
    }

    /// The symbol that the model's next step reads.
    #[must_use]
    pub fn last(&self) -> Symbol {
        self.last
    }

    /// Takes a symbol of a prompt as the one to be read next.
    pub fn prompt(&mut self, symbol: Symbol) {
        self.last = symbol;
    }

    /// Takes note of a character whose last symbol was written or taken, and of the first of its symbols.
    pub fn see(&mut self, character: char, first: Symbol, streaks: &Streaks<'_>) {
        self.watch.see(character == self.character, streaks);
        (self.character, self.first, self.end) = (character, first, self.last);
        (self.spelling, self.begun) = (Spelling::default(), None);
    }

    /// Chooses the next symbol by its logits, in the engine's fixed point. Returns the character that is
    /// complete with it. `watch` is given the draw, with all that could have come of it.
    pub fn choose(
        &mut self,
        alphabet: Alphabet<'_>,
        streaks: &Streaks<'_>,
        logits: &[i16],
        watch: &mut impl FnMut(Drawn<'_>),
    ) -> Option<char> {
        let guard = self.settings().guard;
        let within;
        let barred = match self.spelling.is_empty() {
            true => &self.barred,
            false => {
                within = self.spelling.barred(alphabet);
                &within
            }
        };
        // What the last character ended with, it would end with again.
        let may_repeat = match digit(alphabet.char(self.first) as u32) {
            Some(_) => self.spelling.begins(self.character),
            None => self.spelling.is_empty(),
        };
        let repeats = may_repeat && self.watch.bars(self.first, guard, streaks);
        let repeated = repeats.then_some(self.end);
        let symbol = self.sampler.sample_but(barred, repeated, logits);
        watch(Drawn {
            sampler: &self.sampler,
            barred,
            repeated,
            logits,
            symbol,
        });
        self.last = symbol;
        let first = *self.begun.get_or_insert(symbol);
        match self.spelling.push(alphabet.char(symbol)) {
            Some(character) => {
                self.see(character, first, streaks);
                Some(character)
            }
            None => {
                self.sampler.goes_on();
                None
            }
        }
    }
}
