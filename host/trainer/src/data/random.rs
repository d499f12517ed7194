//! Chance without state: every random choice of a run is a function of its seed and the step.
//!
//! That is what makes a resumed run equal to an uninterrupted one: there is no generator to save.

/// What a random choice is for, so that no two purposes share numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The first weights.
    Weights,
    /// Which parts are dropped.
    Dropout,
    /// Where windows of text begin.
    Windows,
    /// The samples that are shown.
    Samples,
}

/// A number that depends on all of its arguments and looks random.
#[must_use]
pub fn draw(seed: u64, purpose: Purpose, index: u64) -> u64 {
    mix(mix(mix(seed) ^ purpose as u64) ^ index)
}

/// Seeds libtorch's generator for one purpose at one step.
pub fn seed_torch(seed: u64, purpose: Purpose, index: u64) {
    tch::manual_seed(draw(seed, purpose, index).cast_signed());
}

/// The output function of SplitMix64.
fn mix(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
