//! What the program prints: one way to standard output, one to standard error.
//!
//! Names, alphabets and paths come from files that others may have made. On a terminal nothing of
//! that acts: control characters and characters that turn the direction of text are replaced by
//! something to see ([`clean`]). In a pipe bytes pass as they are. Neither a closed pipe nor a full
//! disk ends the program in a panic.

use std::error::Error;
use std::fmt;
use std::io::{self, IsTerminal, Write};

use console::Term;

mod bar;
pub mod flow;
mod table;

pub use bar::bar;
pub use table::{name_cell, table};

use flow::{Flow, Indent};

/// From here on a terminal cuts what is wider than it, until [`BREAK`]: while it is being resized, it may
/// be narrower than it says.
pub const CUT: &str = "\x1b[?7l";

/// From here on it breaks what is wider than it, as usual.
pub const BREAK: &str = "\x1b[?7h";

/// The width of a terminal that does not tell it.
const USUAL_WIDTH: u16 = 80;

/// What stands for anything that is not to reach the terminal.
const REPLACEMENT: char = char::REPLACEMENT_CHARACTER;

/// Writes one line to standard error; takes what `format!` takes.
#[macro_export]
macro_rules! note {
    ($($argument:tt)*) => {
        $crate::output::note(&format!($($argument)*))
    };
}

/// Why standard output takes no more.
#[derive(Debug)]
enum OutputError {
    /// The reader has seen enough: `inkling boards | head -1`.
    ReaderGone,
    /// Anything else, a full disk for example.
    Failed(io::Error),
}

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReaderGone => f.write_str("nobody reads standard output any more"),
            Self::Failed(reason) => write!(f, "cannot write to standard output: {reason}"),
        }
    }
}

impl Error for OutputError {}

/// Standard output. Errors say that it was this that could not be written.
#[derive(Debug)]
pub struct Output {
    is_terminal: bool,
    decoder: Decoder,
    /// Breaks lines on a terminal; none where they are left as they are.
    flow: Option<Flow>,
    /// The beginning of a line that is to be broken as a whole.
    begun: Option<String>,
}

/// Standard output for what programs read: lines are as long as they are.
#[must_use]
pub fn stdout() -> Output {
    Output::new(None)
}

/// Standard output for lines that people read: on a terminal they are broken between words, as
/// [`Indent::Hanging`] says.
#[must_use]
pub fn prose() -> Output {
    Output::new(Some(Indent::Hanging))
}

/// Standard output for text that models write: on a terminal it is broken between words, also where it
/// comes letter by letter.
#[must_use]
pub fn passage() -> Output {
    Output::new(Some(Indent::None))
}

/// The columns of a terminal.
#[must_use]
pub fn width_of(terminal: &Term) -> usize {
    let columns = terminal.size_checked().map_or(0, |(_, columns)| columns);
    match columns {
        0 => USUAL_WIDTH.into(),
        columns => columns.into(),
    }
}

impl Output {
    fn new(indent: Option<Indent>) -> Output {
        let is_terminal = io::stdout().is_terminal();
        let flow = |indent| Flow::new(width_of(&Term::stdout()), indent);
        Output {
            is_terminal,
            decoder: Decoder::default(),
            flow: indent.filter(|_| is_terminal).map(flow),
            begun: (indent == Some(Indent::Hanging)).then(String::new),
        }
    }

    /// Whether people look at it.
    #[must_use]
    pub fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// What is to be written for some more text.
    fn broken(&mut self, text: String) -> String {
        let Some(flow) = &mut self.flow else {
            return text;
        };
        let Some(begun) = &mut self.begun else {
            return flow.write(&text);
        };
        *begun += &text;
        let end = begun.rfind('\n').map_or(0, |at| at + 1);
        let lines: String = begun.drain(..end).collect();
        flow.write(&lines)
    }

