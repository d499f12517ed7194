//! What becomes of a user's text on its way in: what is cleaned, what is left alone, what is suggested.

#![allow(clippy::unwrap_used)]

use std::fmt::Write;

use clap::Parser;
use host::cli::train::Args;
use host::corpus::{self, Corpus, REPLACEMENT, Reading, Source};

/// What `train` reads a user's own text by, with these options.
fn reading(options: &[&str]) -> Reading {
    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        args: Args,
    }
    let given = ["train", "--text", "a.txt"].iter().chain(options);
    Cli::parse_from(given).args.reading(None)
}

fn read(text: &str, options: &[&str]) -> Corpus {
    Corpus::from_bytes("a.txt", text.into(), reading(options)).unwrap()
}

/// The whole text as it is read, in its order.
fn text_of(text: &str, options: &[&str]) -> String {
    let reading = Reading {
        validation: corpus::Split::Last,
        ..reading(options)
    };
    let corpus = Corpus::from_bytes("a.txt", text.into(), reading).unwrap();
    let symbols = [corpus.training(), &corpus.validation().own()].concat();
    let char = |symbol: &u8| corpus.alphabet.char(*symbol).unwrap();
    symbols.iter().map(char).collect()
}

/// Draws from lists, the same each time.
struct Draw(u32);

impl Draw {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as usize % count
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    /// A word that hardly comes twice.
    fn name(&mut self) -> String {
        let count = 3 + self.below(3);
        let syllable =
            |draw: &mut Self| draw.of(&["bar", "row", "man", "tin", "sun", "cat", "den", "pal"]);
        let name: String = (0..count).map(|_| syllable(self)).collect();
        let (first, rest) = name.split_at(1);
        first.to_uppercase() + rest
    }

    fn sentence(&mut self, words: usize) -> String {
        const WORDS: [&str; 24] = [
            "the",
            "a",
            "of",
            "and",
            "to",
            "in",
            "it",
            "was",
            "he",
            "she",
            "that",
            "river",
            "house",
            "morning",
            "walked",
            "carried",
            "light",
            "slowly",
            "water",
            "said",
            "beneath",
            "I",
            "window",
            "remembered",
        ];
        let words: Vec<&str> = (0..words).map(|_| self.of(&WORDS)).collect();
        words.join(" ")
    }
}

/// Lines that are filled up to a width.
fn wrapped(text: &str, width: usize) -> String {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().unwrap();
        if !line.is_empty() && line.len() + 1 + word.len() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n")
}

fn paragraphs(draw: &mut Draw, count: usize) -> Vec<String> {
    let mut paragraph = || {
        let sentences = (0..2 + draw.below(5)).map(|_| {
            let words = 6 + draw.below(12);
            draw.sentence(words) + "."
        });
        let sentences: Vec<String> = sentences.collect();
        sentences.join(" ")
    };
    (0..count).map(|_| paragraph()).collect()
}

fn prose() -> String {
    let paragraphs = paragraphs(&mut Draw(1), 60);
    let paragraphs: Vec<String> = paragraphs.iter().map(|text| wrapped(text, 70)).collect();
    paragraphs.join("\n\n") + "\n"
}

fn verse() -> String {
    let mut draw = Draw(2);
    let mut text = String::new();
    for line in 0..300 {
        let words = 4 + draw.below(4);
        let end = draw.of(&[",", "", ".", ";", ","]);
        let stanza = if line % 12 == 11 {
            "\n\n\n"
        } else if line % 4 == 3 {
            "\n"
        } else {
            ""
        };
        writeln!(text, "{}{end}{stanza}", draw.sentence(words)).unwrap();
    }
    text
}

fn play() -> String {
    let mut draw = Draw(3);
    let mut text = String::new();
    for _ in 0..200 {
        let (words, more) = (3 + draw.below(6), 2 + draw.below(5));
        let (line, next) = (draw.sentence(words), draw.sentence(more));
        let who = draw.of(&["ANNA", "First Servant", "PETER"]);
        write!(text, "{who}:\n{line},\n{next}.\n\n").unwrap();
    }
    text
}

