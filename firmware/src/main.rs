//! The program: brings up the board it is built for, then talks and writes for ever.

#![no_std]
#![no_main]

use firmware::board::{self, entry};
use firmware::generator::Generator;
use firmware::image::Model;
use firmware::lstm::State;
use firmware::sampler::Settings;
use firmware::session::Session;

#[entry]
fn main() -> ! {
    static mut STATE: State = State::new();
    let board = board::Selected::start();
    let engine = Model::parse(board::linked_image())
        .map(|model| Generator::with_state(model, Settings::default(), 0, STATE));
    Session::new(board, engine).run()
}
