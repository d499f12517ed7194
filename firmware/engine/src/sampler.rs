//! From logits to one symbol: temperature, top-k, top-p and a seeded draw, in integers.
//!
//! A symbol's weight is `2^15 * exp(-(max - logit) / T)`, by a table of powers of two: no division and
//! no floating point per symbol. Temperature 0 is greedy; of equal logits the lowest index wins. Some
//! symbols may be left out of all of this, as if they were not there.

use crate::alphabet::Symbol;
use crate::decimal::Thousandths;
use crate::fixed::LOGIT_FRACTION_BITS;
use crate::guard::Guard;
use crate::spelling::SymbolSet;
use crate::surprisal::Surprisal;

/// How to choose among the symbols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Divides the logits: 0 is greedy, 1 the model's own distribution, more is wilder.
    pub temperature: Thousandths,
    /// Draw among this many of the most probable symbols only; 0 for all.
    pub top_k: u8,
    /// Draw among the fewest most probable symbols that together reach this probability; 1 or more
    /// for all.
    pub top_p: Thousandths,
    /// How often one symbol may come in a row.
    pub guard: Guard,
}

impl Default for Settings {
    /// Temperature 0.8, as in the tutorial this project started from; all symbols, with the model's own
    /// guard.
    fn default() -> Self {
        Self {
            temperature: Thousandths(800),
            top_k: 0,
            top_p: Thousandths::ONE,
            guard: Guard::Text,
        }
    }
}

/// The random numbers: xoroshiro64** (Blackman and Vigna, 2018), seeded by `SplitMix64`.
#[derive(Clone, Debug)]
pub struct Rng {
    state: [u32; 2],
}

impl Rng {
    /// A generator whose whole sequence follows from the seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        let z = if z == 0 { 1 } else { z }; // the all-zero state would stay zero
        Self {
            state: [z as u32, (z >> 32) as u32],
        }
    }

    /// The next 32 random bits.
    pub fn next_u32(&mut self) -> u32 {
        let [s0, s1] = self.state;
        let result = s0.wrapping_mul(0x9E37_79BB).rotate_left(5).wrapping_mul(5);
        let mixed = s0 ^ s1;
        self.state = [
            s0.rotate_left(26) ^ mixed ^ (mixed << 9),
            mixed.rotate_left(13),
        ];
        result
    }
}

/// A draw that was made, and what else could have come of it.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Drawn<'a> {
    /// What drew.
    pub sampler: &'a Sampler,
    /// What was left out.
    pub barred: &'a SymbolSet,
    /// What was left out besides.
    pub repeated: Option<Symbol>,
    /// The logits, Q5.10.
    pub logits: &'a [i16],
    /// What was drawn.
    pub symbol: Symbol,
}

impl Drawn<'_> {
    /// Gives every symbol that could have been drawn, with its share of the sum of all that it gives.
    pub fn each(&self, mut give: impl FnMut(Symbol, u32)) {
        let mut both = SymbolSet::EMPTY;
        let Some(free) = free(self.barred, self.repeated, self.logits, &mut both) else {
            return;
        };
        if self.sampler.reach == 0 {
            return give(free.best as Symbol, 1);
        }
        let kept = self.sampler.kept(free, self.logits);
        for (index, &logit) in self.logits.iter().enumerate() {
            if kept.holds(index, logit) {
                give(index as Symbol, self.sampler.weight(free.max, logit));
            }
        }
    }
}

/// What may be drawn: all but some symbols, of which there is a best.
#[derive(Clone, Copy)]
struct Free<'a> {
    barred: &'a SymbolSet,
    best: usize,
    max: i16,
}

/// All but the barred symbols and a repeated one, all but the barred ones, or all: the first of these that
/// leaves anything. `both` is memory for it.
#[inline(always)]
fn free<'a>(
    barred: &'a SymbolSet,
    repeated: Option<Symbol>,
    logits: &[i16],
    both: &'a mut SymbolSet,
) -> Option<Free<'a>> {
    *both = *barred;
    if let Some(symbol) = repeated {
        both.insert(symbol);
    }
    let mut found = None;
    for barred in [&*both, barred, &SymbolSet::EMPTY] {
        if found.is_none() {
            found = best_of_others(barred, logits).map(|(best, max)| Free { barred, best, max });
        }
    }
    found
}

