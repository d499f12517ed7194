//! The program: brings up the board it is built for, then talks and writes for ever.

#![no_std]
#![no_main]

use firmware::board::once::Once;
use firmware::board::{self, entry};
use firmware::session::{Memory, Session};

static MEMORY: Once<Memory> = Once::new(Memory::new());

/// Converses for ever.
#[entry]
fn main() -> ! {
    let memory = MEMORY.take().expect("the program starts once");
    Session::new(board::start(), board::models(), memory).run()
}
