//! The symbols a model knows: a table of code points, most frequent first.

use crate::format::STREAK_SHIFT;

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
    /// Wraps words that [`crate::image::Model::parse`] has checked.
    pub(crate) fn new(words: &'a [u32]) -> Self {
        Self { words }
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

    /// The symbol for a character, `None` when the model does not know it.
    #[must_use]
    pub fn index_of(&self, character: char) -> Option<Symbol> {
        self.words
            .iter()
            .position(|&word| code_point(word) == character as u32)
            .map(|index| index as Symbol)
    }

    /// The character of a symbol; U+FFFD for an index outside the alphabet.
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

    /// The symbol that is read but never written: U+FFFD, which stands for characters that are too rare
    /// to have symbols of their own. None where it is the only symbol there is.
    #[must_use]
    pub fn unwritten(&self) -> Option<Symbol> {
        let replacement = self.index_of(char::REPLACEMENT_CHARACTER);
        replacement.filter(|_| self.len() > 1)
    }

    /// All characters in index order.
    pub fn chars(&self) -> impl Iterator<Item = char> + 'a {
        let this = *self;
        (0..self.len()).map(move |index| this.char(index as Symbol))
    }
}