/// Fraction bits of a weight's binary exponent; also the table's index width.
const EXPONENT_BITS: u32 = 8;
/// Exponents from here on give weight zero: 2^-16.
const ZERO_EXPONENT: u32 = 16 << EXPONENT_BITS;
/// Fraction bits of the exponent's slope against the logit difference.
const SLOPE_BITS: u32 = 16;

/// `POWERS[i]` = 2^15 * 2^(-i / 256), rounded: weights are Q1.15.
static POWERS: [u16; 1 << EXPONENT_BITS] = powers_of_two();

const fn powers_of_two() -> [u16; 1 << EXPONENT_BITS] {
    // 2^(-1/256), 18 digits; 255 products keep it exact to 1e-14.
    const RATIO: f64 = 0.997_296_056_085_470_1;
    let mut table = [0; 1 << EXPONENT_BITS];
    let mut power = 32_768.0;
    let mut index = 0;
    while index < table.len() {
        table[index] = (power + 0.5) as u16;
        power *= RATIO;
        index += 1;
    }
    table
}

/// Draws symbols.
#[derive(Clone, Debug)]
pub struct Sampler {
    settings: Settings,
    /// log2(e) / T, scaled from a logit difference in Q5.10 to an exponent in Q?.8; Q?.16.
    slope: u32,
    /// Logit differences from here on give weight zero (0 when greedy).
    reach: u32,
    rng: Rng,
    surprisal: Surprisal,
}

impl Sampler {
    /// A sampler with its own random sequence.
    #[must_use]
    pub fn new(settings: Settings, seed: u64) -> Self {
        let mut sampler = Self {
            settings,
            slope: 0,
            reach: 0,
            rng: Rng::new(seed),
            surprisal: Surprisal::new(),
        };
        sampler.set_settings(settings);
        sampler
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.settings
    }

    /// Changes the settings; the random sequence goes on.
    pub fn set_settings(&mut self, settings: Settings) {
        /// 1000 * log2(e) * 2^(SLOPE_BITS + EXPONENT_BITS - LOGIT_FRACTION_BITS)
        const NUMERATOR: u32 = 23_637_115;
        const _: () = assert!(SLOPE_BITS + EXPONENT_BITS - LOGIT_FRACTION_BITS == 14);
        self.settings = settings;
        self.slope = NUMERATOR
            .checked_div(settings.temperature.0.into())
            .unwrap_or(0);
        self.reach = (ZERO_EXPONENT << SLOPE_BITS)
            .checked_div(self.slope)
            .unwrap_or(0);
    }

    /// Starts another random sequence.
    pub fn reseed(&mut self, seed: u64) {
        self.rng = Rng::new(seed);
        self.surprisal.clear();
    }

    /// Notes that the last symbol completes no character yet.
    pub fn goes_on(&mut self) {
        if self.reach != 0 {
            self.surprisal.goes_on();
        }
    }

    /// How surprising the last draws were.
    #[must_use]
    pub fn surprisal(&self) -> &Surprisal {
        &self.surprisal
    }

    /// Chooses a symbol by its logit (Q5.10). Greedy choices take no random number; others take one.
    pub fn sample(&mut self, logits: &[i16]) -> Symbol {
        self.sample_but(&SymbolSet::EMPTY, None, logits)
    }

    /// The same, but those that are `barred` are left out, unless they are all there is, and so is
    /// `repeated`, unless there is no other besides.
    pub fn sample_but(
        &mut self,
        barred: &SymbolSet,
        repeated: Option<Symbol>,
        logits: &[i16],
    ) -> Symbol {
        let mut both = SymbolSet::EMPTY;
        let Some(free) = free(barred, repeated, logits, &mut both) else {
            return 0;
        };
        let Free { best, max, .. } = free;
        if self.reach == 0 {
            return best as Symbol;
        }
        let random = self.rng.next_u32();
        let kept = self.kept(free, logits);
        let total = self.total(kept, logits, max);
        let point = ((u64::from(random) * u64::from(total)) >> 32) as u32;
        let (symbol, weight) = self
            .symbol_at(point, kept, logits, max)
            .unwrap_or((best as Symbol, 1 << 15));
        self.surprisal.record(weight, total);
        symbol
    }

