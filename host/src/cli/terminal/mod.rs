//! The user's end of a line to a board, shared by `emulate` and `monitor`.
//!
//! On a terminal: text above, a status line and an editor below (`interactive`). In scripts: what
//! comes in goes to the board, what the board says goes out (`plain`).

use std::io::{IsTerminal, stdin, stdout};
use std::time::Duration;

use anyhow::Result;

use crate::device::line::Line;

mod editor;
mod interactive;
mod plain;
mod screen;
mod script;
mod status;
mod transcript;
mod typist;

pub use transcript::Transcript;
pub use typist::Known;

/// How long the board is waited for before the user gets a turn, and the other way round.
const TICK: Duration = Duration::from_millis(20);

/// The line with which the user sends a model; its file or name follows. The board never sees it.
const SEND: &str = "/send ";

/// Whether this program is used at a terminal, rather than in a script.
pub fn is_interactive() -> bool {
    stdin().is_terminal() && stdout().is_terminal()
}

/// Talks until the user leaves, with a board whose model knows these characters, if it is known.
pub fn converse(
    line: &mut dyn Line,
    transcript: Option<Transcript>,
    known: Option<Known>,
) -> Result<()> {
    if is_interactive() {
        interactive::run(line, transcript, known)
    } else {
        plain::run(line, transcript, known)
    }
}
