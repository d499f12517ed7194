//! Keeps deserts out of the text: streaks of one character become neither longer nor denser nor more
//! frequent than in the text that the model was trained on.
//!
//! [`Streaks`] is what a model says of that text, [`Watch`] follows what is written and says whether the
//! last one may come once more; the [`crate::sampler`] then leaves it out. Circles of several
//! characters, `ab ab ab`, are not its business. [`crate::format`] has the numbers.

use core::fmt;
use core::str::FromStr;

use crate::alphabet::Symbol;
use crate::format::{STREAK_LEVELS, STREAK_SHIFT};

/// Characters whose usual number of streaks may come all at once; of rare ones [`LEAST_BURST`] may.
const BURST: u32 = 4096;

/// See [`BURST`].
const LEAST_BURST: u32 = 2;

/// A density of one.
const ALL: u32 = 1 << 16;

/// How fast the density forgets: it is a mean over about 2^7 characters.
const DENSITY_SHIFT: u32 = 7;

/// When the clock is set back, so that it never runs over.
const CLOCK_END: u32 = 1 << 30;

/// How streaks are limited.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Guard {
    /// As in the text that the model was trained on, if it knows that.
    #[default]
    Text,
    /// None is longer than this.
    Most(u8),
    /// Not at all.
    Off,
}

/// What can be typed for one.
pub const TAKES: &str = "a number from 1 to 255, text or off";

/// A text that is no [`Guard`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GuardError;

impl fmt::Display for GuardError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {TAKES}")
    }
}

impl core::error::Error for GuardError {}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("text"),
            Self::Most(most) => write!(f, "{most}"),
            Self::Off => f.write_str("off"),
        }
    }
}

impl FromStr for Guard {
    type Err = GuardError;

    fn from_str(text: &str) -> Result<Self, GuardError> {
        match text {
            "text" => Ok(Self::Text),
            "off" => Ok(Self::Off),
            number => match number.parse() {
                Ok(0) | Err(_) => Err(GuardError),
                Ok(most) => Ok(Self::Most(most)),
            },
        }
    }
}

/// What a model knows of the streaks of its text.
#[derive(Clone, Copy, Debug)]
pub struct Streaks<'a> {
    /// The alphabet's words: the longest streak of each symbol is in the highest byte.
    pub words: &'a [u32],
    /// The largest density, in parts of 256; 0 where nothing is known.
    pub density: u8,
    /// The mean distance of streaks of each level, as [`decode`] reads it; 0 where there are none.
    pub distances: [u8; STREAK_LEVELS.len()],
}

/// The number that a byte stands for: `(8 + low three bits) * 2^(high five bits - 3)`, rounded down; 0
/// stands for itself.
#[must_use]
pub const fn decode(code: u8) -> u32 {
    let (exponent, mantissa) = (code as u32 >> 3, 8 + (code as u32 & 7));
    match exponent {
        _ if code == 0 => 0,
        0..3 => mantissa >> (3 - exponent),
        _ => mantissa << (exponent - 3),
    }
}

/// Follows the streak that is being written, and how dense and how frequent streaks have been.
#[derive(Clone, Debug)]
pub struct Watch {
    /// Length of the streak of the last character.
    streak: u16,
    /// The share of symbols lately that were in a streak, from its first level on; of [`ALL`].
    density: u32,
    /// Symbols so far.
    clock: u32,
    /// Until when the streaks of each level so far would have lasted, had they come evenly.
    due: [u32; STREAK_LEVELS.len()],
}

