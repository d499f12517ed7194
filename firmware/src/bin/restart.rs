//! Panics at power-up, and converses like the main program once it has been restarted: that a panic
//! restarts the board and is told afterwards can be seen on the serial port.

#![no_std]
#![no_main]

use firmware::board::once::Once;
use firmware::board::{self, Board, entry};
use firmware::session::{Memory, Session};

static MEMORY: Once<Memory> = Once::new(Memory::new());

/// Panics at the first start.
#[entry]
fn main() -> ! {
    let board = board::start();
    assert!(board.failure().is_some(), "as it was told to");
    let memory = MEMORY.take().expect("the program starts once");
    Session::new(board, board::models(), memory).run()
}
