//! Passages of a model, one by one: where they end, which of several is the best, and which are new.
//!
//! An [`Author`] writes characters, by a board's integers or in floats; [`Pieces`] makes pieces of what
//! it writes, each with a seed of its own.

use std::collections::HashSet;

use firmware::until::Ending;
use inkling_engine::decoder::Decoder;
use inkling_engine::format::STREAK_LEVELS;
use inkling_engine::guard::Streaks;
use inkling_engine::sampler::{Drawn, Settings};
use inkling_engine::spelling::Spelling;
use inkling_engine::{Alphabet, Model, Symbol};

use crate::engine::{Engine, engine};
use crate::figures::Figures;
use crate::predict::{Predictor, surprise};
use crate::quantize::FloatModel;
use crate::quantize::float::FloatState;

/// As many pieces in a row may be known before it is given up to look for a new one.
const MOST_TRIES: u64 = 1_000;

/// Something that writes: a predictor, and the decoder that chooses by its logits.
pub struct Author<P> {
    predictor: P,
    decoder: Decoder,
    known: Known,
}

/// What is known of a model's symbols and of the streaks of its text, as an image holds it.
struct Known {
    words: Vec<u32>,
    density: u8,
    distances: [u8; STREAK_LEVELS.len()],
}

impl Known {
    fn of_floats(model: &FloatModel) -> Self {
        let figures = Figures::in_metadata(&model.metadata, model.alphabet.len());
        match figures {
            Some(figures) => {
                let parts = figures.streak_parts();
                Self {
                    words: parts.words(&model.alphabet),
                    density: parts.density,
                    distances: parts.distances,
                }
            }
            None => Self {
                words: model.alphabet.iter().map(|&c| u32::from(c)).collect(),
                density: 0,
                distances: [0; STREAK_LEVELS.len()],
            },
        }
    }

    fn of_image(model: Model<'_>) -> Self {
        let streaks = model.streaks();
        Self {
            words: streaks.words.to_vec(),
            density: streaks.density,
            distances: streaks.distances,
        }
    }

    fn streaks(&self) -> Streaks<'_> {
        Streaks {
            words: &self.words,
            density: self.density,
            distances: self.distances,
        }
    }

    fn alphabet(&self) -> Alphabet<'_> {
        Alphabet::new(&self.words)
    }
}

impl<'m> Author<Engine<'m>> {
    /// One that writes as a board does.
    #[must_use]
    pub fn of_image(model: Model<'m>, settings: Settings) -> Self {
        Self::new(engine(model), Known::of_image(model), settings)
    }
}

impl<'m> Author<FloatState<'m>> {
    /// One that writes with the float weights of a run.
    #[must_use]
    pub fn of_floats(model: &'m FloatModel, settings: Settings) -> Self {
        Self::new(FloatState::new(model), Known::of_floats(model), settings)
    }
}

impl<P: Predictor> Author<P> {
    fn new(predictor: P, known: Known, settings: Settings) -> Self {
        Self {
            predictor,
            decoder: Decoder::new(known.alphabet(), settings, 0),
            known,
        }
    }

    /// What predicts, after the last step.
    #[must_use]
    pub fn predictor(&self) -> &P {
        &self.predictor
    }

    /// Starts a passage.
    pub fn restart(&mut self, seed: u64) {
        self.predictor.reset();
        self.decoder.restart(self.known.alphabet(), seed);
    }

    /// Reads a character of a prompt, and says whether it knows it.
    pub fn read(&mut self, character: char) -> bool {
        let symbols = self.known.alphabet().symbols_of(character);
        for &symbol in symbols.as_slice() {
            self.predictor.step(self.decoder.last());
            self.decoder.prompt(symbol);
        }
        if let Some(&first) = symbols.as_slice().first() {
            self.decoder.see(character, first, &self.known.streaks());
        }
        !symbols.as_slice().is_empty()
    }

    /// Writes the next character.
    pub fn write(&mut self) -> char {
        self.write_watched(|_, _| ())
    }

    /// The same; `watch` is given the logits of each step and the symbol that was chosen by them.
    pub fn write_watched(&mut self, mut watch: impl FnMut(&[i16], Symbol)) -> char {
        let mut watch = |drawn: Drawn<'_>| watch(drawn.logits, drawn.symbol);
        loop {
            self.predictor.step(self.decoder.last());
            let logits = self.predictor.logits();
            let (alphabet, streaks) = (self.known.alphabet(), self.known.streaks());
            let character = self.decoder.choose(alphabet, &streaks, logits, &mut watch);
            if let Some(character) = character {
                return character;
            }
        }
    }
}

/// A text that comes symbol by symbol, as the engine would write it.
#[derive(Debug, Clone)]
pub struct Draft {
    words: Vec<u32>,
    spelling: Spelling,
}

