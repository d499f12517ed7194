//! The user's end of a line to a board, shared by `emulate` and `monitor`.
//!
//! On a terminal: text above, a status line and an editor below (`interactive`). In scripts: what
//! comes in goes to the board, what the board says goes out (`plain`).

use std::fs::{File, OpenOptions};
use std::io::{IsTerminal, Write, stdin, stdout};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::device::line::Line;

mod editor;
mod interactive;
mod plain;
mod screen;
mod status;

/// How long the board is waited for before the user gets a turn, and the other way round.
const TICK: Duration = Duration::from_millis(20);

/// Whether this program is used at a terminal, rather than in a script.
pub fn is_interactive() -> bool {
    stdin().is_terminal() && stdout().is_terminal()
}

/// Talks until the user leaves.
pub fn converse(line: &mut dyn Line, transcript: Option<Transcript>) -> Result<()> {
    if is_interactive() {
        interactive::run(line, transcript)
    } else {
        plain::run(line, transcript)
    }
}

/// A file with all that the board prints, complete at any time.
#[derive(Debug)]
pub struct Transcript {
    file: File,
    path: PathBuf,
}

impl Transcript {
    /// Goes on with the file, or begins it.
    pub fn append(path: &Path) -> Result<Transcript> {
        let file = OpenOptions::new().create(true).append(true).open(path);
        let file = file.with_context(|| format!("cannot write to {}", path.display()))?;
        Ok(Transcript {
            file,
            path: path.into(),
        })
    }

    fn add(&mut self, text: &str) -> Result<()> {
        self.file
            .write_all(text.as_bytes())
            .and_then(|()| self.file.flush())
            .with_context(|| format!("cannot write to {}", self.path.display()))
    }
}
