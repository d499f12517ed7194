//! What is taken out of a text, or put right in it, after its characters are clean: the header and the
//! licence of Project Gutenberg, repeated blank lines, the line ends of wrapped prose, capitals.
//!
//! All of it works on a stream of characters, and each stage can be left out.

use serde::{Deserialize, Serialize};

/// A header or a licence is never longer than so many bytes.
const LONGEST_HEADER: usize = 64 << 10;

/// A header says within so many bytes whose it is.
const HEADING: usize = 1000;

/// A line that says where a book begins or ends is never longer than this.
const LONGEST_MARK: usize = 200;

/// A word that is longer than this has never been wrapped.
const LONGEST_WORD: usize = 64;

/// What is done to a text on its way in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tidying {
    /// Leave out the header and the licence of Project Gutenberg.
    pub gutenberg: bool,
    /// Make one of repeated blank lines, where they stand in prose.
    pub blank_lines: bool,
    /// Join the lines of paragraphs that were wrapped.
    pub unwrap: bool,
    /// At this width, which was found out; 0 where there is none.
    pub width: usize,
    /// Make small letters of capitals.
    pub lowercase: bool,
}

/// What was done to a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tidied {
    /// Characters of headers and licences.
    pub gutenberg: u64,
    /// Blank lines that followed another one.
    pub blank_lines: u64,
    /// Line ends that became blanks.
    pub joined: u64,
}

/// Leaves out what stands before and after the books of Project Gutenberg in a file.
#[derive(Debug)]
pub struct Books {
    place: Place,
    /// The beginning of a line, as long as it may be a mark; none behind that.
    line: Option<String>,
    /// What may be a header or a licence.
    held: String,
    left_out: u64,
}

/// Where in a file the reading is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Where a header may be.
    Before,
    /// In a book, or in a text that is none of theirs.
    Within,
    /// Behind a book, where the licence is.
    After,
}

/// What a line says of the book.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Begins,
    Ends,
    LicenceEnds,
}

impl Default for Books {
    fn default() -> Self {
        Self {
            place: Place::Before,
            line: Some(String::new()),
            held: String::new(),
            left_out: 0,
        }
    }
}

impl Books {
    /// Takes the next character and hands on what is known to belong to the text.
    pub fn push(&mut self, c: char, take: &mut impl FnMut(char)) {
        let Some(mut line) = self.line.take() else {
            self.line = (c == '\n').then(String::new);
            return self.hand_on(c, take);
        };
        line.push(c);
        let may_be_mark = line.len() < LONGEST_MARK && line.starts_with(Mark::may_begin_with);
        if c != '\n' && may_be_mark {
            self.line = Some(line);
            return;
        }
        match Mark::of(&line) {
            Some(mark) if self.obey(mark, take) => self.leave_out(&line),
            _ => line.chars().for_each(|c| self.hand_on(c, take)),
        }
        line.clear();
        self.line = (c == '\n').then_some(line);
    }

    /// Whether the line of a `mark` is left out, after what follows from it.
    fn obey(&mut self, mark: Mark, take: &mut impl FnMut(char)) -> bool {
        let is_theirs = {
            let heading = self.held.chars().take(HEADING).collect::<String>();
            self.place == Place::After || heading.to_lowercase().contains("project gutenberg")
        };
        match (mark, self.place) {
            (Mark::Begins, Place::Before | Place::After) if is_theirs => {
                self.drop_held();
                self.place = Place::Within;
            }
            (Mark::Begins, Place::Before) => {
                self.release(take);
                self.place = Place::Within;
            }
            (Mark::Ends, Place::Before | Place::Within) => {
                self.release(take);
                self.place = Place::After;
            }
            (Mark::LicenceEnds, Place::After) => {
                self.drop_held();
                self.place = Place::Before;
            }
            (Mark::Begins | Mark::Ends, Place::After) => {}
            (Mark::Begins, Place::Within) | (Mark::LicenceEnds, _) => return false,
        }
        true
    }

    /// Hands a character on, or keeps it until it is known whether it belongs to the text.
    fn hand_on(&mut self, c: char, take: &mut impl FnMut(char)) {
        if self.place == Place::Within {
            return take(c);
        }
        self.held.push(c);
        if self.held.len() > LONGEST_HEADER {
            self.release(take);
            self.place = Place::Within;
        }
    }

    fn release(&mut self, take: &mut impl FnMut(char)) {
        self.held.drain(..).for_each(take);
    }

    fn drop_held(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.leave_out(&held);
    }

    fn leave_out(&mut self, what: &str) {
        self.left_out += what.chars().count() as u64;
    }

    /// At the end of the file: hands on what was kept, unless it is a licence. Returns how many
    /// characters were left out.
    pub fn finish(mut self, take: &mut impl FnMut(char)) -> u64 {
        let line = self.line.take().unwrap_or_default();
        match Mark::of(&line) {
            Some(mark) if self.obey(mark, take) => self.leave_out(&line),
            _ => line.chars().for_each(|c| self.hand_on(c, take)),
        }
        match self.place {
            Place::After => self.drop_held(),
            Place::Before | Place::Within => self.release(take),
        }
        self.left_out
    }
}

