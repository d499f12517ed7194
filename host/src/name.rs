//! Names of runs and models: each is a folder's, a file's and an image's name at once.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use inkling_engine::format::NAME_BYTES;
use serde::{Deserialize, Serialize};

use crate::output;

/// The name of a run or a model.
///
/// It consists of letters, digits, `-`, `_` and `.`, begins with a letter, a digit or `_`, does not
/// end with `.`, and takes at most [`NAME_BYTES`] bytes. So it fits an image, leaves no folder that it
/// is joined to, looks like no option, and moves no cursor.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Why something cannot be a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// It has other characters, or begins or ends with one that it must not.
    #[error(
        "the name '{0}' cannot be used; take letters, digits, '-', '_' and '.', with a letter or digit first"
    )]
    Characters(String),
    /// It does not fit an image.
    #[error("the name '{0}' is longer than {NAME_BYTES} bytes; take a shorter one")]
    Long(String),
    /// It means a device to Windows.
    #[error("the name '{0}' means a device on Windows; take another one")]
    Device(String),
}

impl Name {
    /// A name that is as much like `text` as a name can be.
    #[must_use]
    pub fn like(text: &str) -> Self {
        let mut name = String::new();
        for c in text.chars() {
            match c {
                '.' | '_' => name.push(c),
                c if c.is_alphanumeric() => name.push(c),
                // One for any number of them.
                _ if !name.ends_with('-') => name.push('-'),
                _ => {}
            }
        }
        let name = name.trim_start_matches(['-', '.']);
        let name = shortened(name, NAME_BYTES);
        name.parse()
            .or_else(|_| format!("{}-text", shortened(name, NAME_BYTES - 5)).parse())
            .unwrap_or_else(|_| Self("model".to_owned()))
    }

    /// A name made of that of a file, without its folder and extension.
    #[must_use]
    pub fn of_file(path: &Path) -> Self {
        Self::like(&path.file_stem().unwrap_or_default().to_string_lossy())
    }

    /// This name, or the first of `NAME-2`, `NAME-3` and so on that is free.
    #[must_use]
    pub fn next_free(&self, is_free: impl Fn(&Self) -> bool) -> Self {
        if is_free(self) {
            return self.clone();
        }
        let numbered = |number: u64| {
            let suffix = format!("-{number}");
            Self(shortened(&self.0, NAME_BYTES - suffix.len()).to_owned() + &suffix)
        };
        let mut numbers = 2..;
        numbers
            .find_map(|number| Some(numbered(number)).filter(&is_free))
            .unwrap_or_else(|| self.clone())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// As much of the beginning of `name` as fits `bytes` and may be the beginning of a name.
fn shortened(name: &str, bytes: usize) -> &str {
    name[..name.floor_char_boundary(bytes)].trim_end_matches(['-', '.'])
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let is_sound = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        let begins = |c: char| c.is_alphanumeric() || c == '_';
        if !text.starts_with(begins) || text.ends_with('.') || !text.chars().all(is_sound) {
            return Err(NameError::Characters(output::one_line(text)));
        }
        if text.len() > NAME_BYTES {
            return Err(NameError::Long(text.to_owned()));
        }
        let stem = text.split('.').next().unwrap_or_default();
        if is_device(stem) {
            return Err(NameError::Device(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

/// Whether a file cannot be called so on Windows, whatever its extension.
fn is_device(stem: &str) -> bool {
    let lower = stem.to_ascii_lowercase();
    let numbered = |prefix| {
        let number = lower.strip_prefix(prefix);
        number.is_some_and(|number| matches!(number.as_bytes(), [b'0'..=b'9']))
    };
    matches!(lower.as_str(), "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt")
}

impl TryFrom<String> for Name {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

impl AsRef<Path> for Name {
    fn as_ref(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Component;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_leave_their_folder_move_the_cursor_or_look_like_options_are_refused() {
        for name in [
            "",
            ".",
            "..",
            "../../evil",
            "/etc/x",
            "a/b",
            "a\\b",
            "C:x",
            ".hidden",
            "-x",
            "--help",
            "a\n",
            "a\x1b[2J",
            "a\u{9b}2J",
            "a\u{202e}b",
            "a b",
            "a\0",
            "x.",
            "con",
            "NUL.txt",
            "com1",
            &"a".repeat(33),
            &"ж".repeat(17),
        ] {
            assert!(name.parse::<Name>().is_err(), "{name:?}");
            let stored = serde_json::to_string(name).unwrap();
            assert!(serde_json::from_str::<Name>(&stored).is_err(), "{name:?}");
        }
        for name in ["my-model_2.1", "_", "роман", "64k", "a-", "console"] {
            assert_eq!(name.parse::<Name>().map(String::from).as_deref(), Ok(name));
        }
    }

    #[test]
    fn a_name_is_like_that_of_the_text() {
        for (file, name) in [
            ("a b/c d.txt", "c-d"),
            ("[Lyrics] (2023) mix.txt", "Lyrics-2023-mix"),
            ("../..", "model"),
            ("-.-", "model"),
            ("con.txt", "con-text"),
            ("Don’t.md", "Don-t"),
            ("my.own.toml", "my.own"),
        ] {
            assert_eq!(Name::of_file(Path::new(file)).as_str(), name, "{file}");
        }
        let long = "ж".repeat(40);
        assert_eq!(Name::like(&long).as_str(), "ж".repeat(16));
    }

    #[test]
    fn a_name_that_is_taken_gets_a_number_that_fits() {
        let name: Name = "novel".parse().unwrap();
        assert_eq!(name.next_free(|_| true), name);
        let free = name.next_free(|name| !["novel", "novel-2"].contains(&name.as_str()));
        assert_eq!(free.as_str(), "novel-3");
        let long: Name = "a".repeat(32).parse().unwrap();
        let free = long.next_free(|name| name != &long);
        assert_eq!(free.as_str(), "a".repeat(30) + "-2");
    }

    proptest! {
        #[test]
        fn every_name_is_one_plain_part_of_a_path(text in "\\PC{0,40}|.{0,40}") {
            for name in [Name::like(&text), Name::of_file(Path::new(&text))] {
                prop_assert_eq!(name.as_str().parse::<Name>(), Ok(name.clone()));
                let parts: Vec<_> = Path::new(name.as_str()).components().collect();
                prop_assert!(matches!(parts[..], [Component::Normal(_)]));
                let taken = name.next_free(|other| other != &name);
                prop_assert_eq!(taken.as_str().parse::<Name>(), Ok(taken.clone()));
                prop_assert_ne!(taken, name);
            }
        }
    }
}
