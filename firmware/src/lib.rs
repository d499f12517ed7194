//! The program that makes a board write with a model and talk over its serial port.
//!
//! What it writes is [`inkling_engine`]'s; here is what a board adds to it. The flow: lines come in through
//! a serial port of a [`board`], [`console`] reads them, [`session`] obeys them and asks the engine for one
//! character after the other, and [`protocol`] says how the board's own lines stand between those of the
//! text.
#![cfg_attr(not(test), no_std)]

pub mod board;
pub mod choice;
pub mod console;
mod log;
pub mod protocol;
pub mod sender;
pub mod serial;
pub mod session;
mod talk;
pub mod until;
