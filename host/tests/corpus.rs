//! What the corpus promises: which texts are taken, what becomes of them, and what is said of the
//! others.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use encoding_rs::{BIG5, EUC_JP, EUC_KR, GBK, ISO_2022_JP, KOI8_U, SHIFT_JIS, WINDOWS_1251};
use host::corpus::clean::{Cleaner, LeftOut};
use host::corpus::{
    self, Alphabet, Charset, Corpus, CorpusError, Limits, MAX_VALIDATION, REPLACEMENT, Reading,
    Source, Split, Tidying,
};

const ASCII: Reading = Reading {
    unicode: false,
    lossy: false,
    printable: false,
    encoding: None,
    guess: None,
    validation: Split::Last,
    shuffle: None,
    tidying: Tidying {
        gutenberg: false,
        blank_lines: false,
        unwrap: false,
        width: 0,
        lowercase: false,
    },
    limits: Limits {
        most: None,
        least: None,
        rare: false,
        spell: false,
    },
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
    let parts = [corpus.training(), &corpus.validation().own()].concat();
    corpus.alphabet.characters(&parts).collect()
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
    let opened = Source::File(path).open(ASCII, &|_| ()).unwrap();
    let encoded = corpus::validation_symbols(&opened, "9876543210", ASCII, &|_| ()).unwrap();
    assert_eq!(encoded.validation.len(), MAX_VALIDATION);
    // Training ends with a 6, so the validation part begins with a 7.
    let begin = text.len() / 10 * 9 % 10;
    assert_eq!(usize::from(encoded.validation.as_read()[0]), 9 - begin);
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
        ascii.notes[0]
            .starts_with("left out: 1 character without an ASCII form (3.4 % of the text)"),
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
fn what_is_no_text_is_refused_in_one_sentence() {
    assert!(refusal("").starts_with("'a.txt' is empty"));
    assert!(refusal("\u{feff}").starts_with("'a.txt' is empty"));
    assert!(refusal(b"ab\0c").contains("binary file (zero byte at offset 2)"));
    assert!(refusal("😀 😀\n").contains("--unicode"));
    assert!(!refusal("😀").contains('\n'));
    assert!(refusal("😀 ab 😀😀\n").starts_with("3 characters of 'a.txt' have no ASCII form"));
    assert!(refusal(b"%PDF-1.7\n").contains("a PDF document; save it as plain text"));
    assert!(refusal(b"\xff\xfe\0\0a\0\0\0").contains("is UTF-32"));
    // Neither zeros nor valid in any encoding.
    let noise: Vec<u8> = (0..4000_u32).map(|n| (n * n % 255 + 1) as u8).collect();
    assert!(refusal(&noise).contains("makes no sense in any other encoding"));
    // A program has zeros in all places, and a table of names has some between them.
    let program: Vec<u8> = (0..4000_u32).map(|n| (n * n % 256) as u8).collect();
    assert!(refusal(&program).contains("binary file"));
    let names = "one\0two2\0three\0four\0five5\0".repeat(50);
    assert!(refusal(&names).contains("binary file (zero byte at offset 3)"));
}

const RUSSIAN: &str = "Съешь ещё этих мягких французских булок, да выпей же чаю.\n";
const JAPANESE: &str = "色は匂へど散りぬるを、我が世誰ぞ常ならむ。\n";
const CHINESE: &str = "天地玄黃，宇宙洪荒。一日三秋，一言難盡。\n";

/// UTF-16 as old programs write it.
fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(bytes).collect()
}

#[test]
fn utf_16_is_recognised_with_and_without_a_byte_order_mark() {
    let english = "A line of text.\r\nAnother one: żółw, čaj, 😀!\r\n";
    let poem = CHINESE.repeat(20);
    for text in [english, RUSSIAN, JAPANESE, &poem, "a", "한국어 글\n"] {
        let clean = text.replace("\r\n", "\n");
        for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
            for marked in [text.to_owned(), format!("\u{feff}{text}")] {
                let corpus = load(utf16(&marked, bytes), UNICODE).unwrap();
                assert_eq!(decoded(&corpus), clean);
                assert_eq!(corpus.reading.guess, None);
            }
        }
    }
    let little = utf16(english, u16::to_le_bytes);
    let notes = load(little, UNICODE).unwrap().notes;
    assert_eq!(notes[0], "'a.txt' is read as UTF-16LE");
}

