//! The console's input side: bytes become lines, lines become commands.
//!
//! [`LineEditor`] collects whatever a serial line delivers, noise included, and [`Command::parse`]
//! reads one finished line; a PC types a [`Command`] as it is displayed. Neither prints or acts:
//! [`crate::session`] does.

use core::fmt;

use heapless::Vec;
use inkling_engine::decimal::{Thousandths, ThousandthsError};
use inkling_engine::guard::{self, Guard};

use crate::protocol::IGNORED;
use crate::until::{self, Until};

/// The longest line that the console takes, in bytes.
pub const LINE_BYTES: usize = 255;

const BACKSPACE: u8 = 0x08;
const CLEAR_LINE: u8 = 0x15; // Ctrl-U
const DELETE: u8 = 0x7f;

/// Why a line was thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineError {
    /// More than [`LINE_BYTES`] bytes came before a line end.
    TooLong,
    /// The bytes are not UTF-8.
    NotUtf8,
    /// The line holds control characters, as noise and cursor keys do.
    Control,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(IGNORED)?;
        match self {
            LineError::TooLong => write!(f, "longer than {LINE_BYTES} bytes"),
            LineError::NotUtf8 => f.write_str("not UTF-8 text"),
            LineError::Control => f.write_str("it holds control characters"),
        }
    }
}

impl core::error::Error for LineError {}

/// The text of a line, if the console takes it.
///
/// # Errors
/// When it is too long, not UTF-8, or holds control characters other than tabs.
pub fn check(line: &[u8]) -> Result<&str, LineError> {
    if line.len() > LINE_BYTES {
        return Err(LineError::TooLong);
    }
    let line = core::str::from_utf8(line).map_err(|_| LineError::NotUtf8)?;
    if line.chars().any(|c| c.is_control() && c != '\t') {
        return Err(LineError::Control);
    }
    Ok(line)
}

/// Collects bytes into lines: backspace, Ctrl-U, any of CR, LF and CR LF as the line end.
#[derive(Debug)]
pub struct LineEditor {
    buffer: Vec<u8, LINE_BYTES>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Collecting,
    /// The buffer holds a line that was handed out; the next byte starts a new one.
    Finished,
    /// The line was too long, which has been said; its remaining bytes are dropped.
    Dropping,
}

impl Default for LineEditor {
    fn default() -> Self {
        Self::new()
    }
}

impl LineEditor {
    /// An editor with an empty line.
    #[must_use]
    pub const fn new() -> Self {
        LineEditor {
            buffer: Vec::new(),
            state: State::Collecting,
        }
    }

    /// Takes one byte; answers with the line, or what is wrong with it, when the byte ends one.
    ///
    /// Empty lines are not reported. An overlong line is reported once, at its first excess byte.
    pub fn push(&mut self, byte: u8) -> Option<Result<&str, LineError>> {
        if self.state == State::Finished {
            self.buffer.clear();
            self.state = State::Collecting;
        }
        match byte {
            b'\r' | b'\n' if self.state == State::Dropping => self.state = State::Collecting,
            _ if self.state == State::Dropping => {}
            b'\r' | b'\n' if !self.buffer.is_empty() => {
                self.state = State::Finished;
                return Some(self.line());
            }
            b'\r' | b'\n' => {}
            BACKSPACE | DELETE => self.erase_char(),
            CLEAR_LINE => self.buffer.clear(),
            _ if self.buffer.push(byte).is_err() => {
                self.buffer.clear();
                self.state = State::Dropping;
                return Some(Err(LineError::TooLong));
            }
            _ => {}
        }
        None
    }

    fn line(&self) -> Result<&str, LineError> {
        check(&self.buffer)
    }

    /// Removes the last character: all bytes of it if it takes several in UTF-8.
    fn erase_char(&mut self) {
        while let Some(byte) = self.buffer.pop() {
            let continues = byte & 0b1100_0000 == 0b1000_0000;
            if !continues {
                break;
            }
        }
    }
}

