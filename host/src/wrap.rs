//! Soft line ends between words, for text that people read in a window.
//!
//! Text of no width passes as it is. Nothing else of it changes: its own line ends stay where they are.

use std::io::{self, Write};

use textwrap::{Options, WordSeparator, WordSplitter};

/// Breaks lines that are longer than so many columns.
#[must_use]
pub fn wrap(text: &str, columns: usize) -> String {
    let columns = columns.max(1);
    let lines = text.split('\n').map(|line| {
        let words = line.trim_start_matches(' ');
        // More than half a line of it would leave no room for words.
        let indent = &line[..(line.len() - words.len()).min(columns / 2)];
        let options = Options::new(columns)
            .initial_indent(indent)
            .word_separator(WordSeparator::AsciiSpace)
            .word_splitter(WordSplitter::NoHyphenation);
        match words {
            "" => String::new(),
            words => textwrap::wrap(words, &options).join("\n"),
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Writes text as it comes, wrapped a line at a time if there is a width.
pub struct Wrapped<W> {
    output: W,
    columns: Option<usize>,
    /// What has come of a line that is to be wrapped.
    line: String,
}

impl<W: Write> Wrapped<W> {
    /// Onto an output.
    pub fn new(output: W, columns: Option<usize>) -> Self {
        Self {
            output,
            columns,
            line: String::new(),
        }
    }

    /// Writes a character.
    ///
    /// # Errors
    /// When the output takes none.
    pub fn push(&mut self, character: char) -> io::Result<()> {
        match self.columns {
            None => write!(self.output, "{character}"),
            Some(_) if character == '\n' => {
                self.end_line()?;
                writeln!(self.output)
            }
            Some(_) => {
                self.line.push(character);
                Ok(())
            }
        }
    }

    /// Writes a text.
    ///
    /// # Errors
    /// When the output takes none.
    pub fn push_str(&mut self, text: &str) -> io::Result<()> {
        text.chars().try_for_each(|character| self.push(character))
    }

    /// Writes what has come of the last line.
    ///
    /// # Errors
    /// When the output takes none.
    pub fn end_line(&mut self) -> io::Result<()> {
        if let Some(columns) = self.columns {
            write!(self.output, "{}", wrap(&self.line, columns))?;
            self.line.clear();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, columns: Option<usize>) -> String {
        let mut output = Vec::new();
        let mut wrapped = Wrapped::new(&mut output, columns);
        wrapped.push_str(text).unwrap();
        wrapped.end_line().unwrap();
        String::from_utf8(output).unwrap()
    }

    #[test]
    fn lines_break_between_words_and_own_line_ends_stay() {
        let text = "to be or not to be,\nthat is\n\n    indented words here";
        assert_eq!(
            written(text, Some(12)),
            "to be or not\nto be,\nthat is\n\n    indented\nwords here"
        );
        assert_eq!(written(text, None), text);
    }

    #[test]
    fn what_is_longer_than_a_line_is_broken_and_counted_in_columns() {
        assert_eq!(written("abcdefgh", Some(3)), "abc\ndef\ngh");
        assert_eq!(written("日本語の文", Some(4)), "日本\n語の\n文");
    }
}
