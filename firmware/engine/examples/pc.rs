//! Writes 300 characters with the image named on the command line, or with one that is built in:
//! `cargo run -p inkling-engine --example pc -- weights/shakespeare-64k.img`

use std::error::Error;
use std::io::{Write, stdout};

use inkling_engine::{AlignedImage, Generator, Model, Settings, State, include_model};

/// What the text begins with.
const PROMPT: &str = "JULIET:\n";

fn main() -> Result<(), Box<dyn Error>> {
    let image = match std::env::args_os().nth(1) {
        Some(path) => Some(AlignedImage::new(&std::fs::read(path)?)),
        None => None,
    };
    let model = match &image {
        Some(image) => image.model()?,
        None => built_in(),
    };

    let mut generator = Generator::new(model, State::any(), Settings::default(), 1)?;
    for letter in PROMPT.chars() {
        // A model knows the characters of its own text only.
        if generator.prompt_char(letter) {
            print!("{letter}");
        }
    }
    for _ in 0..300 {
        print!("{}", generator.next_char());
        stdout().flush()?;
    }
    println!();
    Ok(())
}

fn built_in() -> Model<'static> {
    include_model!("../../../weights/shakespeare-32k.img")
}