/// What a typed line asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// A new passage that starts with this text.
    Prompt(&'a str),
    /// List the commands.
    Help,
    /// Set the temperature; 0 is greedy.
    Temperature(Thousandths),
    /// Draw only from the K most likely symbols; 0 switches this off.
    TopK(u8),
    /// Draw only from the most likely symbols that together have this probability; 1 is off.
    TopP(Thousandths),
    /// Start a passage with this seed.
    Seed(u64),
    /// Set the length of a passage in characters; 0 is endless.
    Length(u32),
    /// Set the pace in characters per second; 0 is as fast as it goes.
    Rate(u32),
    /// Limit how often one character may come in a row.
    Guard(Guard),
    /// Set the characters that end a passage.
    Until(Until),
    /// Set after how many passages the text pauses; 0 is never.
    Count(u32),
    /// Stop writing until [`Command::Resume`].
    Pause,
    /// Go on writing.
    Resume,
    /// Start the current passage again: same seed, same prompt.
    Reset,
    /// Show settings, progress and speed.
    Stats,
    /// Describe the model.
    Model,
    /// Restart into the boot loader.
    BootLoader,
    /// Take a model of so many bytes with this checksum in its header, which comes in parcels.
    Load {
        /// Its length.
        bytes: u32,
        /// Its checksum.
        checksum: u32,
    },
    /// Wait for no model any more.
    GiveUp,
    /// A part of the model: what a [`Parcel`](crate::protocol::Parcel) is read from.
    Data(&'a str),
}

/// The help text, a line each.
pub const HELP: [&str; 20] = [
    "TEXT        start a passage with TEXT",
    "//TEXT      start a passage with /TEXT",
    "/prompt T   start a passage with T, whatever T starts with",
    "/temp X     temperature: 0 is greedy, 0.8 is usual, more is wilder",
    "/topk N     draw from the N likeliest symbols only; 0 is off",
    "/topp X     draw from the likeliest symbols of total probability X; 1 is off",
    "/guard N    at most N of one character in a row; text: as in the model's text; off",
    "/seed N     start a passage with seed N",
    "/len N      characters in a passage; 0 is endless",
    "/until X    end a passage at any character of X, such as .!? or \\n; off",
    "/count N    pause behind N passages; 0 is never",
    "/rate N     characters per second; max is full speed",
    "/pause      hold the text",
    "/resume     go on",
    "/reset      start the passage again, same seed and prompt",
    "/stats      settings, progress, speed",
    "/model      what the model is",
    "/bootloader  restart to take a new program over USB",
    "/load N C   take a model of N bytes with checksum C, as `inkling send` types it; off",
    "/help       this list",
];

/// Why a command was not understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandError<'a> {
    /// There is no command of that name.
    Unknown(&'a str),
    /// The value is missing, is not a number, or is out of range.
    Value {
        /// The command, with its slash.
        command: &'static str,
        /// What it takes.
        takes: &'static str,
        /// What was typed instead.
        found: &'a str,
    },
    /// The decimal number is not one.
    Decimal {
        /// The command, with its slash.
        command: &'static str,
        /// What is wrong with the number.
        error: ThousandthsError,
    },
}

impl fmt::Display for CommandError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommandError::Unknown(name) => {
                write!(f, "unknown command {name:.16}: /help lists the commands")
            }
            CommandError::Value {
                command,
                takes,
                found: "",
            } => write!(f, "{command} takes {takes}"),
            CommandError::Value {
                command,
                takes,
                found,
            } => write!(f, "{command} takes {takes}, not '{found:.16}'"),
            CommandError::Decimal { command, error } => write!(f, "{command}: {error}"),
        }
    }
}

impl core::error::Error for CommandError<'_> {}

