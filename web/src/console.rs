//! The console of a board, as far as it needs no screen: what the board prints is taken apart by the parser
//! that the command line has too, and what it says of itself is gathered.

use firmware::console::check;
use firmware::protocol::{Heard, PASSAGE, PAUSED, Parser, Said, Shown, Start};
use inkling_engine::Settings;

/// Begins a piece of text in what [`Console::hear`] gives.
pub const TEXT: u8 = b'T';

/// Begins a line of the board's own there.
pub const LINE: u8 = b'L';

/// Begins there the line of the board's own that comes before the text of a passage.
pub const START: u8 = b'S';

/// Begins there the one that comes behind it.
pub const END: u8 = b'E';

/// Begins there what the board says of a model that comes in.
pub const LOAD: u8 = b'M';

/// Stands there for the end of an answer.
pub const DONE: u8 = b'D';

/// What is known of a board.
#[derive(Debug, Default)]
pub struct Console {
    parser: Parser,
    board: String,
    model: String,
    seed: Option<u64>,
    settings: Option<Settings>,
    is_paused: bool,
}

impl Console {
    /// Takes note of what a board prints. Pieces are added to `pieces`: [`TEXT`], [`LINE`], [`START`], [`END`],
    /// [`LOAD`] or [`DONE`], how many bytes follow as four bytes, the lowest first, and these bytes. A character of a text may be
    /// spread over several pieces.
    pub fn hear(&mut self, bytes: &[u8], pieces: &mut Vec<u8>) {
        let mut text = Vec::new();
        let mut lines = Vec::new();
        for &byte in bytes {
            let (kind, piece): (u8, &[u8]) = match self.parser.push(byte) {
                Heard::Text(byte) => {
                    text.push(byte);
                    continue;
                }
                // A line comes as a whole, and what ends a row of the text is not part of it.
                Heard::Talk(_) | Heard::Mark | Heard::Break => continue,
                Heard::Done => (DONE, b""),
                Heard::Line(line) => {
                    lines.push(line.to_owned());
                    let kind = match Said::read(line) {
                        Said::Start(_) => START,
                        Said::End(_) => END,
                        Said::Load(_) => LOAD,
                        _ => LINE,
                    };
                    (kind, line.as_bytes())
                }
            };
            if !text.is_empty() {
                put(pieces, TEXT, &std::mem::take(&mut text));
            }
            put(pieces, kind, piece);
        }
        if !text.is_empty() {
            put(pieces, TEXT, &text);
        }
        for line in lines {
            self.note(&line);
        }
    }

    fn note(&mut self, line: &str) {
        if let Some(progress) = line.strip_prefix(PASSAGE) {
            self.is_paused = progress.ends_with(PAUSED);
        }
        match Said::read(line) {
            Said::Greeting(board) => {
                self.board = board.to_owned();
                self.is_paused = false;
            }
            Said::Paused => self.is_paused = true,
            Said::Resumed => self.is_paused = false,
            Said::Model { name, .. } => self.model = name.to_owned(),
            Said::NoModel(_) => self.model = "no model".to_owned(),
            Said::Start(Start { seed, settings }) => {
                (self.seed, self.settings) = (Some(seed), Some(settings));
            }
            Said::Seed(seed) => self.seed = Some(seed),
            Said::Settings(settings) => self.settings = Some(settings),
            _ => {}
        }
    }

    /// Board, model, seed, settings, and `paused` or nothing, with tabs in between; what is not known is
    /// empty.
    #[must_use]
    pub fn status(&self) -> String {
        let seed = self.seed.map(|seed| seed.to_string());
        let settings = self.settings.map(|settings| Shown(settings).to_string());
        [
            self.board.as_str(),
            &self.model,
            &seed.unwrap_or_default(),
            &settings.unwrap_or_default(),
            if self.is_paused { PAUSED } else { "" },
        ]
        .join("\t")
    }
}

fn put(pieces: &mut Vec<u8>, kind: u8, bytes: &[u8]) {
    pieces.push(kind);
    pieces.extend((bytes.len() as u32).to_le_bytes());
    pieces.extend(bytes);
}

/// A line as it is sent, with its end.
///
/// # Errors
/// A sentence about a line that no board takes.
pub fn typed(line: &[u8]) -> Result<String, String> {
    let line = check(line).map_err(|error| error.to_string())?;
    Ok(format!("{line}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use firmware::protocol::{BREAK, DONE_TEXT, OWN};

    /// The pieces as text.
    fn heard(console: &mut Console, bytes: &[u8]) -> Vec<(char, String)> {
        let mut pieces = Vec::new();
        console.hear(bytes, &mut pieces);
        let mut rest = &pieces[..];
        let mut all = Vec::new();
        while let [kind, a, b, c, d, behind @ ..] = rest {
            let length = u32::from_le_bytes([*a, *b, *c, *d]) as usize;
            let (piece, behind) = behind.split_at(length);
            all.push((
                char::from(*kind),
                String::from_utf8_lossy(piece).into_owned(),
            ));
            rest = behind;
        }
        all
    }

    #[test]
    fn what_a_board_prints_comes_in_pieces_and_tells_of_the_board() {
        let printed = format!(
            "{OWN}Inkling 0.1.0 on pico\n{OWN}model: tiny, 65 symbols, checksum 0badcafe\n\
             {OWN}start: seed 7, temperature 0.8, top-k 3\nTo be{BREAK}{OWN}paused\n{DONE_TEXT} or"
        );
        let mut console = Console::default();
        // However it comes in.
        let (first, second) = printed.as_bytes().split_at(40);
        let mut all = heard(&mut console, first);
        all.extend(heard(&mut console, second));
        let all: Vec<_> = all.iter().map(|(kind, piece)| (*kind, &**piece)).collect();
        assert_eq!(
            all,
            [
                ('L', "Inkling 0.1.0 on pico"),
                ('L', "model: tiny, 65 symbols, checksum 0badcafe"),
                ('S', "start: seed 7, temperature 0.8, top-k 3"),
                ('T', "To be"),
                ('L', "paused"),
                ('D', ""),
                ('T', " or"),
            ]
        );
        assert_eq!(
            console.status(),
            "pico\ttiny\t7\ttemperature 0.8, top-k 3\tpaused"
        );
        heard(
            &mut console,
            format!("{OWN}resumed\n{OWN}seed 9\n").as_bytes(),
        );
        assert_eq!(
            console.status(),
            "pico\ttiny\t9\ttemperature 0.8, top-k 3\t"
        );
        let end = format!("{OWN}end: seed 9, 5 characters, 40 characters/s\n");
        assert_eq!(heard(&mut console, end.as_bytes())[0].0, 'E');
        let load = format!("{OWN}load: next 4096 of 9000\n");
        assert_eq!(heard(&mut console, load.as_bytes())[0].0, 'M');
        assert_eq!(Console::default().status(), "\t\t\t\t");
    }

    #[test]
    fn a_line_that_no_board_takes_is_not_sent() {
        assert_eq!(typed("To bé".as_bytes()), Ok("To bé\n".into()));
        for line in [&b"a\x1b[A"[..], b"\xff", &[b'a'; 300]] {
            assert!(!typed(line).unwrap_err().is_empty());
        }
    }
}
