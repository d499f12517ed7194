//! Whatever the parser accepts is run alike by every kernel, not only what the exporter writes.

#![allow(clippy::unwrap_used)]

use inkling_engine::anything::{image, mended, settings, trace};
use inkling_engine::image::checksum;
use inkling_engine::kernels::exact::Exact;
use inkling_engine::kernels::{Kernel, Tables};
use inkling_engine::sampler::Rng;
use inkling_engine::writer::made_up;
use inkling_engine::{AlignedImage, Generator, Lstm, Settings, State};
use proptest::prelude::*;

/// Bytes of an image, and characters that it writes.
const MOST_BYTES: usize = if cfg!(miri) { 2_000 } else { 40_000 };
const CHARACTERS: usize = if cfg!(miri) { 2 } else { 40 };

/// Images that are tried.
const CASES: u32 = if cfg!(miri) { 4 } else { 100 };

fn trace_by<K: Kernel>(image: &AlignedImage, kernel: K, settings: Settings) -> u32 {
    let lstm = Lstm::with_kernel(image.model().unwrap(), State::any(), kernel).unwrap();
    trace(&mut Generator::of(lstm, settings, 7), CHARACTERS)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn whatever_parses_is_equal_on_the_kernel_of_boards_and_in_exact_arithmetic(seed: u64) {
        let image = image(seed, MOST_BYTES);
        let settings = settings(&mut Rng::new(seed));
        prop_assert_eq!(
            trace_by(&image, Tables, settings),
            trace_by(&image, Exact, settings)
        );
    }

    #[test]
    fn mending_makes_a_sound_image_of_any_bytes(
        mut bytes in proptest::collection::vec(any::<u8>(), 0..300),
        hidden in proptest::option::weighted(0.8, 0_u8..40),
    ) {
        if let Some(hidden) = hidden.or(cfg!(miri).then_some(3)) {
            bytes.resize(300, 7);
            bytes[16..18].copy_from_slice(&[hidden, 0]);
        }
        let image = mended(&bytes);
        prop_assert!(image.model().is_ok(), "{:?}", image.model());
        prop_assert_eq!(mended(image.bytes()), image);
    }
}

#[test]
fn mending_changes_nothing_that_is_sound() {
    for image in [made_up(30, 44, 2, 3), image(1, 9_000), image(2, 9_000)] {
        assert_eq!(mended(image.bytes()), image);
    }
}

#[test]
fn a_mended_image_keeps_all_that_may_stand_there() {
    let sound = made_up(30, 44, 2, 3);
    let mut bytes = sound.bytes().to_vec();
    let last = bytes.len() - 16;
    bytes[last] = 255; // stands for no trits
    bytes[12] ^= 1;
    let mended = mended(&bytes);
    bytes[last] = mended.bytes()[last];
    let crc = checksum(&bytes).to_le_bytes();
    bytes[12..16].copy_from_slice(&crc);
    assert_eq!(mended.bytes(), bytes);
}

#[test]
fn images_of_seeds_have_every_form_that_there_is() {
    let mut layers = [0; 5];
    let mut versions = [0; 6];
    let mut planes = [0; 6];
    let (mut folded, mut symbols, mut largest) = (0, Vec::new(), 0);
    for seed in 0..if cfg!(miri) { 0 } else { 400 } {
        let image = image(seed, 100_000);
        let model = image.model().unwrap();
        let dimensions = model.dimensions();
        layers[dimensions.layers] += 1;
        versions[usize::from(model.version())] += 1;
        planes[usize::from(dimensions.planes.recurrent)] += 1;
        folded += u32::from(dimensions.is_folded());
        symbols.push(dimensions.symbols);
        largest = largest.max(image.bytes().len());
        assert!(image.bytes().len() <= 100_000);
    }
    if !cfg!(miri) {
        assert!(layers[1..].iter().all(|&count| count > 50), "{layers:?}");
        assert!(
            versions[3..].iter().all(|&count| count > 50),
            "{versions:?}"
        );
        assert!(planes[1..].iter().all(|&count| count > 40), "{planes:?}");
        assert!((50..350).contains(&folded), "{folded}");
        assert!(symbols.contains(&1) && symbols.contains(&256));
        assert!(largest > 60_000, "{largest}");
    }
}
