//! The program: brings up the board it is built for, then talks and writes for ever.

#![no_std]
#![no_main]

use firmware::board::{self, entry};
use firmware::generator::Generator;
use firmware::image::Model;
use firmware::sampler::Settings;
use firmware::session::Session;

#[entry]
fn main() -> ! {
    let board = board::Selected::start();
    match Model::parse(board::linked_image()) {
        Ok(model) => {
            let mut generator = Generator::new(model, Settings::default(), 0);
            Session::new(board, Ok(&mut generator)).run()
        }
        Err(error) => Session::new(board, Err(error)).run(),
    }
}
