//! Which encoding the bytes of a file are in: named by the user, recognised, or guessed.
//!
//! UTF-8 and UTF-16 are recognised for certain; what is neither is guessed, from all such files of a
//! text together, and taken only where it reads like text.

use std::io::{self, Read};
use std::str::FromStr;

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{DecoderResult, Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE};
use serde::{Deserialize, Serialize};

use super::clean::is_line_end;

/// Bytes of a piece.
const PIECE: usize = 1 << 20;

/// The encodings that a user can name.
const NAMES: &str = "utf-8, utf-16le, utf-16be, windows-1250 to -1258, windows-874, iso-8859-2 to -16, \
    koi8-r, koi8-u, ibm866, macintosh, x-mac-cyrillic, gbk, gb18030, big5, shift_jis, euc-jp, \
    iso-2022-jp, euc-kr";

/// A character encoding, by one of the names that the web knows it by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Charset(pub &'static Encoding);

impl FromStr for Charset {
    type Err = String;

    /// Reads names in any usual spelling: `windows-1251`, `cp1251`, `latin-1`, `UTF16`.
    fn from_str(name: &str) -> Result<Self, String> {
        let name = name.trim().to_ascii_lowercase();
        let spellings = [
            name.clone(),
            name.replace('_', "-"),
            name.replace(['-', '_', ' '], ""),
            name.replacen("utf", "utf-", 1),
            name.replacen("cp", "windows-", 1),
        ];
        spellings
            .iter()
            .find_map(|name| Encoding::for_label_no_replacement(name.as_bytes()))
            .map(Self)
            .ok_or_else(|| format!("there are {NAMES}"))
    }
}

/// What decoding found amiss.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Damage {
    /// Bytes that no character could be made of.
    pub bytes: u64,
    /// Where the first one is.
    pub first: Option<u64>,
}

/// Decodes all that `source` gives, in pieces: `see` gets the bytes, `take` the text.
pub fn decode(
    source: &mut dyn Read,
    encoding: &'static Encoding,
    mut see: impl FnMut(&[u8]),
    mut take: impl FnMut(&str),
) -> io::Result<Damage> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut buffer = vec![0; PIECE];
    let mut text = String::with_capacity(PIECE);
    let mut damage = Damage::default();
    let mut position = 0;
    loop {
        let count = match source.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result?,
        };
        see(&buffer[..count]);
        let mut rest = &buffer[..count];
        loop {
            text.clear();
            let (result, read) =
                decoder.decode_to_string_without_replacement(rest, &mut text, count == 0);
            take(&text);
            rest = &rest[read..];
            position += read as u64;
            match result {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(bad, after) => {
                    damage.bytes += u64::from(bad);
                    let first = position.saturating_sub(u64::from(bad) + u64::from(after));
                    damage.first.get_or_insert(first);
                }
            }
        }
        if count == 0 {
            return Ok(damage);
        }
    }
}