impl Watch {
    /// At the start of a passage.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            streak: 0,
            density: 0,
            clock: 0,
            due: [0; STREAK_LEVELS.len()],
        }
    }

    /// How long the streak of the last symbol is.
    #[must_use]
    pub fn streak(&self) -> u16 {
        self.streak
    }

    /// The share of symbols lately that were in a streak of the first level or longer, of 2^16.
    #[must_use]
    pub fn density(&self) -> u32 {
        self.density
    }

    /// Takes note of the next character, written or read, and whether it is the same as the one before.
    #[inline(never)]
    pub fn see(&mut self, is_same: bool, streaks: &Streaks<'_>) {
        self.streak = match is_same {
            true => self.streak.saturating_add(1),
            false => 1,
        };
        self.density = self.density_behind(self.streak);
        if self.clock == CLOCK_END {
            for due in &mut self.due {
                *due = due.saturating_sub(self.clock);
            }
            self.clock = 0;
        }
        self.clock += 1;
        if let Some(level) = level_of(self.streak)
            && let (Some(due), Some(&code)) =
                (self.due.get_mut(level), streaks.distances.get(level))
        {
            *due = (*due).max(self.clock).saturating_add(decode(code));
        }
    }

    /// The density behind one more symbol that makes the streak so long.
    fn density_behind(&self, streak: u16) -> u32 {
        let share = if streak >= STREAK_LEVELS[0] { ALL } else { 0 };
        self.density - (self.density >> DENSITY_SHIFT) + (share >> DENSITY_SHIFT)
    }

    /// Whether the last character, of which `last` is the first symbol, must not come once more.
    #[inline(never)]
    #[must_use]
    pub fn bars(&self, last: Symbol, guard: Guard, streaks: &Streaks<'_>) -> bool {
        match guard {
            Guard::Off => false,
            Guard::Most(most) => self.streak >= u16::from(most),
            // Before the first symbol there is nothing to go on with.
            Guard::Text => {
                streaks.density != 0
                    && self.streak != 0
                    && (self.is_longest(last, streaks)
                        || self.is_too_dense(streaks)
                        || self.is_too_frequent(streaks))
            }
        }
    }

    fn is_longest(&self, last: Symbol, streaks: &Streaks<'_>) -> bool {
        let word = streaks.words.get(usize::from(last)).copied();
        let longest = word.unwrap_or_default() >> STREAK_SHIFT;
        longest != 0 && u32::from(self.streak) >= longest
    }

    fn is_too_dense(&self, streaks: &Streaks<'_>) -> bool {
        let next = self.streak.saturating_add(1);
        let most = u32::from(streaks.density) * (ALL >> 8);
        next >= STREAK_LEVELS[0] && self.density_behind(next) > most
    }

    fn is_too_frequent(&self, streaks: &Streaks<'_>) -> bool {
        let next = self.streak.saturating_add(1);
        let Some(level) = level_of(next) else {
            return false;
        };
        let (due, code) = (self.due.get(level), streaks.distances.get(level));
        let (Some(&due), Some(&code @ 1..)) = (due, code) else {
            return false;
        };
        let distance = decode(code);
        let burst = distance.saturating_mul(LEAST_BURST).max(BURST) - distance;
        due > self.clock.saturating_add(burst)
    }
}

/// Which level a streak of this length has just reached, if any.
fn level_of(streak: u16) -> Option<usize> {
    STREAK_LEVELS.iter().position(|&level| level == streak)
}

impl Default for Watch {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decimal::Thousandths;
    use crate::sampler::{Sampler, Settings};
    use crate::spelling::SymbolSet;
    use proptest::prelude::*;
    use std::string::ToString;
    use std::vec::Vec;

    const SYMBOLS: usize = 4;

    /// What a text is written with that goes on with its last symbol whenever it may.
    struct Stubborn {
        watch: Watch,
        sampler: Sampler,
        guard: Guard,
        words: [u32; SYMBOLS],
        density: u8,
        distances: [u8; STREAK_LEVELS.len()],
        last: Symbol,
    }

    impl Stubborn {
        fn new(guard: Guard, longest: [u8; SYMBOLS], density: u8) -> Self {
            Self {
                watch: Watch::new(),
                sampler: Sampler::new(Settings::default(), 1),
                guard,
                words: longest.map(|longest| u32::from(longest) << STREAK_SHIFT),
                density,
                distances: [0; STREAK_LEVELS.len()],
                last: 0,
            }
        }

        /// With the sum of odds against going on, from none at all.
        fn write(&mut self, count: usize, against: i16) -> Vec<Symbol> {
            let next = |_| {
                let streaks = Streaks {
                    words: &self.words,
                    density: self.density,
                    distances: self.distances,
                };
                let mut logits = [0; SYMBOLS];
                logits[usize::from(self.last)] = 20_000 - against;
                let repeats = self.watch.bars(self.last, self.guard, &streaks);
                let repeated = repeats.then_some(self.last);
                let symbol = self
                    .sampler
                    .sample_but(&SymbolSet::EMPTY, repeated, &logits);
                self.watch.see(symbol == self.last, &streaks);
                self.last = symbol;
                symbol
            };
            (0..count).map(next).collect()
        }
    }

    fn lengths(text: &[Symbol]) -> impl Iterator<Item = (Symbol, usize)> {
        text.chunk_by(|a, b| a == b).map(|run| (run[0], run.len()))
    }

    fn reaching(text: &[Symbol], level: u16) -> u64 {
        lengths(text)
            .filter(|&(_, length)| length >= level.into())
            .count() as u64
    }

    #[test]
    #[cfg_attr(miri, ignore = "it takes long, and AddressSanitizer runs it")]
    fn without_a_guard_a_desert_has_no_end() {
        for guard in [Guard::Off, Guard::Text] {
            let text = Stubborn::new(guard, [3; SYMBOLS], 0).write(2_000, 0);
            assert!(lengths(&text).any(|(_, length)| length > 1_000));
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "it takes long, and AddressSanitizer runs it")]
    fn no_streak_is_longer_than_the_number_that_was_set() {
        for most in [1, 2, 255] {
            let mut author = Stubborn::new(Guard::Most(most), [0; SYMBOLS], 0);
            let text = author.write(3_000, 0);
            let longest = lengths(&text).map(|(_, length)| length).max();
            assert_eq!(longest, Some(most.into()));
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "it takes long, and AddressSanitizer runs it")]
    fn each_symbol_has_a_longest_streak_of_its_own() {
        let longest = [3, 17, 0, 255];
        let text = Stubborn::new(Guard::Text, longest, 255).write(20_000, 0);
        for (symbol, most) in (0..).zip(longest) {
            let of_symbol = lengths(&text).filter(|&(of, _)| of == symbol);
            let found = of_symbol.map(|(_, length)| length).max().unwrap();
            assert!(most == 0 || found <= most.into(), "{found} of {symbol}");
        }
        assert_eq!(
            lengths(&text)
                .filter(|&(of, _)| of == 0)
                .map(|(_, n)| n)
                .max(),
            Some(3)
        );
    }