#[test]
fn other_encodings_are_guessed_and_the_guess_is_told() {
    for (text, encoding) in [
        (RUSSIAN, WINDOWS_1251),
        (RUSSIAN, KOI8_U),
        (JAPANESE, SHIFT_JIS),
        (JAPANESE, EUC_JP),
        (JAPANESE, ISO_2022_JP),
        (CHINESE, BIG5),
        ("天地玄黄，宇宙洪荒。一日三秋，一言难尽。\n", GBK),
        ("다람쥐 헌 쳇바퀴에 타고파.\n", EUC_KR),
    ] {
        let text = text.repeat(4);
        let (bytes, _, failed) = encoding.encode(&text);
        assert!(!failed);
        let corpus = load(&bytes, UNICODE).unwrap();
        assert_eq!(decoded(&corpus), text, "{}", encoding.name());
        let note = &corpus.notes[0];
        assert!(note.contains(encoding.name()), "{note}");
        if encoding != ISO_2022_JP {
            assert_eq!(corpus.reading.guess, Some(Charset(encoding)));
            let first: String = text.chars().take(4).collect();
            assert!(
                note.contains(&first) && note.contains("--encoding"),
                "{note}"
            );
            // Read in this way it is certain, and never a guess again.
            assert_eq!(load(&bytes, corpus.reading).unwrap().notes, [""; 0]);
        }
    }
    let latin1 = load(b"caf\xe9 au lait, na\xefve", ASCII).unwrap();
    assert_eq!(decoded(&latin1), "cafe au lait, naive");
}

#[test]
fn an_encoding_that_is_named_is_used() {
    let (bytes, _, _) = WINDOWS_1251.encode(RUSSIAN);
    let named = |name: &str| Reading {
        encoding: Some(name.parse().unwrap()),
        ..UNICODE
    };
    let corpus = load(&bytes, named("cp1251")).unwrap();
    assert_eq!(decoded(&corpus), RUSSIAN);
    assert!(corpus.notes.is_empty(), "{:?}", corpus.notes);
    let other = load(&bytes, named("KOI8-R")).unwrap();
    assert_ne!(decoded(&other), RUSSIAN);
    for name in [
        "latin-1",
        "Latin1",
        "UTF16",
        "utf_8",
        " sjis ",
        "windows-1252",
    ] {
        assert!(name.parse::<Charset>().is_ok(), "{name}");
    }
    let unknown = "klingon".parse::<Charset>().unwrap_err();
    assert!(unknown.contains("koi8-r") && unknown.contains("shift_jis"));
    // A mark in the file knows better, whoever wrote it.
    let marked = utf16("\u{feff}za\u{17c}\n", u16::to_be_bytes);
    assert_eq!(
        decoded(&load(marked, named("utf-16")).unwrap()),
        "za\u{17c}\n"
    );
    let wrong = load(RUSSIAN, named("shift_jis")).unwrap_err().to_string();
    assert!(wrong.contains("cannot be read as Shift_JIS"), "{wrong}");
}

#[test]
fn how_a_text_is_read_survives_the_way_through_metadata() {
    let (bytes, _, _) = WINDOWS_1251.encode(RUSSIAN);
    let reading = load(&bytes, ASCII).unwrap().reading;
    let json = serde_json::to_string(&reading).unwrap();
    assert_eq!(serde_json::from_str::<Reading>(&json).unwrap(), reading);
    // As it was written before there were encodings.
    let old = r#"{"unicode":true,"lossy":false,"printable":false}"#;
    assert_eq!(serde_json::from_str::<Reading>(old).unwrap(), UNICODE);
}

#[test]
fn lossy_reading_drops_and_counts_what_it_cannot_decode_but_not_much() {
    let lossy = Reading {
        lossy: true,
        ..ASCII
    };
    let damaged = [RUSSIAN.repeat(4).as_bytes(), b"\xd0 \xff\0\n"].concat();
    let corpus = load(
        &damaged,
        Reading {
            unicode: true,
            ..lossy
        },
    )
    .unwrap();
    assert_eq!(decoded(&corpus), RUSSIAN.repeat(4) + " \n");
    assert_eq!(
        corpus.notes,
        ["left out: 3 bytes that cannot be decoded (0.7 % of the text)"]
    );
    let refused = refusal(&damaged[..damaged.len() - 2]);
    assert!(
        refused
            .contains("has 2 bytes that cannot be read as UTF-8 (0.5 % of it, the first at offset"),
        "{refused}"
    );
    assert!(
        refused
            .ends_with("pass --lossy to leave that out, or name another encoding with --encoding")
    );

    let (bytes, _, _) = WINDOWS_1251.encode(RUSSIAN);
    let as_utf8 = Reading {
        encoding: Some("utf-8".parse().unwrap()),
        ..lossy
    };
    let refused = load(&bytes, as_utf8).unwrap_err().to_string();
    assert!(refused.contains("more than 3 %"), "{refused}");
    assert!(refused.contains("--encoding"), "{refused}");
    // Without a name it is read as what it is.
    assert!(decoded(&load(&bytes, lossy).unwrap()).contains("miagkikh frantsuzskikh bulok"));
    let zeros = [&b"text "[..], &[0; 5]].concat();
    assert!(
        load(zeros, lossy)
            .unwrap_err()
            .to_string()
            .contains("5 bytes")
    );
}

