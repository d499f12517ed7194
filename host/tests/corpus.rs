//! What the corpus promises: which texts are taken, what becomes of them, and what is said of the
//! others.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use host::corpus::text::Cleaner;
use host::corpus::{
    self, Alphabet, Corpus, CorpusError, MAX_SYMBOLS, MAX_VALIDATION, REPLACEMENT, Reading, Source,
};

const ASCII: Reading = Reading {
    unicode: false,
    lossy: false,
    printable: false,
};
const UNICODE: Reading = Reading {
    unicode: true,
    ..ASCII
};

fn load(bytes: impl AsRef<[u8]>, reading: Reading) -> Result<Corpus, CorpusError> {
    Corpus::from_bytes("a.txt", bytes.as_ref().to_vec(), reading)
}

fn refusal(bytes: impl AsRef<[u8]>) -> String {
    load(bytes, ASCII).unwrap_err().to_string()
}

fn decoded(corpus: &Corpus) -> String {
    let parts = [corpus.training(), corpus.validation()].concat();
    let char = |&symbol| corpus.alphabet.char(symbol).unwrap();
    parts.iter().map(char).collect()
}

#[test]
fn symbols_are_ordered_by_falling_frequency_then_code_point() {
    let corpus = load("banana cab", ASCII).unwrap();
    assert_eq!(corpus.alphabet.to_string(), "abn c");
    assert_eq!(corpus.alphabet.index_of('a'), Some(0));
    assert_eq!(corpus.alphabet.index_of('z'), None);
    assert_eq!(decoded(&corpus), "banana cab");
}

#[test]
fn a_corpus_is_described_without_the_folder_it_lay_in() {
    let path = "somebody/private/a.txt";
    let corpus = Corpus::from_bytes(path, b"text".to_vec(), ASCII).unwrap();
    assert_eq!(corpus.description, "a.txt");
}

#[test]
fn the_tutorials_alphabet_is_all_of_string_printable() {
    let printable = Reading {
        printable: true,
        ..ASCII
    };
    let corpus = load("zzyy z", printable).unwrap();
    assert_eq!(corpus.alphabet.len(), 100);
    assert!(
        corpus
            .alphabet
            .to_string()
            .starts_with("zy \t\n\u{b}\u{c}\r!\"#")
    );
}

#[test]
fn the_last_tenth_is_for_validation() {
    for len in 1..200 {
        let corpus = load("é".repeat(len), UNICODE).unwrap();
        assert_eq!(corpus.training().len(), len * 9 / 10);
        assert_eq!(corpus.validation().len(), len - len * 9 / 10);
    }
}

#[test]
fn of_a_huge_text_no_more_is_measured_than_takes_bounded_time() {
    let text = "0123456789".repeat(MAX_VALIDATION + 3);
    let corpus = load(&text, ASCII).unwrap();
    assert_eq!(corpus.training().len(), text.len() / 10 * 9);
    assert_eq!(corpus.validation().len(), MAX_VALIDATION);
    let told = format!("the first {MAX_VALIDATION} of the last {}", text.len() / 10);
    assert!(corpus.notes[0].contains(&told), "{:?}", corpus.notes);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.txt");
    std::fs::write(&path, &text).unwrap();
    let encoded =
        corpus::validation_symbols(&Source::File(path), "9876543210", ASCII, &|_| ()).unwrap();
    assert_eq!(encoded.symbols.len(), MAX_VALIDATION);
    // Training ends with a 6, so the validation part begins with a 7.
    let begin = text.len() / 10 * 9 % 10;
    assert_eq!(usize::from(encoded.symbols[0]), 9 - begin);
}

#[test]
fn line_ends_and_a_byte_order_mark_are_normalised() {
    let corpus = load("\u{feff}a\r\nb\rc\n\r\nd", ASCII).unwrap();
    assert_eq!(decoded(&corpus), "a\nb\nc\n\nd");
}

#[test]
fn other_scripts_are_transliterated_unless_they_are_to_be_kept() {
    let text = "Привет — 안녕, “naïve” 😀";
    let ascii = load(text, ASCII).unwrap();
    assert!(decoded(&ascii).is_ascii(), "{}", decoded(&ascii));
    assert!(decoded(&ascii).starts_with("Privet -- "));
    assert!(
        ascii.notes[0].starts_with("left out: 1 characters without"),
        "{:?}",
        ascii.notes
    );
    let own = load(text, UNICODE).unwrap();
    assert_eq!(decoded(&own), text);
    assert!(own.notes.is_empty());
}

#[test]
fn control_characters_never_reach_a_board() {
    for reading in [ASCII, UNICODE] {
        let corpus = load("a\u{1b}[31mb\u{7f}\tc\n", reading).unwrap();
        assert_eq!(decoded(&corpus), "a[31mb\tc\n");
    }
}

