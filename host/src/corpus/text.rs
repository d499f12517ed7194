//! A text: one file or several, each in its own encoding, read in pieces as often as it is needed.
//!
//! No text is too long for the memory. Between two files stands a blank line.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use encoding_rs::{Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE};
use sha2::{Digest, Sha256};

use super::clean::{Cleaner, LeftOut};
use super::encoding::{self, Charset, Guess, Trial, Verdict};
use super::survey::{Looks, Survey};
use super::tidy::{Blanks, Books, Tidied, Unwrap};
use super::{CorpusError, Reading, Source, Standard, hex};
use crate::paths;
use crate::words::{count, share};

/// The most of a text that may be dropped because it cannot be decoded, in percent.
pub const MOST_DROPPED: u64 = 3;

/// How the copy is called that a run keeps of what can be read only once.
const KEPT: &str = "text";

/// The most names that a note lists.
const MOST_NAMES: usize = 5;

/// A text that can be read again.
#[derive(Debug, Clone)]
pub struct Text {
    /// What it is, for the user: a path.
    pub name: String,
    /// The same for others to read: without the folders.
    pub description: String,
    /// The encoding of the files that are neither UTF-8 nor UTF-16, where it was guessed.
    pub guess: Option<Charset>,
    /// What the user should know about its files, one sentence each.
    pub notes: Vec<String>,
    /// The standard corpus that it is, if it is one.
    pub standard: Option<Standard>,
    parts: Vec<Part>,
}

/// A file of a text.
#[derive(Debug, Clone)]
struct Part {
    file: TextFile,
    encoding: &'static Encoding,
}

/// A file that may belong to a text.
#[derive(Debug, Clone)]
pub struct TextFile {
    /// What it is called.
    pub name: String,
    /// Where its bytes are.
    pub bytes: Bytes,
    /// Whether it was found in a folder, so that it is left out if it is no text.
    pub found: bool,
}

/// The bytes of a file.
#[derive(Debug, Clone)]
pub enum Bytes {
    /// In a file.
    File(PathBuf),
    /// Set aside, as they can be read only once: in a file without a name.
    SetAside(Arc<File>),
    /// Here.
    Memory(Vec<u8>),
}

/// What reading a text to its end found out about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digested {
    /// SHA-256 of the bytes, in hexadecimal. Of several files: of their digests, a line each.
    pub sha256: String,
    /// How many bytes there are.
    pub bytes: u64,
    /// How many of them belong to no character and were dropped.
    pub undecodable: u64,
    /// How many characters were left out.
    pub left_out: LeftOut,
    /// How many letters there are, before any transliteration.
    pub letters: u64,
    /// How many of them are transliterated by their sound, which leaves out what they mean.
    pub by_sound: u64,
    /// What else was done to it.
    pub tidied: Tidied,
    /// How many characters there are up to the end of each file.
    pub ends: Vec<usize>,
}

impl TextFile {
    fn open(&self) -> io::Result<Box<dyn Read + '_>> {
        Ok(match &self.bytes {
            Bytes::Memory(bytes) => Box::new(&bytes[..]),
            Bytes::File(path) => Box::new(File::open(path)?),
            Bytes::SetAside(file) => {
                let mut file = &**file;
                file.rewind()?;
                Box::new(file)
            }
        })
    }

    fn unreadable(&self, reason: io::Error) -> CorpusError {
        let path = PathBuf::from(&self.name);
        match reason.kind() {
            io::ErrorKind::NotFound => CorpusError::NotFound(path),
            _ => CorpusError::Unreadable { path, reason },
        }
    }
}

impl Text {
    /// A text of these files, at least one, each in the encoding that `reading` names or that it is
    /// found to be in.
    ///
    /// # Errors
    /// When one cannot be read, or is no text in an encoding that is known or can be guessed. Files
    /// that were found in a folder are then left out, with a note.
    pub fn new(
        name: String,
        description: String,
        files: Vec<TextFile>,
        reading: Reading,
    ) -> Result<Self, CorpusError> {
        let mut sorted = Sorted::default();
        for file in files {
            sorted.add(file, reading)?;
        }
        let guess = sorted.guess(reading)?;
        if sorted.parts.is_empty() {
            return Err(CorpusError::NoText(name));
        }
        let mut notes: Vec<String> = sorted.guess_note.into_iter().collect();
        if reading.encoding.is_none() {
            notes.extend(encoding_notes(&sorted.parts, guess));
        }
        notes.extend(left_out_note(&sorted.left_out));
        Ok(Self {
            name,
            description,
            guess,
            notes,
            standard: None,
            parts: sorted.parts,
        })
    }

