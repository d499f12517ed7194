//! What a user should know about a text once it has been read: what was replaced in it, what it looks
//! like, whether its two parts are of one kind. One sentence each.

use super::alphabet::{Alphabet, Counts, Limits, REPLACEMENT};
use super::survey::{Looks, Order};
use super::{Corpus, Reading, Split};
use crate::words::{count, share};
use indicatif::HumanCount;

/// What the training part is divided into, to see by how much a text differs from itself.
const PIECES: usize = 9;

/// The share of letters that may be transliterated by their sound alone.
const MOST_BY_SOUND: f64 = 0.25;

/// The divergence of the two parts that is always forgiven, in bits.
const FORGIVEN: f64 = 0.012;

/// What should be said of characters that are spelt, if any are.
#[must_use]
pub fn of_spelling(counts: &Counts, alphabet: &Alphabet) -> Option<String> {
    let spelt = counts.iter().filter(|&(c, _)| alphabet.spell(c).is_some());
    let (kinds, spelt) = spelt.fold((0_u64, 0), |(kinds, sum), (_, n)| (kinds + 1, sum + n));
    (kinds > 0).then(|| {
        format!(
            "the text has {} different characters: the {} rarest ({} of the text) {} spelt in digits, three \
             symbols each, and all others have symbols of their own",
            HumanCount(counts.iter().count() as u64),
            HumanCount(kinds),
            share(spelt, counts.total()),
            if kinds == 1 { "is" } else { "are" }
        )
    })
}

/// What should be said of a text that transliteration does not leave much of.
#[must_use]
pub fn of_transliteration(by_sound: u64, letters: u64) -> Option<String> {
    (by_sound as f64 > MOST_BY_SOUND * letters as f64).then(|| {
        format!(
            "{} of the text's letters are Chinese, Japanese or Korean and are spelt in Latin letters by \
             their sound; --unicode keeps the text's own characters",
            share(by_sound, letters)
        )
    })
}

/// What should be said of characters that are replaced, if any are.
#[must_use]
pub fn of_replacement(counts: &Counts, alphabet: &Alphabet, limits: Limits) -> Option<String> {
    let total = counts.total();
    let is_replaced = |&(c, _): &(char, u64)| !alphabet.knows(c);
    let replaced = counts.iter().filter(is_replaced);
    let (kinds, replaced) = replaced.fold((0_u64, 0), |(kinds, sum), (_, n)| (kinds + 1, sum + n));
    let different = counts.iter().count();
    let replaced = share(replaced, total);
    let read = format!("read as '{REPLACEMENT}', which the model never writes");
    if kinds > 0 {
        return Some(match limits {
            Limits { rare: true, .. } => format!(
                "{kinds} of the {different} different characters are so rare ({replaced} of the text \
                 together) that they would cost more flash than they give: they are {read}; --keep \
                 rare keeps them"
            ),
            _ => format!(
                "{kinds} of the {different} different characters, the rarest ({replaced} of the text \
                 together), are {read}"
            ),
        });
    }
    let (_, broken) = counts.iter().find(|&(c, _)| c == REPLACEMENT)?;
    Some(format!(
        "{} of the text ({}) {} '{REPLACEMENT}', which stands for what was lost when the text was \
         converted; the model never writes it, but a sound copy of the text would teach it more",
        count(broken, "character"),
        share(broken, total),
        if broken == 1 { "is" } else { "are" }
    ))
}

/// What should be said of how a text looks, as it is read.
#[must_use]
pub fn of_looks(looks: Looks, reading: Reading) -> Option<String> {
    match looks {
        Looks {
            list: Some(order), ..
        } if reading.shuffle.is_none() => Some(format!(
            "the text looks like a {}list, one item per line: --shuffle lines mixes them, so that the \
             model does not learn their order and is measured on items like those it learned",
            match order {
                Order::Sorted => "sorted ",
                Order::Other => "",
            }
        )),
        Looks { width: None, .. } if reading.tidying.unwrap => {
            Some("nothing was unwrapped: the lines of the text do not end at one width".to_owned())
        }
        Looks {
            width: Some(width), ..
        } if !reading.tidying.unwrap => Some(format!(
            "the lines of the text are wrapped at {width} characters: --unwrap joins those of a \
             paragraph, so that the model need not learn where they end"
        )),
        _ => None,
    }
}

/// What should be said where the validation part is of another kind than the training part.
#[must_use]
pub fn of_difference(corpus: &Corpus) -> Option<String> {
    let (training, validation) = (corpus.training(), corpus.validation().own());
    let symbols = corpus.alphabet.len();
    let frequencies = |text: &[u8]| {
        let mut counts = vec![0_u64; symbols];
        text.iter()
            .for_each(|&symbol| counts[usize::from(symbol)] += 1);
        counts
    };
    if validation.len() < symbols || training.len() < PIECES {
        return None;
    }
    let whole = frequencies(training);
    let found = divergence(&whole, &frequencies(&validation));
    // By how much the text differs from itself, from one part to the next.
    let pieces = training.chunks(training.len().div_ceil(PIECES));
    let mut drift: Vec<f64> = pieces
        .map(|piece| {
            let piece = frequencies(piece);
            let rest: Vec<u64> = whole
                .iter()
                .zip(&piece)
                .map(|(all, own)| all - own)
                .collect();
            divergence(&rest, &piece)
        })
        .collect();
    drift.sort_by(f64::total_cmp);
    let drift = drift[drift.len() / 2];
    // What samples of this size differ by if they are of one kind.
    let chance = (symbols - 1) as f64 / (8.0 * std::f64::consts::LN_2)
        * (1.0 / validation.len() as f64 + 1.0 / training.len() as f64);
    (found > FORGIVEN + 3.0 * drift.max(chance)).then(|| {
        let instead = match corpus.reading.validation {
            Split::Last => "--validation spread takes it from everywhere",
            Split::Spread => "--shuffle lines mixes a list before",
        };
        format!(
            "the part to measure on is of another kind than the rest of the text, so the loss on it \
             says little; {instead}"
        )
    })
}

/// The Jensen-Shannon divergence of two distributions, in bits.
fn divergence(a: &[u64], b: &[u64]) -> f64 {
    let [all_a, all_b] = [a, b].map(|counts| counts.iter().sum::<u64>().max(1) as f64);
    let part = |share: f64, mean: f64| match share > 0.0 {
        true => 0.5 * share * (share / mean).log2(),
        false => 0.0,
    };
    let shares = a.iter().zip(b);
    let shares = shares.map(|(&a, &b)| (a as f64 / all_a, b as f64 / all_b));
    shares
        .map(|(a, b)| part(a, (a + b) / 2.0) + part(b, (a + b) / 2.0))
        .sum()
}