impl<'a> Command<'a> {
    /// Reads one line as [`LineEditor`] hands it out.
    ///
    /// # Errors
    /// When it starts with a slash and is no command, or its value is not what the command takes.
    pub fn parse(line: &'a str) -> Result<Command<'a>, CommandError<'a>> {
        let Some(rest) = line.strip_prefix('/') else {
            return Ok(Command::Prompt(line));
        };
        if rest.starts_with('/') {
            return Ok(Command::Prompt(rest));
        }
        let (name, text) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        let value = text.trim();
        match name {
            // Spaces are part of a prompt.
            "/prompt" if !text.is_empty() => Ok(Command::Prompt(text)),
            "/prompt" => Err(CommandError::Value {
                command: "/prompt",
                takes: "the text that a passage is to start with",
                found: "",
            }),
            "/temp" => decimal("/temp", value).map(Command::Temperature),
            "/topk" => number("/topk", "a whole number from 0 to 255", value).map(Command::TopK),
            "/topp" => probability("/topp", value).map(Command::TopP),
            "/guard" => number("/guard", guard::TAKES, value).map(Command::Guard),
            "/until" => number("/until", until::TAKES, value).map(Command::Until),
            "/count" => number("/count", "a whole number of passages", value).map(Command::Count),
            "/seed" => number("/seed", "a whole number", value).map(Command::Seed),
            "/len" => number("/len", "a whole number of characters", value).map(Command::Length),
            "/rate" if value == "max" => Ok(Command::Rate(0)),
            "/rate" => number("/rate", "characters per second, or max", value).map(Command::Rate),
            "/help" => bare("/help", value, Command::Help),
            "/pause" => bare("/pause", value, Command::Pause),
            "/resume" => bare("/resume", value, Command::Resume),
            "/reset" => bare("/reset", value, Command::Reset),
            "/stats" => bare("/stats", value, Command::Stats),
            "/model" => bare("/model", value, Command::Model),
            "/bootloader" => bare("/bootloader", value, Command::BootLoader),
            "/load" if value == "off" => Ok(Command::GiveUp),
            // It is refused, whatever is to be loaded.
            "/load" if !TAKES_MODELS => Ok(Command::Load {
                bytes: 0,
                checksum: 0,
            }),
            "/load" => load(value),
            "/data" => Ok(Command::Data(value)),
            _ => Err(CommandError::Unknown(name)),
        }
    }
}

/// The line to type.
impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Command::Prompt(text) if text.starts_with('/') => write!(f, "/{text}"),
            Command::Prompt(text) => f.write_str(text),
            Command::Help => f.write_str("/help"),
            Command::Temperature(temperature) => write!(f, "/temp {temperature}"),
            Command::TopK(count) => write!(f, "/topk {count}"),
            Command::TopP(probability) => write!(f, "/topp {probability}"),
            Command::Guard(guard) => write!(f, "/guard {guard}"),
            Command::Until(until) => write!(f, "/until {until}"),
            Command::Count(count) => write!(f, "/count {count}"),
            Command::Seed(seed) => write!(f, "/seed {seed}"),
            Command::Length(length) => write!(f, "/len {length}"),
            Command::Rate(0) => f.write_str("/rate max"),
            Command::Rate(rate) => write!(f, "/rate {rate}"),
            Command::Pause => f.write_str("/pause"),
            Command::Resume => f.write_str("/resume"),
            Command::Reset => f.write_str("/reset"),
            Command::Stats => f.write_str("/stats"),
            Command::Model => f.write_str("/model"),
            Command::BootLoader => f.write_str("/bootloader"),
            Command::Load { bytes, checksum } => write!(f, "/load {bytes} {checksum:08x}"),
            Command::GiveUp => f.write_str("/load off"),
            Command::Data(parcel) => write!(f, "/data {parcel}"),
        }
    }
}

fn number<'a, T: core::str::FromStr>(
    command: &'static str,
    takes: &'static str,
    value: &'a str,
) -> Result<T, CommandError<'a>> {
    value.parse().map_err(|_| CommandError::Value {
        command,
        takes,
        found: value,
    })
}

fn decimal<'a>(command: &'static str, value: &'a str) -> Result<Thousandths, CommandError<'a>> {
    if value.is_empty() {
        return Err(CommandError::Value {
            command,
            takes: "a number such as 0.8",
            found: value,
        });
    }
    value
        .parse()
        .map_err(|error| CommandError::Decimal { command, error })
}

fn probability<'a>(command: &'static str, value: &'a str) -> Result<Thousandths, CommandError<'a>> {
    let probability = decimal(command, value)?;
    if probability > Thousandths::ONE {
        return Err(CommandError::Value {
            command,
            takes: "a number from 0 to 1",
            found: value,
        });
    }
    Ok(probability)
}

/// Whether a model may come over the line: on a PC, which speaks for all boards, and on boards that write to
/// their flash. The others have no code for what follows.
const TAKES_MODELS: bool = cfg!(any(feature = "store", not(feature = "board")));

fn load(value: &str) -> Result<Command<'_>, CommandError<'_>> {
    let read = || {
        let (bytes, checksum) = value.split_once(' ')?;
        Some(Command::Load {
            bytes: bytes.parse().ok()?,
            checksum: u32::from_str_radix(checksum, 16).ok()?,
        })
    };
    read().ok_or(CommandError::Value {
        command: "/load",
        takes: "the bytes and the checksum of a model, or off",
        found: value,
    })
}

