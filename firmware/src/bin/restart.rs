//! Panics at power-up, and converses like the main program once it has been restarted: that a panic
//! restarts the board and is told afterwards can be seen on the serial port.

#![no_std]
#![no_main]

use firmware::board::{self, Board, entry};
use firmware::image::Choice;
use firmware::session::{Memory, Session};

#[entry]
fn main() -> ! {
    static mut MEMORY: Memory = Memory::new();
    let board = board::start();
    assert!(board.failure().is_some(), "as it was told to");
    let models = Choice::new(board::flashed_image(), board::linked_image());
    Session::new(board, models, MEMORY).run()
}