    #[test]
    #[cfg_attr(miri, ignore = "it takes long, and AddressSanitizer runs it")]
    fn streaks_become_no_denser_than_in_the_text() {
        for density in [1, 30, 128] {
            let text = Stubborn::new(Guard::Text, [0; SYMBOLS], density).write(50_000, 0);
            let level = usize::from(STREAK_LEVELS[0]);
            let within = lengths(&text).map(|(_, length)| (length + 1).saturating_sub(level));
            let share = within.sum::<usize>() as f64 / 50_000.0;
            assert!(
                share <= f64::from(density) / 256.0 + 0.01,
                "{share} for {density}"
            );
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "it takes long, and AddressSanitizer runs it")]
    fn the_clock_never_runs_over() {
        let mut author = Stubborn::new(Guard::Text, [0; SYMBOLS], 255);
        author.distances = [encode(100), encode(1_000), 0, 0];
        author.watch.clock = CLOCK_END - 3_000;
        author.watch.due = [author.watch.clock + 70; STREAK_LEVELS.len()];
        let text = author.write(10_000, 0);
        assert!(author.watch.clock < CLOCK_END / 2);
        let fives = reaching(&text, STREAK_LEVELS[0]);
        assert!(
            (80..=10_000 / 100 + u64::from(BURST) / 100).contains(&fives),
            "{fives}"
        );
    }

    fn encode(distance: u32) -> u8 {
        (1..=255).find(|&code| decode(code) >= distance).unwrap()
    }

    #[test]
    fn a_guard_is_typed_as_it_is_displayed() {
        for guard in [Guard::Text, Guard::Off, Guard::Most(1), Guard::Most(255)] {
            assert_eq!(guard.to_string().parse(), Ok(guard));
        }
        for wrong in ["", "0", "256", "-1", "on", "text "] {
            assert_eq!(wrong.parse::<Guard>(), Err(GuardError), "{wrong}");
        }
    }

    proptest! {
        #[test]
        #[cfg_attr(miri, ignore = "it takes long, and AddressSanitizer runs it")]
        fn streaks_become_no_more_frequent_than_in_the_text(
            distances in proptest::array::uniform4(any::<u8>()), against in 0_i16..20_000,
        ) {
            let mut author = Stubborn::new(Guard::Text, [0; SYMBOLS], 255);
            author.distances = distances;
            let count = 20_000;
            let text = author.write(count, against);
            for (level, code) in STREAK_LEVELS.into_iter().zip(distances) {
                let distance = u64::from(decode(code));
                if let Some(usual) = (count as u64).checked_div(distance) {
                    let most = usual + (u64::from(BURST) / distance).max(2) + 1;
                    let found = reaching(&text, level);
                    prop_assert!(found <= most, "{found} of {level} for {most}");
                }
            }
        }

        #[test]
        fn what_is_sparser_than_the_text_is_never_touched(
            text in proptest::collection::vec(0..4_u8, 0..300), distances: [u8; 4],
        ) {
            // Its longest streaks are known, and no level comes near its distance.
            let mut longest = [0_u8; SYMBOLS];
            for (symbol, length) in lengths(&text) {
                let longest = &mut longest[usize::from(symbol)];
                *longest = (*longest).max(length as u8);
            }
            let words = longest.map(|longest| u32::from(longest) << STREAK_SHIFT);
            let distances = distances.map(|code| code % 64);
            let streaks = Streaks { words: &words, density: 255, distances };
            let mut watch = Watch::new();
            let mut last = None;
            for symbol in text {
                if last == Some(symbol) {
                    prop_assert!(!watch.bars(symbol, Guard::Text, &streaks));
                }
                watch.see(last == Some(symbol), &streaks);
                last = Some(symbol);
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "it takes long, and AddressSanitizer runs it")]
    fn a_guard_holds_at_every_temperature() {
        for temperature in [0, 1, 800, 65_535] {
            let mut author = Stubborn::new(Guard::Most(4), [0; SYMBOLS], 0);
            author.sampler = Sampler::new(
                Settings {
                    temperature: Thousandths(temperature),
                    ..Settings::default()
                },
                3,
            );
            let text = author.write(5_000, 0);
            assert!(lengths(&text).all(|(_, length)| length <= 4));
        }
    }
}