    /// The symbols to draw from.
    #[inline(always)]
    fn kept<'a>(&self, free: Free<'a>, logits: &[i16]) -> Kept<'a> {
        let Free { barred, max, .. } = free;
        let mut kept = Kept::below(max, self.reach, barred);
        if self.settings.top_k > 0 {
            kept = kept.first(logits, self.settings.top_k.into(), |_| 1);
        }
        if self.settings.top_p < Thousandths::ONE {
            // The total is at most 256 * 2^15, so the product needs 64 bits only above 2^9 * 2^15.
            let total = self.total(kept, logits, max);
            let part = u64::from(total) * u64::from(self.settings.top_p.0);
            let target = part.div_ceil(1_000).max(1) as u32;
            kept = kept.first(logits, target, |logit| self.weight(max, logit));
        }
        kept
    }

    // The two loops of every draw are functions of their own: the smallest cores have few registers.

    /// The sum of the kept symbols' weights.
    #[inline(never)]
    fn total(&self, kept: Kept<'_>, logits: &[i16], max: i16) -> u32 {
        kept.sum(logits, |logit| self.weight(max, logit))
    }

    /// The kept symbol whose weight covers a point of the sum, and that weight.
    #[inline(never)]
    fn symbol_at(
        &self,
        mut point: u32,
        kept: Kept<'_>,
        logits: &[i16],
        max: i16,
    ) -> Option<(Symbol, u32)> {
        for (index, &logit) in logits.iter().enumerate() {
            if kept.holds(index, logit) {
                let weight = self.weight(max, logit);
                match point.checked_sub(weight) {
                    Some(rest) => point = rest,
                    None => return Some((index as Symbol, weight)),
                }
            }
        }
        None
    }

    /// The weight of a symbol within reach, from its logit and the highest one: Q1.15.
    #[inline(always)]
    fn weight(&self, max: i16, logit: i16) -> u32 {
        let difference = (i32::from(max) - i32::from(logit)) as u32;
        let exponent = difference.wrapping_mul(self.slope) >> SLOPE_BITS;
        let fraction = exponent as usize & (POWERS.len() - 1);
        u32::from(POWERS[fraction]) >> ((exponent >> EXPONENT_BITS) & 15)
    }
}

/// The first symbol with the highest logit of those that are not barred, and that logit; none where all
/// are.
#[inline(never)]
fn best_of_others(barred: &SymbolSet, logits: &[i16]) -> Option<(usize, i16)> {
    let mut best = None;
    let mut max = i16::MIN;
    for (index, &logit) in logits.iter().enumerate() {
        if (logit > max || best.is_none()) && is_free(index, barred) {
            (best, max) = (Some(index), logit);
        }
    }
    best.map(|index| (index, max))
}

/// Whether a symbol is not barred.
// A call, which is seldom made, so that the loop around it is not made longer than it need be.
#[inline(never)]
fn is_free(index: usize, barred: &SymbolSet) -> bool {
    !barred.holds(index)
}

/// The symbols to draw from: the first ones in the order of falling logits, of equal ones the lower
/// index first. This is the last one.
#[derive(Clone, Copy)]
struct Kept<'a> {
    logit: i32,
    index: usize,
    /// What is not among them in any case.
    barred: &'a SymbolSet,
}

impl<'a> Kept<'a> {
    /// Every symbol whose logit is less than `reach` below the highest one; the others weigh nothing.
    fn below(max: i16, reach: u32, barred: &'a SymbolSet) -> Self {
        Self {
            logit: i32::from(max).saturating_sub_unsigned(reach.saturating_sub(1)),
            index: usize::MAX,
            barred,
        }
    }

    /// Whether a symbol is among them.
    #[inline(always)]
    fn holds(self, index: usize, logit: i16) -> bool {
        let logit = i32::from(logit);
        let is_kept = logit > self.logit || (logit == self.logit && index <= self.index);
        is_kept && !self.barred.holds(index)
    }

    /// What the kept symbols measure together.
    #[inline(always)]
    fn sum(self, logits: &[i16], measure: impl Fn(i16) -> u32) -> u32 {
        let mut sum = 0;
        for (index, &logit) in logits.iter().enumerate() {
            if self.holds(index, logit) {
                sum += measure(logit);
            }
        }
        sum
    }

    /// What those of them measure whose logits are not below a threshold.
    #[inline(never)]
    fn above(self, threshold: i32, logits: &[i16], measure: &impl Fn(i16) -> u32) -> u32 {
        self.sum(logits, |logit| match i32::from(logit) >= threshold {
            true => measure(logit),
            false => 0,
        })
    }

