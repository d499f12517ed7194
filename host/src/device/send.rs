//! Sends a model over a line to a board that runs: `firmware::sender` says what to type, this types it.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use firmware::protocol::{Heard, Parser, Said};
use firmware::sender::{GIVE_UP, SendError, Sender, Stage, Step};

use super::line::{Event, Line, LineError};

/// How long the board is waited for before whoever watches gets a turn.
const TICK: Duration = Duration::from_millis(20);

/// Why a model was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendingError {
    /// The board does not take it.
    #[error("{0}")]
    Board(Box<SendError>),
    /// There is no line.
    #[error(transparent)]
    Line(#[from] LineError),
}

impl From<SendError> for SendingError {
    fn from(error: SendError) -> Self {
        SendingError::Board(Box::new(error))
    }
}

/// What whoever watches is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News<'a> {
    /// How far it is.
    Stage {
        /// What is being done, and how much of it is done.
        stage: Stage,
        /// Bytes of the model.
        of: usize,
    },
    /// What the board says.
    Bytes(&'a [u8]),
    /// The board is gone, and waited for.
    Lost,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The board uses the model now.
    Sent,
    /// It did so before.
    WasThere,
    /// Whoever watches did not go on. The board keeps the model that it has, and what has come of the other.
    Interrupted,
}

/// Sends an image, and tells `watch` of it, which says whether to go on.
///
/// # Errors
/// When it is no image, the board does not take it, or there is no line to one.
pub fn send(
    line: &mut dyn Line,
    image: &[u8],
    mut watch: impl FnMut(News<'_>) -> ControlFlow<()>,
) -> Result<Outcome, SendingError> {
    let start = Instant::now();
    let now = || u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    let mut sender = Sender::new(image, now())?;
    let mut parser = Parser::new();
    loop {
        let mut goes_on = watch(News::Stage {
            stage: sender.stage(),
            of: sender.bytes(),
        });
        match line.next(TICK)? {
            Event::Bytes(bytes) => {
                for &byte in &bytes {
                    if let Heard::Line(said) = parser.push(byte) {
                        sender.hear(Said::read(said), now());
                    }
                }
                if goes_on.is_continue() {
                    goes_on = watch(News::Bytes(&bytes));
                }
            }
            Event::Connected => sender.reconnect(now()),
            Event::Lost => {
                parser = Parser::new();
                if goes_on.is_continue() {
                    goes_on = watch(News::Lost);
                }
            }
            Event::Quiet => {}
        }
        if goes_on.is_break() {
            // A board that is gone has given up by itself.
            line.send(GIVE_UP.as_bytes())?;
            return Ok(Outcome::Interrupted);
        }
        loop {
            match sender.next(now())? {
                // What does not arrive is asked for again.
                Step::Type(typed) => drop(line.send(format!("{typed}\n").as_bytes())?),
                Step::Listen => break,
                Step::Done if sender.has_sent() => return Ok(Outcome::Sent),
                Step::Done => return Ok(Outcome::WasThere),
            }
        }
    }
}
