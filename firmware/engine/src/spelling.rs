//! Characters without a symbol of their own, spelt in three digits: a first one that has all but the lowest
//! ten bits of the code point, and two of five bits each.
//!
//! The digits that an alphabet has are symbols like others and stand in it as private code points; the
//! [`crate::alphabet`] says what a character is read as. [`Spelling`] puts together what is written, and
//! says which symbols may come next so that whole characters come of it. First digits are symbols of their
//! own, so that a model that has lost count finds its way back with the next character.

use crate::alphabet::{Alphabet, Symbol};
use crate::format::{DIGIT_BITS, FIRST_DIGIT, FIRST_DIGITS, NEXT_DIGIT, SPELT_DIGITS};

/// Values of a digit that is not the first.
const VALUES: u32 = 1 << DIGIT_BITS;

/// A part of the code point of a character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Digit {
    /// The highest bits.
    First(u32),
    /// The next five.
    Next(u32),
}

impl Digit {
    /// What stands for it in an alphabet.
    #[must_use]
    pub const fn stand_in(self) -> char {
        let code = match self {
            Self::First(value) => FIRST_DIGIT + value % FIRST_DIGITS,
            Self::Next(value) => NEXT_DIGIT + value % VALUES,
        };
        match char::from_u32(code) {
            Some(c) => c,
            None => char::REPLACEMENT_CHARACTER,
        }
    }
}

/// The digit that a code point of an alphabet stands for, if it does.
// Calls take less of a small board's flash than copies; this and what follows is not where time goes.
#[inline(never)]
#[must_use]
pub const fn digit(code_point: u32) -> Option<Digit> {
    match code_point {
        NEXT_DIGIT.. if code_point < NEXT_DIGIT + VALUES => {
            Some(Digit::Next(code_point - NEXT_DIGIT))
        }
        FIRST_DIGIT..NEXT_DIGIT => Some(Digit::First(code_point - FIRST_DIGIT)),
        _ => None,
    }
}

/// Whether a character can be spelt: no control character, nor what stands for lost ones.
#[inline(never)]
#[must_use]
pub fn is_spelt(c: char) -> bool {
    (c as u32) < FIRST_DIGITS * VALUES * VALUES
        && !c.is_control()
        && c != char::REPLACEMENT_CHARACTER
}

/// What stands for the digits of a character, for one that [`is_spelt`].
#[must_use]
pub const fn stand_ins(c: char) -> [char; SPELT_DIGITS] {
    let code = c as u32;
    [
        Digit::First(code / VALUES / VALUES).stand_in(),
        Digit::Next(code / VALUES).stand_in(),
        Digit::Next(code).stand_in(),
    ]
}

/// Symbols of an alphabet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SymbolSet([u32; 8]);

impl SymbolSet {
    /// None.
    pub const EMPTY: Self = Self([0; 8]);

    /// Adds one.
    pub fn insert(&mut self, symbol: Symbol) {
        self.0[usize::from(symbol >> 5)] |= 1 << (symbol & 31);
    }

    /// Whether it has the symbol of this index, which is below 256.
    #[must_use]
    pub fn holds(&self, index: usize) -> bool {
        self.0[index >> 5 & 7] >> (index & 31) & 1 == 1
    }
}

/// The beginning of a character that is being spelt; nothing, between two characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spelling {
    code: u32,
    count: usize,
}