fn code() -> String {
    let mut draw = Draw(4);
    let mut text = "import os\n\n\n".to_owned();
    for _ in 0..100 {
        let (name, other) = (draw.name().to_lowercase(), draw.name());
        write!(
            text,
            "def {name}(self, x):\n    if x > {}:\n        return self.{other}[x]\n    return None\n\n\n",
            draw.below(99)
        )
        .unwrap();
    }
    text
}

fn manual() -> String {
    let mut draw = Draw(5);
    let mut text = "NAME\n       thing - does it\n\nOPTIONS\n".to_owned();
    for _ in 0..80 {
        let sentence = draw.sentence(24);
        let indented = wrapped(&sentence, 60).replace('\n', "\n              ");
        write!(
            text,
            "       -{}\n              {indented}.\n\n",
            draw.of(&["a", "v", "x"])
        )
        .unwrap();
    }
    text
}

fn dialogue() -> String {
    let mut draw = Draw(6);
    let line = |draw: &mut Draw| {
        let words = 1 + draw.below(4);
        draw.of(&["ann", "bob"]).to_owned() + ": " + &draw.sentence(words)
    };
    (0..300).map(|_| line(&mut draw) + "\n").collect()
}

fn japanese() -> String {
    let mut draw = Draw(7);
    let words = [
        "私は",
        "水が",
        "山の",
        "光を",
        "見た",
        "歩いた",
        "そして",
        "静かに",
        "窓",
    ];
    let sentence = |draw: &mut Draw| {
        let count = 4 + draw.below(8);
        (0..count).map(|_| draw.of(&words)).collect::<String>() + "。"
    };
    (0..200).map(|_| sentence(&mut draw) + "\n").collect()
}

/// A text of each kind that people have, none of them a list.
fn texts() -> [String; 7] {
    [
        prose(),
        verse(),
        play(),
        code(),
        manual(),
        dialogue(),
        japanese(),
    ]
}

fn names() -> Vec<String> {
    let mut draw = Draw(8);
    let mut names: Vec<String> = (0..800).map(|_| draw.name()).collect();
    names.sort();
    names.dedup();
    names
}

fn suggestion(text: &str, options: &[&str], what: &str) -> Option<String> {
    let notes = read(text, options).notes;
    notes.into_iter().find(|note| note.contains(what))
}

#[test]
fn lists_are_noticed_sorted_or_not_and_nothing_else_is() {
    let sorted = names();
    let mut draw = Draw(9);
    let mixed: Vec<String> = (0..400).map(|_| draw.name()).collect();
    let people: Vec<String> = (0..400)
        .map(|_| {
            format!(
                "{} {}",
                draw.of(&["Ann", "Bob", "Eve", "Tom", "Kim"]),
                draw.name()
            )
        })
        .collect();
    let counted = mixed.iter().enumerate();
    let counted: Vec<String> = counted
        .map(|(n, name)| format!("{name}\t{}", 900 - n))
        .collect();
    let explained: Vec<String> = sorted
        .iter()
        .map(|name| format!("{name}: {}.", draw.sentence(9)))
        .collect();
    let backwards: Vec<String> = sorted.iter().rev().cloned().collect();
    for (list, is_sorted) in [
        (&sorted, true),
        (&explained, true),
        (&backwards, true),
        (&mixed, false),
        (&people, false),
        (&counted, false),
    ] {
        let text = list.join("\n");
        let told = suggestion(&text, &[], "--shuffle lines").expect(&text[..200]);
        assert_eq!(
            told.contains("sorted list"),
            is_sorted,
            "{told}: {}",
            &text[..200]
        );
        assert_eq!(
            suggestion(&text, &["--shuffle", "lines"], "--shuffle"),
            None
        );
    }
    for text in texts() {
        for unicode in [&[][..], &["--unicode"]] {
            let told = suggestion(&text, unicode, "--shuffle lines");
            assert_eq!(told, None, "{}", &text[..200]);
        }
    }
}

