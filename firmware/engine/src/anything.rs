//! Anything that the parser accepts, and what a model makes of it as one number: for tests of every core
//! and kernel, and for fuzzers. No program needs it.
//!
//! What the exporter writes stays within ranges; here every field has any value that it may have.

use core::borrow::BorrowMut;

use crate::decimal::Thousandths;
use crate::generator::Generator;
use crate::guard::Guard;
use crate::kernels::Kernel;
use crate::sampler::{Rng, Settings};

#[cfg(feature = "alloc")]
mod image;
#[cfg(feature = "alloc")]
pub use image::{image, mended};

/// Characters that are enough to tell cores apart.
pub const TRACED: usize = 30;

/// Any settings, the usual ones more often than others.
pub fn settings(random: &mut Rng) -> Settings {
    let usual = Settings::default();
    let mut choice = |usual: u16, most: u32| match random.next_u32() % 3 {
        0 => (random.next_u32() % (most + 1)) as u16,
        _ => usual,
    };
    let temperature = Thousandths(choice(usual.temperature.0, u16::MAX.into()));
    let top_p = Thousandths(choice(usual.top_p.0, 1_000));
    let top_k = choice(usual.top_k.into(), u8::MAX.into()) as u8;
    let guard = match choice(0, 2 + u32::from(u8::MAX)) {
        0 => Guard::Text,
        1 => Guard::Off,
        most => Guard::Most((most - 1).min(u8::MAX.into()) as u8),
    };
    Settings {
        temperature,
        top_k,
        top_p,
        guard,
    }
}

/// Lets a model write so many characters and sums up all that can be seen of them: the characters, and
/// behind each the logits, the hidden units and the cells.
pub fn trace<S: BorrowMut<[u32]>, K: Kernel>(
    generator: &mut Generator<'_, S, K>,
    characters: usize,
) -> u32 {
    const BASIS: u32 = 0x811C_9DC5;
    const PRIME: u32 = 0x0100_0193;
    let mut sum = BASIS;
    let mut see = |number: u32| sum = (sum ^ number).wrapping_mul(PRIME).rotate_left(7);
    for _ in 0..characters {
        see(generator.next_char().into());
        let lstm = generator.lstm();
        lstm.logits().iter().for_each(|&logit| see(logit as u32));
        lstm.hidden().iter().for_each(|&unit| see(unit as u32));
        lstm.cells().for_each(|cell| see(cell as u32));
    }
    sum
}
