//! The symbols a model knows: a table of code points, most frequent first.
//!
//! Most are characters. The rest are digits, three of which spell a character that has no symbol of its
//! own, see [`crate::spelling`].

use crate::format::{MAX_SYMBOLS, SPELT_DIGITS, STREAK_SHIFT};
use crate::spelling;

/// An index into the alphabet.
pub type Symbol = u8;

/// A view of an image's alphabet: `len` words, each a Unicode scalar value with a byte above it that
/// counts for [`crate::guard`] only.
#[derive(Clone, Copy, Debug)]
pub struct Alphabet<'a> {
    words: &'a [u32],
}

/// The code point of a word.
pub(crate) const fn code_point(word: u32) -> u32 {
    word & ((1 << STREAK_SHIFT) - 1)
}

impl<'a> Alphabet<'a> {
    /// Wraps the words of an image, or others of the kind: at most 256 count.
    #[must_use]
    pub fn new(words: &'a [u32]) -> Self {
        let most = words.len().min(MAX_SYMBOLS);
        Self {
            words: words.get(..most).unwrap_or_default(),
        }
    }

    /// The number of symbols, 1 to 256.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Always false: an image without symbols is rejected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The symbol that a character has of its own, `None` where it has none.
    #[must_use]
    pub fn index_of(&self, character: char) -> Option<Symbol> {
        match spelling::digit(character as u32) {
            Some(_) => None,
            None => self.position(character),
        }
    }

    // Called four times for a character that is spelt.
    #[inline(never)]
    fn position(&self, code_point: char) -> Option<Symbol> {
        self.code_points()
            .position(|code| code == code_point as u32)
            .map(|index| index as Symbol)
    }

    /// What a character is read as: its own symbol, or else the digits that spell it; nothing when the
    /// model does not know it.
    #[must_use]
    pub fn symbols_of(&self, character: char) -> Symbols {
        if let Some(symbol) = self.index_of(character) {
            return Symbols::one(symbol);
        }
        let mut symbols = Symbols::NONE;
        if spelling::is_spelt(character) {
            let places = symbols.symbols.iter_mut();
            let mut is_known = true;
            for (place, digit) in places.zip(spelling::stand_ins(character)) {
                match self.position(digit) {
                    Some(symbol) => *place = symbol,
                    None => is_known = false,
                }
            }
            symbols.count = if is_known { SPELT_DIGITS as u8 } else { 0 };
        }
        symbols
    }

    /// Whether a character can be read, be it by its own symbol or spelt.
    #[must_use]
    pub fn knows(&self, character: char) -> bool {
        !self.symbols_of(character).as_slice().is_empty()
    }

    /// The code point of a symbol, be it a character or a digit; U+FFFD for an index outside the alphabet.
    #[must_use]
    pub fn char(&self, symbol: Symbol) -> char {
        self.words
            .get(usize::from(symbol))
            .and_then(|&word| char::from_u32(code_point(word)))
            .unwrap_or(char::REPLACEMENT_CHARACTER)
    }

    /// The symbol that a passage without a prompt starts from: the newline, else the most frequent.
    #[must_use]
    pub fn start(&self) -> Symbol {
        self.index_of('\n').unwrap_or(0)
    }

    /// All code points in index order.
    pub fn code_points(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.words.iter().map(|&word| code_point(word))
    }

    /// All symbols in index order, as [`Alphabet::char`] gives them.
    pub fn chars(&self) -> impl Iterator<Item = char> + 'a {
        let this = *self;
        (0..self.len()).map(move |index| this.char(index as Symbol))
    }
}

/// The symbols of one character, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbols {
    symbols: [Symbol; SPELT_DIGITS],
    count: u8,
}

impl Symbols {
    /// Those of a character that is not known.
    pub const NONE: Self = Self {
        symbols: [0; SPELT_DIGITS],
        count: 0,
    };

    /// That of a character with a symbol of its own.
    #[must_use]
    pub const fn one(symbol: Symbol) -> Self {
        Self {
            symbols: [symbol; SPELT_DIGITS],
            count: 1,
        }
    }

    /// Those of a character that is spelt.
    #[must_use]
    pub const fn spelt(digits: [Symbol; SPELT_DIGITS]) -> Self {
        Self {
            symbols: digits,
            count: SPELT_DIGITS as u8,
        }
    }

    /// In order.
    #[must_use]
    pub fn as_slice(&self) -> &[Symbol] {
        self.symbols.get(..self.count.into()).unwrap_or_default()
    }
}