#[test]
fn a_shuffled_list_is_measured_on_what_is_like_the_rest_and_read_the_same_again() {
    let text = names().join("\n");
    let first_letters = |symbols: &[u8], corpus: &Corpus| {
        let text: String = symbols
            .iter()
            .map(|&s| corpus.alphabet.char(s).unwrap())
            .collect();
        let mut letters: Vec<char> = text
            .lines()
            .filter_map(|line| line.chars().next())
            .collect();
        letters.sort_unstable();
        letters.dedup();
        letters.len()
    };
    let last = ["--validation", "last"];
    let in_order = read(&text, &last);
    let mixed = read(&text, &[&last[..], &["--shuffle", "lines"]].concat());
    let [few, many] = [&in_order, &mixed].map(|c| first_letters(&c.validation().own(), c));
    assert!(few <= 2 && many >= 6, "{few} {many}");
    // The same lines, each once.
    let lines = |corpus: &Corpus| {
        let symbols = [corpus.training(), &corpus.validation().own()].concat();
        let text: String = symbols
            .iter()
            .map(|&s| corpus.alphabet.char(s).unwrap())
            .collect();
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(lines(&mixed), lines(&in_order));

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("names.txt");
    std::fs::write(&path, &text).unwrap();
    let kept = serde_json::to_string(&mixed.reading).unwrap();
    let kept: Reading = serde_json::from_str(&kept).unwrap();
    let opened = Source::File(path).open(kept, &|_| ()).unwrap();
    let alphabet = mixed.alphabet.to_string();
    let encoded = corpus::validation_symbols(&opened, &alphabet, kept, &|_| ()).unwrap();
    assert_eq!(&encoded.validation, mixed.validation());
}

#[test]
fn a_part_to_measure_on_of_another_kind_is_warned_of() {
    let other_kind = "of another kind than the rest";
    let english = prose() + &prose() + &prose();
    let shouted = english[english.len() * 7 / 8..].to_uppercase();
    for strange in [shouted, "14.7 83.2 19.0\n".repeat(english.len() / 120)] {
        let text = english.clone() + "\n" + &strange;
        let told = suggestion(&text, &["--validation", "last"], other_kind).unwrap();
        assert!(told.contains("--validation spread"), "{told}");
        assert_eq!(suggestion(&text, &[], other_kind), None);
    }
    for text in texts() {
        for options in [&["--unicode"][..], &["--validation", "last", "--unicode"]] {
            assert_eq!(
                suggestion(&text, options, other_kind),
                None,
                "{}",
                &text[..200]
            );
        }
    }
}

const HEADER: &str = "The Project Gutenberg eBook of A Book\n\nThis ebook is for the use of anyone.\n\n\
    *** START OF THE PROJECT GUTENBERG EBOOK A BOOK ***\n";
const LICENCE: &str = "*** END OF THE PROJECT GUTENBERG EBOOK A BOOK ***\n\nUpdated editions will replace\n\
    START: FULL LICENSE\nThis website includes information about it, and how to\n\
    subscribe to our email newsletter to hear about new eBooks.\n";

#[test]
fn header_and_licence_of_project_gutenberg_are_left_out_unless_they_are_to_be_kept() {
    let book = prose();
    let text = HEADER.to_owned() + &book + LICENCE;
    assert_eq!(text_of(&text, &[]), book);
    let characters = HEADER.len() + LICENCE.len();
    let told = suggestion(&text, &[], "Project Gutenberg").unwrap();
    let expected =
        format!("left out: {characters} characters of Project Gutenberg's header and licence");
    assert!(told.starts_with(&expected), "{told}");
    assert!(told.contains("--keep gutenberg"), "{told}");
    assert_eq!(text_of(&text, &["--keep", "gutenberg"]), text);
    assert_eq!(text_of(&text, &["--keep", "rare,gutenberg"]), text);

    // As they were in other years, several in one file, and only one of the two.
    let old =
        "Project Gutenberg Etext of A Book\n*END*THE SMALL PRINT! FOR PUBLIC DOMAIN ETEXTS*\n";
    let old_end = "End of the Project Gutenberg EBook of A Book, by N. N.\n\n\
        *** END OF THIS PROJECT GUTENBERG EBOOK A BOOK ***\nmore of it\n";
    assert_eq!(text_of(&(old.to_owned() + &book + old_end), &[]), book);
    assert_eq!(text_of(&(text.clone() + &text), &[]), book.clone() + &book);
    assert_eq!(
        text_of(&(text.clone() + "My own words.\n"), &[]),
        book.clone() + "My own words.\n"
    );
    assert_eq!(text_of(&(book.clone() + LICENCE), &[]), book);
    assert_eq!(text_of(&(HEADER.to_owned() + &book), &[]), book);
    assert_eq!(text_of(&text.replace('\n', "\r\n"), &[]), book);
}

#[test]
fn what_only_speaks_of_project_gutenberg_is_kept() {
    let about = "I read it at Project Gutenberg.\nEnd of the day. Project Gutenberg is a library.\n\
        E-mail me: *** START ***\n";
    assert_eq!(text_of(about, &[]), about);
    // Somebody's own words are no header, however they are followed.
    let mine = "My diary.\n".repeat(30);
    let text = mine.clone() + HEADER.lines().last().unwrap() + "\n" + &prose();
    assert_eq!(text_of(&text, &[]), mine + &prose());
    for end in ["", "\n", "*", "***", "End"] {
        assert_eq!(text_of(&format!("a\n{end}"), &[]), format!("a\n{end}"));
    }
}

#[test]
fn repeated_blank_lines_become_one_in_prose_and_stay_elsewhere() {
    let once = prose();
    let often = once.replace("\n\n", "\n\n\n \n\n");
    assert_eq!(text_of(&often, &[]), once);
    let told = suggestion(&often, &[], "blank line").unwrap();
    assert!(told.starts_with("left out: 177 blank lines"), "{told}");
    assert!(told.contains("--keep blank-lines"), "{told}");
    assert_eq!(text_of(&often, &["--keep", "blank-lines"]), often);
    for text in [
        verse(),
        play(),
        code(),
        manual(),
        dialogue(),
        prose() + "\n\n" + &code(),
    ] {
        assert_eq!(text_of(&text, &[]), text);
    }
}

#[test]
fn wrapped_lines_are_joined_when_asked_for_and_only_those() {
    let mut draw = Draw(1);
    let unwrapped = paragraphs(&mut draw, 60);
    let is_wrapped = "wrapped at 70 characters: --unwrap joins";
    assert!(suggestion(&prose(), &[], is_wrapped).is_some());
    assert_eq!(text_of(&prose(), &[]), prose());
    assert_eq!(
        text_of(&prose(), &["--unwrap"]),
        unwrapped.join("\n\n") + "\n"
    );
    assert_eq!(suggestion(&prose(), &["--unwrap"], is_wrapped), None);
    assert!(suggestion(&prose(), &["--unwrap"], "joined: ").is_some());
    // A heading, a letter's ending and a list between the paragraphs.
    let short = "CHAPTER TWO\n\nYours ever,\nAnn\n\n- one\n- two\n\n    indented\n    lines\n\n";
    let text = prose() + "\n" + short + &prose();
    let expected = unwrapped.join("\n\n") + "\n\n" + short + &unwrapped.join("\n\n") + "\n";
    assert_eq!(text_of(&text, &["--unwrap"]), expected);
    for text in [
        verse(),
        play(),
        code(),
        manual(),
        dialogue(),
        unwrapped.join("\n\n"),
    ] {
        assert_eq!(text_of(&text, &["--unwrap"]), text);
        assert!(suggestion(&text, &["--unwrap"], "nothing was unwrapped").is_some());
        assert_eq!(suggestion(&text, &[], "--unwrap"), None);
    }
}

#[test]
fn the_text_that_models_are_compared_on_is_read_as_ever() {
    let path = corpus::for_tests().unwrap();
    let [plain, own] = [Reading::default(), reading(&["--validation", "last"])]
        .map(|reading| Corpus::load(&Source::File(path.clone()), reading, &|_| ()).unwrap());
    assert_eq!(own.training(), plain.training());
    assert_eq!(own.validation(), plain.validation());
    assert_eq!(own.alphabet, plain.alphabet);
    if own.sha256 == corpus::Standard::Tinyshakespeare.sha256() {
        let symbols = [own.training(), &own.validation().own()].concat();
        assert_eq!(
            corpus::sha256_hex(&symbols),
            "fdb4f972eb39c45489006febf372db64a1112f61b95ba1cc8fdcaa9d2b7095da"
        );
        assert!(own.notes.is_empty(), "{:?}", own.notes);
    }
}

/// A text of 120 different characters, of which the last 40 are rare.
fn many_symbols() -> String {
    let symbol = |n: u32| char::from_u32(0x430 + n).unwrap();
    let mut text: String = (0..80)
        .map(|n| symbol(n).to_string().repeat(500) + " ")
        .collect();
    text.extend((80..120).map(symbol));
    text
}

#[test]
fn characters_that_cost_more_than_they_give_are_no_symbols_of_their_own() {
    let text = many_symbols();
    let corpus = read(&text, &["--unicode"]);
    assert_eq!(corpus.alphabet.len(), 80 + 2);
    assert!(corpus.alphabet.index_of(REPLACEMENT).is_some());
    let told = &corpus.notes[0];
    assert!(
        told.starts_with("40 of the 121 different characters are so rare"),
        "{told}"
    );
    assert!(told.contains("--keep rare"), "{told}");
    assert_eq!(
        read(&text, &["--unicode", "--keep", "rare"]).alphabet.len(),
        121
    );
    // What is kept with a run says the same again; an older one keeps every character.
    let again = Corpus::from_bytes("a.txt", text.clone().into(), corpus.reading).unwrap();
    assert_eq!(again.alphabet, corpus.alphabet);
    let of_before: Reading =
        serde_json::from_str(r#"{"unicode": true, "lossy": false, "printable": false}"#).unwrap();
    let before = Corpus::from_bytes("a.txt", text.into(), of_before).unwrap();
    assert_eq!(before.alphabet.len(), 121);
}

#[test]
fn a_small_alphabet_and_symbols_that_can_be_learned_stay_whole() {
    let few: String = (0..90)
        .map(|n| char::from_u32(0x430 + n).unwrap())
        .collect();
    let text = "long text ".repeat(20_000) + &few;
    assert!(read(&text, &["--unicode"]).notes.is_empty());
    let often: String = (0..110)
        .map(|n| char::from_u32(0x430 + n).unwrap().to_string().repeat(100))
        .collect();
    let text = "long text ".repeat(2_000_000) + &often;
    assert_eq!(read(&text, &["--unicode"]).alphabet.len(), 110 + 8);
}

#[test]
fn the_user_may_bound_the_alphabet() {
    let text = many_symbols();
    let most = read(&text, &["--unicode", "--max-symbols", "30"]);
    assert_eq!(most.alphabet.len(), 30);
    assert!(
        most.notes[0].contains("92 of the 121 different characters, the rarest"),
        "{:?}",
        most.notes
    );
    let least = read(&text, &["--unicode", "--min-count", "2"]);
    assert_eq!(least.alphabet.len(), 82);
    // Words stay apart, and lines.
    let text = "ab\n".to_owned() + &"cdefgh".repeat(9) + " ";
    let alphabet = read(&text, &["--max-symbols", "4"]).alphabet.to_string();
    assert!(alphabet.contains('\n') && alphabet.contains(' ') && alphabet.contains(REPLACEMENT));
    assert_eq!(
        text_of("Ärger MIT Äpfeln", &["--unicode", "--lowercase"]),
        "ärger mit äpfeln"
    );
    assert_eq!(
        text_of("Ärger MIT Äpfeln", &["--lowercase"]),
        "arger mit apfeln"
    );
}
