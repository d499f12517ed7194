//! A line to a board's console, whatever carries it: a serial port, a socket, an emulator.
//!
//! [`port`] finds serial ports and opens them; [`serial`] keeps one open while boards are unplugged
//! and plugged in again. An [`Emulator`] is a line too.

pub mod error;
mod permission;
pub mod port;
pub mod serial;

use std::time::Duration;

pub use error::LineError;
pub use permission::is_remote;
pub use serial::SerialLine;

use super::Emulator;

/// What comes out of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Bytes from the board.
    Bytes(Vec<u8>),
    /// The board is there, at the start or again.
    Connected,
    /// The board is gone; the line waits for it.
    Lost,
    /// Nothing has come in the time.
    Quiet,
}

/// A line to a board's console.
pub trait Line {
    /// What comes next; waits for at most `wait`.
    ///
    /// # Errors
    /// When nothing will come any more.
    fn next(&mut self, wait: Duration) -> Result<Event, LineError>;

    /// Types bytes; `false` if no board is there to take them.
    ///
    /// # Errors
    /// When nothing can be typed any more.
    fn send(&mut self, bytes: &[u8]) -> Result<bool, LineError>;

    /// Whether the board has been switched on with the line, so that it will greet.
    fn greets(&self) -> bool {
        false
    }
}

impl Line for Emulator {
    fn next(&mut self, wait: Duration) -> Result<Event, LineError> {
        let bytes = self.read(wait)?;
        Ok(match bytes.is_empty() {
            true => Event::Quiet,
            false => Event::Bytes(bytes),
        })
    }

    fn send(&mut self, bytes: &[u8]) -> Result<bool, LineError> {
        Emulator::send(self, bytes)?;
        Ok(true)
    }

    fn greets(&self) -> bool {
        true
    }
}
