//! Bytes from a serial line as text that no terminal stumbles over.

/// What stands for anything that is not to reach the terminal.
const REPLACEMENT: char = '\u{FFFD}';

/// Decodes UTF-8 that comes in pieces, with noise in it.
#[derive(Debug, Default)]
pub struct Decoder {
    /// The beginning of a character whose end has not come yet.
    begun: Vec<u8>,
}

impl Decoder {
    /// The text of some more bytes. Invalid bytes and control characters are replaced; line ends are
    /// `\n`, whether or not a `\r` comes with them.
    pub fn decode(&mut self, bytes: &[u8]) -> String {
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        let mut text = String::with_capacity(all.len());
        let mut chunks = all.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.extend(chunk.valid().chars().filter_map(shown));
            let rest = chunk.invalid();
            let may_go_on = chunks.peek().is_none() && is_begun(rest);
            if may_go_on {
                self.begun = rest.to_vec();
            } else if !rest.is_empty() {
                text.push(REPLACEMENT);
            }
        }
        text
    }
}

/// Whether more bytes can complete these to a character.
fn is_begun(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

fn shown(c: char) -> Option<char> {
    match c {
        '\n' | '\t' => Some(c),
        '\r' => None,
        // Pictures of the control characters, as far as there are any.
        '\0'..='\x1F' => char::from_u32(0x2400 + u32::from(c)),
        '\x7F' => Some('\u{2421}'),
        // These turn the direction of what follows.
        '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' => {
            Some(REPLACEMENT)
        }
        c if c.is_control() => Some(REPLACEMENT),
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_characters_and_invalid_bytes_are_shown_and_do_nothing() {
        let text = Decoder::default().decode(b"a\x1b[2Jb\x00\x07\xff\xfec\x7f\r\n\xc2\x9bd\te");
        assert_eq!(text, "a␛[2Jb␀␇��c␡\n�d\te");
    }

    #[test]
    fn a_character_may_come_in_pieces() {
        let mut decoder = Decoder::default();
        let pieces = "ä€𝄞".as_bytes().chunks(1);
        let text: String = pieces.map(|piece| decoder.decode(piece)).collect();
        assert_eq!(text, "ä€𝄞");
        assert_eq!(decoder.decode(b"\xe2\x82"), "");
        assert_eq!(decoder.decode(b"x"), "�x");
    }

    proptest! {
        #[test]
        fn noise_is_the_same_however_it_is_cut(bytes: Vec<u8>, cut: usize) {
            let whole = Decoder::default().decode(&bytes);
            prop_assert!(whole.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'));
            let (head, tail) = bytes.split_at(cut % (bytes.len() + 1));
            let mut decoder = Decoder::default();
            prop_assert_eq!(decoder.decode(head) + &decoder.decode(tail), whole);
        }
    }
}
