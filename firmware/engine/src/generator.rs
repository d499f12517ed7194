//! The generator: feeds a prompt to the LSTM, then writes characters one after the other.

use core::borrow::BorrowMut;

use crate::decoder::Decoder;
use crate::image::{ImageError, Model};
use crate::kernels::{Kernel, Tables};
use crate::lstm::Lstm;
use crate::sampler::{Drawn, Settings};
use crate::state::State;
use crate::surprisal::Surprisal;

/// A model, its state and its random sequence: everything a passage of text follows from.
///
/// ```
/// # let image = inkling_engine::writer::made_up(10, 24, 1, 1);
/// use inkling_engine::{Generator, Model, Settings, State};
///
/// let model = Model::parse(image.bytes())?;
/// let mut generator = Generator::new(model, State::any(), Settings::default(), 7)?;
/// generator.prompt_char('b');
/// let text: String = (0..20).map(|_| generator.next_char()).collect();
/// assert_eq!(text.chars().count(), 20);
///
/// // The same seed gives the same text, on every machine.
/// generator.restart(7);
/// generator.prompt_char('b');
/// assert!(text.chars().all(|character| character == generator.next_char()));
/// # Ok::<(), inkling_engine::ImageError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Generator<'m, S = State, K = Tables> {
    lstm: Lstm<'m, S, K>,
    decoder: Decoder,
    /// Whether the last symbol is being read.
    is_reading: bool,
}

impl<'m, S: BorrowMut<[u32]>> Generator<'m, S> {
    /// A generator at the start of a passage. `state` is a [`State`], a `&mut` of one, or any words.
    ///
    /// # Errors
    /// [`ImageError::Memory`] when the state is too small for the model.
    pub fn new(
        model: Model<'m>,
        state: S,
        settings: Settings,
        seed: u64,
    ) -> Result<Self, ImageError> {
        Ok(Self::of(Lstm::new(model, state)?, settings, seed))
    }
}

impl<'m, S: BorrowMut<[u32]>, K: Kernel> Generator<'m, S, K> {
    /// A generator at the start of a passage by a model in its zero state.
    #[must_use]
    pub fn of(lstm: Lstm<'m, S, K>, settings: Settings, seed: u64) -> Self {
        let alphabet = lstm.model().alphabet();
        Self {
            lstm,
            decoder: Decoder::new(alphabet, settings, seed),
            is_reading: false,
        }
    }

    /// The model.
    #[must_use]
    pub fn model(&self) -> Model<'m> {
        self.lstm.model()
    }

    /// The model with its state.
    #[must_use]
    pub fn lstm(&self) -> &Lstm<'m, S, K> {
        &self.lstm
    }

    /// How symbols are chosen.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.decoder.settings()
    }

    /// Changes how symbols are chosen, from the next one on.
    pub fn set_settings(&mut self, settings: Settings) {
        self.decoder.set_settings(settings);
    }

    /// How surprising the text of this passage is to the model.
    #[must_use]
    pub fn surprisal(&self) -> &Surprisal {
        self.decoder.surprisal()
    }

    /// Starts a new passage: zero state, a new random sequence, the start symbol to be read first.
    pub fn restart(&mut self, seed: u64) {
        self.lstm.reset();
        self.is_reading = false;
        self.decoder.restart(self.model().alphabet(), seed);
    }

    /// Reads one character of a prompt. Returns false, and skips it, when the model does not know it.
    pub fn prompt_char(&mut self, character: char) -> bool {
        let symbols = self.model().alphabet().symbols_of(character);
        let symbols = symbols.as_slice();
        for &symbol in symbols {
            while !self.read(usize::MAX) {}
            self.is_reading = false;
            self.decoder.prompt(symbol);
        }
        if let Some(&first) = symbols.first() {
            let streaks = self.model().streaks();
            self.decoder.see(character, first, &streaks);
        }
        !symbols.is_empty()
    }

    /// Writes the next character, which is never U+FFFD, which stands for others, nor one that the
    /// [guard](crate::guard) bars, unless the alphabet has nothing else.
    ///
    /// It takes a step of the LSTM, or three for a character that is [spelt](crate::spelling), and blocks while
    /// the model computes: a step takes from 2 ms for a model of 64 KiB on a chip with 100 MHz or more to 20 ms
    /// on a Cortex-M0 with 16 MHz. Where something else must go on meanwhile, call [`Generator::advance`].
    pub fn next_char(&mut self) -> char {
        self.next_char_seen(|_| ())
    }

    /// The same; `watch` is given each draw, with all that could have come of it.
    #[doc(hidden)]
    pub fn next_char_seen(&mut self, mut watch: impl FnMut(Drawn<'_>)) -> char {
        loop {
            if let Some(character) = self.advance_seen(usize::MAX, &mut watch) {
                return character;
            }
        }
    }

    /// Works on the next character for a while and returns it when it is done: for executors that take
    /// turns.
    ///
    /// `units` is how much is done at a time: so many hidden units are brought forward, or their products
    /// added up in blocks of 40. The text does not depend on it.
    ///
    /// ```
    /// # let image = inkling_engine::writer::made_up(10, 24, 1, 1);
    /// # use inkling_engine::{Generator, Model, Settings, State};
    /// # let model = Model::parse(image.bytes())?;
    /// # let mut generator = Generator::new(model, State::any(), Settings::default(), 7)?;
    /// let character = loop {
    ///     match generator.advance(8) {
    ///         Some(character) => break character,
    ///         None => { /* yield to others */ }
    ///     }
    /// };
    /// # Ok::<(), inkling_engine::ImageError>(())
    /// ```
    pub fn advance(&mut self, units: usize) -> Option<char> {
        self.advance_seen(units, &mut |_| ())
    }

    fn advance_seen(&mut self, units: usize, watch: &mut impl FnMut(Drawn<'_>)) -> Option<char> {
        if !self.read(units) {
            return None;
        }
        self.is_reading = false;
        let model = self.model();
        let logits = self.lstm.logits();
        self.decoder
            .choose(model.alphabet(), &model.streaks(), logits, watch)
    }

    /// Reads the last symbol by so much; says whether it is read.
    fn read(&mut self, units: usize) -> bool {
        if !self.is_reading {
            self.lstm.begin(self.decoder.last());
            self.is_reading = true;
        }
        self.lstm.advance(units)
    }
}
