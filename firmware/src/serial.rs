//! Text over a serial port that may stop taking it: unplugged, unread or broken.
//!
//! Such a port loses text; it never stops or fails the program.

use core::fmt;

/// Writes all of `text` that the port takes.
pub(crate) fn write_text(port: &mut impl embedded_io::Write, text: &str) {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        match port.write(rest) {
            Ok(count @ 1..) => rest = rest.get(count..).unwrap_or_default(),
            Ok(0) | Err(_) => return,
        }
    }
}

/// Lets `write!` and its kin write to a port.
pub struct Text<'p, Port>(pub &'p mut Port);

impl<Port: embedded_io::Write> fmt::Write for Text<'_, Port> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_text(self.0, text);
        Ok(())
    }
}
