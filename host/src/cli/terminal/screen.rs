//! Text that streams in above a status line and an input line, for any terminal.
//!
//! Answers with what to write to the terminal and touches none itself. The text scrolls away as any
//! program's does; only the row that is being written and the two below it are drawn anew. Lines are
//! broken here, between words, so that the columns of each row are known.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::status::SEPARATOR;
use crate::output::flow::{Flow, Indent};
use crate::output::{BREAK, CUT};

const STATUS_STYLE: &str = "\x1b[7m";
const NOTICE_STYLE: &str = "\x1b[36m";
const PLAIN: &str = "\x1b[0m";
const PROMPT: &str = "> ";
const ROW_END: &str = "\r\n";

/// The two rows below the text.
#[derive(Debug, Clone, Copy)]
pub struct Footer<'a> {
    /// The status line.
    pub status: &'a str,
    /// What is being typed.
    pub input: &'a str,
    /// The cursor's place in it, in characters.
    pub cursor: usize,
}

/// A line between the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Aside {
    /// This program's own.
    Notice,
    /// The board's, while the text goes on.
    Remark,
    /// The board's where a text ends or begins.
    End,
}

/// The terminal as far as this module has drawn it.
#[derive(Debug)]
pub struct Screen {
    /// The row of the text that is being written. Where no footer is drawn, nothing of it is, and the
    /// cursor is where it starts.
    text: Flow,
    /// Whether an aside has ended the text's row, so that its own line end is not to do so again.
    is_broken: bool,
    footer: Option<Drawn>,
}

/// The columns that a footer fills.
#[derive(Debug, Clone, Copy)]
struct Drawn {
    status: usize,
    /// In front of the cursor.
    input: usize,
}

impl Screen {
    /// An empty terminal of so many columns.
    pub fn new(width: usize) -> Screen {
        Screen {
            text: Flow::new(width, Indent::None),
            is_broken: false,
            footer: None,
        }
    }

    /// Takes a new width. The terminal has broken what stands there for it, as nearly all do.
    pub fn resize(&mut self, width: usize) -> String {
        let row = self.text.row().to_owned();
        let columns = self.text.columns();
        self.text = Flow::new(width, Indent::None);
        let mut out = self.erase_from(columns);
        self.append(&mut out, &row);
        out
    }

    /// Adds text, and draws the footer below.
    pub fn draw(&mut self, text: &str, footer: Footer<'_>) -> String {
        let mut out = self.erase();
        // Only what comes first can be the line end of a row that an aside has ended.
        let is_broken = self.is_broken;
        self.is_broken = is_broken && text.is_empty();
        let text = match text.strip_prefix('\n') {
            Some(rest) if is_broken => rest,
            _ => text,
        };
        self.append(&mut out, text);
        self.append_footer(&mut out, footer);
        out
    }

    /// Adds lines that are no text, and draws the footer below. A word that is being written goes on
    /// below them.
    pub fn aside(&mut self, lines: &str, kind: Aside, footer: Footer<'_>) -> String {
        let mut out = self.erase();
        let was_mid_row = self.text.columns() > 0;
        let word = match kind {
            Aside::End => String::new(),
            _ => self.text.take_word(),
        };
        self.is_broken = match kind {
            Aside::End => false,
            _ => (was_mid_row || self.is_broken) && word.is_empty(),
        };
        self.end_row(&mut out);
        if kind == Aside::Notice {
            out += NOTICE_STYLE;
        }
        self.append(&mut out, &format!("{lines}\n"));
        out += PLAIN;
        self.append(&mut out, &word);
        self.append_footer(&mut out, footer);
        out
    }

    /// Leaves the terminal as a program that has only printed would.
    pub fn leave(&mut self) -> String {
        let mut out = self.erase();
        self.end_row(&mut out);
        out
    }

    /// Takes the footer and the row above it away, and goes to where that starts.
    fn erase(&mut self) -> String {
        self.erase_from(self.text.columns())
    }

    /// The same where the row has so many columns.
    fn erase_from(&mut self, columns: usize) -> String {
        let Some(footer) = self.footer.take() else {
            return String::new();
        };
        let rows = |columns: usize| columns.div_ceil(self.text.width()).max(1);
        let up = footer.input / self.text.width() + rows(footer.status) + rows(columns);
        format!("\r\x1b[{up}A\x1b[J")
    }

    /// Adds text; draws the rows that are complete by it.
    fn append(&mut self, out: &mut String, text: &str) {
        for row in self.text.push(text) {
            *out += &row;
            *out += ROW_END;
        }
    }

    /// Ends the row if there is anything in it.
    fn end_row(&mut self, out: &mut String) {
        if self.text.columns() > 0 {
            self.append(out, "\n");
        }
    }