#[test]
fn the_rarest_of_too_many_characters_share_one_symbol_with_a_note() {
    let many: String = (0..400)
        .filter_map(|n| char::from_u32(0x4e00 + n))
        .collect();
    let frequent = many.chars().take(200).collect::<String>().repeat(3);
    let text = format!("{many}{frequent}");
    for text in [text.clone(), format!("{text}{REPLACEMENT}")] {
        let corpus = load(&text, UNICODE).unwrap();
        assert_eq!(corpus.alphabet.len(), MAX_SYMBOLS);
        let kept = |c: char| corpus.alphabet.index_of(c).map_or(REPLACEMENT, |_| c);
        let expected: String = text.chars().map(kept).collect();
        assert_eq!(decoded(&corpus), expected);
        let replaced = expected.matches(REPLACEMENT).count();
        assert_eq!(replaced, text.chars().count() - 800 - (MAX_SYMBOLS - 201));
        // Together they are the most frequent symbol.
        assert_eq!(corpus.alphabet.index_of(REPLACEMENT), Some(0));
        let note = &corpus.notes[0];
        assert!(
            note.contains("the 146 rarest (14.6 % of the text)"),
            "{note}"
        );
    }
}

#[test]
fn what_is_no_text_is_refused_in_one_sentence() {
    assert!(refusal("").starts_with("'a.txt' is empty"));
    assert!(refusal("\u{feff}").starts_with("'a.txt' is empty"));
    assert!(refusal(b"ab\0c").contains("binary file (zero byte at offset 2)"));
    let latin1 = refusal(b"caf\xe9 au lait");
    assert!(latin1.contains("first bad byte at offset 3"), "{latin1}");
    assert!(latin1.contains("--lossy"));
    assert!(refusal("😀 😀\n").contains("--unicode"));
    assert!(!refusal("😀").contains('\n'));
}

#[test]
fn lossy_reading_drops_what_it_cannot_decode() {
    let lossy = Reading {
        lossy: true,
        ..ASCII
    };
    let corpus = load(b"caf\xe9 \0au lait", lossy).unwrap();
    assert_eq!(decoded(&corpus), "caf au lait");
}

#[test]
fn tiny_texts_are_texts() {
    assert_eq!(load("a", ASCII).unwrap().alphabet.len(), 1);
    assert_eq!(load("\n\n\n", ASCII).unwrap().training().len(), 2);
}

#[test]
fn files_that_are_not_there_or_are_folders_are_named() {
    let load = |path: &Path| {
        let source = Source::File(path.to_owned());
        Corpus::load(&source, ASCII, &|_| ())
            .unwrap_err()
            .to_string()
    };
    let folder = tempfile::tempdir().unwrap();
    assert!(load(folder.path()).contains("is a directory"));
    let missing = load(&folder.path().join("no.txt"));
    assert!(missing.starts_with("cannot find the text"), "{missing}");
    assert!(missing.contains("no.txt"));
}

#[test]
fn a_text_is_measured_under_the_alphabet_of_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.txt");
    std::fs::write(&path, "0123456789".repeat(9) + "abcabcabxy").unwrap();
    let source = Source::File(path);
    let measure = |alphabet: &str| corpus::validation_symbols(&source, alphabet, ASCII, &|_| ());
    let encoded = measure("cba").unwrap();
    assert_eq!(encoded.symbols, [2, 1, 0, 2, 1, 0, 2, 1]);
    assert_eq!(encoded.skipped, 2);
    assert!(measure("").is_err());
    assert!(measure("aba").is_err());
}

#[test]
fn alphabets_survive_the_way_through_metadata() {
    let alphabet = load("\n\"'\\ é한😀", UNICODE).unwrap().alphabet;
    assert_eq!(
        Alphabet::from_symbols(&alphabet.to_string()).unwrap(),
        alphabet
    );
    let most: String = (0..255)
        .filter_map(|n| char::from_u32(0x4e00 + n))
        .collect();
    assert_eq!(Alphabet::from_symbols(&most).unwrap().len(), 255);
    assert!(Alphabet::from_symbols(&format!("{most}a")).is_err());
}

#[test]
fn cleaning_twice_changes_nothing_more() {
    for unicode in [false, true] {
        let clean = |text: &str| {
            let mut cleaner = Cleaner::new(unicode);
            let mut clean = String::new();
            cleaner.push(text, |c| clean.push(c));
            (clean, cleaner.dropped())
        };
        let (once, dropped) = clean("Ünï\r\nß—\u{0}…\t한");
        assert_eq!(dropped, 1);
        assert_eq!(clean(&once), (once, 0));
    }
}

#[test]
fn the_standard_corpus_has_its_known_size_and_symbols() {
    let path = corpus::for_tests().expect("the standard corpus");
    let corpus = Corpus::load(&Source::File(path), ASCII, &|_| ()).unwrap();
    if corpus.sha256 == corpus::Standard::Tinyshakespeare.sha256() {
        assert_eq!(corpus.training().len(), 1_003_854);
        assert_eq!(corpus.validation().len(), 111_540);
        assert_eq!(corpus.alphabet.len(), 65);
        assert!(
            corpus
                .alphabet
                .to_string()
                .starts_with(" etoahsrni\nldumy,w")
        );
    } else {
        assert_eq!(corpus.sha256, corpus::Standard::Plays.sha256());
        assert!(corpus.alphabet.len() <= 100);
    }
    assert!(corpus.notes.is_empty(), "{:?}", corpus.notes);
}
