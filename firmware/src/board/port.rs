//! A serial port with the traits of embedded-io, out of the little that differs between boards.

use core::convert::Infallible;
use core::task::Poll;

use embedded_io::{ErrorType, Read, ReadReady, Write};

use super::patience::Patience;
use super::{Selected, facts};

/// How long a port may take before it counts as stuck: much longer than any byte, and shorter than the
/// watchdogs wait. What it does not take from then on is lost.
const LONGEST_WAIT: u32 = facts::TICKS_PER_SECOND;

/// What a board's serial hardware can do.
pub trait Wire {
    /// A byte if one has arrived; does not wait. A wire that only sends has none.
    fn receive(&mut self) -> Option<u8> {
        None
    }

    /// Takes as many of the bytes, which are some, as it can at once and says how many: none if nobody will
    /// ever take one. Does not wait; pending while it can take none yet.
    fn send(&mut self, bytes: &[u8]) -> Poll<usize>;

    /// Whether all that was sent has left, as far as it can tell.
    fn is_idle(&mut self) -> bool {
        true
    }
}

/// Waits until something is so, for as long as a port may take.
pub(super) fn wait_until(mut is_so: impl FnMut() -> bool) {
    wait(&mut Patience::new(), || match is_so() {
        true => Poll::Ready(()),
        false => Poll::Pending,
    });
}

/// Waits for a port, unless it is stuck.
pub(super) fn wait<T>(patience: &mut Patience, attempt: impl FnMut() -> Poll<T>) -> Option<T> {
    patience.wait(LONGEST_WAIT, Selected::clock, attempt)
}

/// A serial port over a [`Wire`].
#[derive(Debug)]
pub struct Port<W> {
    pub(super) wire: W,
    /// A byte that has been taken from the wire but not been read yet.
    received: Option<u8>,
    patience: Patience,
}

impl<W: Wire> Port<W> {
    /// A port that has received nothing yet.
    pub(super) const fn new(wire: W) -> Self {
        Port {
            wire,
            received: None,
            patience: Patience::new(),
        }
    }

    fn has_byte(&mut self) -> bool {
        self.received = self.received.or_else(|| self.wire.receive());
        self.received.is_some()
    }
}

impl<W> ErrorType for Port<W> {
    type Error = Infallible;
}

impl<W: Wire> ReadReady for Port<W> {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.has_byte())
    }
}

impl<W: Wire> Read for Port<W> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let Some(first) = buffer.first_mut() else {
            return Ok(0);
        };
        while !self.has_byte() {}
        *first = self.received.take().unwrap_or_default();
        Ok(1)
    }
}

impl<W: Wire> Write for Port<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        if bytes.is_empty() {
            return Ok(0);
        }
        let sent = wait(&mut self.patience, || self.wire.send(bytes));
        Ok(sent.unwrap_or(0))
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        wait_until(|| self.wire.is_idle());
        Ok(())
    }
}
