//! From the bytes of a file to clean characters: encoding checks, line ends, transliteration.
//!
//! A text goes through in pieces, as often as it is needed: no text is too long for the memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::{CorpusError, Reading, hex};

/// Bytes of a piece.
const PIECE: usize = 1 << 20;

/// A text that can be read again.
#[derive(Debug, Clone)]
pub struct Text {
    /// What it is, for people.
    pub name: String,
    /// Where its bytes are.
    pub bytes: Bytes,
}

/// The bytes of a text.
#[derive(Debug, Clone)]
pub enum Bytes {
    /// In a file.
    File(PathBuf),
    /// Here.
    Memory(Vec<u8>),
}

/// What reading a text to its end found out about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digested {
    /// SHA-256 of the bytes, in hexadecimal.
    pub sha256: String,
    /// How many characters had no ASCII form (or, with `unicode`, were control characters).
    pub dropped: u64,
}

impl Text {
    /// Hands each clean character to `take`, in order.
    ///
    /// # Errors
    /// When the text cannot be read, is binary or not UTF-8 (`lossy` reading drops such bytes).
    pub fn read(
        &self,
        reading: Reading,
        mut take: impl FnMut(char),
    ) -> Result<Digested, CorpusError> {
        let mut cleaner = Cleaner::new(reading.unicode);
        let mut digest = Sha256::new();
        let mut decoder = Decoder {
            name: &self.name,
            lossy: reading.lossy,
            done: 0,
        };
        let mut source = self.open()?;
        let mut buffer = vec![0; PIECE];
        let mut kept = 0;
        loop {
            let count = match source.read(&mut buffer[kept..]) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                result => result.map_err(|reason| self.unreadable(reason))?,
            };
            digest.update(&buffer[kept..kept + count]);
            let filled = kept + count;
            let rest = decoder.decode(&buffer[..filled], count == 0, |piece| {
                cleaner.push(piece, &mut take);
            })?;
            if count == 0 {
                return Ok(Digested {
                    sha256: hex(&digest.finalize()),
                    dropped: cleaner.dropped,
                });
            }
            buffer.copy_within(filled - rest..filled, 0);
            kept = rest;
        }
    }

    fn open(&self) -> Result<Box<dyn Read + '_>, CorpusError> {
        match &self.bytes {
            Bytes::Memory(bytes) => Ok(Box::new(&bytes[..])),
            Bytes::File(path) => match File::open(path) {
                Ok(file) => Ok(Box::new(file)),
                Err(reason) => Err(self.unreadable(reason)),
            },
        }
    }

    fn unreadable(&self, reason: io::Error) -> CorpusError {
        CorpusError::Unreadable {
            path: PathBuf::from(&self.name),
            reason,
        }
    }
}

/// Finds the characters in bytes that come in pieces.
struct Decoder<'a> {
    name: &'a str,
    lossy: bool,
    /// Bytes decoded in the pieces before.
    done: usize,
}

impl Decoder<'_> {
    /// Hands the text in `bytes` to `take` and returns how many bytes at their end belong to a
    /// character that the next piece completes; none if this one `is_last`.
    fn decode(
        &mut self,
        bytes: &[u8],
        is_last: bool,
        mut take: impl FnMut(&str),
    ) -> Result<usize, CorpusError> {
        if let (false, Some(offset)) = (self.lossy, bytes.iter().position(|&byte| byte == 0)) {
            return Err(CorpusError::Binary {
                name: self.name.to_owned(),
                offset: self.done + offset,
            });
        }
        let mut rest = bytes;
        while let Err(error) = str::from_utf8(rest).map(&mut take) {
            let (good, bad) = rest.split_at(error.valid_up_to());
            take(str::from_utf8(good).unwrap_or_default());
            match error.error_len() {
                None if !is_last => {
                    self.done += bytes.len() - bad.len();
                    return Ok(bad.len());
                }
                length if self.lossy => rest = &bad[length.unwrap_or(bad.len())..],
                _ => {
                    return Err(CorpusError::NotUtf8 {
                        name: self.name.to_owned(),
                        offset: self.done + bytes.len() - bad.len(),
                    });
                }
            }
        }
        self.done += bytes.len();
        Ok(0)
    }
}

/// Makes line ends `\n`, removes a byte-order mark and what no board should print, and, unless
/// `unicode`, transliterates everything else to ASCII.
#[derive(Debug)]
pub struct Cleaner {
    unicode: bool,
    at_start: bool,
    after_return: bool,
    dropped: u64,
}

impl Cleaner {
    /// Before the first piece of a text.
    #[must_use]
    pub fn new(unicode: bool) -> Self {
        Self {
            unicode,
            at_start: true,
            after_return: false,
            dropped: 0,
        }
    }

    /// Hands what is left of the next piece to `take`.
    pub fn push(&mut self, piece: &str, mut take: impl FnMut(char)) {
        for c in piece.chars() {
            let is_mark = std::mem::replace(&mut self.at_start, false) && c == '\u{feff}';
            let ends_pair = std::mem::replace(&mut self.after_return, c == '\r') && c == '\n';
            match c {
                _ if is_mark || ends_pair => {}
                '\r' | '\n' => take('\n'),
                ' '..='~' | '\t' => take(c),
                _ if c.is_ascii() => self.dropped += 1,
                _ if self.unicode && !c.is_control() => take(c),
                _ if self.unicode => self.dropped += 1,
                _ => match unidecode::unidecode_char(c) {
                    "" => self.dropped += 1,
                    ascii => ascii
                        .chars()
                        .filter(|&c| matches!(c, ' '..='~' | '\n'))
                        .for_each(&mut take),
                },
            }
        }
    }

    /// How many characters had no ASCII form (or, with `unicode`, were control characters).
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a text decodes to when it comes in pieces of these lengths.
    fn in_pieces(bytes: &[u8], lossy: bool, size: usize) -> Result<String, String> {
        let mut decoder = Decoder {
            name: "x",
            lossy,
            done: 0,
        };
        let (mut text, mut kept) = (String::new(), Vec::new());
        for piece in bytes.chunks(size).chain([&[][..]]) {
            kept.extend_from_slice(piece);
            let rest = decoder
                .decode(&kept, piece.is_empty(), |part| text.push_str(part))
                .map_err(|error| error.to_string())?;
            kept.drain(..kept.len() - rest);
        }
        Ok(text)
    }

    proptest! {
        #[test]
        fn where_a_text_is_cut_changes_nothing(
            text in "[a-zé한😀\u{feff}\r\n]{0,20}",
            bad in proptest::collection::vec(1_u8.., 0..3),
            tail in "[aé😀]{0,5}",
            size in 1_usize..6,
            lossy: bool,
        ) {
            let bytes = [text.as_bytes(), &bad, tail.as_bytes()].concat();
            prop_assert_eq!(in_pieces(&bytes, lossy, size), in_pieces(&bytes, lossy, 100));
            if lossy {
                let whole: String = bytes.utf8_chunks().map(|chunk| chunk.valid()).collect();
                prop_assert_eq!(in_pieces(&bytes, true, size), Ok(whole));
            } else {
                let whole = String::from_utf8(bytes.clone()).ok();
                prop_assert_eq!(in_pieces(&bytes, false, size).ok(), whole);
            }
        }
    }
}
