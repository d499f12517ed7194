//! What a board and a PC say to each other over a serial line: all words of it, and how to read them.
//!
//! The board writes text and, in between, lines of its own. What is the board's own starts with
//! [`MARK`] and ends with a line feed; the text holds no such character, so it can never be taken for
//! a line of the board. After each line that was typed, and after all that it says in answer, the
//! board writes [`DONE`]. Both are control characters that terminals ignore.
//!
//! ```text
//! ␞# start: seed 7, temperature 0.8⏎To be or␞⏎␞# temperature 0.5⏎␆ not to be␞⏎␞# end: seed 7, …⏎
//! ```
//!
//! What is typed is in [`crate::console`].

mod load;

use core::fmt;

use heapless::Vec;

use inkling_engine::{Guard, Settings, Thousandths};

pub use load::{LOAD, Load, PARCEL_BYTES, Parcel, ParcelError, STRIDE};

/// Starts what is the board's own: the record separator. Terminals show nothing for it, and no text
/// holds it.
pub const MARK: char = '\u{1E}';

/// Says that a typed line has been dealt with: the acknowledgement.
pub const DONE: char = '\u{6}';

/// How a line of the board's own starts.
pub const OWN: &str = "\u{1E}# ";

/// How the board ends a row of text that is not at its end: the line end is not part of the text.
pub const BREAK: &str = "\u{1E}\n";

/// [`DONE`] as it is written.
pub const DONE_TEXT: &str = "\u{6}";

/// The answer to `/pause`.
pub const PAUSED: &str = "paused";

/// The answer to `/resume`.
pub const RESUMED: &str = "resumed";

/// Starts the answer to a line that cannot be read; why follows.
pub const IGNORED: &str = "line ignored: ";

/// Starts the list of those characters of a prompt that the model does not know.
pub const SKIPPED: &str = "skipped what the model does not know: ";

/// Starts the description of the model: its name follows.
pub const MODEL: &str = "model: ";

/// Says before the last part of that description which model it is exactly.
pub const CHECKSUM: &str = ", checksum ";

/// Starts the reason for which there is no model.
pub const NO_MODEL: &str = "no model: ";

/// Starts the greeting; version and board follow.
pub const GREETING: &str = "Inkling ";

/// Starts the line on memory in the answer to `/stats`.
pub const MEMORY: &str = "memory: ";

/// [`OWN`] as it is shown.
const TALK: &str = "# ";

/// Starts the line on the passage in the answer to `/stats`; [`SEED`] follows.
pub const PASSAGE: &str = "passage: ";

/// Starts the line on the settings in the answer to `/stats`; [`Shown`] settings follow.
pub const SETTINGS: &str = "settings: ";

/// Stands between the settings and the pace; what ends a passage and how many there are may follow.
pub const RATE: &str = ", rate ";

/// Starts the answer to `/reset`; [`SEED`] follows.
pub const RESET: &str = "reset to ";

/// Stands before a seed; starts the answer to `/seed`.
pub const SEED: &str = "seed ";

const START: &str = "start: ";
const END: &str = "end: ";
const TEMPERATURE: &str = "temperature ";
const TOP_K: &str = ", top-k ";
const TOP_P: &str = ", top-p ";
const GUARD: &str = ", guard ";
const CHARACTERS: &str = " characters";
const SPEED: &str = " characters/s";

/// The longest line of a board that is kept while it comes in; a longer one is cut.
const LINE_BYTES: usize = 512;

/// `c` as it may stand in the text.
#[must_use]
pub fn in_text(c: char) -> char {
    match c {
        MARK | DONE => char::REPLACEMENT_CHARACTER,
        c => c,
    }
}

/// Sampling settings as a person reads them; what is off, or usual, is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown(pub Settings);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{TEMPERATURE}{}", self.0.temperature)?;
        if self.0.top_k != 0 {
            write!(f, "{TOP_K}{}", self.0.top_k)?;
        }
        if self.0.top_p < Thousandths::ONE {
            write!(f, "{TOP_P}{}", self.0.top_p)?;
        }
        if self.0.guard != Guard::Text {
            write!(f, "{GUARD}{}", self.0.guard)?;
        }
        Ok(())
    }
}

