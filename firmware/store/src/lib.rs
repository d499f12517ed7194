//! Keeps models in the part of a board's flash that is set aside for them, so that one can be replaced
//! while the board runs and no power cut loses the one in use.
//!
//! [`layout`] says what lies where, [`record`] what says that a model is complete, [`mod@places`] which model
//! is used after a start, and [`Store`] replaces one. It knows no board and no serial line: the flash is
//! whatever has the traits of `embedded-storage` and can be read in place.

#![cfg_attr(not(test), no_std)]

pub mod layout;
pub mod places;
pub mod ram;
pub mod record;
mod store;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub use layout::{Layout, Slot};
pub use places::{Place, places};
pub use record::Record;
pub use store::{Flash, Keeper, Store, StoreError, Wanted};