    /// How many files it has.
    #[must_use]
    pub fn files(&self) -> usize {
        self.parts.len()
    }

    /// Hands each clean character to `take`, in order.
    ///
    /// # Errors
    /// When the text cannot be read, is binary or not in its encoding. `lossy` reading drops what is
    /// not, unless that is more than a few percent.
    pub fn read(
        &self,
        reading: Reading,
        mut take: impl FnMut(char),
    ) -> Result<Digested, CorpusError> {
        let mut digests = Vec::new();
        let mut whole = Digested {
            sha256: String::new(),
            bytes: 0,
            undecodable: 0,
            left_out: LeftOut::default(),
            letters: 0,
            by_sound: 0,
            tidied: Tidied::default(),
            ends: Vec::new(),
        };
        let mut blanks = reading.tidying.blank_lines.then(Blanks::default);
        let characters = Cell::new(0);
        let mut take = |c| {
            characters.set(characters.get() + 1);
            take(c);
        };
        let mut pass = |c| match &mut blanks {
            Some(blanks) => blanks.push(c, &mut take),
            None => take(c),
        };
        // Line ends that the text ends in so far; none at its beginning need any.
        let mut line_ends = 2;
        for part in &self.parts {
            let mut separator = (line_ends..2).count();
            let read = part.read(reading, |c| {
                for _ in 0..std::mem::take(&mut separator) {
                    pass('\n');
                }
                line_ends = if c == '\n' { line_ends + 1 } else { 0 };
                pass(c);
            })?;
            whole.bytes += read.bytes;
            whole.undecodable += read.undecodable;
            whole.left_out.controls += read.left_out.controls;
            whole.left_out.foreign += read.left_out.foreign;
            whole.letters += read.letters;
            whole.by_sound += read.by_sound;
            whole.tidied.gutenberg += read.tidied.gutenberg;
            whole.tidied.joined += read.tidied.joined;
            whole.ends.push(characters.get());
            digests.push(read.sha256);
        }
        whole.tidied.blank_lines = blanks.map_or(0, |blanks| blanks.finish(&mut take));
        if whole.undecodable * 100 > whole.bytes * MOST_DROPPED {
            return Err(CorpusError::TooLossy {
                name: self.name.clone(),
                dropped: whole.undecodable,
                bytes: whole.bytes,
            });
        }
        whole.sha256 = match &mut digests[..] {
            [digest] => std::mem::take(digest),
            digests => super::sha256_hex((digests.join("\n") + "\n").as_bytes()),
        };
        Ok(whole)
    }

    /// What it looks like, and how it is to be read for that: the width that it is wrapped at is found
    /// out, and repeated blank lines stay where they mean something.
    ///
    /// # Errors
    /// As [`Text::read`].
    pub fn survey(&self, reading: Reading) -> Result<(Looks, Reading), CorpusError> {
        let mut survey = Survey::default();
        let mut as_it_is = reading;
        as_it_is.tidying.blank_lines = false;
        as_it_is.tidying.width = 0;
        self.read(as_it_is, |c| survey.take(c))?;
        let looks = survey.finish();
        let mut reading = reading;
        reading.tidying.blank_lines &= looks.prose;
        let width = looks.width.filter(|_| reading.tidying.unwrap);
        reading.tidying.width = width.unwrap_or(0);
        Ok((looks, reading))
    }

    /// Where it can be read again once [`Text::keep`] has been called: files by their absolute
    /// paths, and by a relative one what lies in the folder of the run.
    #[must_use]
    pub fn source(&self) -> Source {
        if let Some(standard) = self.standard {
            return Source::Standard(standard);
        }
        let mut kept = kept_names();
        let path = |part: &Part| match &part.file.bytes {
            Bytes::File(path) => path.clone(),
            Bytes::SetAside(_) | Bytes::Memory(_) => kept.next().unwrap_or_default(),
        };
        Source::of_files(self.parts.iter().map(path).collect())
    }

    /// Copies what can be read only once into the folder of a run.
    ///
    /// # Errors
    /// When it cannot be written; no half of it is left.
    pub fn keep(&self, run_dir: &Path) -> Result<(), CorpusError> {
        let once = |part: &&Part| !matches!(part.file.bytes, Bytes::File(_));
        for (part, name) in self.parts.iter().filter(once).zip(kept_names()) {
            let path = run_dir.join(name);
            let mut source = part
                .file
                .open()
                .map_err(|reason| part.file.unreadable(reason))?;
            paths::copy_atomic(&path, &mut source)
                .map_err(|reason| CorpusError::NotKept { path, reason })?;
        }
        Ok(())
    }
}

