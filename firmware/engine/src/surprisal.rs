//! How surprising a text is to the model that writes it, in bits per character.
//!
//! At temperature 1 this hovers around the model's loss; lower temperatures write less surprising
//! text. Only looking at it takes floating point, writing does not.

use micromath::F32Ext;

use crate::decimal::Thousandths;

/// How many of the last draws are remembered.
const WINDOW: usize = 16;

/// The weight of the drawn symbol among all weights, in as little memory as will do.
#[derive(Clone, Copy, Debug)]
struct Draw {
    /// Q1.15.
    weight: u16,
    /// In units of 2^-7: it is at least 1.0, since the likeliest symbol weighs as much.
    total: u16,
}

/// The last draws of a passage.
#[derive(Clone, Debug)]
pub struct Surprisal {
    draws: [Draw; WINDOW],
    /// A bit for each of them that did not complete a character.
    incomplete: u16,
    /// All draws there were.
    count: usize,
}

impl Surprisal {
    /// No draws yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            draws: [Draw {
                weight: 0,
                total: 0,
            }; WINDOW],
            incomplete: 0,
            count: 0,
        }
    }

    /// Remembers a draw of `weight` out of `total`, both Q.15, in the place of the oldest.
    pub fn record(&mut self, weight: u32, total: u32) {
        self.draws[self.count % WINDOW] = Draw {
            weight: weight as u16,      // at most 2^15
            total: (total >> 8) as u16, // at most 256 * 2^15 / 2^8
        };
        self.incomplete &= !(1 << (self.count % WINDOW));
        self.count = self.count.wrapping_add(1);
    }

    /// Notes that the character of the last draw goes on with the next one.
    pub fn goes_on(&mut self) {
        self.incomplete |= 1 << (self.count.wrapping_sub(1) % WINDOW);
    }

    /// Forgets all draws.
    pub fn clear(&mut self) {
        self.count = 0;
        self.incomplete = 0;
    }

    /// Sum of -log2(probability) over the last draws for each character among them, None before the first.
    ///
    /// The logarithm is micromath's approximation, good to a few hundredths of a bit.
    #[must_use]
    pub fn bits_per_char(&self) -> Option<Thousandths> {
        let draws = &self.draws[..self.count.min(WINDOW)];
        let sum: f32 = draws
            .iter()
            // By its full name: where std is about, its own log2 would come first.
            .map(|draw| F32Ext::log2(256.0 * f32::from(draw.total) / f32::from(draw.weight)))
            .sum();
        let characters = draws
            .len()
            .saturating_sub(self.incomplete.count_ones() as usize);
        let mean = sum / characters as f32;
        // NaN for no draws; the conversion saturates.
        (characters > 0).then_some(Thousandths((mean * 1_000.0) as u16))
    }
}

impl Default for Surprisal {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surprisal_is_the_mean_of_the_logarithms() {
        let mut surprisal = Surprisal::new();
        assert_eq!(surprisal.bits_per_char(), None);
        let draws = [(32_768_u32, 40_000_u32), (100, 70_123), (9_000, 91_777)];
        let mut exact = 0.0;
        for (weight, total) in draws {
            surprisal.record(weight, total);
            exact += (f64::from(total) / f64::from(weight)).log2() / draws.len() as f64;
        }
        let found = f64::from(surprisal.bits_per_char().unwrap().0) / 1_000.0;
        assert!((found - exact).abs() < 0.05, "{found} instead of {exact}");
    }

    #[test]
    fn the_draws_of_a_character_count_together() {
        let mut surprisal = Surprisal::new();
        for digit in 0..300 {
            surprisal.record(1 << 14, 1 << 16);
            if digit % 3 < 2 {
                surprisal.goes_on();
            }
        }
        // Sixteen draws are five or six characters of three draws, of 2 bits each.
        let bits = surprisal.bits_per_char().unwrap().0;
        assert!((5_200..=6_500).contains(&bits), "{bits}");
    }

    #[test]
    fn only_the_last_draws_count() {
        let mut surprisal = Surprisal::new();
        for _ in 0..100 {
            surprisal.record(1, 1 << 15);
        }
        for _ in 0..WINDOW {
            surprisal.record(1 << 14, 1 << 16);
        }
        let bits = surprisal.bits_per_char().unwrap().0;
        assert!((1_950..=2_050).contains(&bits), "{bits}");
        surprisal.clear();
        assert_eq!(surprisal.bits_per_char(), None);
    }
}
