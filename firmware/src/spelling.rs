//! Characters without a symbol of their own, spelt in three digits of six bits of their code point each.
//!
//! The digits that an alphabet has are symbols like others and stand in it as private code points; the
//! [`crate::alphabet`] says what a character is read as. [`Spelling`] puts together what is written, and
//! says which symbols may come next so that whole characters come of it.

use crate::alphabet::{Alphabet, Symbol};
use crate::format::{DIGIT_BITS, FIRST_DIGIT, SPELT_DIGITS};

/// Values of a digit.
const VALUES: u32 = 1 << DIGIT_BITS;

/// The digit that a code point of an alphabet stands for, if it does.
#[must_use]
pub const fn digit(code_point: u32) -> Option<u32> {
    match code_point.checked_sub(FIRST_DIGIT) {
        Some(digit) if digit < VALUES => Some(digit),
        _ => None,
    }
}

/// What stands in an alphabet for a digit, of which the lowest six bits count.
#[must_use]
pub const fn stand_in(digit: u32) -> char {
    match char::from_u32(FIRST_DIGIT + digit % VALUES) {
        Some(c) => c,
        None => char::REPLACEMENT_CHARACTER,
    }
}

/// Whether a character can be spelt: no control character, nor what stands for lost ones, and no digit.
#[must_use]
pub fn is_spelt(c: char) -> bool {
    (c as u32) < 1 << (DIGIT_BITS * SPELT_DIGITS as u32)
        && !c.is_control()
        && c != char::REPLACEMENT_CHARACTER
}

/// The digits of a character, for one that [`is_spelt`].
#[must_use]
pub const fn digits(c: char) -> [u32; SPELT_DIGITS] {
    let code = c as u32;
    [
        code >> (2 * DIGIT_BITS) & (VALUES - 1),
        code >> DIGIT_BITS & (VALUES - 1),
        code & (VALUES - 1),
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

    fn with(self, digit: u32) -> Self {
        Self {
            code: self.code << DIGIT_BITS | digit,
            count: self.count + 1,
        }
    }

    /// The character that the digits spell.
    fn character(self) -> Option<char> {
        char::from_u32(self.code).filter(|&c| is_spelt(c))
    }

    /// Takes the next symbol, by its code point in the alphabet; returns the character that is complete
    /// with it. What spells none is [`char::REPLACEMENT_CHARACTER`].
    pub fn push(&mut self, symbol: char) -> Option<char> {
        let next = match digit(symbol as u32) {
            Some(digit) => self.with(digit),
            // Only where an alphabet cannot end what it began.
            None => {
                *self = Self::default();
                return Some(symbol);
            }
        };
        if next.missing() > 0 {
            *self = next;
            return None;
        }
        *self = Self::default();
        Some(next.character().unwrap_or(char::REPLACEMENT_CHARACTER))
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
        let mut digits = Digits::default();
        for digit in alphabet.code_points().filter_map(digit) {
            digits.insert(digit as u8);
        }
        let mut barred = SymbolSet::EMPTY;
        for (symbol, code) in (0..=Symbol::MAX).zip(alphabet.code_points()) {
            let may_come = match digit(code) {
                Some(digit) => self.with(digit).leads_on(alphabet, &digits),
                None => self.is_empty() && code != char::REPLACEMENT_CHARACTER as u32,
            };
            if !may_come {
                barred.insert(symbol);
            }
        }
        barred
    }

    /// Whether a character without a symbol of its own can come of this, by these digits.
    fn leads_on(self, alphabet: Alphabet<'_>, digits: &Digits) -> bool {
        let bits = DIGIT_BITS * self.missing() as u32;
        (0..1_u32 << bits).any(|rest| {
            let is_there = match self.missing() {
                0 => true,
                1 => digits.holds(rest as usize),
                _ => {
                    digits.holds((rest / VALUES) as usize) && digits.holds((rest % VALUES) as usize)
                }
            };
            let whole = Self {
                code: self.code << bits | rest,
                count: SPELT_DIGITS,
            };
            let character = whole.character().filter(|_| is_there);
            character.is_some_and(|character| alphabet.index_of(character).is_none())
        })
    }
}

/// The digits of an alphabet: those of the lowest 64 numbers that are in it.
type Digits = SymbolSet;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// The words of an alphabet of these characters and digits.
    fn words(own: &str, digits: impl IntoIterator<Item = u32>) -> Vec<u32> {
        let digits = digits.into_iter().map(|digit| stand_in(digit) as u32);
        own.chars().map(u32::from).chain(digits).collect()
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
                assert!(spelling.is_empty(), "a spelling has no end");
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
            own in own(), text: std::string::String,
        ) {
            let words = words(&own, 0..64);
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
            own in own(), digits in proptest::collection::hash_set(0..64_u32, 0..64),
            draws: Vec<proptest::sample::Index>, few: bool,
        ) {
            let digits = digits.into_iter().take(if few { 3 } else { 64 });
            let words = words(&own, digits);
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
                prop_oneof![FIRST_DIGIT..FIRST_DIGIT + 64, Just(0xFFFD), 0..0xD800_u32], 1..=256,
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
        // 無 is U+7121: 7, 4, 33.
        let words = words("\n無\u{FFFD}", [7, 4, 33, 34]);
        let alphabet = Alphabet::new(&words);
        let may = |spelling: Spelling| -> Vec<usize> {
            let barred = spelling.barred(alphabet);
            (0..words.len())
                .filter(|&index| !barred.holds(index))
                .collect()
        };
        let mut spelling = Spelling::default();
        assert_eq!(may(spelling), [0, 1, 3, 4, 5, 6]);
        assert_eq!(spelling.push(stand_in(7)), None);
        assert_eq!(may(spelling), [3, 4, 5, 6]);
        assert_eq!(spelling.push(stand_in(4)), None);
        // 無 has a symbol of its own.
        assert_eq!(may(spelling), [3, 4, 6]);
        assert_eq!(spelling.push(stand_in(34)), Some('\u{7122}'));
        assert!(spelling.is_empty());

        let surrogates = self::words("a", [13, 40]);
        let alphabet = Alphabet::new(&surrogates);
        let barred = Spelling::default().with(13).barred(alphabet);
        assert!(
            !barred.holds(1) && barred.holds(2),
            "U+DA0D is no character"
        );
        let controls = self::words("a", [0]);
        assert!(
            Spelling::default()
                .barred(Alphabet::new(&controls))
                .holds(1)
        );
    }

    #[test]
    fn digits_are_no_characters() {
        let words = words("a", 0..64);
        let alphabet = Alphabet::new(&words);
        assert!(!alphabet.knows(stand_in(5)));
        assert!(alphabet.knows('é') && alphabet.knows('😀'));
        assert!(!alphabet.knows('\u{9b}') && !alphabet.knows('\u{10fff0}'));
    }
}
