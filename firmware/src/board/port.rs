//! A serial port with the traits of embedded-io, out of the little that differs between boards.

use core::convert::Infallible;

use embedded_io::{ErrorType, Read, ReadReady, Write};

/// What a board's serial hardware can do.
pub trait Wire {
    /// A byte if one has arrived; does not wait. A wire that only sends has none.
    fn receive(&mut self) -> Option<u8> {
        None
    }

    /// Takes as many of the bytes, which are some, as it can at once and says how many; waits until
    /// that is one at least, or answers 0 if nobody will ever take one.
    fn send(&mut self, bytes: &[u8]) -> usize;

    /// Waits until all that was sent has left, if that can be waited for.
    fn finish(&mut self) {}
}

/// A serial port over a [`Wire`].
#[derive(Debug)]
pub struct Port<W> {
    pub(super) wire: W,
    /// A byte that has been taken from the wire but not been read yet.
    received: Option<u8>,
}

impl<W: Wire> Port<W> {
    /// A port that has received nothing yet.
    pub(super) const fn new(wire: W) -> Self {
        Port {
            wire,
            received: None,
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
        Ok(if bytes.is_empty() {
            0
        } else {
            self.wire.send(bytes)
        })
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        self.wire.finish();
        Ok(())
    }
}
