//! Everything that touches a board: build a firmware for it, boot it, talk to it, measure it.
//!
//! [`board`] lists what there is, [`build`] makes a firmware of a model, [`emulate`] boots it, and
//! [`passage`] has it write; [`mod@bench`] counts what that costs, [`budget`] what it may cost, and [`fit`]
//! whether the board has room for it. [`prospect`] and [`speed`] say before what to expect.
//! [`flash`] writes it to a real board, [`mod@line`] talks to that, and [`mod@send`] gives it another model;
//! [`cuts`] lets power fail meanwhile.
//! Nothing here needs libtorch.

pub mod bench;
pub mod board;
pub mod budget;
pub mod build;
pub mod cuts;
pub mod emulate;
pub mod error;
mod files;
pub mod fit;
pub mod flash;
pub mod line;
pub mod log;
pub mod passage;
pub mod prospect;
pub mod send;
pub mod speed;
pub mod usb;

pub use board::{BOARDS, Board, DEFAULT_BOARD, find};
pub use build::{Firmware, Program};
pub use emulate::{Emulator, Options, Wanted};
pub use error::DeviceError;
pub use fit::Fit;
pub use inkling_load::{Footprint, elf};
pub use passage::Request;
pub use prospect::Prospect;
