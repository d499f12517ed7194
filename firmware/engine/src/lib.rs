#![doc = include_str!("../README.md")]
#![cfg_attr(not(test), no_std)]

#[cfg(feature = "alloc")]
extern crate alloc;

#[cfg(target_endian = "big")]
compile_error!("model images are used in place and are little-endian");

#[doc(hidden)]
pub mod activation;
#[cfg(feature = "alloc")]
pub mod aligned;
pub mod alphabet;
#[doc(hidden)]
pub mod anything;
#[doc(hidden)]
pub mod check;
pub mod decimal;
#[doc(hidden)]
pub mod decoder;
#[doc(hidden)]
pub mod fixed;
pub mod format;
pub mod generator;
pub mod guard;
pub mod image;
#[doc(hidden)]
pub mod included;
#[doc(hidden)]
pub mod kernels;
pub mod lstm;
pub mod sampler;
pub mod spelling;
pub mod state;
pub mod surprisal;
#[cfg(feature = "alloc")]
pub mod writer;

#[cfg(feature = "alloc")]
pub use aligned::AlignedImage;
pub use alphabet::{Alphabet, Symbol};
pub use decimal::Thousandths;
pub use generator::Generator;
pub use guard::Guard;
pub use image::{ImageError, Model};
pub use lstm::Lstm;
pub use sampler::Settings;
pub use state::State;
