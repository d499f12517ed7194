//! Hangs at power-up, and converses like the main program once the watchdog has restarted it.

#![no_std]
#![no_main]

use firmware::board::{self, Board, entry};
use firmware::image::Choice;
use firmware::session::{Memory, Session};

#[entry]
fn main() -> ! {
    static mut MEMORY: Memory = Memory::new();
    let mut board = board::start();
    board.feed_watchdog();
    while board.failure().is_none() {
        core::hint::spin_loop();
    }
    let models = Choice::new(board::flashed_image(), board::linked_image());
    Session::new(board, models, MEMORY).run()
}