impl Spelling {
    /// Whether no digit is there yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    fn missing(self) -> usize {
        SPELT_DIGITS - self.count
    }

    /// With the digit behind the others, where it may stand there.
    #[inline(never)]
    fn with(self, digit: Digit) -> Option<Self> {
        let code = match (digit, self.count) {
            (Digit::First(value), 0) => value,
            (Digit::Next(value), 1..SPELT_DIGITS) => self.code << DIGIT_BITS | value,
            _ => return None,
        };
        Some(Self {
            code,
            count: self.count + 1,
        })
    }

    /// Takes the next symbol, by its code point in the alphabet; returns the character that is complete
    /// with it. What spells none is [`char::REPLACEMENT_CHARACTER`].
    #[inline(never)]
    pub fn push(&mut self, symbol: char) -> Option<char> {
        let digit = digit(symbol as u32);
        let next = digit.and_then(|digit| self.with(digit));
        *self = next.filter(|next| next.missing() > 0).unwrap_or_default();
        if !self.is_empty() {
            return None;
        }
        // Whatever breaks a spelling off is only chosen where an alphabet leaves nothing else.
        Some(match (digit, next) {
            (None, _) => symbol,
            (_, whole) => {
                let whole = whole.and_then(|whole| char::from_u32(whole.code));
                let whole = whole.filter(|&c| is_spelt(c));
                whole.unwrap_or(char::REPLACEMENT_CHARACTER)
            }
        })
    }

    /// Whether the next digit can be the last one of this character.
    #[must_use]
    pub fn begins(&self, character: char) -> bool {
        self.missing() == 1 && self.code == character as u32 >> DIGIT_BITS
    }

    /// The symbols that must not come next: what stands for lost characters, what breaks a spelling off, and
    /// digits from which nothing leads to a character that has no symbol of its own.
    #[inline(never)]
    #[must_use]
    pub fn barred(self, alphabet: Alphabet<'_>) -> SymbolSet {
        let mut nexts = 0;
        for code in alphabet.code_points() {
            if let Some(Digit::Next(value)) = digit(code) {
                nexts |= 1 << (value & 31);
            }
        }
        let mut barred = SymbolSet::EMPTY;
        for (symbol, code) in (0..=Symbol::MAX).zip(alphabet.code_points()) {
            let may_come = match digit(code) {
                Some(digit) => self
                    .with(digit)
                    .is_some_and(|begun| begun.leads_on(alphabet, nexts)),
                None => self.is_empty() && code != char::REPLACEMENT_CHARACTER as u32,
            };
            if !may_come {
                barred.insert(symbol);
            }
        }
        barred
    }

    /// Whether a character without a symbol of its own can come of this, by the digits of these bits.
    fn leads_on(self, alphabet: Alphabet<'_>, nexts: u32) -> bool {
        let bits = DIGIT_BITS * self.missing() as u32;
        (0..1_u32 << bits).any(|rest| {
            let last = nexts >> (rest & 31);
            let before = nexts >> (rest >> DIGIT_BITS & 31);
            let are_there = match self.missing() {
                0 => 1,
                1 => last,
                _ => last & before,
            };
            let character = char::from_u32(self.code << bits | rest);
            are_there & 1 == 1
                && character.is_some_and(|c| is_spelt(c) && alphabet.index_of(c).is_none())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;
    use std::vec::Vec;

    /// The words of an alphabet of these characters, first digits and other digits.
    fn words(
        own: &str,
        firsts: impl IntoIterator<Item = u32>,
        nexts: impl IntoIterator<Item = u32>,
    ) -> Vec<u32> {
        let firsts = firsts.into_iter().map(Digit::First);
        let nexts = nexts.into_iter().map(Digit::Next);
        let digits = firsts.chain(nexts).map(Digit::stand_in);
        own.chars().chain(digits).map(u32::from).collect()
    }

    /// What is written by somebody who takes what `choose` finds among the symbols that may come.
    fn write(words: &[u32], mut choose: impl FnMut(&[Symbol]) -> Symbol) -> (char, Vec<Symbol>) {
        let alphabet = Alphabet::new(words);
        let mut spelling = Spelling::default();
        let mut symbols = Vec::new();
        loop {
            let barred = spelling.barred(alphabet);
            let all = 0..alphabet.len();
            let mut may: Vec<usize> = all.clone().filter(|&index| !barred.holds(index)).collect();
            if may.is_empty() {
                assert!(writes_nothing(alphabet), "a spelling has no end");
                may = all.collect();
            }
            let may: Vec<Symbol> = may.into_iter().map(|index| index as Symbol).collect();
            symbols.push(choose(&may));
            let symbol = alphabet.char(*symbols.last().unwrap());
            if let Some(character) = spelling.push(symbol) {
                return (character, symbols);
            }
        }
    }

    fn writes_nothing(alphabet: Alphabet<'_>) -> bool {
        let barred = Spelling::default().barred(alphabet);
        (0..alphabet.len()).all(|index| barred.holds(index))
    }

    fn own() -> impl Strategy<Value = std::string::String> {
        proptest::collection::hash_set(any::<char>(), 0..100).prop_map(|own| {
            own.into_iter()
                .filter(|&c| digit(c as u32).is_none())
                .collect()
        })
    }

    proptest! {
        #[test]
        fn every_character_is_its_own_symbol_or_three_digits_and_comes_back(
            own in own(), text in ".{0,60}",
        ) {
            let firsts: HashSet<u32> = text.chars().map(|c| c as u32 >> 10).collect();
            let words = words(&own, firsts.into_iter().filter(|&first| first < 256), 0..32);
            let alphabet = Alphabet::new(&words);
            for c in text.chars() {
                let symbols = alphabet.symbols_of(c);
                let symbols = symbols.as_slice();
                let length = match (own.contains(c), is_spelt(c)) {
                    (true, _) => 1,
                    (false, true) => 3,
                    (false, false) => 0,
                };
                prop_assert_eq!(symbols.len(), length);
                let mut spelling = Spelling::default();
                let mut written = symbols.iter().map(|&symbol| {
                    spelling.push(alphabet.char(symbol))
                });
                prop_assert!(length == 0 || written.by_ref().nth(length - 1) == Some(Some(c)));
            }
        }

        #[test]
        fn whatever_is_drawn_it_reads_as_the_very_symbols_that_were_drawn(
            own in own(),
            firsts in proptest::collection::hash_set(0..256_u32, 0..50),
            nexts in proptest::collection::hash_set(0..32_u32, 0..=32),
            draws: Vec<proptest::sample::Index>,
        ) {
            let words = words(&own, firsts, nexts);
            let alphabet = Alphabet::new(&words);
            prop_assume!(!writes_nothing(alphabet));
            let mut draws = draws.into_iter();
            while let Some(draw) = draws.next() {
                let mut next = Some(draw);
                let (character, symbols) = write(&words, |may| {
                    next.take().or_else(|| draws.next()).map_or(may[0], |draw| *draw.get(may))
                });
                let read = alphabet.symbols_of(character);
                prop_assert_eq!(read.as_slice(), symbols, "{:?}", character);
            }
        }

        #[test]
        fn no_alphabet_however_strange_leads_into_a_dead_end(
            words in proptest::collection::vec(
                prop_oneof![FIRST_DIGIT..NEXT_DIGIT + 32, Just(0xFFFD), 0..0xD800_u32], 1..=256,
            ),
            draws in proptest::collection::vec(any::<proptest::sample::Index>(), 1..60),
        ) {
            let mut draws = draws.iter().cycle();
            let alphabet = Alphabet::new(&words);
            let nothing = writes_nothing(alphabet);
            for _ in 0..20 {
                let (character, symbols) =
                    write(&words, |may| *draws.next().unwrap().get(may));
                prop_assert!(symbols.len() <= 3);
                prop_assert!(nothing || character != char::REPLACEMENT_CHARACTER);
                prop_assert!(nothing || digit(character as u32).is_none());
            }
        }
    }

    #[test]
    fn what_breaks_a_spelling_off_or_leads_nowhere_is_barred() {
        // 無 is U+7121.
        let words = words("\n無\u{FFFD}", [28], [9, 1, 2]);
        let alphabet = Alphabet::new(&words);
        let may = |spelling: Spelling| -> Vec<usize> {
            let barred = spelling.barred(alphabet);
            (0..words.len())
                .filter(|&index| !barred.holds(index))
                .collect()
        };
        let mut spelling = Spelling::default();
        assert_eq!(
            may(spelling),
            [0, 1, 3],
            "only first digits begin a character"
        );
        assert_eq!(spelling.push(Digit::First(28).stand_in()), None);
        assert_eq!(may(spelling), [4, 5, 6]);
        assert_eq!(spelling.push(Digit::Next(9).stand_in()), None);
        assert_eq!(may(spelling), [4, 6], "無 has a symbol of its own");
        assert_eq!(spelling.push(Digit::Next(2).stand_in()), Some('\u{7122}'));
        assert!(spelling.is_empty());
    }

    #[test]
    fn digits_that_spell_no_character_never_come() {
        for (first, nexts) in [(54, 0..32), (55, 0..32), (0, 0..1), (255, 0..0)] {
            let words = words("a", [first], nexts);
            let barred = Spelling::default().barred(Alphabet::new(&words));
            assert!(barred.holds(1) && !barred.holds(0), "{first}");
        }
    }

    #[test]
    fn digits_are_no_characters() {
        let words = words("a", [0, 125], 0..32);
        let alphabet = Alphabet::new(&words);
        assert!(!alphabet.knows(Digit::First(0).stand_in()));
        assert!(!alphabet.knows(Digit::Next(5).stand_in()));
        assert!(alphabet.knows('é') && alphabet.knows('😀'));
        assert!(!alphabet.knows('\u{9b}') && !alphabet.knows('\u{10fff0}'));
    }

    #[test]
    fn what_breaks_off_comes_to_an_end_too() {
        let stray = Digit::Next(3).stand_in();
        let first = Digit::First(28).stand_in();
        let mut spelling = Spelling::default();
        assert_eq!(spelling.push(stray), Some(char::REPLACEMENT_CHARACTER));
        assert_eq!(spelling.push(first), None);
        assert_eq!(spelling.push(first), Some(char::REPLACEMENT_CHARACTER));
        assert_eq!(spelling.push(first), None);
        assert_eq!(spelling.push('a'), Some('a'));
        assert!(spelling.is_empty());
    }
}
