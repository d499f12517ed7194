//! Characters without a symbol of their own: chosen from a text, spelt in digits, written whole again.

#![allow(clippy::unwrap_used)]

use host::corpus::{Alphabet, Corpus, Limits, MAX_SYMBOLS, REPLACEMENT, Reading, Shuffle, Split};
use host::quantize::{FloatModel, InputForm, quantize};
use host::synthetic::{float_model, spelling_model};
use host::writing::Author;
use inkling_engine::format::{Planes, VERSION};
use inkling_engine::image::checksum;
use inkling_engine::spelling::{Digit, digit};
use inkling_engine::{AlignedImage, Generator, Guard, ImageError, Settings, State, Thousandths};
use proptest::prelude::*;

fn ascii() -> Reading {
    Reading::default()
}

fn unicode() -> Reading {
    within(Limits::default())
}

fn within(limits: Limits) -> Reading {
    let limits = Limits {
        spell: true,
        ..limits
    };
    Reading {
        unicode: true,
        limits,
        ..Reading::default()
    }
}

fn load(text: impl AsRef<[u8]>, reading: Reading) -> Corpus {
    Corpus::from_bytes("a.txt", text.as_ref().to_vec(), reading).unwrap()
}

fn decoded(corpus: &Corpus) -> String {
    let parts = [corpus.training(), &corpus.validation().own()].concat();
    corpus.alphabet.characters(&parts).collect()
}

fn image(model: &FloatModel) -> AlignedImage {
    let parts = quantize(model, Planes::uniform(3), InputForm::Folded).unwrap();
    parts.to_image().unwrap()
}

/// 400 characters once, and the first 200 of them three times more.
fn many_characters() -> String {
    let many: String = (0..400)
        .filter_map(|n| char::from_u32(0x4e00 + n))
        .collect();
    let frequent = many.chars().take(200).collect::<String>().repeat(3);
    format!("{many}{frequent}")
}

#[test]
fn the_rarest_of_too_many_characters_are_spelt_and_none_is_lost() {
    let text = many_characters();
    let corpus = load(&text, unicode());
    assert!(corpus.alphabet.len() <= MAX_SYMBOLS);
    assert!(corpus.alphabet.spells());
    assert_eq!(corpus.alphabet.index_of(REPLACEMENT), None);
    assert_eq!(decoded(&corpus), text);
    assert_eq!(corpus.training_characters(), 900);
    assert!(corpus.training().len() > 900);
    assert_eq!(corpus.validation().characters(), 100);
    let own = text
        .chars()
        .filter(|&c| corpus.alphabet.index_of(c).is_some());
    assert_eq!(
        corpus.training().len() + corpus.validation().len(),
        3_000 - 2 * own.count()
    );
    let note = &corpus.notes[0];
    assert!(
        note.starts_with("the text has 400 different characters: the 1"),
        "{note}"
    );
    assert!(
        note.contains("are spelt in digits, three symbols each"),
        "{note}"
    );
    assert_eq!(corpus.notes.len(), 1, "{:?}", corpus.notes);
    // Metadata tell the alphabet, and any model reads the text by its own.
    let again = Alphabet::from_symbols(&corpus.alphabet.to_string()).unwrap();
    assert_eq!(again, corpus.alphabet);
}

#[test]
fn what_was_lost_before_stays_lost_and_is_said() {
    let text = format!("{}{REPLACEMENT}\u{10ff10}", many_characters());
    let corpus = load(&text, unicode());
    assert_eq!(decoded(&corpus), text.replace('\u{10ff10}', "\u{fffd}"));
    assert!(corpus.alphabet.len() <= MAX_SYMBOLS);
}

#[test]
fn characters_are_spelt_only_where_that_costs_less_than_losing_them() {
    // Without --unicode nothing is, and few rare characters are not worth digits.
    assert!(!load(many_characters(), ascii()).alphabet.spells());
    let limits = Limits {
        rare: true,
        ..Limits::default()
    };
    let reading = within(limits);
    let hardly_any = "many letters ".repeat(100_000) + &many_characters();
    let corpus = load(hardly_any, reading);
    assert!(!corpus.alphabet.spells(), "{:?}", corpus.notes);
    let limits = Limits {
        most: Some(70),
        ..Limits::default()
    };
    let reading = within(limits);
    let of_rank = |(rank, c): (i32, char)| {
        let count = 10_000.0 * 0.85_f64.powi(rank);
        c.to_string().repeat(count as usize + 1)
    };
    let english: String = (0..)
        .zip(('!'..='~').chain('à'..='ÿ'))
        .map(of_rank)
        .collect();
    let corpus = load(english, reading);
    assert!(!corpus.alphabet.spells(), "{:?}", corpus.notes);
    // So few symbols that the digits have no room.
    let limits = Limits {
        most: Some(20),
        ..Limits::default()
    };
    let reading = within(limits);
    let corpus = load(many_characters(), reading);
    assert_eq!(corpus.alphabet.len(), 20);
    assert!(!corpus.alphabet.spells());
    // Whoever wants only what occurs often gets that.
    let limits = Limits {
        least: Some(2),
        ..Limits::default()
    };
    let reading = within(limits);
    let corpus = load(many_characters(), reading);
    assert_eq!(corpus.alphabet.len(), 201);
}

