//! What is to stand in a board's flash, and the files that bring it there.
//!
//! A crate of its own, so that the page can make such files as well as the command line. It reads no files
//! and knows no boards.

pub mod elf;
pub mod load;
pub mod model;
pub mod uf2;

pub use elf::Footprint;
pub use load::{Load, LoadError};
pub use model::ModelPlace;
