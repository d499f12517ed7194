//! A prompt is read as the text was: what the model does not know is transliterated as the text would
//! have been, and only what it then still does not know is left out.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::decompose_canonical;

use crate::clean::{Cleaner, is_invisible, is_line_end};

/// The most unknown characters that a note shows.
const MOST_SHOWN: usize = 20;

/// A prompt in the characters of a model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Only characters that the model knows.
    pub text: String,
    /// The characters of the prompt that it does not know in any form, in order.
    pub dropped: String,
}

/// Reads a prompt for a model that `knows` some characters.
///
/// Characters it knows stay as they are. Others are taken apart or put together with their accents, or
/// else transliterated to ASCII; line ends become `\n`.
#[must_use]
pub fn read(prompt: &str, knows: impl Fn(char) -> bool) -> Prompt {
    // The mark of what could not be read is never what somebody wants to say.
    let knows = |c: char| c != char::REPLACEMENT_CHARACTER && knows(c);
    let composed = match prompt.chars().all(knows) {
        true => prompt.to_owned(),
        false => prompt.nfc().collect(),
    };
    let mut cleaner = Cleaner::new(false);
    let mut read = Prompt::default();
    for c in composed.chars() {
        let mut form = String::new();
        cleaner.push(c.encode_utf8(&mut [0; 4]), |c| form.push(c));
        if knows(c) && !is_line_end(c) {
            read.text.push(c);
            continue;
        }
        let mut apart = String::new();
        decompose_canonical(c, |c| apart.push(c));
        if apart.chars().all(knows) && !is_line_end(c) {
            form = apart;
        }
        let nothing_to_say = is_invisible(c) || (form.is_empty() && is_line_end(c));
        // A model of small letters only.
        if !form.chars().all(knows) {
            let small = form.to_lowercase();
            let own = c.to_lowercase();
            form = match own.clone().all(knows) && !is_line_end(c) {
                true => own.collect(),
                false => small,
            };
        }
        // Half of a transliteration would be another word.
        let is_known = form.chars().all(knows);
        if is_known {
            read.text += &form;
        }
        if !nothing_to_say && (form.is_empty() || !is_known) {
            read.dropped.push(c);
        }
    }
    read
}

impl Prompt {
    /// What the user should know of what was dropped, if anything was.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        note(&self.dropped)
    }
}

/// What the user should know of characters that were dropped from a prompt, if any were.
#[must_use]
pub fn note(dropped: &str) -> Option<String> {
    let mut unknown: Vec<char> = Vec::new();
    for c in dropped.chars() {
        if !unknown.contains(&c) {
            unknown.push(c);
        }
    }
    let shown: String = unknown.iter().take(MOST_SHOWN).collect();
    let more = match unknown.len().saturating_sub(MOST_SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!unknown.is_empty())
        .then(|| format!("left out of the prompt what the model does not know: {shown:?}{more}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Everything that a transliterated text can hold.
    fn ascii(c: char) -> bool {
        matches!(c, ' '..='~' | '\t' | '\n')
    }

    fn text_of(prompt: &str, alphabet: &str) -> String {
        let read = read(prompt, |c| alphabet.contains(c));
        assert_eq!(read.dropped, "", "{read:?}");
        read.text
    }

    #[test]
    fn a_prompt_is_transliterated_as_the_text_was() {
        let prompt = "café d’été — Don’t “say” naïve…\r\nПривет\rＡ";
        let read = read(prompt, ascii);
        let mut text = String::new();
        Cleaner::new(false).push(prompt, |c| text.push(c));
        assert_eq!(read.text, text);
        assert!(text.starts_with("cafe d'ete -- Don't \"say\" naive...\nPrivet\n"));
        assert_eq!(read.dropped, "");
    }

    #[test]
    fn what_the_model_knows_stays_as_it_is() {
        assert_eq!(text_of("café d’été", "acdeféèt’ "), "café d’été");
        // Only the quotation mark is strange to it.
        assert_eq!(text_of("café d’été", "acdeféèt' "), "café d'été");
    }

    #[test]
    fn capitals_become_small_where_the_model_has_none() {
        assert_eq!(
            text_of("Do NOT ask Ärger", "asknotdegr ä"),
            "do not ask ärger"
        );
        assert_eq!(text_of("Ärger Æ", "aerg "), "arger ae");
        // One that it has stays.
        assert_eq!(text_of("NO no", "No n"), "No no");
    }

    #[test]
    fn accents_may_come_apart() {
        assert_eq!(text_of("e\u{301}a", "éa"), "éa");
        assert_eq!(text_of("éa", "e\u{301}a"), "e\u{301}a");
        assert_eq!(text_of("e\u{301}a\u{200b}", "ea"), "ea");
    }

    #[test]
    fn what_is_unknown_in_any_form_is_told() {
        let read = read("aß😀\u{1b}ü�", |c| "asu�".contains(c));
        assert_eq!(read.text, "assu");
        assert_eq!(read.dropped, "😀\u{1b}�");
        let note = read.note().unwrap();
        assert!(note.ends_with(r#"does not know: "😀\u{1b}�""#), "{note}");
    }

    #[test]
    fn a_prompt_that_is_known_needs_no_note() {
        assert_eq!(read("a\r\nb", ascii).note(), None);
    }

    proptest! {
        #[test]
        fn whatever_is_typed_only_known_characters_are_left(prompt: String, alphabet: String) {
            let read = read(&prompt, |c| alphabet.contains(c));
            prop_assert!(read.text.chars().all(|c| alphabet.contains(c)));
        }

        #[test]
        fn a_prompt_of_known_characters_passes_unchanged(prompt in "[ -~é한“\n]{0,20}") {
            let read = read(&prompt, |c| prompt.contains(c));
            prop_assert_eq!(read.text, prompt);
        }
    }
}