    fn append_footer(&mut self, out: &mut String, footer: Footer<'_>) {
        // One column stays free: terminals differ in what they do after the last one.
        let room = self.text.width() - 1;
        let status = whole_parts(footer.status, room - 2);
        *out += CUT;
        *out += self.text.row();
        *out += &format!("{ROW_END}{STATUS_STYLE} {status} {PLAIN}{ROW_END}");
        let (input, cursor) = window(footer, room - PROMPT.width());
        let cursor = PROMPT.width() + cursor;
        *out += &format!("{PROMPT}{input}{BREAK}\r\x1b[{cursor}C");
        self.footer = Some(Drawn {
            status: status.width() + 2,
            input: cursor,
        });
    }
}

/// As many parts of the status as fit.
fn whole_parts(status: &str, room: usize) -> &str {
    let mut fitting = status;
    while fitting.width() > room {
        match fitting.rsplit_once(SEPARATOR) {
            Some((parts, _)) => fitting = parts,
            None => return cut(fitting, room),
        }
    }
    fitting
}

/// As much of the beginning as fits.
fn cut(text: &str, room: usize) -> &str {
    let mut width = 0;
    for (at, c) in text.char_indices() {
        width += c.width().unwrap_or(0);
        if width > room {
            return &text[..at];
        }
    }
    text
}

/// The part of the input around the cursor that fits, and the cursor's column in it.
fn window(footer: Footer<'_>, room: usize) -> (&str, usize) {
    let at = |index| {
        let mut places = footer.input.char_indices().map(|(at, _)| at);
        places.nth(index).unwrap_or(footer.input.len())
    };
    let cursor = at(footer.cursor);
    let mut start = 0;
    // The cursor may stand behind the last character.
    while footer.input[start..cursor].width() + 1 > room {
        start += footer.input[start..]
            .chars()
            .next()
            .map_or(1, char::len_utf8);
    }
    let visible = cut(&footer.input[start..], room);
    (visible, footer.input[start..cursor].width())
}

#[cfg(test)]
mod tests {
    use std::num::NonZero;

    use proptest::prelude::*;
    use vt100::Parser;

    use super::*;

