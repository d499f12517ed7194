//! Backends: what computes losses and gradients, [`native`] in plain Rust and [`libtorch`].

pub mod libtorch;
pub mod native;
pub mod workers;
