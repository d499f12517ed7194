//! Passages of a model, one by one: where they end, which of several is the best, and which are new.
//!
//! An [`Author`] writes characters, on a board's integers or in floats; [`Pieces`] makes pieces of what
//! it writes, each with a seed of its own.

use std::collections::HashSet;

use firmware::until::Ending;
use inkling_engine::State;
use inkling_engine::fixed::LOGIT_FRACTION_BITS;
use inkling_engine::format::STREAK_LEVELS;
use inkling_engine::guard::{Streaks, Watch};
use inkling_engine::sampler::{Sampler, Settings};
use inkling_engine::spelling::{Spelling, SymbolSet, digit};
use inkling_engine::{Alphabet, Generator, Model, Symbol};

use crate::engine::{Wide, generator};
use crate::figures::Figures;
use crate::predict::surprise;
use crate::quantize::FloatModel;
use crate::quantize::float::FloatState;

/// As many pieces in a row may be known before it is given up to look for a new one.
const MOST_TRIES: u64 = 1_000;

/// Something that writes.
pub trait Author {
    /// Starts a passage.
    fn restart(&mut self, seed: u64);
    /// Reads a character of a prompt, and says whether it knows it.
    fn read(&mut self, character: char) -> bool;
    /// Writes the next character.
    fn write(&mut self) -> char;
    /// How surprising that was by the model's own distribution, in nats.
    fn surprise(&self) -> f64;
}

/// One that writes as a board does.
pub struct EngineAuthor<'m> {
    generator: Generator<'m, State, Wide>,
    nats: f64,
}

impl<'m> EngineAuthor<'m> {
    /// With a model and how it is to choose.
    #[must_use]
    pub fn new(model: Model<'m>, settings: Settings) -> Self {
        Self {
            generator: generator(model, settings, 0),
            nats: 0.0,
        }
    }
}

impl Author for EngineAuthor<'_> {
    fn restart(&mut self, seed: u64) {
        self.generator.restart(seed);
    }

    fn read(&mut self, character: char) -> bool {
        self.generator.prompt_char(character)
    }

    fn write(&mut self) -> char {
        let mut nats = 0.0;
        let watch = |logits: &[i16], symbol| nats += surprise(logits, symbol);
        let character = self.generator.next_char_watched(watch);
        self.nats = nats;
        character
    }

    fn surprise(&self) -> f64 {
        self.nats
    }
}

/// One that writes with the float weights of a run.
pub struct FloatAuthor<'m> {
    state: FloatState<'m>,
    sampler: Sampler,
    watch: Watch,
    known: Known,
    /// What must not come between two characters.
    barred: SymbolSet,
    logits: Vec<i16>,
    last: Symbol,
    /// The last character and the first of its symbols.
    character: char,
    first: Symbol,
    nats: f64,
}

/// What a run knows of its symbols and of the streaks of its text, as an image would hold it.
struct Known {
    words: Vec<u32>,
    density: u8,
    distances: [u8; STREAK_LEVELS.len()],
}

impl Known {
    fn of(model: &FloatModel) -> Self {
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

impl<'m> FloatAuthor<'m> {
    /// With a model and how it is to choose.
    #[must_use]
    pub fn new(model: &'m FloatModel, settings: Settings) -> Self {
        let known = Known::of(model);
        let start = known.alphabet().start();
        Self {
            state: FloatState::new(model),
            sampler: Sampler::new(settings, 0),
            watch: Watch::new(),
            barred: Spelling::default().barred(known.alphabet()),
            logits: Vec::new(),
            last: start,
            character: known.alphabet().char(start),
            first: start,
            nats: 0.0,
            known,
        }
    }

    fn see(&mut self, character: char, first: Symbol) {
        let is_same = character == self.character;
        self.watch.see(is_same, &self.known.streaks());
        (self.character, self.first) = (character, first);
    }

    /// Reads the last symbol.
    fn step(&mut self) {
        self.state.step(self.last.into());
        let unit = f32::from(1_u16 << LOGIT_FRACTION_BITS);
        // Float-to-integer conversion saturates, as the engine's logits do.
        let logits = self.state.logits().iter().map(|l| (l * unit) as i16);
        self.logits.clear();
        self.logits.extend(logits);
    }
}

impl Author for FloatAuthor<'_> {
    fn restart(&mut self, seed: u64) {
        self.state.reset();
        self.sampler.reseed(seed);
        self.watch = Watch::new();
        self.last = self.known.alphabet().start();
        self.first = self.last;
        self.character = self.known.alphabet().char(self.last);
    }

    fn read(&mut self, character: char) -> bool {
        let symbols = self.known.alphabet().symbols_of(character);
        for &symbol in symbols.as_slice() {
            self.step();
            self.last = symbol;
        }
        if let Some(&first) = symbols.as_slice().first() {
            self.see(character, first);
        }
        !symbols.as_slice().is_empty()
    }

    fn write(&mut self) -> char {
        let guard = self.sampler.settings().guard;
        let repeats = self.watch.bars(self.first, guard, &self.known.streaks());
        let end = self.last;
        let first = self.known.alphabet().char(self.first);
        let is_spelt = digit(first.into()).is_some();
        let mut spelling = Spelling::default();
        let mut first = None;
        self.nats = 0.0;
        loop {
            self.step();
            let alphabet = self.known.alphabet();
            let barred = match spelling.is_empty() {
                true => self.barred,
                false => spelling.barred(alphabet),
            };
            let may_repeat = match is_spelt {
                true => spelling.begins(self.character),
                false => spelling.is_empty(),
            };
            let repeated = (repeats && may_repeat).then_some(end);
            self.last = self.sampler.sample_but(&barred, repeated, &self.logits);
            self.nats += surprise(&self.logits, self.last);
            let first = *first.get_or_insert(self.last);
            if let Some(character) = spelling.push(alphabet.char(self.last)) {
                self.see(character, first);
                return character;
            }
        }
    }

    fn surprise(&self) -> f64 {
        self.nats
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
pub struct Pieces<A> {
    author: A,
    wanted: Wanted,
    seed: u64,
}

impl<A: Author> Pieces<A> {
    /// The first with this seed, the following ones with those behind it.
    pub fn new(author: A, wanted: Wanted, seed: u64) -> Self {
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
            let character = self.author.write();
            written = written.saturating_add(1);
            if is_compared {
                nats += self.author.surprise();
            }
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
