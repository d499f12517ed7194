//! What is fuzzed: for each target a function that takes any bytes and panics where a promise is broken.
//!
//! The targets in `targets/` hand over what libFuzzer thinks of; `cargo xtask fuzz` builds and runs them,
//! after it has made the inputs that they begin with.

pub mod console;
pub mod files;
pub mod image;
pub mod runs;
pub mod session;
pub mod store;