#[test]
fn line_ends_of_all_systems_are_one_and_pages_end_lines() {
    let text = "a\rb\r\nc\u{85}d\u{2028}e\u{2029}f\u{b}g\u{c}h\n\u{c}i\n";
    for reading in [ASCII, UNICODE] {
        let corpus = load(text, reading).unwrap();
        assert_eq!(decoded(&corpus), "a\nb\nc\nd\ne\nf\ng\nh\ni\n");
        assert!(corpus.notes.is_empty(), "{:?}", corpus.notes);
    }
}

#[test]
fn what_is_left_out_is_counted_by_its_kind_in_good_english() {
    let text = format!(
        "{}\u{1b}a\u{7}\u{200f}😀",
        "e\u{301}t\u{ad}\u{feff}".repeat(98)
    );
    assert_eq!(
        load(&text, ASCII).unwrap().notes,
        [
            "left out: 3 control characters (1.5 % of the text)",
            "left out: 1 character without an ASCII form (0.5 % of the text); --unicode keeps the \
             text's own characters",
        ]
    );
    let text = format!("{}\u{1b}", "e".repeat(5000));
    assert_eq!(
        load(&text, UNICODE).unwrap().notes,
        ["left out: 1 control character (less than 0.1 % of the text)"]
    );
}

#[test]
fn a_text_that_was_broken_before_says_so() {
    let corpus = load(format!("a{REPLACEMENT}bc"), UNICODE).unwrap();
    assert!(
        corpus.notes[0].starts_with("1 character of the text (25.0 %) is '\u{fffd}'"),
        "{:?}",
        corpus.notes
    );
}

/// A folder with files in it.
fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

fn gather(paths: &[&Path]) -> Result<(corpus::Text, Corpus), CorpusError> {
    let paths: Vec<_> = paths.iter().map(|path| path.to_path_buf()).collect();
    let text = corpus::gather(&paths, UNICODE, &|_| ())?;
    let corpus = Corpus::from_text(&text, UNICODE)?;
    Ok((text, corpus))
}

#[test]
fn several_texts_are_one_with_blank_lines_between_them() {
    let (russian, _, _) = WINDOWS_1251.encode(RUSSIAN);
    let folder = folder(&[
        ("a.txt", b"\xef\xbb\xbfa"),
        ("b.txt", b"b\n"),
        ("c.txt", b"c\n\n\n"),
        ("d.txt", &russian),
        ("e.txt", b""),
        ("f.txt", &utf16("\u{feff}f", u16::to_le_bytes)),
    ]);
    let path = |name: &str| folder.path().join(format!("{name}.txt"));
    let [b, a, c, d, e, f] = ["b", "a", "c", "d", "e", "f"].map(path);
    let (text, corpus) = gather(&[&b, &a, &c, &d, &e, &f]).unwrap();
    assert_eq!(decoded(&corpus), format!("b\n\na\n\nc\n\n\n{RUSSIAN}\nf"));
    assert_eq!(corpus.description, "b.txt and 5 more");
    // It can be read again from where it says it is, and is then the same.
    let again = Corpus::load(&text.source(), corpus.reading, &|_| ()).unwrap();
    assert_eq!(decoded(&again), decoded(&corpus));
    assert_eq!(again.sha256, corpus.sha256);
    assert_eq!(
        text.source().public(),
        Source::Files(
            ["b.txt", "a.txt", "c.txt", "d.txt", "e.txt", "f.txt"]
                .map(Into::into)
                .into()
        )
    );
    // Another order, or another border between files, is another text.
    assert_ne!(
        gather(&[&a, &b]).unwrap().1.sha256,
        gather(&[&b, &a]).unwrap().1.sha256
    );
    let (_, twice) = gather(&[&b, &b]).unwrap();
    assert_eq!(decoded(&twice), "b\n");
    assert_eq!(twice.notes, ["left out: 1 file named a second time"]);
}