impl Mark {
    /// Whether a line of a mark may begin with `c`.
    fn may_begin_with(c: char) -> bool {
        matches!(c, '*' | 'E' | 'e' | 's')
    }

    /// What a line says, if it is the line of a mark: the words have changed over the years.
    fn of(line: &str) -> Option<Self> {
        let line = line.trim_end();
        if !line.starts_with(Self::may_begin_with) {
            return None;
        }
        let line = line.to_lowercase();
        let is_theirs = line.contains("project gutenberg");
        let stars = line.strip_prefix("***").map(str::trim_start);
        if line.starts_with("*end*the small print")
            || (is_theirs && stars.is_some_and(|rest| rest.starts_with("start of")))
        {
            return Some(Self::Begins);
        }
        let words = stars.unwrap_or(&line);
        let ends = ["end of the", "end of this", "end of project"];
        if is_theirs
            && ends.iter().any(|end| words.starts_with(end))
            && words.find("project gutenberg") <= Some("end of this ".len())
        {
            return Some(Self::Ends);
        }
        let newsletter = "subscribe to our email newsletter to hear about new ebooks";
        line.ends_with(&format!("{newsletter}."))
            .then_some(Self::LicenceEnds)
    }
}

/// Leaves out blank lines that follow a blank line.
#[derive(Debug)]
pub struct Blanks {
    /// What the line consists of as long as it is blank; none behind that.
    line: Option<String>,
    /// Whether the line before is blank, or there is none.
    after_blank: bool,
    left_out: u64,
}

impl Default for Blanks {
    fn default() -> Self {
        Self {
            line: Some(String::new()),
            after_blank: false,
            left_out: 0,
        }
    }
}

impl Blanks {
    /// Takes the next character and hands on what stays.
    pub fn push(&mut self, c: char, take: &mut impl FnMut(char)) {
        if c == '\n' {
            match self.line.take() {
                Some(_) if self.after_blank => self.left_out += 1,
                Some(blank) => {
                    blank.chars().for_each(&mut *take);
                    take('\n');
                    self.after_blank = true;
                }
                None => {
                    take('\n');
                    self.after_blank = false;
                }
            }
            self.line = Some(String::new());
            return;
        }
        match &mut self.line {
            Some(line) if matches!(c, ' ' | '\t') && line.len() < LONGEST_MARK => line.push(c),
            line => {
                line.take()
                    .iter()
                    .flat_map(|line| line.chars())
                    .for_each(&mut *take);
                take(c);
            }
        }
    }

    /// At the end: returns how many lines were left out.
    pub fn finish(self, take: &mut impl FnMut(char)) -> u64 {
        let rest = self.line.unwrap_or_default();
        rest.chars().for_each(take);
        self.left_out
    }
}

/// Joins lines that end where they do only because the next word had no room.
///
/// All other line ends stay: of verse, headings and lists, and before anything that is indented.
#[derive(Debug)]
pub struct Unwrap {
    width: usize,
    /// How long the line is so far, as it stands in the file.
    length: usize,
    last: char,
    /// The first word of the next line, once this one has ended.
    next: Option<String>,
    joined: u64,
}

impl Unwrap {
    /// For text that is wrapped at a width; at 0 for such that is not.
    #[must_use]
    pub fn new(width: usize) -> Self {
        Self {
            width,
            length: 0,
            last: '\n',
            next: None,
            joined: 0,
        }
    }

    /// Takes the next character and hands on what stays.
    pub fn push(&mut self, c: char, take: &mut impl FnMut(char)) {
        if self.width == 0 {
            return take(c);
        }
        if let Some(word) = &mut self.next {
            if !c.is_whitespace() && word.len() < LONGEST_WORD {
                word.push(c);
                return;
            }
            self.start_line(take);
        }
        if c == '\n' && self.length > 0 {
            self.next = Some(String::new());
            return;
        }
        self.length = if c == '\n' { 0 } else { self.length + 1 };
        self.last = c;
        take(c);
    }

    /// Ends the line, or goes on with it, now that the first word of the next one is known.
    fn start_line(&mut self, take: &mut impl FnMut(char)) {
        let word = self.next.take().unwrap_or_default();
        let length = word.chars().count();
        let had_no_room = (self.length..self.length + 1 + length).contains(&self.width);
        if length == 0 || !had_no_room {
            take('\n');
            self.last = '\n';
        } else {
            // A word that was parted at its hyphen, or a dash.
            if self.last != '-' && self.last != '\u{2014}' && self.last != ' ' {
                take(' ');
            }
            self.joined += 1;
        }
        self.length = length;
        self.last = word.chars().next_back().unwrap_or(self.last);
        word.chars().for_each(take);
    }

    /// At the end of a file: returns how many lines were joined to the one before.
    pub fn finish(mut self, take: &mut impl FnMut(char)) -> u64 {
        match self.next.as_deref() {
            Some("") => take('\n'),
            Some(_) => self.start_line(take),
            None => {}
        }
        self.joined
    }
}
