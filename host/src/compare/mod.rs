//! How a model compares with what a reader knows: programs that compress text, words, copies.
//!
//! Compressors get the text as the model reads it: the training part, then the part that losses are
//! measured on, of which alone their bits are counted. PPMd and xz keep learning while they read it; the
//! model does not.

use std::fmt;
use std::io::{self, Write};
use std::thread;

use flate2::Compression;
use flate2::write::GzEncoder;
use inkling_engine::{Model, Settings};
use lzma_rust2::{Lzma2Options, Lzma2Writer};
use ppmd_rust::{PPMD7_MIN_MEM_SIZE, Ppmd7Encoder};
use serde::{Deserialize, Serialize};

use crate::corpus::{Alphabet, Validation};
use crate::words::count;
use crate::writing::Author;

mod copies;
mod vocabulary;

pub use copies::{Copied, copied};
pub use vocabulary::share_of_words;

/// Of a longer training part compressors get the end only, or they would take minutes.
const MOST_CHARACTERS: usize = 8 << 20;

/// All that gzip remembers, and more than one of its blocks.
const GZIP_REMEMBERS: usize = 256 << 10;

/// As 7-zip's strongest setting.
const PPMD_ORDER: u32 = 8;
const PPMD_MEMORY: usize = 256 << 20;

/// As xz's.
const XZ_PRESET: u32 = 9;
const XZ_DICTIONARY: usize = 64 << 20;

/// So many characters are written by the model and taken from the unseen part.
const WRITTEN: usize = 10_000;

/// A model beside what a reader knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Bits per character of compressors on the part that losses are measured on.
    pub compressors: Compressors,
    /// What the model writes, at temperature 0.8.
    pub written: Writing,
    /// The same of the part of the text that was never trained on.
    pub unseen: Writing,
}

/// Bits per character of compressors on a text that follows another one.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Compressors {
    /// gzip -9.
    pub gzip_bits: f64,
    /// xz -9.
    pub xz_bits: f64,
    /// PPMd of order 8 with 256 MiB, as in 7-zip.
    pub ppmd_bits: f64,
    /// Characters of the training part that they had read before, the last ones.
    pub characters_before: usize,
}

/// What is to be said of a text that somebody wrote after reading the training part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Writing {
    /// How many characters were looked at.
    pub characters: usize,
    /// The share of its words that occur in the training part; none where words are not set apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_words: Option<f64>,
    /// The most characters in a row that stand in the training part too.
    pub longest_copy: usize,
    /// How many do in the mean, from wherever the run before ended.
    pub mean_copy: f64,
}

impl Comparison {
    /// Compares a model with what is known of its text in the same symbols.
    ///
    /// # Errors
    /// When a compressor fails, as for want of memory.
    pub fn measure(
        model: Model<'_>,
        alphabet: &Alphabet,
        training: &[u8],
        validation: &Validation,
    ) -> io::Result<Self> {
        let unseen = validation.own();
        let mut author = Author::of_image(model, Settings::default());
        author.restart(1);
        let mut written = Vec::new();
        for _ in 0..WRITTEN {
            author.write_watched(|_, symbol| written.push(symbol));
        }
        let of = |text: &[u8]| Writing::of(text, training, alphabet);
        Ok(Self {
            compressors: Compressors::measure(alphabet, training, &unseen)?,
            written: of(&written),
            unseen: of(&unseen[..unseen.len().min(WRITTEN)]),
        })
    }
}

impl Compressors {
    /// Compresses `validation` after `training`.
    ///
    /// # Errors
    /// When a compressor fails, as for want of memory.
    pub fn measure(alphabet: &Alphabet, training: &[u8], validation: &[u8]) -> io::Result<Self> {
        let begin = training.len().saturating_sub(MOST_CHARACTERS);
        let before = text(alphabet, &training[begin..]);
        let after = text(alphabet, validation);
        let (before, after) = (before.as_bytes(), after.as_bytes());
        let characters = alphabet.characters(validation).count();
        let bits = |bytes: u64| bits(bytes, characters);
        thread::scope(|scope| {
            let xz = scope.spawn(|| xz(before, after));
            let ppmd = ppmd(before, after)?;
            let gzip = gzip(before, after)?;
            let xz = xz.join().map_err(|_| io::Error::other("xz failed"))??;
            Ok(Self {
                gzip_bits: bits(gzip),
                xz_bits: bits(xz),
                ppmd_bits: bits(ppmd),
                characters_before: alphabet.characters(&training[begin..]).count(),
            })
        })
    }
}

/// Bits per character of PPMd alone, as in [`Compressors`]: what is known before a training.
///
/// # Errors
/// When it fails, as for want of memory.
pub fn ppmd_bits(alphabet: &Alphabet, training: &[u8], validation: &[u8]) -> io::Result<f64> {
    let begin = training.len().saturating_sub(MOST_CHARACTERS);
    let before = text(alphabet, &training[begin..]);
    let after = text(alphabet, validation);
    let bytes = ppmd(before.as_bytes(), after.as_bytes())?;
    Ok(bits(bytes, after.chars().count()))
}

fn text(alphabet: &Alphabet, symbols: &[u8]) -> String {
    alphabet.characters(symbols).collect()
}

fn bits(bytes: u64, characters: usize) -> f64 {
    8.0 * bytes as f64 / characters.max(1) as f64
}

