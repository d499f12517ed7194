//! What a text looks like: prose, code, a list; wrapped at some width or not.
//!
//! Nothing is decided here but by figures of its lines. Where they leave a doubt the text counts as
//! nothing special, and is read as it is.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// So many characters are looked at, then only a line here and there.
const LOOKED_AT: usize = 4 << 20;

/// Of what follows one line in so many, with the one after it.
const ONE_IN: usize = 16;

/// Fewer lines than this are no list, in whatever order they are.
const SHORTEST_LIST: u64 = 30;

/// Widths at which texts are wrapped.
const WIDTHS: std::ops::RangeInclusive<usize> = 40..=200;

/// What becomes of lines that are shorter than that by the next line's first word tells how they were
/// wrapped only if the word is short.
const SHORT_WORD: usize = 5;

/// What a text looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looks {
    /// One item stands on each line.
    pub list: Option<Order>,
    /// Sentences in paragraphs, in which a second blank line says no more than one.
    pub prose: bool,
    /// The width that its paragraphs are wrapped at.
    pub width: Option<usize>,
}

/// How the items of a list are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By their letters, up or down.
    Sorted,
    /// In some other way.
    Other,
}

/// Figures of the lines of a text.
#[derive(Debug, Default)]
pub struct Survey {
    line: String,
    characters: usize,
    lines_read: usize,
    /// The line before, if it was looked at.
    before: Option<Line>,
    lines: u64,
    blank: u64,
    /// Those that are not blank:
    letters: u64,
    words: f64,
    tokens: u64,
    indented: u64,
    ends_sentence: u64,
    ends_in_mark: u64,
    signs: u64,
    rising: u64,
    falling: u64,
    /// Blank lines just before, and how many lines follow two or more; how many of those look like code.
    gap: u64,
    after_gaps: u64,
    code_after_gaps: u64,
    distinct: HashSet<u64>,
    vocabulary: HashMap<u64, u64>,
    wrapping: Wrapping,
}

/// What is remembered of a line until the next one.
#[derive(Debug)]
struct Line {
    length: usize,
    /// Its words, without anything that is no letter.
    key: Option<String>,
}

impl Survey {
    /// Takes the next character.
    pub fn take(&mut self, c: char) {
        self.characters += 1;
        if c == '\n' {
            self.end_line();
        } else if self.looks_on() {
            self.line.push(c);
        }
    }

    /// Whether the line is looked at.
    fn looks_on(&self) -> bool {
        self.characters < LOOKED_AT || self.lines_read % ONE_IN < 2
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.before = self.looks_on().then(|| self.look_at(&line));
        self.lines_read += 1;
        self.line = line;
        self.line.clear();
    }

    fn look_at(&mut self, line: &str) -> Line {
        let length = line.chars().count();
        self.lines += 1;
        let content = line.trim();
        let Some(last) = content.chars().next_back() else {
            self.blank += 1;
            self.gap += 1;
            return Line { length, key: None };
        };
        let is_indented = line.starts_with([' ', '\t']);
        self.indented += u64::from(is_indented);
        // What closes a quotation hides how the sentence in it ended.
        let end = content.trim_end_matches(['"', '\'', '”', '’', '»', '」', '』', ')']);
        let end = end.chars().next_back().unwrap_or(last);
        self.ends_sentence += u64::from(".!?…。！？".contains(end));
        self.ends_in_mark += u64::from(".!?…。！？,;:、，".contains(end));
        self.letters += content.chars().count() as u64;
        let signs = content.chars().filter(|&c| is_sign(c)).count();
        self.signs += signs as u64;
        if std::mem::take(&mut self.gap) > 1 {
            self.after_gaps += 1;
            self.code_after_gaps += u64::from(signs * 30 > length);
        }
        self.distinct.insert(hash(content));
        for token in content.split_whitespace() {
            let unspaced = token.chars().filter(|&c| is_unspaced(c)).count();
            self.words += (unspaced as f64 / 2.0).max(1.0);
            self.tokens += 1;
            let word = token.trim_matches(|c: char| !c.is_alphanumeric());
            if !word.is_empty() {
                *self
                    .vocabulary
                    .entry(hash(&word.to_lowercase()))
                    .or_default() += 1;
            }
        }
        let key = key(content);
        if let Some(before) = &self.before {
            if let (Some(before), false) = (&before.key, key.is_empty()) {
                self.rising += u64::from(*before < key);
                self.falling += u64::from(*before > key);
            }
            let first = content.split_whitespace().next().unwrap_or_default();
            if before.key.is_some() && !is_indented {
                self.wrapping.add(before.length, first.chars().count());
            }
        }
        Line {
            length,
            key: Some(key),
        }
    }

