//! What travels from a text to an image that guards against deserts, and what is then written.

#![allow(clippy::unwrap_used)]

use std::fs;

use host::corpus::Alphabet;
use host::export::{comes_from, export, export_stored};
use host::figures::{self, Figures, StreakCounter};
use host::image;
use host::name::Name;
use host::quantize::{FloatModel, InputForm, quantize};
use host::synthetic::float_model;
use inkling_engine::AlignedImage;
use inkling_engine::format::{GUARDED_VERSION, OLDEST_VERSION, Planes, STREAK_LEVELS};
use inkling_engine::{Generator, Guard, Settings, State, Thousandths};

const SYMBOLS: usize = 40;

/// A text with long streaks of symbol 3, now and then, and short ones of others.
fn text() -> Vec<u8> {
    let mut text = Vec::new();
    for line in 0..2_000_usize {
        let indentation = [0, 4, 8, 12, 0, 25][line * line % 6];
        text.extend(vec![3; indentation]);
        text.extend((0..30).map(|n| ((n * 7 + line) % SYMBOLS) as u8));
    }
    text
}

/// An alphabet of so many symbols; what they mean is of no account.
fn alphabet() -> Alphabet {
    let symbols: String = ('a'..).take(SYMBOLS).collect();
    Alphabet::from_symbols(&symbols).unwrap()
}

/// A model that would write deserts of symbol 3, with the figures of a text or without.
fn model(figures: Option<&Figures>) -> FloatModel {
    let mut model = float_model(SYMBOLS, 24, 1, 5);
    model.output_bias[3] += 6.0;
    let entry = figures.map(|figures| (figures::KEY.to_owned(), figures.to_json()));
    model.metadata.extend(entry);
    model
}

fn image(model: &FloatModel) -> AlignedImage {
    let parts = quantize(model, Planes::uniform(3), InputForm::Folded).unwrap();
    parts.to_image().unwrap()
}

fn write(image: &AlignedImage, guard: Guard, temperature: u16, count: usize) -> StreakCounter {
    let settings = Settings {
        temperature: Thousandths(temperature),
        guard,
        ..Settings::default()
    };
    let model = image.model().unwrap();
    let mut generator = Generator::new(model, State::any(), settings, 1).unwrap();
    let mut counter = StreakCounter::new(SYMBOLS);
    for _ in 0..count {
        let character = generator.next_char();
        counter.see(model.alphabet().index_of(character).unwrap(), character);
    }
    counter
}

#[test]
fn an_image_says_how_streaks_are_in_its_text_and_older_ones_say_nothing() {
    let figures = Figures::of(&text(), &alphabet());
    let (guarded, plain) = (image(&model(Some(&figures))), image(&model(None)));
    assert_eq!(guarded.bytes()[4], GUARDED_VERSION as u8);
    assert_eq!(plain.bytes()[4], OLDEST_VERSION as u8);
    assert_eq!(guarded.bytes().len(), plain.bytes().len());
    let (guarded, plain) = (guarded.model().unwrap(), plain.model().unwrap());
    assert!(guarded.is_guarded() && !plain.is_guarded());
    assert!(guarded.alphabet().chars().eq(plain.alphabet().chars()));
    let longest: Vec<u8> = guarded
        .streaks()
        .words
        .iter()
        .map(|word| (word >> 24) as u8)
        .collect();
    assert_eq!(longest, figures.streak_parts().longest);
    // Without a guard both write the same.
    let off = |model| {
        let settings = Settings {
            guard: Guard::Off,
            ..Settings::default()
        };
        let mut generator = Generator::new(model, State::any(), settings, 7).unwrap();
        (0..2_000)
            .map(|_| generator.next_char())
            .collect::<String>()
    };
    assert_eq!(off(guarded), off(plain));
}

#[test]
fn streaks_are_neither_longer_nor_more_frequent_than_in_the_text() {
    let text = text();
    let figures = Figures::of(&text, &alphabet());
    let image = image(&model(Some(&figures)));
    const WRITTEN: usize = 200_000;
    for temperature in [0, 500, 700, 1_000] {
        let unguarded = write(&image, Guard::Off, temperature, WRITTEN);
        assert!(unguarded.longest[3] > figures.longest[3], "{temperature}");
        let guarded = write(&image, Guard::Text, temperature, WRITTEN);
        for (found, most) in guarded.longest.iter().zip(&figures.longest) {
            assert!(found <= most.max(&1), "{found} for {most}");
        }
        for ((level, found), in_text) in STREAK_LEVELS
            .iter()
            .zip(guarded.streaks)
            .zip(figures.streaks)
        {
            let usual = in_text as f64 * WRITTEN as f64 / text.len() as f64;
            let burst = 4_096.0 * in_text as f64 / text.len() as f64 + 2.0;
            assert!(
                found as f64 <= usual + burst,
                "{found} of {level} and more at {temperature}, {usual} in the text"
            );
        }
    }
}

#[test]
fn a_text_of_the_right_kind_passes_its_own_guard() {
    let text = text();
    let figures = Figures::of(&text, &alphabet());
    let image = image(&model(Some(&figures)));
    let streaks = image.model().unwrap().streaks();
    let mut watch = inkling_engine::guard::Watch::new();
    let mut last = None;
    let barred = text.iter().filter(|&&symbol| {
        let is_same = last == Some(symbol);
        let is_barred = is_same && watch.bars(symbol, Guard::Text, &streaks);
        watch.see(is_same, &streaks);
        last = Some(symbol);
        is_barred
    });
    let barred = barred.count();
    assert!(barred * 200 < text.len(), "{barred} of {}", text.len());
}

#[test]
fn the_guard_stays_with_a_model_that_is_made_again_of_its_tensors() {
    let figures = Figures::of(&text(), &alphabet());
    let float = model(Some(&figures));
    let name = Name::like("guarded");
    let folder = tempfile::tempdir().unwrap();
    let kept = (Planes::uniform(3), InputForm::Folded);
    let exported = export(&float, &name, kept, folder.path(), None, |_| ()).unwrap();
    let image = image::open(&exported.image).unwrap();
    assert!(comes_from(&image, &float));
    fs::remove_file(&exported.image).unwrap();
    let again = export_stored(&exported.tensors, None, folder.path()).unwrap();
    assert_eq!(image::open(&again).unwrap(), image);
}

#[test]
fn an_image_with_half_a_guard_is_refused() {
    let figures = Figures::of(&text(), &alphabet());
    let seal = |bytes: &mut Vec<u8>| {
        let sum = inkling_engine::image::checksum(bytes);
        bytes[12..16].copy_from_slice(&sum.to_le_bytes());
    };
    // Of the older version, with longest streaks in its alphabet; and of the newer one, without a density.
    let guarded = image(&model(Some(&figures)));
    for (place, byte) in [(4, OLDEST_VERSION as u8), (59, 0)] {
        let mut bytes = guarded.bytes().to_vec();
        bytes[place] = byte;
        seal(&mut bytes);
        let error = AlignedImage::new(&bytes).model().unwrap_err();
        assert_eq!(error, inkling_engine::ImageError::Malformed);
    }
}