impl Writing {
    fn of(text: &[u8], training: &[u8], alphabet: &Alphabet) -> Self {
        let begins = alphabet.begins(text);
        let copied = copied(text, training, alphabet.len(), &begins);
        Self {
            characters: begins.iter().filter(|&&begins| begins).count(),
            known_words: share_of_words(text, training, alphabet),
            longest_copy: copied.longest,
            mean_copy: copied.mean,
        }
    }
}

/// How many bytes `after` takes behind `before`.
fn gzip(before: &[u8], after: &[u8]) -> io::Result<u64> {
    let before = &before[before.len().saturating_sub(GZIP_REMEMBERS)..];
    let size = |parts: &[&[u8]]| {
        let mut encoder = GzEncoder::new(Counter(0), Compression::best());
        parts.iter().try_for_each(|part| encoder.write_all(part))?;
        encoder.finish().map(|counter| counter.0)
    };
    Ok(size(&[before, after])?.saturating_sub(size(&[before])?))
}

fn xz(before: &[u8], after: &[u8]) -> io::Result<u64> {
    let mut options = Lzma2Options::with_preset(XZ_PRESET);
    let all = (before.len() + after.len()).next_power_of_two();
    options.lzma_options.dict_size = all.clamp(1 << 16, XZ_DICTIONARY) as u32;
    let mut encoder = Lzma2Writer::new(Counter(0), options);
    encoder.write_all(before)?;
    encoder.flush()?;
    let first = encoder.inner().0;
    encoder.write_all(after)?;
    Ok(encoder.finish()?.0 - first)
}

fn ppmd(before: &[u8], after: &[u8]) -> io::Result<u64> {
    // It takes all that it is given at once, and has use for no more than so much.
    let memory = (32 * (before.len() + after.len())).clamp(1 << 20, PPMD_MEMORY);
    let memory = u32::try_from(memory).unwrap_or(PPMD7_MIN_MEM_SIZE);
    let encoder = Ppmd7Encoder::new(Counter(0), PPMD_ORDER, memory);
    let mut encoder = encoder.map_err(io::Error::other)?;
    encoder.write_all(before)?;
    let first = encoder.get_ref().0;
    encoder.write_all(after)?;
    Ok(encoder.finish(false)?.0 - first)
}

/// Counts what is written to it.
struct Counter(u64);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Compressors {
            gzip_bits,
            xz_bits,
            ppmd_bits,
            ..
        } = self.compressors;
        writeln!(
            f,
            "compressors  gzip {gzip_bits:.3}, xz {xz_bits:.3}, PPMd {ppmd_bits:.3} bits/char on the same part"
        )?;
        if let Some(known) = self.written.known_words {
            write!(
                f,
                "words        {:.1} % of those it writes are in the text",
                100.0 * known
            )?;
            if let Some(known) = self.unseen.known_words {
                write!(f, " (of its unseen part: {:.1} %)", 100.0 * known)?;
            }
            writeln!(f)?;
        }
        write!(
            f,
            "copies       runs of {:.1} characters in the mean, the longest of {} (unseen part: {:.1}, {})",
            self.written.mean_copy,
            count(self.written.longest_copy, "character"),
            self.unseen.mean_copy,
            self.unseen.longest_copy
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::{Corpus, Reading, Source, for_tests};

    #[test]
    fn compressors_know_what_they_have_read_and_nothing_else() {
        let text = "abcdefghij klmnop";
        let corpus = Corpus::from_bytes("x", text.into(), Reading::default()).unwrap();
        let alphabet = &corpus.alphabet;
        let mut state = 1_u32;
        let mut noise = |length: usize| -> Vec<u8> {
            let mut draw = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8 & 15
            };
            (0..length).map(|_| draw()).collect()
        };
        let (before, other) = (noise(20_000), noise(4_000));
        let known = Compressors::measure(alphabet, &before, &before[9_000..13_000]).unwrap();
        let unknown = Compressors::measure(alphabet, &before, &other).unwrap();
        assert!(known.gzip_bits < 0.3 && known.xz_bits < 0.3, "{known:?}");
        for bits in [unknown.gzip_bits, unknown.xz_bits, unknown.ppmd_bits] {
            assert!((3.9..5.0).contains(&bits), "{unknown:?}");
        }
        assert_eq!(known.characters_before, 20_000);
        // The shortest texts have figures too.
        for (before, after) in [(0, 0), (0, 1), (1, 1)] {
            Compressors::measure(alphabet, &noise(before), &noise(after)).unwrap();
        }
    }

    #[test]
    fn figures_are_those_of_the_programs_on_the_standard_corpus() {
        let path = for_tests().unwrap();
        let corpus = Corpus::load(&Source::File(path), Reading::default(), &|_| ()).unwrap();
        let validation = corpus.validation().own();
        let found = Compressors::measure(&corpus.alphabet, corpus.training(), &validation).unwrap();
        // As gzip 1.12, xz 5.4 and 7-zip measure it, which agree to two digits.
        for (bits, known) in [
            (found.ppmd_bits, 2.035),
            (found.xz_bits, 2.516),
            (found.gzip_bits, 3.097),
        ] {
            assert!((bits - known).abs() < 0.02, "{found:?}");
        }
    }
}
