//! A serial line that outlives its board: unplugged, it waits and takes up where it was.

use std::io::{ErrorKind, Read, Write};
use std::thread;
use std::time::{Duration, Instant};

use super::error::LineError;
use super::port::{self, Streams};
use super::{Event, Line};
use crate::device::Board;

/// How often a board that is gone is looked for.
const RETRY: Duration = Duration::from_millis(250);

/// How long a board may refuse input before it counts as one that takes none.
const SEND_PATIENCE: Duration = Duration::from_secs(2);

/// A line to the board at a port, or to whichever board is found.
pub struct SerialLine {
    /// The port that the user named.
    port: Option<String>,
    /// The board that the user named.
    board: Option<&'static Board>,
    streams: Option<Streams>,
    /// Whether the connection has not been reported yet.
    is_new: bool,
}

impl SerialLine {
    /// Connects within `patience`; asks `goes_on` now and then whether to.
    ///
    /// # Errors
    /// When there is no such board or port by then, there are several, or the user gives up.
    pub fn connect(
        port: Option<String>,
        board: Option<&'static Board>,
        patience: Duration,
        mut goes_on: impl FnMut() -> bool,
    ) -> Result<SerialLine, LineError> {
        let mut line = SerialLine {
            port,
            board,
            streams: None,
            is_new: true,
        };
        let deadline = Instant::now() + patience;
        while let Err(error) = line.open() {
            if !error.may_pass() || Instant::now() >= deadline || !goes_on() {
                return Err(error);
            }
            thread::sleep(RETRY);
        }
        Ok(line)
    }

    fn open(&mut self) -> Result<(), LineError> {
        let found;
        let port = match &self.port {
            Some(port) => port,
            None => {
                found = port::choose(self.board, &port::all()?)?;
                &found
            }
        };
        self.streams = Some(port::open(port)?);
        self.is_new = true;
        Ok(())
    }
}

impl Line for SerialLine {
    fn next(&mut self, wait: Duration) -> Result<Event, LineError> {
        if self.streams.is_none() {
            thread::sleep(wait.min(RETRY));
            // Whatever is wrong with the port, the board may come back.
            if self.open().is_err() {
                return Ok(Event::Quiet);
            }
        }
        if std::mem::take(&mut self.is_new) {
            return Ok(Event::Connected);
        }
        let Some(Streams { reader, .. }) = &mut self.streams else {
            return Ok(Event::Quiet);
        };
        let deadline = Instant::now() + wait;
        let mut buffer = [0; 4096];
        loop {
            match reader.read(&mut buffer) {
                Ok(count @ 1..) => return Ok(Event::Bytes(buffer[..count].to_vec())),
                Err(error) if is_passing(error.kind()) => {}
                Ok(0) | Err(_) => {
                    self.streams = None;
                    return Ok(Event::Lost);
                }
            }
            if Instant::now() >= deadline {
                return Ok(Event::Quiet);
            }
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Result<bool, LineError> {
        let Some(Streams { writer, .. }) = &mut self.streams else {
            return Ok(false);
        };
        let deadline = Instant::now() + SEND_PATIENCE;
        let mut rest = bytes;
        while !rest.is_empty() {
            match writer.write(rest) {
                Ok(count @ 1..) => rest = &rest[count..],
                Err(error) if is_passing(error.kind()) && Instant::now() < deadline => {}
                // The next read finds out whether the board is gone.
                Ok(0) | Err(_) => return Ok(false),
            }
        }
        Ok(true)
    }
}

/// Whether an error only means that there is nothing to do yet.
fn is_passing(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::TimedOut | ErrorKind::WouldBlock | ErrorKind::Interrupted
    )
}
