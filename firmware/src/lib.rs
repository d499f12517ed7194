//! The Inkling engine: turns a model image into text with integers only.
//!
//! Principles:
//!
//! - **One definition of every bit.** [`kernels::portable`] and the scalar code beside it are the
//!   reference; every other kernel equals it, so the PC predicts what a board prints.
//! - **Nothing can fail after [`image::Model::parse`].** It checks the whole image once; behind it there
//!   is no allocation, no panic, no floating point per character, and memory is known when compiling.
//! - **Weights stay where they are.** The image is read in place, in the order it is stored.
//! - **Nothing is multiplied that can be looked up**: weights are trits, and a byte of five of them stands
//!   for a sum; scales are one multiplier per row.
//!
//! The flow: [`image`] (in [`format`]) → [`lstm`] (with [`kernels`], [`activation`], [`fixed`]) → [`sampler`]
//! (with [`guard`]) → [`generator`] (with [`spelling`]) → [`session`] (with [`console`] and [`protocol`]) → the serial port of a [`board`].
#![cfg_attr(not(test), no_std)]

#[cfg(target_endian = "big")]
compile_error!("model images are used in place and are little-endian");

pub mod activation;
pub mod alphabet;
pub mod board;
pub mod console;
pub mod fixed;
pub mod format;
pub mod generator;
pub mod guard;
pub mod image;
pub mod kernels;
mod log;
pub mod lstm;
pub mod protocol;
pub mod sampler;
pub mod serial;
pub mod session;
pub mod spelling;
pub mod surprisal;
mod talk;
pub mod until;
