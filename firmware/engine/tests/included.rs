//! An image that is part of a program is the same model as one that is read from a file.

#![allow(clippy::unwrap_used)]

use inkling_engine::included::Included;
use inkling_engine::{AlignedImage, Generator, Settings, State, include_model, state_words};

const IMAGE: &[u8] = include_bytes!("../../../weights/shakespeare-32k.img");

#[test]
#[cfg_attr(miri, ignore = "it takes long, and AddressSanitizer runs it")]
fn an_included_model_writes_what_a_read_one_writes() {
    let included = include_model!("../../../weights/shakespeare-32k.img");
    let image = AlignedImage::new(IMAGE);
    let read = image.model().unwrap();
    assert_eq!(included.name(), read.name());
    assert_eq!(included.checksum(), read.checksum());
    let state = State::<{ state_words!("../../../weights/shakespeare-32k.img") }>::new();
    let mut one = Generator::new(included, state, Settings::default(), 3).unwrap();
    let mut other = Generator::new(read, State::any(), Settings::default(), 3).unwrap();
    for _ in 0..200 {
        assert_eq!(one.next_char(), other.next_char());
    }
}

#[test]
fn a_state_of_the_models_own_size_is_enough_and_less_is_not() {
    const WORDS: usize = state_words!("../../../weights/shakespeare-32k.img");
    let model = include_model!("../../../weights/shakespeare-32k.img");
    let settings = Settings::default();
    assert!(Generator::new(model, State::<WORDS>::new(), settings, 1).is_ok());
    assert!(Generator::new(model, State::<{ WORDS - 1 }>::new(), settings, 1).is_err());
}

#[test]
#[should_panic(expected = "the model image is damaged: its checksum does not match")]
fn a_damaged_image_is_told_where_it_is_included() {
    let mut image: [u8; IMAGE.len()] = IMAGE.try_into().unwrap();
    image[1000] ^= 1;
    let _ = Included::new(image);
}
