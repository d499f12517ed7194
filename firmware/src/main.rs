//! The program: brings up the board it is built for, then talks and writes for ever.

#![no_std]
#![no_main]

use firmware::board::{self, entry};
use firmware::image::Choice;
use firmware::session::{Memory, Session};

#[entry]
fn main() -> ! {
    static mut MEMORY: Memory = Memory::new();
    let models = Choice::new(board::flashed_image(), board::linked_image());
    Session::new(board::start(), models, MEMORY).run()
}