impl Draft {
    /// Nothing yet, in these symbols.
    #[must_use]
    pub fn new(symbols: &[char]) -> Self {
        Self {
            words: symbols.iter().map(|&c| c.into()).collect(),
            spelling: Spelling::default(),
        }
    }

    fn alphabet(&self) -> Alphabet<'_> {
        Alphabet::new(&self.words)
    }

    /// The symbol that is read first.
    #[must_use]
    pub fn start(&self) -> Symbol {
        self.alphabet().start()
    }

    /// The symbols that must not come next; none where no other may.
    #[must_use]
    pub fn barred(&self) -> Vec<Symbol> {
        let set = self.spelling.barred(self.alphabet());
        let all = (0..=Symbol::MAX).take(self.words.len());
        let barred: Vec<Symbol> = all.filter(|&symbol| set.holds(symbol.into())).collect();
        match barred.len() == self.words.len() {
            true => Vec::new(),
            false => barred,
        }
    }

    /// Takes the next symbol; returns the character that is complete with it.
    pub fn push(&mut self, symbol: Symbol) -> Option<char> {
        let symbol = self.alphabet().char(symbol);
        self.spelling.push(symbol)
    }
}

/// A passage.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// The prompt and what was written behind it.
    pub text: String,
    /// What it followed from.
    pub seed: u64,
    /// How surprising what was written was by the model's own distribution, on average.
    pub nats_per_character: f64,
}

/// Which passages are wanted.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// What each begins with, in characters that the model knows.
    pub prompt: String,
    /// How many characters are written behind it at most.
    pub length: usize,
    /// Characters that end it.
    pub until: Vec<char>,
    /// Of so many the one is taken that the model itself finds most likely.
    pub best_of: usize,
    /// What a piece must not be, as [`item`] gives it: each that was written is added.
    pub known: Option<HashSet<String>>,
}

/// A text as it is compared with others: without line ends, and without the characters that end it.
#[must_use]
pub fn item(text: &str, until: &[char]) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let joined = words.join(" ");
    let bare = joined.trim_matches(|c: char| c.is_whitespace() || until.contains(&c));
    bare.to_owned()
}

/// Makes pieces, the next one whenever it is asked.
pub struct Pieces<P> {
    author: Author<P>,
    wanted: Wanted,
    seed: u64,
}

impl<P: Predictor> Pieces<P> {
    /// The first with this seed, the following ones with those behind it.
    pub fn new(author: Author<P>, wanted: Wanted, seed: u64) -> Self {
        Self {
            author,
            wanted,
            seed,
        }
    }

    /// Writes a passage with the next seed; `see` gets its characters as they come.
    pub fn write(
        &mut self,
        mut see: impl FnMut(char) -> std::io::Result<()>,
    ) -> std::io::Result<Piece> {
        let seed = self.seed;
        self.seed = self.seed.wrapping_add(1);
        self.author.restart(seed);
        let mut piece = Piece {
            text: String::new(),
            seed,
            nats_per_character: 0.0,
        };
        let mut ending = Ending::default();
        for character in self.wanted.prompt.chars() {
            if self.author.read(character) {
                ending.read();
                piece.text.push(character);
                see(character)?;
            }
        }
        let is_compared = self.wanted.best_of > 1;
        let (mut written, mut nats) = (0_u32, 0.0);
        for _ in 0..self.wanted.length {
            let character = match is_compared {
                false => self.author.write(),
                true => self
                    .author
                    .write_watched(|logits, symbol| nats += surprise(logits, symbol)),
            };
            written = written.saturating_add(1);
            piece.text.push(character);
            see(character)?;
            if ending.ends_with(self.wanted.until.contains(&character)) {
                break;
            }
        }
        piece.nats_per_character = nats / f64::from(written.max(1));
        Ok(piece)
    }

    /// The next piece: the best one of several, if so wanted, and a new one, if so wanted; none where
    /// only known ones come.
    pub fn next_piece(&mut self) -> Option<Piece> {
        let mut best: Option<Piece> = None;
        for _ in 0..self.wanted.best_of.max(1) {
            let piece = self.next_new()?;
            if best
                .as_ref()
                .is_none_or(|best| piece.nats_per_character < best.nats_per_character)
            {
                best = Some(piece);
            }
        }
        if let (Some(known), Some(best)) = (&mut self.wanted.known, &best) {
            known.insert(item(&best.text, &self.wanted.until));
        }
        best
    }

    fn next_new(&mut self) -> Option<Piece> {
        for _ in 0..MOST_TRIES {
            let piece = self.write(|_| Ok(())).ok()?;
            let Some(known) = &self.wanted.known else {
                return Some(piece);
            };
            let item = item(&piece.text, &self.wanted.until);
            if !item.is_empty() && !known.contains(&item) {
                return Some(piece);
            }
        }
        None
    }
}
