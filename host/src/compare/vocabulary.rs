//! Whether the words of a text occur in another one.

use std::collections::HashMap;

use crate::corpus::Alphabet;

/// Where words are longer than this in the mean, nothing sets them apart.
const LONGEST_MEAN: f64 = 14.0;

/// The share of the words of `text` that occur in `source`, capitals or not; none where it has none, or
/// where nothing sets them apart. Words of one letter do not count, nor one that is cut at an end.
#[must_use]
pub fn share_of_words(text: &[u8], source: &[u8], alphabet: &Alphabet) -> Option<f64> {
    let mut count: HashMap<u64, u64> = HashMap::new();
    let (mut words, mut characters) = (0_u64, 0);
    let text: Vec<Option<u64>> = alphabet.characters(text).map(letter).collect();
    let begin = text.iter().position(Option::is_none)?;
    let end = text.iter().rposition(Option::is_none)?;
    each_word(text[begin..=end].iter().copied(), |word, length| {
        *count.entry(word).or_default() += 1;
        words += 1;
        characters += length;
    });
    if words == 0 || characters as f64 > LONGEST_MEAN * words as f64 {
        return None;
    }
    let mut known = 0;
    each_word(alphabet.characters(source).map(letter), |word, _| {
        known += count.remove(&word).unwrap_or(0);
    });
    Some(known as f64 / words as f64)
}

/// Hands a digest of each word and its length to `take`.
fn each_word(text: impl Iterator<Item = Option<u64>>, mut take: impl FnMut(u64, usize)) {
    let (mut digest, mut length) = (0_u64, 0);
    let mut end = |digest: u64, length: usize| {
        if length > 1 {
            take(digest, length);
        }
    };
    for letter in text {
        match letter {
            Some(letter) => {
                digest = (digest.rotate_left(5) ^ letter).wrapping_mul(0x517c_c1b7_2722_0a95);
                length += 1;
            }
            None => {
                end(digest, length);
                (digest, length) = (0, 0);
            }
        }
    }
    end(digest, length);
}

/// What a character is in a word, a capital the same as its small letter; none if it is in no word.
fn letter(c: char) -> Option<u64> {
    let small = c.to_lowercase().next().unwrap_or(c);
    c.is_alphabetic().then_some(u64::from(u32::from(small)) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::{Corpus, Reading};

    fn share(text: &str, source: &str) -> Option<f64> {
        let reading = Reading {
            unicode: true,
            ..Reading::default()
        };
        let all = format!("{text}{source}");
        let alphabet = Corpus::from_bytes("x", all.into(), reading)
            .unwrap()
            .alphabet;
        let symbols = |text: &str| -> Vec<u8> {
            text.chars()
                .map(|c| alphabet.index_of(c).unwrap())
                .collect()
        };
        share_of_words(&symbols(text), &symbols(source), &alphabet)
    }

    #[test]
    fn words_count_as_often_as_they_stand_there_and_capitals_make_no_others() {
        let source = "The cat sees the moon; a dog's life.";
        assert_eq!(share(" the CAT moon the cow. ", source), Some(0.8));
        assert_eq!(share(" was übel, Übel ", "so übel nicht"), Some(2.0 / 3.0));
        assert_eq!(share(" xyzzy ", source), Some(0.0));
    }

    #[test]
    fn a_word_that_is_cut_at_an_end_does_not_count() {
        assert_eq!(share("oon the cat se", "the cat sees the moon"), Some(1.0));
        assert_eq!(share("nothing", "nothing"), None);
        assert_eq!(share("a 1 2 b", "a b"), None);
    }

    #[test]
    fn where_nothing_sets_words_apart_there_is_no_share() {
        let line = "これは長い文でありどこにも空白がないので単語は分からない";
        assert_eq!(share(&format!("。{line}。{line}。"), line), None);
    }
}
