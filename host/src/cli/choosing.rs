//! Options that say how a text is written and where it ends, the same wherever a model writes.
//!
//! Temperature, seed and length are not among them: how many are taken, and what is usual, differs.

use firmware::until::{Until, UntilError};
use inkling_engine::{Guard, Settings, Thousandths};

/// How symbols are chosen, besides the temperature.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Choosing {
    /// Choose among this many of the most probable symbols only; 0 for all
    #[arg(long, default_value_t = 0, value_name = "K")]
    top_k: u8,
    /// Choose among the most probable symbols that together reach this probability
    #[arg(long, default_value = "1", value_name = "P")]
    top_p: Thousandths,
    /// At most N of one character in a row; `text` for as many and as often as in the model's text,
    /// where the model knows that; or `off`
    #[arg(
        long,
        default_value = "text",
        value_name = "N",
        allow_hyphen_values = true
    )]
    guard: Guard,
}

impl Choosing {
    /// The settings of the sampler with a temperature.
    pub fn settings(&self, temperature: Thousandths) -> Settings {
        Settings {
            temperature,
            top_k: self.top_k,
            top_p: self.top_p,
            guard: self.guard,
        }
    }
}

/// Where texts end, and how many are written.
#[derive(Debug, Clone, clap::Args)]
pub struct Ending {
    /// End a text at any of these characters, such as '.!?' or '\n'; it may be given several times
    #[arg(long, value_name = "CHARACTERS", allow_hyphen_values = true)]
    until: Vec<Until>,
    /// Write so many texts, each on lines of its own, with one seed after the other
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub count: Option<u32>,
}

impl Ending {
    /// Whether any characters were named.
    pub fn is_named(&self) -> bool {
        !self.until.is_empty()
    }

    /// All characters that were named.
    pub fn chars(&self) -> Vec<char> {
        self.until.iter().flat_map(|until| until.chars()).collect()
    }

    /// The same as a board takes them.
    ///
    /// # Errors
    /// When they are more than it takes.
    pub fn until(&self) -> Result<Until, UntilError> {
        let named = self.until.iter().filter(|until| !until.is_off());
        let typed: String = named.map(ToString::to_string).collect();
        match typed.is_empty() {
            true => Ok(Until::OFF),
            false => typed.parse(),
        }
    }
}

/// A text as it stands among others: on lines of its own, without blanks around it; those that may
/// have several lines apart.
pub fn among_others(text: &str, number: u32, until: &[char]) -> String {
    let is_a_line = until.contains(&'\n');
    let gap = if is_a_line || number == 0 { "" } else { "\n" };
    format!("{gap}{}\n", text.trim())
}
