//! An image is read as it was written, and refused whatever is wrong with it.

#![allow(clippy::unwrap_used)]

use inkling_engine::image::{checksum, crc32, crc32_behind};
use inkling_engine::writer::made_up;
use inkling_engine::{AlignedImage, ImageError, Lstm, State};
use proptest::prelude::*;

/// Every byte is changed; Miri sees enough of it in some.
const STEP: usize = if cfg!(miri) { 17 } else { 1 };

/// The bytes of an image with its checksum made right again.
fn with_checksum(mut bytes: Vec<u8>) -> AlignedImage {
    let crc = checksum(&bytes).to_le_bytes();
    bytes[12..16].copy_from_slice(&crc);
    AlignedImage::new(&bytes)
}

#[test]
fn an_image_is_read_as_it_was_written() {
    let image = made_up(30, 44, 2, 3);
    let model = image.model().unwrap();
    assert_eq!(model.name(), "made-up");
    assert_eq!(
        (model.symbols(), model.hidden(), model.layers()),
        (30, 44, 2)
    );
    assert_eq!(model.image_bytes(), image.bytes().len());
    assert_eq!(model.alphabet().char(0), '\n');
    assert_eq!(model.alphabet().index_of('b'), Some(2));
    assert_eq!(model.alphabet().index_of('é'), None);
}

#[test]
fn any_single_changed_byte_is_refused() {
    let sound = made_up(5, 9, 1, 1);
    for position in (0..sound.bytes().len()).step_by(STEP) {
        for change in [1_u8, 0x80, 0xFF] {
            let mut bytes = sound.bytes().to_vec();
            bytes[position] ^= change;
            let damaged = AlignedImage::new(&bytes);
            assert!(damaged.model().is_err(), "byte {position} ^ {change}");
        }
    }
}

#[test]
fn bytes_that_stand_for_no_trits_are_refused() {
    let sound = made_up(5, 9, 1, 1);
    let last = sound.bytes().len() - 16; // within the output matrix
    for byte in [27, 55, 252, 255] {
        let mut bytes = sound.bytes().to_vec();
        bytes[last] = byte;
        let error = with_checksum(bytes).model().unwrap_err();
        assert_eq!(error, ImageError::Malformed, "{byte}");
    }
}

#[test]
fn an_image_that_is_cut_short_is_refused_at_every_length() {
    let sound = made_up(5, 9, 1, 2);
    for length in (0..sound.bytes().len()).step_by(STEP) {
        assert!(AlignedImage::new(&sound.bytes()[..length]).model().is_err());
    }
}

#[test]
fn another_version_is_named_with_what_to_do() {
    for version in [2, 9] {
        let mut bytes = made_up(5, 9, 1, 1).bytes().to_vec();
        bytes[4] = version;
        let error = AlignedImage::new(&bytes).model().unwrap_err();
        let found = u16::from(version);
        assert_eq!(error, ImageError::Version { found });
        assert_eq!(
            error.to_string(),
            format!(
                "the model image has format version {version}, this program reads 3 to 5: export the \
                 model again or update the program"
            )
        );
    }
}

proptest! {
    #[test]
    fn a_checksum_can_be_taken_piece_by_piece(before: Vec<u8>, behind: Vec<u8>) {
        let all = [before.clone(), behind.clone()].concat();
        prop_assert_eq!(crc32_behind(crc32(&before), &behind), crc32(&all));
        prop_assert_eq!(crc32_behind(0, &all), crc32(&all));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400), magic: bool) {
        let mut bytes = bytes;
        if magic && bytes.len() >= 16 {
            bytes[..6].copy_from_slice(b"INKL\x03\x00");
            let length = (bytes.len() as u32).to_le_bytes();
            bytes[8..12].copy_from_slice(&length);
            bytes = with_checksum(bytes).bytes().to_vec();
        }
        let image = AlignedImage::new(&bytes);
        if let Ok(model) = image.model() {
            let mut lstm = Lstm::new(model, State::any()).unwrap();
            lstm.step(0);
            prop_assert_eq!(lstm.logits().len(), model.symbols());
        }
    }
}