/// What a look at all bytes of a file says about their encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The file is in this encoding, apart from what may be damaged.
    Is(&'static Encoding),
    /// No certain encoding; as UTF-8 it has its first bad byte here.
    Unknown(u64),
    /// No text, since it has a zero byte here.
    Binary(u64),
    /// A known format that is not plain text.
    Format(&'static str),
}

/// What the bytes of a file are like.
#[derive(Debug, Default)]
struct Looks {
    head: Vec<u8>,
    bytes: u64,
    first_zero: Option<u64>,
    first_escape: Option<u64>,
}

impl Looks {
    fn see(&mut self, bytes: &[u8]) {
        let missing = 8_usize.saturating_sub(self.head.len());
        self.head.extend(bytes.iter().take(missing));
        let first = |wanted| {
            let position = bytes.iter().position(|&byte| byte == wanted)?;
            Some(self.bytes + position as u64)
        };
        self.first_zero = self.first_zero.or_else(|| first(0));
        self.first_escape = self.first_escape.or_else(|| first(0x1b));
        self.bytes += bytes.len() as u64;
    }
}

/// Looks at a file, which `open` opens from the beginning.
pub fn recognise<'a>(
    mut open: impl FnMut() -> io::Result<Box<dyn Read + 'a>>,
) -> io::Result<Verdict> {
    let mut looks = Looks::default();
    let mut sequences = 0_u64;
    let damage = decode(
        &mut *open()?,
        UTF_8,
        |bytes| looks.see(bytes),
        |text| sequences += text.bytes().filter(|&byte| byte >= 0xc0).count() as u64,
    )?;
    if looks.head.starts_with(b"%PDF-") {
        return Ok(Verdict::Format("a PDF document"));
    }
    if looks.head.starts_with(b"{\\rtf") {
        return Ok(Verdict::Format("an RTF document"));
    }
    if looks.head.starts_with(&[0xff, 0xfe, 0, 0]) || looks.head.starts_with(&[0, 0, 0xfe, 0xff]) {
        return Ok(Verdict::Format("UTF-32"));
    }
    if let Some((encoding, _)) = Encoding::for_bom(&looks.head) {
        return Ok(Verdict::Is(encoding));
    }
    if let Some(zero) = looks.first_zero {
        let utf16 = utf16(&mut *open()?)?;
        return Ok(utf16.map_or(Verdict::Binary(zero), Verdict::Is));
    }
    Ok(match (damage.first, looks.first_escape) {
        // Seven-bit bytes that switch between alphabets.
        (None, Some(first)) => {
            let mut guess = Guess::default();
            guess.add(&mut *open()?, first)?;
            match guess.end() {
                encoding if encoding == ISO_2022_JP => Verdict::Is(encoding),
                _ => Verdict::Is(UTF_8),
            }
        }
        (None, None) => Verdict::Is(UTF_8),
        // In other encodings bytes hardly ever happen to be UTF-8.
        (Some(_), _) if sequences >= damage.bytes => Verdict::Is(UTF_8),
        (Some(first), _) => Verdict::Unknown(first),
    })
}

/// The encoding named, unless a byte-order mark says better.
pub fn marked(source: &mut dyn Read, named: &'static Encoding) -> io::Result<&'static Encoding> {
    let mut head = Vec::new();
    source.take(3).read_to_end(&mut head)?;
    Ok(Encoding::for_bom(&head).map_or(named, |(encoding, _)| encoding))
}

/// How bytes look in one order of UTF-16.
#[derive(Debug, Default)]
struct Units {
    /// In two halves, or never in a text.
    is_broken: bool,
    after_high: bool,
    controls: u64,
    /// Blanks, line ends and the printable characters of ASCII.
    ordinary: u64,
    /// How often a unit is of another script than the one before: rarely in the right order.
    changes: u64,
    script: u16,
}

impl Units {
    fn add(&mut self, unit: u16) {
        let high = matches!(unit, 0xd800..=0xdbff);
        let low = matches!(unit, 0xdc00..=0xdfff);
        let never = matches!(unit, 0 | 0xfdd0..=0xfdef | 0xfffe..);
        self.is_broken |= never || low != std::mem::replace(&mut self.after_high, high);
        match char::from_u32(unit.into()) {
            Some(' '..='~' | '\t' | '\n' | '\r') => self.ordinary += 1,
            Some(c) if c.is_control() && !is_line_end(c) => self.controls += 1,
            _ => {}
        }
        let script = match unit {
            ..0x250 | 0x1e00..0x2070 => 0,
            0x3000..0xa000 | 0xff00.. => 0x30,
            0xac00..0xd800 => 0xac,
            _ => unit >> 8,
        };
        self.changes += u64::from(script != self.script);
        self.script = script;
    }

    /// How much this looks like text.
    fn score(&self) -> i64 {
        self.ordinary.cast_signed() - self.changes.cast_signed()
    }
}

/// The order of UTF-16 that bytes with zeros among them are in, if they are.
fn utf16(source: &mut dyn Read) -> io::Result<Option<&'static Encoding>> {
    let (mut little, mut big) = (Units::default(), Units::default());
    let (mut bytes, mut zeros, mut printable) = (0_u64, 0_u64, 0_u64);
    let mut first = None;
    let mut buffer = vec![0; PIECE];
    loop {
        let count = match source.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            result => result?,
        };
        if count == 0 {
            break;
        }
        for &byte in &buffer[..count] {
            bytes += 1;
            zeros += u64::from(byte == 0);
            printable += u64::from(matches!(byte, b' '..=b'~' | b'\t' | b'\n' | b'\r'));
            match first.take() {
                None => first = Some(byte),
                Some(first) => {
                    little.add(u16::from_le_bytes([first, byte]));
                    big.add(u16::from_be_bytes([first, byte]));
                }
            }
        }
    }
    let units = bytes / 2;
    // ASCII with a zero byte here and there would pass for rare Chinese.
    let is_ascii = printable * 20 >= (bytes - zeros) * 19;
    let least = if is_ascii { 700 } else { 5 };
    let reads = |units_of: &Units, other: &Units| {
        !units_of.is_broken
            && !units_of.after_high
            && units_of.controls * 1000 <= units
            && units_of.ordinary * 1000 >= units * least
            && (other.is_broken || units_of.score() > other.score())
    };
    Ok(match (first, reads(&little, &big), reads(&big, &little)) {
        (None, true, _) => Some(UTF_16LE),
        (None, _, true) => Some(UTF_16BE),
        _ => None,
    })
}