    /// The first of these that together measure so much, or all of them.
    #[inline(never)]
    fn first(self, logits: &[i16], target: u32, measure: impl Fn(i16) -> u32) -> Self {
        // The highest threshold that still reaches the target, by bisection over 16 bits.
        let (mut low, mut high) = (i32::from(i16::MIN), i32::from(i16::MAX) + 1);
        while high - low > 1 {
            let middle = (low + high) >> 1;
            if self.above(middle, logits, &measure) >= target {
                low = middle;
            } else {
                high = middle;
            }
        }
        if low < self.logit {
            return self;
        }
        let mut sum = self.above(high, logits, &measure);
        let mut last = 0;
        for (index, &logit) in logits.iter().enumerate() {
            if i32::from(logit) == low && self.holds(index, logit) && sum < target {
                sum += measure(logit);
                last = index;
            }
        }
        Self {
            logit: low,
            index: last,
            barred: self.barred,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn settings(temperature: u16, top_k: u8, top_p: u16) -> Settings {
        Settings {
            temperature: Thousandths(temperature),
            top_k,
            top_p: Thousandths(top_p),
            guard: Guard::Off,
        }
    }

    fn only(symbol: Symbol) -> SymbolSet {
        let mut set = SymbolSet::EMPTY;
        set.insert(symbol);
        set
    }

    fn logit(value: f64) -> i16 {
        (value * 1_024.0) as i16
    }

    #[test]
    fn powers_are_rounded_powers_of_two() {
        for (index, &power) in POWERS.iter().enumerate() {
            let exact = 32_768.0 * (-(index as f64) / 256.0).exp2();
            assert_eq!(power, exact.round() as u16);
        }
    }

    #[test]
    fn temperature_zero_takes_the_first_of_the_best() {
        let mut sampler = Sampler::new(settings(0, 0, 1_000), 1);
        assert_eq!(sampler.sample(&[3, 9, 9, -4]), 1);
    }

    #[test]
    #[cfg_attr(miri, ignore = "it takes long, and AddressSanitizer runs it")]
    fn frequencies_follow_the_softmax() {
        for temperature in [500, 800, 1_000, 2_000] {
            let values = [2.0, 1.0, 0.0, -1.0, -30.0];
            let logits = values.map(logit);
            let mut sampler = Sampler::new(settings(temperature, 0, 1_000), 7);
            let mut counts = [0_u32; 5];
            const DRAWS: u32 = 200_000;
            for _ in 0..DRAWS {
                counts[usize::from(sampler.sample(&logits))] += 1;
            }
            let weights = values.map(|v: f64| (v * 1_000.0 / f64::from(temperature)).exp());
            let sum: f64 = weights.iter().sum();
            for (count, weight) in counts.iter().zip(weights) {
                let (found, exact) = (f64::from(*count) / f64::from(DRAWS), weight / sum);
                assert!(
                    (found - exact).abs() < 0.005,
                    "T {temperature}: {found} for {exact}"
                );
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "it takes long, and AddressSanitizer runs it")]
    fn top_k_and_top_p_keep_the_most_probable() {
        let logits = [0.0, 3.0, 3.0, 1.0, 2.0].map(logit);
        let drawn = |settings| {
            let mut sampler = Sampler::new(settings, 3);
            let mut seen = [false; 5];
            for _ in 0..5_000 {
                seen[usize::from(sampler.sample(&logits))] = true;
            }
            seen
        };
        assert_eq!(
            drawn(settings(1_000, 1, 1_000)),
            [false, true, false, false, false]
        );
        assert_eq!(
            drawn(settings(1_000, 3, 1_000)),
            [false, true, true, false, true]
        );
        assert_eq!(
            drawn(settings(1_000, 0, 100)),
            [false, true, false, false, false]
        );
        assert_eq!(
            drawn(settings(1_000, 0, 780)),
            [false, true, true, false, false]
        );
        assert_eq!(drawn(settings(1_000, 0, 999)), [true; 5]);
    }

    #[test]
    #[cfg_attr(miri, ignore = "it takes long, and AddressSanitizer runs it")]
    fn what_is_left_out_is_never_drawn_however_likely_it_is() {
        for temperature in [0, 1, 800, 65_535] {
            for (top_k, top_p) in [(0, 1_000), (1, 1_000), (2, 900), (255, 1)] {
                let settings = settings(temperature, top_k, top_p);
                for (never, logits) in [
                    (0, [i16::MAX, i16::MIN, i16::MIN]),
                    (1, [i16::MIN, i16::MAX, i16::MIN]),
                    (2, [5, 5, 5]),
                    (1, [i16::MIN; 3]),
                ] {
                    let mut sampler = Sampler::new(settings, 5);
                    for _ in 0..500 {
                        assert_ne!(sampler.sample_but(&only(never), None, &logits), never);
                    }
                }
            }
        }
        let mut alone = Sampler::new(Settings::default(), 5);
        assert_eq!(alone.sample_but(&only(0), Some(0), &[7]), 0);
        let mut greedy = Sampler::new(settings(0, 0, 1_000), 5);
        assert_eq!(greedy.sample_but(&only(0), None, &[7]), 0);
    }

    proptest! {
        #[test]
        fn leaving_a_symbol_out_is_as_if_it_were_not_there(
            mut logits in proptest::collection::vec(any::<i16>(), 1..=255),
            likely in -3_000_i16..3_000, index: proptest::sample::Index,
            temperature: u16, top_k: u8, top_p in 0..2_000_u16, seed: u64,
        ) {
            let settings = settings(temperature, top_k, top_p);
            let mut without = Sampler::new(settings, seed);
            let without: Vec<Symbol> = (0..8).map(|_| without.sample(&logits)).collect();
            let never = index.index(logits.len() + 1);
            logits.insert(never, likely.wrapping_mul(11));
            let mut with = Sampler::new(settings, seed);
            let barred = only(never as Symbol);
            for symbol in without {
                let moved = usize::from(symbol) + usize::from(usize::from(symbol) >= never);
                prop_assert_eq!(usize::from(with.sample_but(&barred, None, &logits)), moved);
            }
        }

        #[test]
        fn what_could_be_drawn_is_told_with_its_share(
            logits in proptest::collection::vec(-4_000_i16..4_000, 1..=40),
            temperature in 0..3_000_u16, top_k in 0..12_u8, top_p in 0..1_100_u16, seed: u64,
            barred in 0..40_u8, repeated in proptest::option::of(0..40_u8),
        ) {
            let mut sampler = Sampler::new(settings(temperature, top_k, top_p), seed);
            let barred = only(barred);
            let mut drawn = [0_u32; 40];
            const DRAWS: u32 = 300;
            for _ in 0..DRAWS {
                drawn[usize::from(sampler.sample_but(&barred, repeated, &logits))] += 1;
            }
            let mut shares = [0_u32; 40];
            let all = Drawn { sampler: &sampler, barred: &barred, repeated, logits: &logits, symbol: 0 };
            all.each(|symbol, share| shares[usize::from(symbol)] += share);
            let total = f64::from(shares.iter().sum::<u32>());
            for (drawn, share) in drawn.into_iter().zip(shares) {
                prop_assert!(share > 0 || drawn == 0);
                let expected = f64::from(share) / total;
                let deviation = (expected * (1.0 - expected) / f64::from(DRAWS)).sqrt();
                let found = f64::from(drawn) / f64::from(DRAWS);
                prop_assert!((found - expected).abs() <= 7.0 * deviation + 0.02);
            }
        }

        #[test]
        fn every_draw_is_a_symbol_and_repeats_with_its_seed(
            logits in proptest::collection::vec(any::<i16>(), 1..=256),
            temperature: u16, top_k: u8, top_p in 0..2_000_u16, seed: u64,
        ) {
            let settings = settings(temperature, top_k, top_p);
            let mut first = Sampler::new(settings, seed);
            let mut second = Sampler::new(settings, seed);
            for _ in 0..8 {
                let symbol = first.sample(&logits);
                prop_assert!(usize::from(symbol) < logits.len());
                prop_assert_eq!(symbol, second.sample(&logits));
            }
        }
    }
}

#[cfg(test)]
mod known_answers {
    use rand_xoshiro::rand_core::{Rng as _, SeedableRng};
    use rand_xoshiro::{SplitMix64, Xoroshiro64StarStar};

    use super::Rng;

    #[test]
    fn the_random_numbers_are_those_of_another_implementation() {
        for seed in [0, 1, 2, 1 << 32, 0x0123_4567_89AB_CDEF, u64::MAX] {
            let state = SplitMix64::seed_from_u64(seed).next_u64();
            let mut known = Xoroshiro64StarStar::from_seed(state.to_le_bytes());
            let mut ours = Rng::new(seed);
            for _ in 0..1_000 {
                assert_eq!(ours.next_u32(), known.next_u32());
            }
        }
        // So that both cannot change together.
        let mut rng = Rng::new(1);
        let numbers = [(); 3].map(|()| rng.next_u32());
        assert_eq!(numbers, [3_304_865_027, 573_926_052, 1_881_904_006]);
    }
}
