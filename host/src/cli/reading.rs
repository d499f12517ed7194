//! How a text is treated on its way into a training: what is left out, put right, mixed.

use crate::corpus::{Limits, Reading, Shuffle, Tidying};

/// What is done to your own text. A standard corpus is read as it is.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Your own text")]
pub struct Treatment {
    /// Mix the lines of a list before a part is kept to measure on
    #[arg(long, value_name = "WHAT", value_enum, conflicts_with = "resume")]
    pub shuffle: Option<Shuffle>,
    /// Join the lines of paragraphs that were wrapped at some width
    #[arg(long, conflicts_with = "resume")]
    pub unwrap: bool,
    /// Make small letters of capitals
    #[arg(long, conflicts_with = "resume")]
    pub lowercase: bool,
    /// At most so many symbols; all rarer characters are read as �, which the model never writes, or, with
    /// --unicode and where that serves, spelt
    #[arg(long, value_name = "N", conflicts_with = "resume",
        value_parser = clap::value_parser!(u8).range(4..))]
    pub max_symbols: Option<u8>,
    /// Only characters that occur so often are symbols; the others are read as �
    #[arg(long, value_name = "N", conflicts_with = "resume",
        value_parser = clap::value_parser!(u64).range(1..))]
    pub min_count: Option<u64>,
    /// Keep what is left out otherwise; several with commas between them
    #[arg(
        long,
        value_name = "WHAT",
        value_enum,
        value_delimiter = ',',
        conflicts_with = "resume"
    )]
    pub keep: Vec<Kept>,
}

/// What is left out of a text unless it is to be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kept {
    /// The header and the licence of Project Gutenberg
    Gutenberg,
    /// Blank lines after a blank line, in prose
    BlankLines,
    /// Characters too rare to be learned, where there are more than 100 different ones
    Rare,
}

impl Treatment {
    /// Puts what was asked for into `reading`; what is done unasked only for the user's `own` text.
    pub fn apply(&self, reading: &mut Reading, own: bool) {
        let unless_kept = |what: Kept| own && !self.keep.contains(&what);
        reading.shuffle = self.shuffle;
        reading.tidying = Tidying {
            gutenberg: unless_kept(Kept::Gutenberg),
            blank_lines: unless_kept(Kept::BlankLines),
            unwrap: self.unwrap,
            width: 0,
            lowercase: self.lowercase,
        };
        reading.limits = Limits {
            most: self.max_symbols.map(usize::from),
            least: self.min_count,
            rare: unless_kept(Kept::Rare) && self.max_symbols.is_none() && self.min_count.is_none(),
            spell: reading.unicode,
        };
    }
}