/// A guess at the encoding of some files, and whether they make sense in it.
pub struct Guess {
    detector: EncodingDetector,
}

impl Default for Guess {
    fn default() -> Self {
        Self {
            detector: EncodingDetector::new(Iso2022JpDetection::Allow),
        }
    }
}

impl Guess {
    /// Takes another file into account, as far as it takes no time; it is nothing special before
    /// `first`.
    pub fn add(&mut self, source: &mut dyn Read, first: u64) -> io::Result<()> {
        let mut source = source.take(first + PIECE as u64);
        let mut buffer = vec![0; PIECE];
        loop {
            match source.read(&mut buffer) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(0) => return Ok(()),
                Ok(count) => {
                    self.detector.feed(&buffer[..count], false);
                }
            }
        }
    }

    /// The likeliest encoding.
    #[must_use]
    pub fn end(mut self) -> &'static Encoding {
        self.detector.feed(&[], true);
        self.detector.guess(None, Utf8Detection::Deny)
    }
}

/// What a text looks like in the encoding that was guessed.
#[derive(Debug, Default)]
pub struct Trial {
    characters: u64,
    controls: u64,
    /// Beyond ASCII, and of these what texts are made of.
    foreign: u64,
    usual: u64,
    damage: u64,
    word: String,
    /// Some words, for the user to see whether they make sense.
    pub excerpt: String,
}

impl Trial {
    /// The longest excerpt, in bytes.
    const EXCERPT: usize = 40;

    /// Reads a file.
    pub fn add(&mut self, source: &mut dyn Read, encoding: &'static Encoding) -> io::Result<()> {
        let damage = decode(
            source,
            encoding,
            |_| (),
            |text| text.chars().for_each(|c| self.see(c)),
        )?;
        self.damage += damage.bytes;
        self.end_word();
        Ok(())
    }

    fn see(&mut self, c: char) {
        self.characters += 1;
        self.controls += u64::from(c.is_control() && c != '\t' && !is_line_end(c));
        if !c.is_ascii() {
            self.foreign += 1;
            let is_punctuation = matches!(c, '\u{a0}'..='\u{bf}' | '\u{2010}'..='\u{2044}'
                | '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ffef}' | '\u{2122}' | '\u{20ac}');
            self.usual += u64::from(c.is_alphanumeric() || is_punctuation);
        }
        if c.is_whitespace() || c.is_control() {
            self.end_word();
        } else if self.word.len() < Self::EXCERPT {
            self.word.push(c);
        }
    }

    /// Keeps the word for the excerpt, from the first one on that is not ASCII.
    fn end_word(&mut self) {
        let begun = !self.excerpt.is_empty();
        let fits = !begun || self.excerpt.len() + self.word.len() <= Self::EXCERPT;
        if fits && (begun || !self.word.is_ascii()) && !self.word.is_empty() {
            if begun {
                self.excerpt.push(' ');
            }
            self.excerpt.push_str(&self.word);
        }
        self.word.clear();
    }

    /// Whether it reads like text.
    #[must_use]
    pub fn is_plausible(&self) -> bool {
        self.damage * 1000 <= self.characters
            && self.controls * 1000 <= self.characters
            && self.usual * 10 >= self.foreign * 7
    }
}
