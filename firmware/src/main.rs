//! The program: brings up the board it is built for, then talks and writes for ever.

#![no_std]
#![no_main]

use firmware::board::{self, entry};
use firmware::image::Model;
use firmware::session::{Memory, Session};

#[entry]
fn main() -> ! {
    static mut MEMORY: Memory = Memory::new();
    let board = board::Selected::start();
    Session::new(board, Model::parse(board::linked_image()), MEMORY).run()
}
