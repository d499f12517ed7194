//! Hangs at power-up, and converses like the main program once the watchdog has restarted it.

#![no_std]
#![no_main]

use firmware::board::once::Once;
use firmware::board::{self, Board, entry};
use firmware::session::{Memory, Session};

static MEMORY: Once<Memory> = Once::new(Memory::new());

/// Hangs at the first start.
#[entry]
fn main() -> ! {
    let mut board = board::start();
    board.feed_watchdog();
    while board.failure().is_none() {
        core::hint::spin_loop();
    }
    let memory = MEMORY.take().expect("the program starts once");
    Session::new(board, board::models(), memory).run()
}
