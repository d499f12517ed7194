//! How characters of a text become those that a model learns, and a prompt those that it knows.
//!
//! A crate of its own, so that the page can use it as well as the command line. It reads no files and knows
//! no models.

pub mod clean;
pub mod prompt;
mod transliteration;