    /// What is to be written of a line whose end has not come.
    fn rest(&mut self) -> String {
        match (&mut self.flow, &mut self.begun) {
            (Some(flow), Some(begun)) => flow.write(&std::mem::take(begun)),
            _ => String::new(),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = if self.is_terminal {
            let text = self.decoder.decode(bytes);
            let text = self.broken(text);
            io::stdout().write_all(text.as_bytes())
        } else {
            io::stdout().write_all(bytes)
        };
        written.map(|()| bytes.len()).map_err(explained)
    }

    fn flush(&mut self) -> io::Result<()> {
        let rest = self.rest();
        let mut out = io::stdout();
        let written = out.write_all(rest.as_bytes()).and_then(|()| out.flush());
        written.map_err(explained)
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        let rest = self.rest();
        // Whoever wants to know whether it was written flushes.
        let _ = io::stdout().write_all(rest.as_bytes());
    }
}

fn explained(error: io::Error) -> io::Error {
    let kind = error.kind();
    let reason = match kind {
        io::ErrorKind::BrokenPipe => OutputError::ReaderGone,
        _ => OutputError::Failed(error),
    };
    io::Error::new(kind, reason)
}

/// Whether `error` only says that whoever read standard output has seen enough.
#[must_use]
pub fn reader_is_gone(error: &(dyn Error + 'static)) -> bool {
    let io = error.downcast_ref::<io::Error>();
    let reason = io.and_then(io::Error::get_ref);
    matches!(
        reason.and_then(|reason| reason.downcast_ref()),
        Some(OutputError::ReaderGone)
    )
}

/// Writes one line to standard error, above the bar if there is one. A standard error that takes
/// nothing is no reason to stop.
pub fn note(line: &str) {
    bar::above(|| {
        let mut stderr = io::stderr().lock();
        let _ = if stderr.is_terminal() {
            let width = width_of(&Term::stderr());
            let mut flow = Flow::new(width, Indent::Hanging);
            writeln!(stderr, "{}", flow.write(&clean(line)))
        } else {
            writeln!(stderr, "{line}")
        };
    });
}

/// `text` as no terminal stumbles over it.
#[must_use]
pub fn clean(text: &str) -> String {
    text.chars().filter_map(shown).collect()
}

/// `text` as no terminal stumbles over it, on one line.
#[must_use]
pub fn one_line(text: &str) -> String {
    let text = text.replace('\t', " ");
    clean(&text).replace('\n', "␊")
}

/// Decodes UTF-8 that comes in pieces, with noise in it, and cleans it.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The beginning of a character whose end has not come yet.
    begun: Vec<u8>,
}

impl Decoder {
    /// The text of some more bytes. Invalid bytes and control characters are replaced; line ends are
    /// `\n`, whether or not a `\r` comes with them.
    pub fn decode(&mut self, bytes: &[u8]) -> String {
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        let mut text = String::with_capacity(all.len());
        let mut chunks = all.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.extend(chunk.valid().chars().filter_map(shown));
            let rest = chunk.invalid();
            let may_go_on = chunks.peek().is_none() && is_begun(rest);
            if may_go_on {
                self.begun = rest.to_vec();
            } else if !rest.is_empty() {
                text.push(REPLACEMENT);
            }
        }
        text
    }
}

/// Whether more bytes can complete these to a character.
fn is_begun(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

fn shown(c: char) -> Option<char> {
    match c {
        '\n' | '\t' => Some(c),
        '\r' => None,
        // Pictures of the control characters, as far as there are any.
        '\0'..='\x1F' => char::from_u32(0x2400 + u32::from(c)),
        '\x7F' => Some('\u{2421}'),
        // These turn the direction of what follows.
        '\u{061C}'
        | '\u{200E}'
        | '\u{200F}'
        | '\u{202A}'..='\u{202E}'
        | '\u{2066}'..='\u{2069}' => Some(REPLACEMENT),
        c if c.is_control() => Some(REPLACEMENT),
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_characters_and_invalid_bytes_are_shown_and_do_nothing() {
        let text = Decoder::default().decode(b"a\x1b[2Jb\x00\x07\xff\xfec\x7f\r\n\xc2\x9bd\te");
        assert_eq!(text, "a␛[2Jb␀␇��c␡\n�d\te");
    }

    #[test]
    fn what_is_to_be_one_line_is_one_line() {
        assert_eq!(one_line("a\nb\tc\r\u{9b}\u{202e}d"), "a␊b c��d");
    }

    #[test]
    fn a_character_may_come_in_pieces() {
        let mut decoder = Decoder::default();
        let pieces = "ä€𝄞".as_bytes().chunks(1);
        let text: String = pieces.map(|piece| decoder.decode(piece)).collect();
        assert_eq!(text, "ä€𝄞");
        assert_eq!(decoder.decode(b"\xe2\x82"), "");
        assert_eq!(decoder.decode(b"x"), "�x");
    }

    proptest! {
        #[test]
        fn noise_is_the_same_however_it_is_cut(bytes: Vec<u8>, cut: usize) {
            let whole = Decoder::default().decode(&bytes);
            prop_assert!(whole.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
            let (head, tail) = bytes.split_at(cut % (bytes.len() + 1));
            let mut decoder = Decoder::default();
            prop_assert_eq!(decoder.decode(head) + &decoder.decode(tail), whole);
        }
    }
}