    /// What the text looks like.
    #[must_use]
    pub fn finish(mut self) -> Looks {
        if !self.line.is_empty() {
            self.end_line();
        }
        let full = self.lines - self.blank;
        let of_lines = |count: u64| count as f64 / full.max(1) as f64;
        let of_letters = |count: u64| count as f64 / self.letters.max(1) as f64;
        let words = self.words / full.max(1) as f64;
        let is_code = of_letters(self.signs) > 0.03 || of_lines(self.indented) > 0.5;
        let list = self.list(words, is_code);
        let width = self.wrapping.width().filter(|_| list.is_none());
        // Code among prose keeps its blank lines too.
        let prose = list.is_none()
            && !is_code
            && self.code_after_gaps * 5 <= self.after_gaps
            && (width.is_some() || words > 12.0 || of_lines(self.ends_sentence) > 0.85);
        Looks { list, prose, width }
    }

    fn list(&self, words: f64, is_code: bool) -> Option<Order> {
        let full = self.lines - self.blank;
        if full < SHORTEST_LIST {
            return None;
        }
        let of_lines = |count: u64| count as f64 / full as f64;
        let distinct = of_lines(self.distinct.len() as u64);
        let compared = self.rising + self.falling;
        let in_order = self.rising.max(self.falling) as f64 / compared.max(1) as f64;
        if compared >= SHORTEST_LIST
            && in_order > 0.85
            && distinct > 0.8
            && of_lines(self.indented) < 0.3
        {
            return Some(Order::Sorted);
        }
        let looks_written = is_code
            || of_lines(self.indented) > 0.1
            || of_lines(self.ends_in_mark) > 0.2
            || self.blank as f64 > 0.1 * self.lines as f64;
        let length = of_lines(self.letters);
        let token = self.letters as f64 / self.tokens.max(1) as f64;
        let repeated = if words < 1.5 { 0.5 } else { 0.15 };
        if looks_written || distinct < 1.0 - repeated || length > 45.0 || token > 20.0 {
            return None;
        }
        let mut counts: Vec<u64> = self.vocabulary.values().copied().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        let all = counts.iter().sum::<u64>().max(1) as f64;
        let frequent = counts.iter().take(10).sum::<u64>() as f64 / all;
        let variety = counts.len() as f64 / all;
        let is_list = if words <= 2.5 {
            variety > 0.2
        } else {
            words <= 5.0 && (frequent < 0.12 || variety > 0.5)
        };
        is_list.then_some(Order::Other)
    }
}

/// At which width lines end because the next word had no room.
#[derive(Debug)]
struct Wrapping {
    /// By how many more lines than at the width before it explains.
    change: Vec<i64>,
    lines: i64,
    telling: i64,
}

impl Default for Wrapping {
    fn default() -> Self {
        Self {
            change: vec![0; WIDTHS.end() + 2],
            lines: 0,
            telling: 0,
        }
    }
}

impl Wrapping {
    /// A line of a paragraph that is not its last one, and the length of the word that follows.
    fn add(&mut self, length: usize, next_word: usize) {
        self.lines += 1;
        if next_word > SHORT_WORD {
            return;
        }
        self.telling += 1;
        let end = WIDTHS.end() + 1;
        self.change[length.min(end)] += 1;
        self.change[(length + next_word + 1).min(end)] -= 1;
    }

    /// The width that explains most lines, if that is nearly all.
    fn width(&self) -> Option<usize> {
        let mut explained = 0;
        let mut best = (0, 0);
        for (width, change) in self.change.iter().enumerate().take(WIDTHS.end() + 1) {
            explained += change;
            if WIDTHS.contains(&width) && explained > best.0 {
                best = (explained, width);
            }
        }
        let (explained, width) = best;
        let is_wrapped = self.telling >= 10
            && self.telling * 4 > self.lines
            && explained * 10 >= self.telling * 7;
        is_wrapped.then_some(width)
    }
}

/// The words of a line without anything else: neither numbers nor marks make a list sorted.
fn key(line: &str) -> String {
    let words = line.split(|c: char| !c.is_alphabetic());
    let words: Vec<String> = words
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    words.join(" ")
}

fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Whether `c` is frequent in code and rare elsewhere.
fn is_sign(c: char) -> bool {
    "{}()[]<>=;_/\\|#&*$@+`".contains(c)
}

/// Whether words of the script of `c` stand without blanks between them, two characters each or so.
fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}
