//! From the bytes of a file to clean text: encoding checks, line ends, transliteration.

use super::CorpusError;

/// A text that is ready to be turned into symbols.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CleanText {
    /// The text.
    pub text: String,
    /// How many characters had no ASCII form (or, with `unicode`, were control characters).
    pub dropped: usize,
}

/// Decodes the bytes of the file called `name`.
///
/// With `lossy`, undecodable and zero bytes are dropped instead of refused.
///
/// # Errors
/// When the file is empty, binary or not UTF-8.
pub fn decode(name: &str, bytes: Vec<u8>, lossy: bool) -> Result<String, CorpusError> {
    if bytes.is_empty() {
        return Err(CorpusError::Empty(name.to_owned()));
    }
    if lossy {
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.extend(chunk.valid().chars().filter(|&c| c != '\0'));
        }
        return Ok(text);
    }
    if let Some(offset) = bytes.iter().position(|&byte| byte == 0) {
        return Err(CorpusError::Binary {
            name: name.to_owned(),
            offset,
        });
    }
    String::from_utf8(bytes).map_err(|error| CorpusError::NotUtf8 {
        name: name.to_owned(),
        offset: error.utf8_error().valid_up_to(),
    })
}

/// Makes line ends `\n`, removes a byte-order mark and what no board should print, and, unless
/// `unicode`, transliterates everything else to ASCII.
#[must_use]
pub fn clean(raw: &str, unicode: bool) -> CleanText {
    let raw = raw.strip_prefix('\u{feff}').unwrap_or(raw);
    let mut text = String::with_capacity(raw.len());
    let mut dropped = 0;
    let mut after_return = false;
    for c in raw.chars() {
        let line_feed_of_pair = after_return && c == '\n';
        after_return = c == '\r';
        match c {
            '\n' if line_feed_of_pair => {}
            '\r' | '\n' => text.push('\n'),
            ' '..='~' | '\t' => text.push(c),
            _ if c.is_ascii() => dropped += 1,
            _ if unicode && !c.is_control() => text.push(c),
            _ if unicode => dropped += 1,
            _ => match unidecode::unidecode_char(c) {
                "" => dropped += 1,
                ascii => text.extend(ascii.chars().filter(|&c| matches!(c, ' '..='~' | '\n'))),
            },
        }
    }
    CleanText { text, dropped }
}