impl Digested {
    /// What the user should know of what is missing, one sentence each; `characters` are left.
    #[must_use]
    pub fn notes(&self, characters: u64) -> Vec<String> {
        let LeftOut { controls, foreign } = self.left_out;
        let all = characters + controls + foreign;
        let note = |n, noun, of, what: &str| {
            (n > 0).then(|| {
                let share = share(n, of);
                format!("left out: {}{what} ({share} of the text)", count(n, noun))
            })
        };
        let notes = [
            note(
                self.undecodable,
                "byte",
                self.bytes,
                " that cannot be decoded",
            ),
            note(controls, "control character", all, ""),
            note(foreign, "character", all, " without an ASCII form")
                .map(|note| note + "; --unicode keeps the text's own characters"),
            note(
                self.tidied.gutenberg,
                "character",
                all + self.tidied.gutenberg,
                " of Project Gutenberg's header and licence",
            )
            .map(|note| note + "; --keep gutenberg keeps them"),
            (self.tidied.blank_lines > 0).then(|| {
                format!(
                    "left out: {}, after another one; --keep blank-lines keeps them",
                    count(self.tidied.blank_lines, "blank line")
                )
            }),
            (self.tidied.joined > 0).then(|| {
                format!(
                    "joined: {} with the next one, as they were only wrapped",
                    count(self.tidied.joined, "line")
                )
            }),
        ];
        notes.into_iter().flatten().collect()
    }
}

/// `text`, `text-2`, …
fn kept_names() -> impl Iterator<Item = PathBuf> {
    (1..).map(|n: u32| match n {
        1 => PathBuf::from(KEPT),
        n => PathBuf::from(format!("{KEPT}-{n}")),
    })
}

impl Part {
    fn read(&self, reading: Reading, mut take: impl FnMut(char)) -> Result<Digested, CorpusError> {
        let unreadable = |reason| self.file.unreadable(reason);
        let tidying = reading.tidying;
        let mut cleaner = Cleaner::new(reading.unicode);
        let mut books = tidying.gutenberg.then(Books::default);
        let mut unwrap = Unwrap::new(tidying.width);
        let mut take = |c: char| match tidying.lowercase {
            true => c.to_lowercase().for_each(&mut take),
            false => take(c),
        };
        let mut pass = |c| match &mut books {
            Some(books) => books.push(c, &mut |c| unwrap.push(c, &mut take)),
            None => unwrap.push(c, &mut take),
        };
        let mut digest = Sha256::new();
        let (mut bytes, mut zeros, mut first_zero) = (0, 0, None);
        let is_wide = [UTF_16LE, UTF_16BE].contains(&self.encoding);
        let damage = encoding::decode(
            &mut *self.file.open().map_err(unreadable)?,
            self.encoding,
            |piece| {
                digest.update(piece);
                if !is_wide && let Some(zero) = piece.iter().position(|&byte| byte == 0) {
                    first_zero.get_or_insert(bytes + zero as u64);
                    zeros += piece.iter().filter(|&&byte| byte == 0).count() as u64;
                }
                bytes += piece.len() as u64;
            },
            |piece| match is_wide {
                true => cleaner.push(piece, &mut pass),
                false => piece
                    .split('\0')
                    .for_each(|piece| cleaner.push(piece, &mut pass)),
            },
        )
        .map_err(unreadable)?;
        let gutenberg = books.map_or(0, |books| books.finish(&mut |c| unwrap.push(c, &mut take)));
        let tidied = Tidied {
            gutenberg,
            joined: unwrap.finish(&mut take),
            blank_lines: 0,
        };
        let name = self.file.name.clone();
        match (damage.first, first_zero) {
            (_, Some(offset)) if !reading.lossy => Err(CorpusError::Binary { name, offset }),
            (Some(first), _) if !reading.lossy => Err(CorpusError::Undecodable {
                name,
                encoding: self.encoding.name(),
                bad: damage.bytes,
                bytes,
                first,
            }),
            _ => Ok(Digested {
                sha256: hex(&digest.finalize()),
                bytes,
                undecodable: damage.bytes + zeros,
                left_out: cleaner.left_out(),
                letters: cleaner.letters(),
                by_sound: cleaner.by_sound(),
                tidied,
                ends: Vec::new(),
            }),
        }
    }
}

/// Files on their way into a text.
#[derive(Default)]
struct Sorted {
    parts: Vec<Part>,
    /// By index in `parts`: those whose encoding is to be guessed, with the first byte that is not
    /// UTF-8.
    unknown: Vec<(usize, u64)>,
    left_out: Vec<String>,
    guess_note: Option<String>,
}

