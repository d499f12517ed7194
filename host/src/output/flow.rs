//! Text that comes in pieces, broken into rows between its words.
//!
//! Knows the row that is being written and nothing of terminals: whoever writes it does so.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The narrowest terminal that is written for.
const LEAST_WIDTH: usize = 16;

/// What a tab leads to a multiple of.
const TAB: usize = 8;

/// How further rows of a line begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indent {
    /// At the left.
    None,
    /// Below what stands behind the last gap of two blanks in the left half, as in a list of names and
    /// values; without a gap, where the line begins.
    Hanging,
}

/// The row that is being written.
#[derive(Debug)]
pub struct Flow {
    width: usize,
    indent: Indent,
    row: String,
    columns: usize,
    /// How many columns of blanks further rows of this line begin with, once there is one.
    hanging: Option<usize>,
    /// Whether the line was broken right here: blanks are not wanted then.
    is_broken: bool,
}

impl Flow {
    /// An empty row of so many columns.
    #[must_use]
    pub fn new(width: usize, indent: Indent) -> Flow {
        Flow {
            width: width.max(LEAST_WIDTH),
            indent,
            row: String::new(),
            columns: 0,
            hanging: None,
            is_broken: false,
        }
    }

    /// The row as far as it is written.
    #[must_use]
    pub fn row(&self) -> &str {
        &self.row
    }

    /// The columns that it fills.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The columns that there are.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Adds text, and answers with the rows that are complete by it.
    pub fn push(&mut self, text: &str) -> Vec<String> {
        let mut rows = Vec::new();
        for c in text.chars() {
            match c {
                '\n' => {
                    rows.push(std::mem::take(&mut self.row));
                    *self = Flow::new(self.width, self.indent);
                }
                '\t' => {
                    for _ in 0..TAB - self.columns % TAB {
                        self.put(' ', &mut rows);
                    }
                }
                c => self.put(c, &mut rows),
            }
        }
        rows
    }

    /// Adds text to what stands on a terminal already, and answers with what is to be written for that.
    /// The cursor is behind the row, before and afterwards.
    pub fn write(&mut self, text: &str) -> String {
        let before = self.row.len();
        let old = self.row.clone();
        let rows = self.push(text);
        let Some((first, others)) = rows.split_first() else {
            return self.row[before..].to_owned();
        };
        let mut out = match first.strip_prefix(&old) {
            Some(more) => more.to_owned(),
            // A word has moved on to the next row.
            None => format!("\r\x1b[K{first}"),
        };
        for row in others.iter().chain([&self.row]) {
            out.push('\n');
            out += row;
        }
        out
    }

    /// Takes the last word off the row, which may go on, and answers with it.
    pub fn take_word(&mut self) -> String {
        // A letter that would follow.
        let at = last_break(&self.row, 'x').unwrap_or(0);
        let word = self.row.split_off(at);
        self.columns = self.row.width();
        word
    }

    fn put(&mut self, c: char, rows: &mut Vec<String>) {
        let width = c.width().unwrap_or(0);
        if self.is_broken && c == ' ' {
            return;
        }
        self.is_broken = false;
        if self.columns + width > self.width {
            self.break_before(c, rows);
            if c == ' ' {
                return;
            }
        }
        self.row.push(c);
        self.columns += width;
    }

    /// Ends the row at the last place before `c` where the line may be broken.
    fn break_before(&mut self, c: char, rows: &mut Vec<String>) {
        let blanks = self.row.len() - self.row.trim_start_matches(' ').len();
        let hanging = *self.hanging.get_or_insert_with(|| match self.indent {
            Indent::None => 0,
            Indent::Hanging => hanging(&self.row, self.width),
        });
        let at = match c {
            ' ' => None,
            c => last_break(&self.row, c).filter(|&at| at > blanks),
        };
        // A word that fills a row is broken where the row ends.
        let rest = self.row.split_off(at.unwrap_or(self.row.len()));
        let row = std::mem::replace(&mut self.row, " ".repeat(hanging));
        rows.push(row.trim_end_matches(' ').to_owned());
        self.row += &rest;
        self.columns = self.row.width();
        self.is_broken = c == ' ';
    }
}