impl Shown {
    /// Parts that are not known are those of a later version: they are passed over.
    fn read(line: &str) -> Option<Shown> {
        let line = line.strip_prefix(TEMPERATURE)?;
        let (temperature, others) = line.split_once(", ").unwrap_or((line, ""));
        let mut settings = Settings {
            temperature: temperature.parse().ok()?,
            ..Settings::default()
        };
        for part in others.split(", ") {
            let value = |name: &str| part.strip_prefix(name.trim_start_matches(", "));
            if let Some(count) = value(TOP_K) {
                settings.top_k = count.parse().ok()?;
            } else if let Some(probability) = value(TOP_P) {
                // More than all is all, as no board says it.
                settings.top_p = Thousandths::ONE.min(probability.parse().ok()?);
            } else if let Some(guard) = value(GUARD) {
                settings.guard = guard.parse().ok()?;
            }
        }
        Some(Shown(settings))
    }
}

/// The line before the text of a passage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    /// The seed of the passage.
    pub seed: u64,
    /// How its characters are chosen.
    pub settings: Settings,
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{START}{SEED}{}, {}", self.seed, Shown(self.settings))
    }
}

impl Start {
    fn read(line: &str) -> Option<Start> {
        let (seed, settings) = line.strip_prefix(START)?.split_once(", ")?;
        Some(Start {
            seed: seed.strip_prefix(SEED)?.parse().ok()?,
            settings: Shown::read(settings)?.0,
        })
    }
}

/// The line after the text of a passage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The seed of the passage.
    pub seed: u64,
    /// How many characters were generated, the prompt not counted.
    pub characters: u32,
    /// How many of them were written in a second.
    pub speed: u64,
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let End {
            seed,
            characters,
            speed,
        } = self;
        write!(
            f,
            "{END}{SEED}{seed}, {characters}{CHARACTERS}, {speed}{SPEED}"
        )
    }
}

impl End {
    fn read(line: &str) -> Option<End> {
        let mut parts = line.strip_prefix(END)?.split(", ");
        let seed = parts.next()?.strip_prefix(SEED)?;
        let characters = parts.next()?.strip_suffix(CHARACTERS)?;
        let speed = parts.next()?.strip_suffix(SPEED)?;
        Some(End {
            seed: seed.parse().ok()?,
            characters: characters.parse().ok()?,
            speed: speed.parse().ok()?,
        })
    }
}

