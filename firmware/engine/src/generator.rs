//! The writer: feeds a prompt, then turns logits into characters one after the other.

use core::borrow::BorrowMut;

use crate::alphabet::Symbol;
use crate::guard::Watch;
use crate::image::{ImageError, Model};
use crate::kernels::{Kernel, Tables};
use crate::lstm::Lstm;
use crate::sampler::{Drawn, Sampler, Settings};
use crate::spelling::{Spelling, SymbolSet, digit};
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
    /// Whether it is being read.
    is_reading: bool,
    /// The last character, the first of its symbols and the last.
    character: char,
    first: Symbol,
    end: Symbol,
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
        let start = alphabet.start();
        Self {
            lstm,
            sampler: Sampler::new(settings, seed),
            watch: Watch::new(),
            barred: Spelling::default().barred(alphabet),
            spelling: Spelling::default(),
            begun: None,
            last: start,
            is_reading: false,
            character: alphabet.char(start),
            first: start,
            end: start,
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
        let start = alphabet.start();
        (self.last, self.is_reading) = (start, false);
        (self.spelling, self.begun) = (Spelling::default(), None);
        (self.character, self.first, self.end) = (alphabet.char(start), start, start);
    }

    /// Reads one character of a prompt. Returns false, and skips it, when the model does not know it.
    pub fn prompt_char(&mut self, character: char) -> bool {
        let symbols = self.model().alphabet().symbols_of(character);
        let symbols = symbols.as_slice();
        for &symbol in symbols {
            while !self.read(usize::MAX) {}
            (self.last, self.is_reading) = (symbol, false);
        }
        if let Some(&first) = symbols.first() {
            self.see(character, first);
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
        self.next_char_watched(|_, _| ())
    }

    /// The same; `watch` is given the logits of each step and the symbol that was chosen by them.
    #[doc(hidden)]
    pub fn next_char_watched(&mut self, mut watch: impl FnMut(&[i16], Symbol)) -> char {
        self.next_char_seen(|drawn| watch(drawn.logits, drawn.symbol))
    }

    /// The same; `watch` is given each draw, with all that could have come of it.
    #[doc(hidden)]
    pub fn next_char_seen(&mut self, mut watch: impl FnMut(Drawn<'_>)) -> char {
        loop {
            if let Some(character) = self.advance_watched(usize::MAX, &mut watch) {
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
        self.advance_watched(units, &mut |_| ())
    }

    fn advance_watched(&mut self, units: usize, watch: &mut impl FnMut(Drawn<'_>)) -> Option<char> {
        if !self.read(units) {
            return None;
        }
        let alphabet = self.model().alphabet();
        let streaks = self.model().streaks();
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
        let repeats = may_repeat && self.watch.bars(self.first, guard, &streaks);
        let repeated = repeats.then_some(self.end);
        let logits = self.lstm.logits();
        let symbol = self.sampler.sample_but(barred, repeated, logits);
        watch(Drawn {
            sampler: &self.sampler,
            barred,
            repeated,
            logits: self.lstm.logits(),
            symbol,
        });
        (self.last, self.is_reading) = (symbol, false);
        let first = *self.begun.get_or_insert(symbol);
        match self.spelling.push(alphabet.char(symbol)) {
            Some(character) => {
                self.see(character, first);
                Some(character)
            }
            None => {
                self.sampler.goes_on();
                None
            }
        }
    }

    /// Reads the last symbol by so much; says whether it is read.
    fn read(&mut self, units: usize) -> bool {
        if !self.is_reading {
            self.lstm.begin(self.last);
            self.is_reading = true;
        }
        self.lstm.advance(units)
    }

    /// Takes note of a character that was written or read, and of the first of its symbols.
    fn see(&mut self, character: char, first: Symbol) {
        let streaks = self.model().streaks();
        self.watch.see(character == self.character, &streaks);
        (self.character, self.first, self.end) = (character, first, self.last);
        (self.spelling, self.begun) = (Spelling::default(), None);
    }
}