/// The last place in `row` where a line may be broken if `next` follows: behind a blank, and beside the
/// wide characters of scripts that have none.
fn last_break(row: &str, next: char) -> Option<usize> {
    let is_wide = |c: char| c.width() == Some(2);
    let mut behind = next;
    for (at, c) in row.char_indices().rev() {
        if c == ' ' || is_wide(c) || is_wide(behind) {
            return Some(at + c.len_utf8());
        }
        behind = c;
    }
    None
}

/// The column of what stands behind the last gap of two blanks in the left half of a row; without one,
/// that of the first character, likewise.
fn hanging(row: &str, width: usize) -> usize {
    let text = row.trim_start_matches(' ');
    let mut columns = row.len() - text.len();
    let mut hanging = columns;
    let mut blanks = 0;
    for c in text.chars() {
        if c != ' ' && blanks > 1 && columns <= width / 2 {
            hanging = columns;
        }
        blanks = if c == ' ' { blanks + 1 } else { 0 };
        columns += c.width().unwrap_or(0);
    }
    if hanging > width / 2 { 0 } else { hanging }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All rows of a text that comes in these pieces.
    fn rows(width: usize, indent: Indent, pieces: &[&str]) -> Vec<String> {
        let mut flow = Flow::new(width, indent);
        let mut rows: Vec<_> = pieces.iter().flat_map(|piece| flow.push(piece)).collect();
        rows.push(flow.row().to_owned());
        rows
    }

    #[test]
    fn rows_end_between_words() {
        let pieces = ["To be or not to b", "e, that", " is\nthe question"];
        assert_eq!(
            rows(16, Indent::None, &pieces),
            ["To be or not to", "be, that is", "the question"]
        );
        // A full row takes the blank behind it along.
        assert_eq!(
            rows(16, Indent::None, &["1234567890123456  next"]),
            ["1234567890123456", "next"]
        );
        assert_eq!(
            rows(16, Indent::None, &["a 12345678901234567890"]),
            ["a", "1234567890123456", "7890"]
        );
    }

    #[test]
    fn scripts_without_blanks_are_broken_anywhere() {
        assert_eq!(
            rows(16, Indent::None, &["吾輩は猫である名前はまだ無い"]),
            ["吾輩は猫である名", "前はまだ無い"]
        );
    }

    #[test]
    fn a_list_of_names_and_values_stays_one() {
        assert_eq!(
            rows(
                24,
                Indent::Hanging,
                &[
                    "loss   1.5 nats/char, gap 0.1\n",
                    "  where it is not less\nx"
                ]
            ),
            [
                "loss   1.5 nats/char,",
                "       gap 0.1",
                "  where it is not less",
                "x"
            ]
        );
    }

    #[test]
    fn a_word_that_moves_on_is_taken_off_the_row() {
        let mut flow = Flow::new(16, Indent::None);
        assert_eq!(flow.write("To be or not tod"), "To be or not tod");
        assert_eq!(flow.write("ay"), "\r\x1b[KTo be or not\ntoday");
        assert_eq!(flow.write(",\nthat"), ",\nthat");
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_no_row_is_too_wide(
            pieces in proptest::collection::vec("[a-c \n日é]{0,30}", 1..20),
            width in 16_usize..40,
            hangs: bool,
        ) {
            let indent = if hangs { Indent::Hanging } else { Indent::None };
            let pieces: Vec<&str> = pieces.iter().map(String::as_str).collect();
            let rows = rows(width, indent, &pieces);
            for row in &rows {
                prop_assert!(row.width() <= width, "{row:?}");
            }
            let letters = |text: &str| text.replace([' ', '\n'], "");
            prop_assert_eq!(letters(&rows.concat()), letters(&pieces.concat()));
            // Words that fit a row are whole.
            let text = pieces.concat();
            for word in text.split([' ', '\n']).filter(|word| word.width() <= width / 2) {
                if !word.contains('日') {
                    prop_assert!(rows.iter().any(|row| row.contains(word)), "{word:?} in {rows:?}");
                }
            }
        }
    }
}