impl Sorted {
    fn add(&mut self, file: TextFile, reading: Reading) -> Result<(), CorpusError> {
        let verdict = match reading.encoding {
            Some(Charset(named)) => file
                .open()
                .and_then(|mut source| encoding::marked(&mut *source, named))
                .map(Verdict::Is),
            None => encoding::recognise(|| file.open()),
        };
        let name = file.name.clone();
        let encoding = match verdict.map_err(|reason| file.unreadable(reason))? {
            Verdict::Is(encoding) => encoding,
            Verdict::Unknown(first) => {
                self.unknown.push((self.parts.len(), first));
                UTF_8
            }
            Verdict::Binary(_) | Verdict::Format(_) if file.found => {
                self.left_out.push(name);
                return Ok(());
            }
            Verdict::Binary(_) if reading.lossy => UTF_8,
            Verdict::Binary(offset) => return Err(CorpusError::Binary { name, offset }),
            Verdict::Format(what) => return Err(CorpusError::Format { name, what }),
        };
        self.parts.push(Part { file, encoding });
        Ok(())
    }

    /// Finds one encoding for the files that are neither UTF-8 nor UTF-16, if there are any.
    fn guess(&mut self, reading: Reading) -> Result<Option<Charset>, CorpusError> {
        if self.unknown.is_empty() {
            return Ok(None);
        }
        let encoding = match reading.guess {
            Some(Charset(guess)) => guess,
            None => self.guessed()?,
        };
        let mut excerpt = String::new();
        let (mut names, mut no_text) = (Vec::new(), Vec::new());
        for &(index, first) in &self.unknown {
            let Part {
                file,
                encoding: own,
            } = &mut self.parts[index];
            let mut trial = Trial::default();
            file.open()
                .and_then(|mut source| trial.add(&mut *source, encoding))
                .map_err(|reason| file.unreadable(reason))?;
            if trial.is_plausible() || reading.guess.is_some() {
                *own = encoding;
                names.push(file.name.clone());
                if excerpt.is_empty() {
                    excerpt = trial.excerpt;
                }
            } else if file.found {
                no_text.push(index);
            } else if !reading.lossy {
                let name = file.name.clone();
                return Err(CorpusError::Unknown { name, first });
            }
        }
        for index in no_text.into_iter().rev() {
            self.left_out.push(self.parts.remove(index).file.name);
        }
        if names.is_empty() {
            return Ok(None);
        }
        if reading.guess.is_none() {
            let is_not = if names.len() == 1 {
                "is not"
            } else {
                "are not"
            };
            self.guess_note = Some(format!(
                "{} {is_not} UTF-8 and read as {}, which is a guess (\"{excerpt}\"); \
                 --encoding NAME says better",
                listed(&names),
                encoding.name()
            ));
        }
        Ok(Some(Charset(encoding)))
    }

    fn guessed(&self) -> Result<&'static Encoding, CorpusError> {
        let mut guess = Guess::default();
        for &(index, first) in &self.unknown {
            let file = &self.parts[index].file;
            file.open()
                .and_then(|mut source| guess.add(&mut *source, first))
                .map_err(|reason| file.unreadable(reason))?;
        }
        Ok(guess.end())
    }
}

/// What is not UTF-8 and yet no guess.
fn encoding_notes(parts: &[Part], guess: Option<Charset>) -> Vec<String> {
    let encodings = [UTF_16LE, UTF_16BE, ISO_2022_JP];
    let certain = encodings
        .into_iter()
        .filter(|&encoding| guess != Some(Charset(encoding)));
    let note = |encoding: &'static Encoding| {
        let parts = parts.iter().filter(|part| part.encoding == encoding);
        let names: Vec<String> = parts.map(|part| part.file.name.clone()).collect();
        let are = if names.len() == 1 { "is" } else { "are" };
        let name = encoding.name();
        (!names.is_empty()).then(|| format!("{} {are} read as {name}", listed(&names)))
    };
    certain.filter_map(note).collect()
}

fn left_out_note(names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| {
        let what = count(names.len(), "file");
        let are_no = if names.len() == 1 {
            "that is"
        } else {
            "that are"
        };
        format!("left out: {what} {are_no} no text, {}", listed(names))
    })
}

/// Some names, and how many more there are.
fn listed(names: &[String]) -> String {
    let shown = names.iter().take(MOST_NAMES);
    let shown: Vec<String> = shown.map(|name| format!("'{name}'")).collect();
    match names.len().saturating_sub(MOST_NAMES) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
