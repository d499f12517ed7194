//! Data: what each step learns from, as slices of bytes and floats.
//!
//! [`batches`] cuts windows out of the text, [`dropout`] draws what is dropped in them, [`random`] makes
//! every draw a function of the seed and the step. Backends take it from there.

pub mod batches;
pub mod dropout;
pub mod random;
