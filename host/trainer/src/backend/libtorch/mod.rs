//! Losses and gradients by libtorch.

pub mod network;
