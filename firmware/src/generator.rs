//! The writer: feeds a prompt, then turns logits into characters one after the other.

use core::borrow::BorrowMut;

use crate::alphabet::Symbol;
use crate::guard::Watch;
use crate::image::{ImageError, Model};
use crate::kernels::{Kernel, Tables};
use crate::lstm::{AnyMemory, Lstm};
use crate::sampler::{Sampler, Settings};
use crate::spelling::{Spelling, SymbolSet, digit};
use crate::surprisal::Surprisal;

/// A model, its state and its random sequence: everything a passage of text follows from.
#[derive(Clone, Debug)]
pub struct Generator<'m, M = AnyMemory, K = Tables> {
    lstm: Lstm<'m, M, K>,
    sampler: Sampler,
    watch: Watch,
    /// What must not come between two characters.
    barred: SymbolSet,
    /// The last symbol written or read, which the next step reads.
    last: Symbol,
    /// The last character, and the first of its symbols.
    character: char,
    first: Symbol,
}

impl<'m> Generator<'m> {
    /// A generator at the start of a passage, with memory for any model: for PCs.
    #[must_use]
    pub fn new(model: Model<'m>, settings: Settings, seed: u64) -> Self {
        Self::of(Lstm::new(model), settings, seed)
    }
}

impl<'m, M: BorrowMut<[u32]>> Generator<'m, M> {
    /// A generator at the start of a passage that works in the memory given, see
    /// [`Lstm::with_memory`].
    ///
    /// # Errors
    /// [`ImageError::Memory`] when it is too little.
    pub fn with_memory(
        model: Model<'m>,
        settings: Settings,
        seed: u64,
        memory: M,
    ) -> Result<Self, ImageError> {
        Ok(Self::of(Lstm::with_memory(model, memory)?, settings, seed))
    }
}

impl<'m, M: BorrowMut<[u32]>, K: Kernel> Generator<'m, M, K> {
    /// A generator at the start of a passage by a model in its zero state.
    #[must_use]
    pub fn of(lstm: Lstm<'m, M, K>, settings: Settings, seed: u64) -> Self {
        let alphabet = lstm.model().alphabet();
        let start = alphabet.start();
        Self {
            lstm,
            sampler: Sampler::new(settings, seed),
            watch: Watch::new(),
            barred: Spelling::default().barred(alphabet),
            last: start,
            character: alphabet.char(start),
            first: start,
        }
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> Model<'m> {
        self.lstm.model()
    }

    /// The model with its state.
    #[must_use]
    pub fn lstm(&self) -> &Lstm<'m, M, K> {
        &self.lstm
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

    /// Starts a new passage: zero state, a new random sequence, the start symbol to be read first.
    pub fn restart(&mut self, seed: u64) {
        self.lstm.reset();
        self.sampler.reseed(seed);
        self.watch = Watch::new();
        let alphabet = self.model().alphabet();
        self.last = alphabet.start();
        self.first = self.last;
        self.character = alphabet.char(self.last);
    }

    /// Reads one character of a prompt. Returns false, and skips it, when the model does not know it.
    pub fn prompt_char(&mut self, character: char) -> bool {
        let symbols = self.model().alphabet().symbols_of(character);
        let symbols = symbols.as_slice();
        for &symbol in symbols {
            self.lstm.step(self.last);
            self.last = symbol;
        }
        if let Some(&first) = symbols.first() {
            self.see(character, first);
        }
        !symbols.is_empty()
    }

    /// Writes the next character, which is never U+FFFD, which stands for others, nor one that the
    /// [guard](crate::guard) bars, unless the alphabet has nothing else.
    ///
    /// It takes a step of the LSTM, or three for a character that is [spelt](crate::spelling).
    pub fn next_char(&mut self) -> char {
        self.next_char_watched(|_, _| ())
    }

    /// The same; `watch` is given the logits of each step and the symbol that was chosen by them.
    pub fn next_char_watched(&mut self, mut watch: impl FnMut(&[i16], Symbol)) -> char {
        let alphabet = self.model().alphabet();
        let streaks = self.model().streaks();
        let guard = self.settings().guard;
        let repeats = self.watch.bars(self.first, guard, &streaks);
        // What the last character ended with, it would end with again.
        let end = self.last;
        let is_spelt = digit(alphabet.char(self.first) as u32).is_some();
        let mut spelling = Spelling::default();
        let mut first = None;
        loop {
            self.lstm.step(self.last);
            let within;
            let barred = match spelling.is_empty() {
                true => &self.barred,
                false => {
                    within = spelling.barred(alphabet);
                    &within
                }
            };
            let may_repeat = match is_spelt {
                true => spelling.begins(self.character),
                false => spelling.is_empty(),
            };
            let repeated = (repeats && may_repeat).then_some(end);
            let logits = self.lstm.logits();
            self.last = self.sampler.sample_but(barred, repeated, logits);
            watch(self.lstm.logits(), self.last);
            let first = *first.get_or_insert(self.last);
            if let Some(character) = spelling.push(alphabet.char(self.last)) {
                self.see(character, first);
                return character;
            }
            self.sampler.goes_on();
        }
    }

    /// Takes note of a character that was written or read, and of the first of its symbols.
    fn see(&mut self, character: char, first: Symbol) {
        let streaks = self.model().streaks();
        self.watch.see(character == self.character, &streaks);
        (self.character, self.first) = (character, first);
    }
}
