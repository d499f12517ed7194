//! The symbols a model knows: a table of code points, most frequent first.

/// An index into the alphabet.
pub type Symbol = u8;

/// A view of an image's alphabet: `len` Unicode scalar values.
#[derive(Clone, Copy, Debug)]
pub struct Alphabet<'a> {
    code_points: &'a [u32],
}

impl<'a> Alphabet<'a> {
    /// Wraps code points that [`crate::image::Model::parse`] has checked.
    pub(crate) fn new(code_points: &'a [u32]) -> Self {
        Self { code_points }
    }

    /// The number of symbols, 1 to 256.
    #[must_use]
    pub fn len(&self) -> usize {
        self.code_points.len()
    }

    /// Always false: an image without symbols is rejected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.code_points.is_empty()
    }

    /// The symbol for a character, `None` when the model does not know it.
    #[must_use]
    pub fn index_of(&self, character: char) -> Option<Symbol> {
        self.code_points
            .iter()
            .position(|&code| code == character as u32)
            .map(|index| index as Symbol)
    }

    /// The character of a symbol; U+FFFD for an index outside the alphabet.
    #[must_use]
    pub fn char(&self, symbol: Symbol) -> char {
        self.code_points
            .get(usize::from(symbol))
            .and_then(|&code| char::from_u32(code))
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
