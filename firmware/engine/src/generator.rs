//! The writer: feeds a prompt, then turns logits into characters one after the other.

use core::borrow::BorrowMut;

use crate::alphabet::Symbol;
use crate::guard::Watch;
use crate::image::{ImageError, Model};
use crate::kernels::{Kernel, Tables};
use crate::lstm::{AnyMemory, Lstm};
use crate::sampler::{Sampler, Settings};
use crate::surprisal::Surprisal;

/// A model, its state and its random sequence: everything a passage of text follows from.
#[derive(Clone, Debug)]
pub struct Generator<'m, M = AnyMemory, K = Tables> {
    lstm: Lstm<'m, M, K>,
    sampler: Sampler,
    watch: Watch,
    /// The last symbol written or read, which the next step reads.
    last: Symbol,
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
        Self {
            lstm,
            sampler: Sampler::new(settings, seed).without(alphabet.unwritten()),
            watch: Watch::new(),
            last: alphabet.start(),
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
        self.last = self.model().alphabet().start();
    }

    /// Reads one character of a prompt. Returns false, and skips it, when the model does not know it.
    pub fn prompt_char(&mut self, character: char) -> bool {
        let Some(symbol) = self.model().alphabet().index_of(character) else {
            return false;
        };
        self.lstm.step(self.last);
        self.see(symbol);
        true
    }

    /// Writes the next character, which is never one that [stands for
    /// others](crate::alphabet::Alphabet::unwritten) or that the [guard](crate::guard) bars.
    pub fn next_char(&mut self) -> char {
        self.lstm.step(self.last);
        let streaks = self.model().streaks();
        let guard = self.settings().guard;
        let is_barred = self.watch.bars(self.last, guard, &streaks);
        let barred = is_barred.then_some(self.last);
        let symbol = self.sampler.sample_but(barred, self.lstm.logits());
        self.see(symbol);
        self.model().alphabet().char(symbol)
    }

    fn see(&mut self, symbol: Symbol) {
        let streaks = self.model().streaks();
        self.watch.see(symbol == self.last, &streaks);
        self.last = symbol;
    }
}