#[test]
fn of_a_folder_all_texts_are_taken_in_the_order_of_their_paths() {
    let folder = folder(&[
        ("b.txt", b"b"),
        ("a/z.md", b"a z"),
        ("a/.hidden", b"x"),
        (".git/config", b"x"),
        ("c", b"c"),
        ("picture.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        ("paper.pdf", b"%PDF-1.7 %\xe2\xe3\xcf\xd3"),
    ]);
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path(), folder.path().join("a/loop")).unwrap();
    let (text, corpus) = gather(&[folder.path()]).unwrap();
    assert_eq!(decoded(&corpus), "a z\n\nb\n\nc");
    assert_eq!(text.files(), 3);
    assert!(
        corpus.description.ends_with(" (3 files)"),
        "{}",
        corpus.description
    );
    let notes = corpus.notes.join("\n");
    assert!(
        notes.contains("left out: 2 files that are no text, '"),
        "{notes}"
    );
    assert!(
        notes.contains("paper.pdf', '") && notes.contains("left out: 1 hidden file"),
        "{notes}"
    );
    // What is added later is no part of it.
    std::fs::write(folder.path().join("d.txt"), "d").unwrap();
    let again = Corpus::load(&text.source(), corpus.reading, &|_| ()).unwrap();
    assert_eq!(again.sha256, corpus.sha256);

    let empty = tempfile::tempdir().unwrap();
    let refused = gather(&[empty.path()]).unwrap_err().to_string();
    assert!(refused.starts_with("there is no text in '"), "{refused}");
}

#[test]
#[cfg(unix)]
fn what_comes_through_a_pipe_is_kept_with_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    let status = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(status.unwrap().success());
    let writer = {
        let pipe = pipe.clone();
        std::thread::spawn(move || std::fs::write(pipe, RUSSIAN))
    };
    let file = folder.path().join("file.txt");
    std::fs::write(&file, "file").unwrap();
    let (text, corpus) = gather(&[&pipe, &file]).unwrap();
    writer.join().unwrap().unwrap();
    assert_eq!(decoded(&corpus), format!("{RUSSIAN}\nfile"));
    assert_eq!(
        corpus::run_name(std::slice::from_ref(&pipe)),
        Some("text".into())
    );

    let run_dir = folder.path().join("runs/text");
    text.keep(&run_dir).unwrap();
    assert_eq!(text.source(), Source::Files(vec!["text".into(), file]));
    let source = text.source().within(&run_dir);
    let again = Corpus::load(&source, corpus.reading, &|_| ()).unwrap();
    assert_eq!(
        (decoded(&again), again.sha256),
        (decoded(&corpus), corpus.sha256)
    );
    assert_eq!(std::fs::read_dir(&run_dir).unwrap().count(), 1);
}

#[test]
fn tiny_texts_are_texts() {
    assert_eq!(load("a", ASCII).unwrap().alphabet.len(), 1);
    assert_eq!(load("\n\n\n", ASCII).unwrap().training().len(), 2);
}

#[test]
fn files_that_are_not_there_are_named() {
    let load = |path: &Path| {
        let source = Source::File(path.to_owned());
        Corpus::load(&source, ASCII, &|_| ())
            .unwrap_err()
            .to_string()
    };
    let folder = tempfile::tempdir().unwrap();
    let missing = load(&folder.path().join("no.txt"));
    assert!(missing.starts_with("cannot find the text"), "{missing}");
    assert!(missing.contains("no.txt"));
}

#[test]
fn a_text_is_measured_under_the_alphabet_of_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.txt");
    std::fs::write(&path, "0123456789".repeat(9) + "abcabcabxy").unwrap();
    let text = Source::File(path).open(ASCII, &|_| ()).unwrap();
    let measure = |alphabet: &str| corpus::validation_symbols(&text, alphabet, ASCII, &|_| ());
    let encoded = measure("cba").unwrap();
    assert_eq!(encoded.validation.own(), [2, 1, 0, 2, 1, 0, 2, 1]);
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
            (clean, cleaner.left_out())
        };
        let (once, left_out) = clean("Ünï\r\nß—\u{0}…\t한");
        assert_eq!((left_out.controls, left_out.foreign), (1, 0));
        assert_eq!(clean(&once), (once, LeftOut::default()));
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
