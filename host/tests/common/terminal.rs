//! A terminal that remembers all that it has ever shown.
//!
//! What a program shows for a moment, or what scrolls away, cannot be waited for on a screen alone.

use std::collections::BTreeSet;
use std::num::NonZero;

/// A terminal with a memory.
pub struct Terminal {
    parser: vt100::Parser,
    columns: u16,
    /// How many bytes of the output it has taken.
    taken: usize,
    /// Every row in every state that it was in.
    shown: BTreeSet<String>,
}

impl Terminal {
    /// An empty one.
    pub fn new(rows: u16, columns: u16) -> Terminal {
        let size = |count| NonZero::new(count).unwrap();
        Terminal {
            parser: vt100::Parser::new(size(rows), size(columns), 0),
            columns,
            taken: 0,
            shown: BTreeSet::new(),
        }
    }

    /// Takes what is new of all that a program has written.
    pub fn take(&mut self, output: &[u8]) {
        // No more than a row can scroll away between two looks.
        for piece in output[self.taken..].split_inclusive(|&byte| byte == b'\n') {
            self.parser.process(piece);
            let rows = self.rows();
            self.shown.extend(rows);
        }
        self.taken = output.len();
    }

    /// What it shows now, without empty rows at the end.
    pub fn rows(&self) -> Vec<String> {
        let rows = self.parser.screen().rows(0, self.columns);
        let mut rows: Vec<_> = rows.map(|row| row.trim_end().to_owned()).collect();
        while rows.last().is_some_and(String::is_empty) {
            rows.pop();
        }
        rows
    }

    /// Whether it shows this in a row, or ever has.
    pub fn has_shown(&self, text: &str) -> bool {
        self.shown.iter().any(|row| row.contains(text))
    }
}
