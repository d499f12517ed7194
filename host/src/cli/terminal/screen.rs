//! Text that streams in above a status line and an input line, for any terminal.
//!
//! Answers with what to write to the terminal and touches none itself. The text scrolls away as any
//! program's does; only the last two rows are drawn anew. Lines are broken here, so that the column
//! of the text is always known.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The narrowest terminal that is drawn for.
const LEAST_WIDTH: usize = 16;

/// Cursor to the first row of the footer and everything from there erased.
const ERASE_FOOTER: &str = "\r\x1b[1A\x1b[J";
const STATUS_STYLE: &str = "\x1b[7m";
const NOTICE_STYLE: &str = "\x1b[36m";
const PLAIN: &str = "\x1b[0m";
const PROMPT: &str = "> ";

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

/// The terminal as far as this module has drawn it.
#[derive(Debug)]
pub struct Screen {
    width: usize,
    /// How many columns of the text's last row are filled.
    column: usize,
    /// Whether a notice has ended the text's row, so that its own line end is not to do so again.
    is_broken: bool,
    has_footer: bool,
}

impl Screen {
    /// An empty terminal of so many columns.
    pub fn new(width: usize) -> Screen {
        Screen {
            width: width.max(LEAST_WIDTH),
            column: 0,
            is_broken: false,
            has_footer: false,
        }
    }

    /// Takes a new width. What stands there was broken for the old one, so a new row begins.
    pub fn resize(&mut self, width: usize) -> String {
        let out = self.erase_footer() + "\r\n";
        *self = Screen::new(width);
        out
    }

    /// Adds text, and draws the footer below.
    pub fn draw(&mut self, text: &str, footer: Footer<'_>) -> String {
        let mut out = self.erase_footer();
        // Only what comes first can be the line end of a row that a notice has ended.
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

    /// Adds lines that are not the board's, and draws the footer below.
    pub fn notice(&mut self, line: &str, footer: Footer<'_>) -> String {
        let mut out = self.erase_footer();
        if self.column > 0 {
            self.append(&mut out, "\n");
            self.is_broken = true;
        }
        out += NOTICE_STYLE;
        self.append(&mut out, line);
        out += PLAIN;
        self.append(&mut out, "\n");
        self.append_footer(&mut out, footer);
        out
    }

    /// Leaves the terminal as a program that has only printed would.
    pub fn leave(&mut self) -> String {
        let mut out = self.erase_footer();
        if self.column > 0 {
            self.append(&mut out, "\n");
        }
        out
    }

    /// Takes the footer away and goes to the end of the text.
    fn erase_footer(&mut self) -> String {
        if !std::mem::take(&mut self.has_footer) {
            return String::new();
        }
        let mut out = format!("{ERASE_FOOTER}\x1b[1A");
        if self.column > 0 {
            out += &format!("\x1b[{}C", self.column);
        }
        out
    }

    fn append(&mut self, out: &mut String, text: &str) {
        for c in text.chars() {
            match c {
                '\n' => self.end_row(out),
                '\t' => {
                    let spaces = 8 - self.column % 8;
                    for _ in 0..spaces {
                        self.put(out, ' ');
                    }
                }
                c => self.put(out, c),
            }
        }
    }

    fn put(&mut self, out: &mut String, c: char) {
        let width = c.width().unwrap_or(0);
        if self.column + width > self.width {
            self.end_row(out);
        }
        out.push(c);
        self.column += width;
    }

    fn end_row(&mut self, out: &mut String) {
        *out += "\r\n";
        self.column = 0;
    }

    fn append_footer(&mut self, out: &mut String, footer: Footer<'_>) {
        // One column stays free: terminals differ in what they do after the last one.
        let room = self.width - 1;
        let status = cut(footer.status, room - 2);
        let padding = room - status.width();
        *out += &format!(
            "\r\n{STATUS_STYLE} {status}{:1$}{PLAIN}\r\n",
            "",
            padding - 1
        );
        let (input, cursor) = window(footer, room - PROMPT.width());
        *out += &format!("{PROMPT}{input}\r\x1b[{}C", PROMPT.width() + cursor);
        self.has_footer = true;
    }
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
    fn text_streams_above_the_footer() {
        let (mut screen, mut shown) = (Screen::new(20), Shown::new(6, 20));
        shown.draw(&screen.draw("", FOOTER));
        for piece in ["To b", "e", "\nor not", " to be, that is the"] {
            shown.draw(&screen.draw(piece, FOOTER));
        }
        let expected = [
            "To be",
            "or not to be, that i",
            "s the",
            " status",
            "> typed",
            "",
        ];
        assert_eq!(shown.rows(), expected);
        assert_eq!(shown.0.screen().cursor_position(), (4, 4));
        shown.draw(&screen.draw(" question\n", FOOTER));
        let expected = [
            "To be",
            "or not to be, that i",
            "s the question",
            "",
            " status",
            "> typed",
        ];
        assert_eq!(shown.rows(), expected);
        shown.draw(&screen.draw("Whether 'tis nobler in", FOOTER));
        let expected = [
            "or not to be, that i",
            "s the question",
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
    fn notices_get_rows_of_their_own() {
        let (mut screen, mut shown) = (Screen::new(20), Shown::new(9, 20));
        shown.draw(&screen.draw("half a line", FOOTER));
        shown.draw(&screen.notice("unplugged", FOOTER));
        shown.draw(&screen.draw(" and on", FOOTER));
        shown.draw(&screen.notice("plugged in", FOOTER));
        shown.draw(&screen.draw("", FOOTER));
        shown.draw(&screen.draw("\nnext", FOOTER));
        assert_eq!(
            shown.rows()[..6],
            [
                "half a line",
                "unplugged",
                " and on",
                "plugged in",
                "next",
                " status"
            ]
        );
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
