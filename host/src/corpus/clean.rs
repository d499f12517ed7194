//! From decoded characters to those that a model learns: line ends, controls, transliteration.

use unicode_normalization::char::is_combining_mark;

/// Makes line ends `\n`, removes byte-order marks and what no board should print, and, unless
/// `unicode`, transliterates everything else to ASCII.
#[derive(Debug)]
pub struct Cleaner {
    unicode: bool,
    after_return: bool,
    at_line_start: bool,
    left_out: LeftOut,
}

/// How many characters were left out, by the reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// Control characters, and those that turn the direction of text.
    pub controls: u64,
    /// Characters without an ASCII form.
    pub foreign: u64,
}

impl Cleaner {
    /// Before the first piece of a text.
    #[must_use]
    pub fn new(unicode: bool) -> Self {
        Self {
            unicode,
            after_return: false,
            at_line_start: true,
            left_out: LeftOut::default(),
        }
    }

    /// Hands what is left of the next piece to `take`.
    pub fn push(&mut self, piece: &str, mut take: impl FnMut(char)) {
        for c in piece.chars() {
            let ends_pair = std::mem::replace(&mut self.after_return, c == '\r') && c == '\n';
            let at_line_start = self.at_line_start;
            let mut give = |c| {
                self.at_line_start = c == '\n';
                take(c);
            };
            match c {
                // A byte-order mark, which is also inside where files were joined.
                '\u{feff}' => {}
                '\n' if ends_pair => {}
                // A new page, or a jump down, where a line has just ended.
                '\u{b}' | '\u{c}' if at_line_start => {}
                c if is_line_end(c) => give('\n'),
                ' '..='~' | '\t' => give(c),
                c if is_control(c) => self.left_out.controls += 1,
                c if self.unicode => give(c),
                c => {
                    let ascii = unidecode::unidecode_char(c).chars();
                    let mut ascii = ascii.filter(|c| matches!(c, ' '..='~' | '\n')).peekable();
                    if ascii.peek().is_none() && !is_invisible(c) {
                        self.left_out.foreign += 1;
                    }
                    ascii.for_each(give);
                }
            }
        }
    }

    /// What was left out so far.
    #[must_use]
    pub fn left_out(&self) -> LeftOut {
        self.left_out
    }
}

/// Whether `c` ends a line or a page, whatever system it comes from.
#[must_use]
pub fn is_line_end(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{85}' | '\u{2028}' | '\u{2029}'
    )
}

/// Whether a terminal may act on `c`: control characters, and those that turn the direction of text.
fn is_control(c: char) -> bool {
    let turns = matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    c.is_control() || turns
}

/// Whether nobody would miss `c` in ASCII: accents by themselves, joiners, soft hyphens.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    is_combining_mark(c)
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200d}' | '\u{2060}'..='\u{2064}' | '\u{feff}')
}