    const FOOTER: Footer<'_> = Footer {
        status: "status",
        input: "typed",
        cursor: 2,
    };

    /// A terminal of so many rows and columns that shows what is drawn.
    struct Shown(Parser);

    impl Shown {
        fn new(rows: u16, columns: u16) -> Shown {
            let some = |count| NonZero::new(count).unwrap();
            Shown(Parser::new(some(rows), some(columns), 1_000))
        }

        fn draw(&mut self, out: &str) {
            self.0.process(out.as_bytes());
        }

        fn rows(&self) -> Vec<String> {
            let screen = self.0.screen();
            let rows = screen.rows(0, screen.size().1.get());
            rows.map(|row| row.trim_end().to_owned()).collect()
        }
    }

    #[test]
    fn text_streams_above_the_footer_and_is_broken_between_words() {
        let (mut screen, mut shown) = (Screen::new(20), Shown::new(6, 20));
        shown.draw(&screen.draw("", FOOTER));
        for piece in ["To b", "e", "\nor not", " to be, that is", " the"] {
            shown.draw(&screen.draw(piece, FOOTER));
        }
        let expected = [
            "To be",
            "or not to be, that",
            "is the",
            " status",
            "> typed",
            "",
        ];
        assert_eq!(shown.rows(), expected);
        assert_eq!(shown.0.screen().cursor_position(), (4, 4));
        shown.draw(&screen.draw(" question\n", FOOTER));
        let expected = [
            "To be",
            "or not to be, that",
            "is the question",
            "",
            " status",
            "> typed",
        ];
        assert_eq!(shown.rows(), expected);
        shown.draw(&screen.draw("Whether 'tis nobler in", FOOTER));
        let expected = [
            "or not to be, that",
            "is the question",
            "Whether 'tis nobler",
            "in",
            " status",
            "> typed",
        ];
        assert_eq!(shown.rows(), expected);
        shown.draw(&screen.leave());
        assert_eq!(shown.rows()[3..], ["in", "", ""]);
        assert_eq!(shown.0.screen().cursor_position(), (4, 0));
    }

    #[test]
    fn a_full_row_loses_nothing() {
        let (mut screen, mut shown) = (Screen::new(20), Shown::new(6, 20));
        for piece in [
            "12345678901234567890",
            "x",
            "2345678901234567890",
            "\n",
            "y",
        ] {
            shown.draw(&screen.draw(piece, FOOTER));
        }
        assert_eq!(
            shown.rows()[..3],
            ["12345678901234567890", "x2345678901234567890", "y"]
        );
    }

    #[test]
    fn asides_get_rows_of_their_own_and_cut_no_word() {
        let (mut screen, mut shown) = (Screen::new(20), Shown::new(10, 20));
        shown.draw(&screen.draw("half a li", FOOTER));
        shown.draw(&screen.aside("> /temp 0.5", Aside::Notice, FOOTER));
        shown.draw(&screen.draw("ne", FOOTER));
        shown.draw(&screen.aside("# temperature 0.5", Aside::Remark, FOOTER));
        shown.draw(&screen.draw(" and on", FOOTER));
        shown.draw(&screen.aside("# end: seed 1", Aside::End, FOOTER));
        shown.draw(&screen.draw("next", FOOTER));
        assert_eq!(
            shown.rows()[..7],
            [
                "half a",
                "> /temp 0.5",
                "# temperature 0.5",
                "line and on",
                "# end: seed 1",
                "next",
                " status"
            ]
        );
    }

    #[test]
    fn a_row_that_an_aside_has_ended_is_not_ended_again() {
        let (mut screen, mut shown) = (Screen::new(20), Shown::new(8, 20));
        shown.draw(&screen.draw("a line. ", FOOTER));
        shown.draw(&screen.aside("unplugged", Aside::Notice, FOOTER));
        shown.draw(&screen.aside("plugged in", Aside::Notice, FOOTER));
        shown.draw(&screen.draw("", FOOTER));
        shown.draw(&screen.draw("\nnext", FOOTER));
        assert_eq!(
            shown.rows()[..5],
            ["a line.", "unplugged", "plugged in", "next", " status"]
        );
    }

    /// The rows of a terminal that was made narrower: it breaks what is longer, and the cursor stays
    /// with its character.
    fn reflowed(shown: &Shown, columns: u16) -> Shown {
        let screen = shown.0.screen();
        let (cursor_row, cursor_column) = screen.cursor_position();
        let rows = shown.rows();
        let mut narrow = Shown::new(40, columns);
        for (at, row) in rows.iter().enumerate() {
            if at == usize::from(cursor_row) {
                narrow.draw(&format!("{}\x1b7", &row[..usize::from(cursor_column)]));
                narrow.draw(&row[usize::from(cursor_column)..]);
            } else {
                narrow.draw(row);
            }
            if at + 1 < rows.len() {
                narrow.draw("\r\n");
            }
        }
        narrow.draw("\x1b8");
        narrow
    }

    #[test]
    fn a_terminal_that_is_made_narrower_or_wider_keeps_no_remains() {
        let footer = Footer {
            status: "pico · 16 characters/s · temperature 0.8",
            ..FOOTER
        };
        let (mut screen, mut shown) = (Screen::new(50), Shown::new(10, 50));
        shown.draw(&screen.draw("First.\nTo be or not to be, that is the que", footer));
        let mut narrow = reflowed(&shown, 20);
        narrow.draw(&screen.resize(20));
        narrow.draw(&screen.draw("stion", footer));
        let expected = [
            "First.",
            "To be or not to be,",
            "that is the question",
            " pico",
            "> typed",
        ];
        assert_eq!(narrow.rows()[..5], expected);
        assert!(narrow.rows()[5..].iter().all(String::is_empty));

        let mut wide = reflowed(&narrow, 60);
        wide.draw(&screen.resize(60));
        wide.draw(&screen.draw(":", footer));
        let rows = wide.rows();
        assert_eq!(rows[2], "that is the question:");
        assert_eq!(rows[3], " pico · 16 characters/s · temperature 0.8");
        assert!(rows[5..].iter().all(String::is_empty));
    }

    #[test]
    fn a_long_input_scrolls_with_the_cursor() {
        let (mut screen, mut shown) = (Screen::new(20), Shown::new(4, 20));
        let input = "abcdefghijklmnopqrstuvwxyz";
        let footer = |cursor| Footer {
            status: "",
            input,
            cursor,
        };
        shown.draw(&screen.draw("", footer(26)));
        assert_eq!(shown.rows()[2], "> klmnopqrstuvwxyz");
        assert_eq!(shown.0.screen().cursor_position(), (2, 18));
        shown.draw(&screen.draw("", footer(0)));
        assert_eq!(shown.rows()[2], "> abcdefghijklmnopq");
        assert_eq!(shown.0.screen().cursor_position(), (2, 2));
    }

    proptest! {
        #[test]
        fn whatever_comes_the_footer_stays_below_the_text(
            pieces in proptest::collection::vec("[a-c \n\t日é]{0,30}", 1..20),
            columns in 16_u16..40,
        ) {
            let (mut screen, mut shown) = (Screen::new(columns.into()), Shown::new(300, columns));
            for piece in &pieces {
                shown.draw(&screen.draw(piece, FOOTER));
            }
            let rows = shown.rows();
            let last = rows.iter().rposition(|row| !row.is_empty()).unwrap();
            prop_assert_eq!(&rows[last], "> typed");
            prop_assert_eq!(&rows[last - 1], " status");
            // Nothing of the text is lost, whatever it was broken into.
            let letters = |text: &str| text.replace([' ', '\n', '\t'], "");
            prop_assert_eq!(letters(&rows[..last - 1].concat()), letters(&pieces.concat()));
        }
    }
}
