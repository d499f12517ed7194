//! For processors that this program has no wide instructions for.

use super::{Chunk, ChunkColumns, Sums};

/// There are none.
#[derive(Clone, Copy, Debug)]
pub enum Simd {}

impl Simd {
    /// None.
    pub fn all() -> impl Iterator<Item = Self> {
        core::iter::empty()
    }

    /// Never called.
    pub fn multiply<'t>(
        self,
        _: &[ChunkColumns],
        _: impl Iterator<Item = &'t [Chunk]>,
        _: &[Sums],
        _: i32,
        _: impl FnMut(usize, Sums),
    ) {
        match self {}
    }
}