/// A command that takes no value.
fn bare<'a>(
    name: &'static str,
    value: &'a str,
    command: Command<'a>,
) -> Result<Command<'a>, CommandError<'a>> {
    if value.is_empty() {
        return Ok(command);
    }
    Err(CommandError::Value {
        command: name,
        takes: "no value",
        found: value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::{String, ToString};
    use std::vec::Vec;

    fn lines(bytes: &[u8]) -> Vec<Result<String, LineError>> {
        let mut editor = LineEditor::default();
        let push = |&byte| editor.push(byte).map(|line| line.map(String::from));
        bytes.iter().filter_map(push).collect()
    }

    fn line(text: &str) -> Result<String, LineError> {
        Ok(text.into())
    }

    #[test]
    fn any_line_end_ends_a_line_once() {
        assert_eq!(
            lines(b"one\rtwo\nthree\r\n\r\n\n\rfour\n"),
            ["one", "two", "three", "four"].map(line)
        );
    }

    #[test]
    fn backspace_takes_whole_characters_and_stops_at_the_beginning() {
        assert_eq!(lines(b"ax\x08b\x7f\x7f\x7f\x7fc\n"), [line("c")]);
        assert_eq!(lines("añ日\x08\x08b\n".as_bytes()), [line("ab")]);
        assert_eq!(lines(b"gone\x15kept\n"), [line("kept")]);
    }

    #[test]
    fn an_overlong_line_is_reported_once_and_dropped_to_its_end() {
        let mut bytes = [b'x'; 3 * LINE_BYTES].to_vec();
        bytes.extend(b"\nnext\n");
        assert_eq!(lines(&bytes), [Err(LineError::TooLong), line("next")]);
        let mut longest = [b'x'; LINE_BYTES].to_vec();
        longest.push(b'\n');
        assert_eq!(lines(&longest), [line(&"x".repeat(LINE_BYTES))]);
    }

    #[test]
    fn noise_is_not_a_line() {
        assert_eq!(lines(b"\xff\xfe\n"), [Err(LineError::NotUtf8)]);
        assert_eq!(lines(b"\x1b[A\n"), [Err(LineError::Control)]);
        assert_eq!(lines(b"a\tb\n"), [line("a\tb")]);
    }

    #[test]
    fn commands_are_read() {
        let read = |line| Command::parse(line);
        assert_eq!(read("MARIANA:"), Ok(Command::Prompt("MARIANA:")));
        assert_eq!(read("/temp .5"), Ok(Command::Temperature(Thousandths(500))));
        assert_eq!(read("//* x"), Ok(Command::Prompt("/* x")));
        assert_eq!(read("//"), Ok(Command::Prompt("/")));
        assert_eq!(read("///"), Ok(Command::Prompt("//")));
        assert_eq!(read("/prompt  /help "), Ok(Command::Prompt(" /help ")));
        assert_eq!(read("/topk 12"), Ok(Command::TopK(12)));
        assert_eq!(read("/topp 1"), Ok(Command::TopP(Thousandths::ONE)));
        assert_eq!(
            read("/seed  18446744073709551615 "),
            Ok(Command::Seed(u64::MAX))
        );
        assert_eq!(read("/len 0"), Ok(Command::Length(0)));
        assert_eq!(read("/rate 30"), Ok(Command::Rate(30)));
        assert_eq!(read("/rate max"), Ok(Command::Rate(0)));
        assert_eq!(read("/guard 12"), Ok(Command::Guard(Guard::Most(12))));
        assert_eq!(read("/guard text"), Ok(Command::Guard(Guard::Text)));
        assert_eq!(read("/until off"), Ok(Command::Until(Until::OFF)));
        assert_eq!(
            read(r"/until .!\n"),
            Ok(Command::Until(r".!\n".parse().unwrap()))
        );
        assert_eq!(read("/count 1"), Ok(Command::Count(1)));
        assert_eq!(read("/pause"), Ok(Command::Pause));
        assert_eq!(read("/resume "), Ok(Command::Resume));
        assert_eq!(read("/reset"), Ok(Command::Reset));
        assert_eq!(read("/stats"), Ok(Command::Stats));
        assert_eq!(read("/model"), Ok(Command::Model));
        assert_eq!(read("/bootloader"), Ok(Command::BootLoader));
        assert_eq!(read("/help"), Ok(Command::Help));
        let (bytes, checksum) = (62_000, 0xBAD_CAFE);
        assert_eq!(
            read("/load 62000 0badcafe"),
            Ok(Command::Load { bytes, checksum })
        );
        assert_eq!(read("/load off"), Ok(Command::GiveUp));
        assert_eq!(read("/data 0 noise"), Ok(Command::Data("0 noise")));
    }

    #[test]
    fn mistakes_get_a_sentence_each() {
        let answer = |line| Command::parse(line).map_err(|error| error.to_string());
        for (line, sentence) in [
            ("/", "unknown command /: /help lists the commands"),
            ("/Temp 1", "unknown command /Temp: /help lists the commands"),
            (
                "/prompt",
                "/prompt takes the text that a passage is to start with",
            ),
            ("/temp", "/temp takes a number such as 0.8"),
            (
                "/temp -1",
                "/temp: expected a number from 0 to 65.535, such as 0.8",
            ),
            (
                "/topk -1",
                "/topk takes a whole number from 0 to 255, not '-1'",
            ),
            (
                "/topp 1.001",
                "/topp takes a number from 0 to 1, not '1.001'",
            ),
            ("/seed", "/seed takes a whole number"),
            (
                "/seed 18446744073709551616",
                "/seed takes a whole number, not '1844674407370955'",
            ),
            (
                "/len many",
                "/len takes a whole number of characters, not 'many'",
            ),
            (
                "/rate fast",
                "/rate takes characters per second, or max, not 'fast'",
            ),
            (
                "/guard 0",
                "/guard takes a number from 1 to 255, text or off, not '0'",
            ),
            (
                "/until abcde",
                "/until takes 1 to 4 characters, with \\n for a line end and \\s for a blank, \
                 or off, not 'abcde'",
            ),
            (
                "/count all",
                "/count takes a whole number of passages, not 'all'",
            ),
            ("/pause now", "/pause takes no value, not 'now'"),
            (
                "/load 12 xyz",
                "/load takes the bytes and the checksum of a model, or off, not '12 xyz'",
            ),
        ] {
            assert_eq!(answer(line), Err(sentence.to_string()));
        }
    }

    /// A line that is a command.
    fn command() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<u16>().prop_map(|value| std::format!("/temp {}", Thousandths(value))),
            (0..=1000_u16).prop_map(|value| std::format!("/topp {}", Thousandths(value))),
            any::<u8>().prop_map(|value| std::format!("/topk {value}")),
            any::<u64>().prop_map(|value| std::format!("/seed {value}")),
            "/(len|rate|count) [0-9]{1,9}",
            "/guard ([1-9]|text|off)",
            "/until ([a-z.!?]{1,4}|(\\\\[nts]){1,2}|off)",
            "/(rate max|pause|resume|reset|stats|model|help|load off)",
            any::<(u32, u32)>()
                .prop_map(|(bytes, checksum)| std::format!("/load {bytes} {checksum:08x}")),
            "//?[a-z]{0,9}".prop_map(|text| std::format!("/prompt {text}x")),
        ]
    }

    proptest! {
        #[test]
        fn a_command_is_typed_as_it_is_displayed(line in command()) {
            let command = Command::parse(&line).unwrap();
            let typed = command.to_string();
            prop_assert_eq!(Command::parse(&typed), Ok(command));
        }

        #[test]
        fn every_text_can_be_a_prompt(text in "(/|//|/help|/\\*|#)?[^\\p{Cc}]{1,40}") {
            let typed = Command::Prompt(&text).to_string();
            prop_assert_eq!(Command::parse(&typed), Ok(Command::Prompt(&text)));
            let typed = std::format!("/prompt {text}");
            prop_assert_eq!(Command::parse(&typed), Ok(Command::Prompt(&text)));
        }

        #[test]
        fn arbitrary_bytes_give_lines_that_can_be_read(bytes: Vec<u8>) {
            for line in lines(&bytes).into_iter().flatten() {
                prop_assert!((1..=LINE_BYTES).contains(&line.len()));
                if let Err(error) = Command::parse(&line) {
                    prop_assert!(!error.to_string().is_empty());
                }
            }
        }
    }
}