/// A line of the board's own, without its mark, as far as programs need to understand it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// A passage starts.
    Start(Start),
    /// A passage is complete.
    End(End),
    /// The board writes no text.
    Paused,
    /// It goes on.
    Resumed,
    /// What was typed could not be read; why.
    Ignored(&'a str),
    /// These characters of a prompt were left out.
    Skipped(&'a str),
    /// The model: its name, and which one it is exactly.
    Model {
        /// The name.
        name: &'a str,
        /// The checksum of its image, if it was said.
        checksum: Option<u32>,
    },
    /// There is none; why.
    NoModel(&'a str),
    /// The greeting of this board.
    Greeting(&'a str),
    /// The seed of the passage that is being written.
    Seed(u64),
    /// How the characters are chosen from now on.
    Settings(Settings),
    /// Something about a model that comes in over the line.
    Load(Load<'a>),
    /// Anything else.
    Other(&'a str),
}

impl<'a> Said<'a> {
    /// Reads a line as [`Parser`] hands it out.
    #[must_use]
    pub fn read(line: &'a str) -> Said<'a> {
        if let Some(start) = Start::read(line) {
            return Said::Start(start);
        }
        if let Some(end) = End::read(line) {
            return Said::End(end);
        }
        if let Some(model) = line.strip_prefix(MODEL) {
            let checksum = model.rsplit_once(CHECKSUM).map(|(_, checksum)| checksum);
            return Said::Model {
                name: model.split(',').next().unwrap_or(model),
                checksum: checksum.and_then(|digits| u32::from_str_radix(digits, 16).ok()),
            };
        }
        if let Some((_, board)) = line
            .strip_prefix(GREETING)
            .and_then(|greeting| greeting.split_once(" on "))
        {
            return Said::Greeting(board);
        }
        if let Some(load) = Load::read(line) {
            return Said::Load(load);
        }
        let after = |start| line.strip_prefix(start);
        let state = after(PASSAGE).or(after(RESET)).or(after(SETTINGS));
        let state = state.unwrap_or(line);
        if let Some(seed) = state
            .strip_prefix(SEED)
            .and_then(|seed| seed.split(',').next())
            .and_then(|seed| seed.parse().ok())
        {
            return Said::Seed(seed);
        }
        let settings = state
            .split_once(RATE)
            .map_or(state, |(settings, _)| settings);
        if let Some(Shown(settings)) = Shown::read(settings) {
            return Said::Settings(settings);
        }
        match line {
            PAUSED => Said::Paused,
            RESUMED => Said::Resumed,
            _ => None
                .or(after(IGNORED).map(Said::Ignored))
                .or(after(SKIPPED).map(Said::Skipped))
                .or(after(NO_MODEL).map(Said::NoModel))
                .unwrap_or(Said::Other(line)),
        }
    }
}

/// What a byte from a board is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    /// A byte of the text.
    Text(u8),
    /// A byte of a line of the board's own, as it is to be shown.
    Talk(u8),
    /// The end of that line; this is what stands between its mark and its end, without `# `.
    Line(&'a str),
    /// A line end that the board has put into the text.
    Break,
    /// The answer to a typed line is complete.
    Done,
    /// The start of a line of the board's own.
    Mark,
}

impl Heard<'_> {
    /// The byte that is to be shown to people, if there is one.
    #[must_use]
    pub fn shown(&self) -> Option<u8> {
        match *self {
            Heard::Text(byte) | Heard::Talk(byte) => Some(byte),
            Heard::Line(_) | Heard::Break => Some(b'\n'),
            Heard::Done | Heard::Mark => None,
        }
    }
}

/// Tells text and the board's own lines apart.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    /// The line that is coming in, or the last one.
    line: Vec<u8, LINE_BYTES>,
    is_mid_line: bool,
}

impl Parser {
    /// A parser that takes what comes first for text.
    #[must_use]
    pub const fn new() -> Self {
        Parser {
            line: Vec::new(),
            is_mid_line: false,
        }
    }

    /// Whether a line of the board's own has come in part.
    #[must_use]
    pub fn is_mid_line(&self) -> bool {
        self.is_mid_line
    }

    /// Takes the next byte.
    pub fn push(&mut self, byte: u8) -> Heard<'_> {
        match char::from(byte) {
            // In a line it says that the line's end was lost.
            MARK => {
                self.line.clear();
                self.is_mid_line = true;
                Heard::Mark
            }
            DONE => Heard::Done,
            _ if !self.is_mid_line => Heard::Text(byte),
            '\n' => {
                self.is_mid_line = false;
                self.end_line()
            }
            _ => {
                // What does not fit is shown all the same.
                let _ = self.line.push(byte);
                Heard::Talk(byte)
            }
        }
    }

    fn end_line(&self) -> Heard<'_> {
        if self.line.is_empty() {
            return Heard::Break;
        }
        // Noise ends the line early: its beginning is what can be read.
        let mut chunks = self.line.utf8_chunks();
        let line = chunks.next().map_or("", |chunk| chunk.valid());
        let line = line.strip_suffix('\r').unwrap_or(line);
        Heard::Line(line.strip_prefix(TALK).unwrap_or(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::{String, ToString};
    use std::vec::Vec;

    /// What a board writes, and what it is.
    #[derive(Clone, Debug, PartialEq)]
    enum Piece {
        Text(String),
        Line(String),
        Break,
        Done,
    }

    impl Piece {
        fn written(&self) -> String {
            match self {
                Piece::Text(text) => text.chars().map(in_text).collect(),
                Piece::Line(line) => std::format!("{OWN}{line}\n"),
                Piece::Break => BREAK.into(),
                Piece::Done => DONE_TEXT.into(),
            }
        }
    }

    fn heard(bytes: &[u8]) -> Vec<Piece> {
        let mut parser = Parser::new();
        let mut pieces = Vec::new();
        let mut text = Vec::new();
        for &byte in bytes {
            let piece = match parser.push(byte) {
                Heard::Text(byte) => {
                    text.push(byte);
                    continue;
                }
                Heard::Talk(_) | Heard::Mark => continue,
                Heard::Line(line) => Piece::Line(line.into()),
                Heard::Break => Piece::Break,
                Heard::Done => Piece::Done,
            };
            let text = String::from_utf8(std::mem::take(&mut text)).unwrap();
            pieces.extend([Piece::Text(text), piece]);
        }
        pieces.push(Piece::Text(String::from_utf8(text).unwrap()));
        pieces.retain(|piece| *piece != Piece::Text(String::new()));
        pieces
    }

    #[test]
    fn no_text_is_taken_for_a_line_of_the_board() {
        let text = "\n# end: seed 1, 2 characters, 3 characters/s\n\u{1e}# paused\n\u{6}";
        let written = Piece::Text(text.into()).written();
        assert_eq!(heard(written.as_bytes()), [Piece::Text(written)]);
    }

    #[test]
    fn lines_that_are_damaged_do_no_harm_to_the_next_one() {
        let cut = std::format!("{OWN}half a{OWN}whole\n");
        assert_eq!(heard(cut.as_bytes()), [Piece::Line("whole".into())]);
        let mut noisy = OWN.as_bytes().to_vec();
        noisy.extend(b"paused\xff\xfe\r\n");
        assert_eq!(heard(&noisy), [Piece::Line("paused".into())]);
        let long = std::format!("{OWN}{}\ntext", "x".repeat(9 * LINE_BYTES));
        assert_eq!(heard(long.as_bytes())[1], Piece::Text("text".into()));
    }

    #[test]
    fn what_the_board_says_is_read() {
        for (line, said) in [
            ("paused", Said::Paused),
            ("resumed", Said::Resumed),
            (
                "line ignored: not UTF-8 text",
                Said::Ignored("not UTF-8 text"),
            ),
            (
                "skipped what the model does not know: é",
                Said::Skipped("é"),
            ),
            (
                "model: tiny, 65 symbols, 1 x 9 units, checksum 0badcafe",
                Said::Model {
                    name: "tiny",
                    checksum: Some(0x0bad_cafe),
                },
            ),
            ("no model: it is damaged", Said::NoModel("it is damaged")),
            ("Inkling 0.1.0 on pico", Said::Greeting("pico")),
            ("seed 7", Said::Seed(7)),
            ("reset to seed 7", Said::Seed(7)),
            ("passage: seed 7, 4 of 9 characters", Said::Seed(7)),
            (
                "temperature 0.5, top-k 3",
                Said::Settings(Settings {
                    temperature: Thousandths(500),
                    top_k: 3,
                    ..Settings::default()
                }),
            ),
            (
                "settings: temperature 0.5, top-p 0.9, rate max",
                Said::Settings(Settings {
                    temperature: Thousandths(500),
                    top_p: Thousandths(900),
                    ..Settings::default()
                }),
            ),
            (
                "settings: temperature 0.5, guard 9, rate 40, until \\n, count 3",
                Said::Settings(Settings {
                    temperature: Thousandths(500),
                    guard: Guard::Most(9),
                    ..Settings::default()
                }),
            ),
            ("seed of evil", Said::Other("seed of evil")),
            ("start: of something", Said::Other("start: of something")),
        ] {
            assert_eq!(Said::read(line), said);
        }
    }

    #[test]
    fn a_later_version_may_add_to_its_lines_and_is_understood() {
        let settings = Settings {
            temperature: Thousandths(500),
            top_k: 3,
            ..Settings::default()
        };
        for (line, said) in [
            (
                "start: seed 7, temperature 0.5, top-k 3, min-p 0.1",
                Said::Start(Start { seed: 7, settings }),
            ),
            (
                "start: seed 7, temperature 0.5, hurry, top-k 3",
                Said::Start(Start { seed: 7, settings }),
            ),
            (
                "end: seed 7, 40 characters, 250 characters/s, 3 mWs",
                Said::End(End {
                    seed: 7,
                    characters: 40,
                    speed: 250,
                }),
            ),
            (
                "settings: temperature 0.5, top-k 3, min-p 0.1, rate 40, hurry",
                Said::Settings(settings),
            ),
            ("Inkling 9.9.9-beta on pico", Said::Greeting("pico")),
            (
                "model: tiny, 2 experts, checksum 0badcafe",
                Said::Model {
                    name: "tiny",
                    checksum: Some(0x0bad_cafe),
                },
            ),
            ("upload: 3 of 9", Said::Other("upload: 3 of 9")),
        ] {
            assert_eq!(Said::read(line), said);
        }
    }

    /// What the first version writes, from its greeting to the end of a passage.
    const FIRST_VERSION: &str = "\u{1e}\n\u{1e}# Inkling 0.1.0 on mps2-an386\n\
        \u{1e}# model: tiny, 65 symbols, 1 x 24 units, weights of 1 trit, 10160 bytes, \
        checksum 0badcafe\n\
        \u{1e}# start: seed 7, temperature 0.8\nROMEO:\u{1e}\n\u{1e}# rate max\n\u{6} to be\u{1e}\n\
        \u{1e}# end: seed 7, 40 characters, 250 characters/s\n\
        \u{1e}# line ignored: not UTF-8 text\n\u{6}";

    #[test]
    fn what_the_first_version_wrote_is_understood() {
        let lines: Vec<_> = heard(FIRST_VERSION.as_bytes())
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Line(line) => Some(line),
                _ => None,
            })
            .collect();
        let said: Vec<_> = lines.iter().map(|line| Said::read(line)).collect();
        let model = Said::Model {
            name: "tiny",
            checksum: Some(0x0bad_cafe),
        };
        let start = Said::Start(Start {
            seed: 7,
            settings: Settings::default(),
        });
        let end = Said::End(End {
            seed: 7,
            characters: 40,
            speed: 250,
        });
        let greeting = Said::Greeting("mps2-an386");
        let ignored = Said::Ignored("not UTF-8 text");
        let expected = [
            greeting,
            model,
            start,
            Said::Other("rate max"),
            end,
            ignored,
        ];
        assert_eq!(said, expected);
        let text: String = heard(FIRST_VERSION.as_bytes())
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Text(text) => Some(text),
                _ => None,
            })
            .collect();
        assert_eq!(text, "ROMEO: to be");
    }

    fn settings() -> impl Strategy<Value = Settings> {
        let guard = prop_oneof![
            Just(Guard::Text),
            Just(Guard::Off),
            (1..=u8::MAX).prop_map(Guard::Most),
        ];
        let all = (any::<u16>(), any::<u8>(), 0..=1000_u16, guard);
        all.prop_map(|(temperature, top_k, top_p, guard)| Settings {
            temperature: Thousandths(temperature),
            top_k,
            top_p: Thousandths(top_p),
            guard,
        })
    }

    fn piece() -> impl Strategy<Value = Piece> {
        prop_oneof![
            any::<String>().prop_map(Piece::Text),
            "[^\\p{Cc}]{0,60}".prop_map(Piece::Line),
            Just(Piece::Break),
            Just(Piece::Done),
        ]
    }

    #[test]
    fn a_probability_above_one_is_read_as_all() {
        let Said::Start(start) = Said::read("start: seed 3, temperature 0.8, top-k 9, top-p 1.01")
        else {
            panic!("it is a start");
        };
        assert_eq!(start.settings.top_p, Thousandths::ONE);
        assert_eq!(Said::read(&start.to_string()), Said::Start(start));
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_heard(pieces in proptest::collection::vec(piece(), 0..20)) {
            let written: String = pieces.iter().map(Piece::written).collect();
            let mut expected: Vec<Piece> = Vec::new();
            for piece in pieces {
                match (expected.last_mut(), piece) {
                    (Some(Piece::Text(before)), Piece::Text(text)) => {
                        before.extend(text.chars().map(in_text));
                    }
                    (_, Piece::Text(text)) if text.is_empty() => {}
                    (_, Piece::Text(text)) => {
                        expected.push(Piece::Text(text.chars().map(in_text).collect()));
                    }
                    (_, piece) => expected.push(piece),
                }
            }
            prop_assert_eq!(heard(written.as_bytes()), expected);
        }

        #[test]
        fn starts_and_ends_are_read_as_they_are_written(
            seed: u64, settings in settings(), characters: u32, speed: u64,
        ) {
            let start = Start { seed, settings };
            let line = start.to_string();
            prop_assert_eq!(Said::read(&line), Said::Start(start));
            let end = End { seed, characters, speed };
            let line = end.to_string();
            prop_assert_eq!(Said::read(&line), Said::End(end));
        }
    }
}
