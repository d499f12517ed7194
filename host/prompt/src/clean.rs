//! From decoded characters to those that a model learns: line ends, controls, transliteration.

use unicode_normalization::char::is_combining_mark;

use crate::transliteration;

/// Makes line ends `\n`, removes byte-order marks and what no board should print, and, unless
/// `unicode`, transliterates everything else to ASCII.
#[derive(Debug)]
pub struct Cleaner {
    unicode: bool,
    after_return: bool,
    at_line_start: bool,
    left_out: LeftOut,
    letters: u64,
    by_sound: u64,
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
            letters: 0,
            by_sound: 0,
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
                ' '..='~' | '\t' => {
                    self.letters += u64::from(c.is_ascii_alphabetic());
                    give(c);
                }
                c if is_control(c) => self.left_out.controls += 1,
                c if self.unicode => give(c),
                c => {
                    self.letters += u64::from(c.is_alphabetic());
                    self.by_sound += u64::from(is_east_asian(c));
                    let ascii = transliteration::ascii(c).chars();
                    let mut ascii = ascii.filter(|c| matches!(c, ' '..='~' | '\n')).peekable();
                    if ascii.peek().is_none() && !is_invisible(c) {
                        self.left_out.foreign += 1;
                    }
                    ascii.for_each(give);
                }
            }
        }
    }

    /// How many letters there were so far, where they are transliterated.
    #[must_use]
    pub fn letters(&self) -> u64 {
        self.letters
    }

    /// How many of them stand for syllables or words, of which transliteration keeps the sound.
    #[must_use]
    pub fn by_sound(&self) -> u64 {
        self.by_sound
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

/// Whether `c` is a letter of Chinese, Japanese or Korean.
fn is_east_asian(c: char) -> bool {
    matches!(c, '\u{1100}'..='\u{11ff}' | '\u{3040}'..='\u{30ff}' | '\u{3105}'..='\u{312f}'
        | '\u{3131}'..='\u{318e}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}'
        | '\u{20000}'..='\u{3ffff}')
        && c.is_alphabetic()
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