#[test]
fn spelt_characters_stay_whole_in_blocks_and_in_lines_that_are_mixed() {
    let text: String = many_characters()
        .chars()
        .enumerate()
        .flat_map(|(n, c)| [c, if n % 7 == 0 { '\n' } else { '、' }])
        .collect::<String>()
        .repeat(10);
    let spread = Reading {
        validation: Split::Spread,
        ..unicode()
    };
    let corpus = load(&text, spread);
    let alphabet = &corpus.alphabet;
    assert!(alphabet.spells());
    for block in corpus.validation().blocks() {
        let read: String = alphabet.characters(block.symbols).collect();
        assert!(text.contains(&read), "{read}");
        let own: String = alphabet.characters(block.own()).collect();
        assert!(read.ends_with(&own));
    }
    let all = corpus.training_characters() + corpus.validation().characters();
    assert_eq!(all, text.chars().count());
    let mixed = Reading {
        shuffle: Some(Shuffle::Lines),
        ..spread
    };
    let corpus = load(&text, mixed);
    let blocks = corpus.validation().blocks();
    let lines = blocks.flat_map(|block| corpus.alphabet.characters(block.own()));
    let unknown = |c: &char| !text.contains(*c);
    assert_eq!(lines.filter(unknown).count(), 0);
}

#[test]
fn a_text_that_transliteration_leaves_only_the_sound_of_is_told_of_unicode() {
    let suggests = |text: &str, reading| {
        let notes = load(text, reading).notes;
        notes
            .iter()
            .any(|note| note.contains("Chinese, Japanese or Korean"))
    };
    for text in ["我们学习中文\n", "これは日本語です\n", "한국어 글입니다\n"] {
        assert!(suggests(&text.repeat(20), ascii()), "{text}");
        assert!(!suggests(&text.repeat(20), unicode()), "{text}");
    }
    assert!(!suggests(
        &"это по-русски, déjà vu, 漢字\n".repeat(20),
        ascii()
    ));
}

proptest! {
    #[test]
    fn whatever_digits_an_image_has_it_writes_whole_characters_and_comes_to_an_end(
        symbols in proptest::collection::vec(
            prop_oneof![
                (0..256_u32).prop_map(|value| Digit::First(value).stand_in()),
                (0..32_u32).prop_map(|value| Digit::Next(value).stand_in()),
                Just(char::REPLACEMENT_CHARACTER),
                any::<char>(),
            ],
            1..40,
        ),
        seed: u64,
        temperature in prop_oneof![Just(0), Just(800), Just(65_535)],
    ) {
        let mut model = float_model(symbols.len(), 8, 1, seed);
        model.alphabet.clone_from(&symbols);
        let image = image(&model);
        let settings = Settings {
            temperature: Thousandths(temperature),
            ..Settings::default()
        };
        let mut author = Author::of_image(image.model().unwrap(), settings);
        author.restart(seed);
        for c in symbols {
            author.read(c);
        }
        for _ in 0..50 {
            let mut steps = 0;
            let character = author.write_watched(|_, _| steps += 1);
            prop_assert!(steps <= 3);
            prop_assert!(digit(character.into()).is_none());
        }
    }
}

#[test]
fn what_is_written_is_read_back_in_the_same_steps() {
    let image = image(&spelling_model(24, 3));
    let model = image.model().unwrap();
    assert_eq!(model.version(), VERSION);
    let settings = Settings {
        temperature: Thousandths(1_500),
        ..Settings::default()
    };
    let mut writer = Author::of_image(model, settings);
    writer.restart(9);
    let mut reader = Generator::new(model, State::any(), settings, 9).unwrap();
    let mut spelt = 0;
    for _ in 0..2_000 {
        let mut symbols = Vec::new();
        let character = writer.write_watched(|_, symbol| symbols.push(symbol));
        assert_eq!(model.alphabet().symbols_of(character).as_slice(), symbols);
        assert!(reader.prompt_char(character));
        assert_eq!(writer.predictor().hidden(), reader.lstm().hidden());
        spelt += usize::from(symbols.len() == 3);
    }
    assert!((200..1_990).contains(&spelt), "{spelt}");
}

#[test]
fn a_guard_counts_characters_also_where_they_are_spelt() {
    let mut model = spelling_model(24, 3);
    // It would write one character for ever: of the digits 12, 5 and 5.
    model.output_bias[32 + 3] += 60.0;
    model.output_bias[64 + 5] += 60.0;
    let image = image(&model);
    for (guard, most) in [(Guard::Off, 300), (Guard::Most(2), 2)] {
        let settings = Settings {
            guard,
            ..Settings::default()
        };
        let mut generator =
            Generator::new(image.model().unwrap(), State::any(), settings, 1).unwrap();
        let text: Vec<char> = (0..300).map(|_| generator.next_char()).collect();
        let longest = text.chunk_by(|a, b| a == b).map(<[char]>::len).max();
        assert_eq!(longest, Some(most));
    }
}

#[test]
fn digits_in_an_image_of_an_older_version_are_refused() {
    let image = image(&spelling_model(8, 1));
    assert_eq!(image.bytes()[4], 5);
    for version in [3, 4] {
        let mut bytes = image.bytes().to_vec();
        bytes[4] = version;
        let crc = checksum(&bytes);
        bytes[12..16].copy_from_slice(&crc.to_le_bytes());
        let found = AlignedImage::new(&bytes);
        assert_eq!(found.model().err(), Some(ImageError::Malformed));
    }
}
