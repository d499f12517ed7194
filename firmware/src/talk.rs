//! The board's end of a serial line: text, and lines of its own in between.
//!
//! It knows how something is said and not what: that is [`crate::session`]'s.

use core::fmt::{self, Write as _};

use embedded_hal::digital::{OutputPin, PinState};
use embedded_io::{Read, ReadReady};

use crate::board::Board;
use crate::protocol::{self, BREAK, OWN};
use crate::serial::write_text;
use crate::until::Until;

/// The board's serial port and light; remembers whether the text stands in mid-line.
///
/// Failures are dropped: a port that is unplugged or unread must not stop the board.
pub(crate) struct Port<B> {
    pub board: B,
    mid_line: bool,
}

impl<B: Board> Port<B> {
    /// Before anything is written.
    pub fn new(board: B) -> Self {
        Self {
            board,
            mid_line: false,
        }
    }

    /// A byte if one has arrived.
    pub fn read_byte(&mut self) -> Option<u8> {
        let serial = self.board.serial();
        let mut byte = [0];
        let ready = matches!(serial.read_ready(), Ok(true));
        (ready && matches!(serial.read(&mut byte), Ok(1))).then_some(byte[0])
    }

    /// Writes a character of the text.
    pub fn write_char(&mut self, c: char) {
        self.write(protocol::in_text(c).encode_utf8(&mut [0; 4]));
        self.mid_line = c != '\n';
    }

    /// Ends the row of the text with a line end that is not part of it.
    pub fn break_row(&mut self) {
        self.write(BREAK);
        self.mid_line = false;
    }

    #[inline(never)]
    pub fn write(&mut self, text: &str) {
        write_text(self.board.serial(), text);
    }

    /// Writes one line of talk.
    #[inline(never)]
    pub fn say(&mut self, message: fmt::Arguments<'_>) {
        if self.mid_line {
            self.break_row();
        }
        self.write(OWN);
        // Fails only if a Display implementation does, and then the line is short.
        let _ = OneLine(self).write_fmt(message);
        self.write("\n");
    }

    pub fn show_activity(&mut self, count: u32) {
        let _ = self.board.led().set_state(PinState::from(count & 8 != 0));
    }
}

/// Writes to the port, with anything that could break a line of talk replaced.
struct OneLine<'p, B>(&'p mut Port<B>);

impl<B: Board> fmt::Write for OneLine<'_, B> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            let c = if c.is_control() { '?' } else { c };
            self.0.write(c.encode_utf8(&mut [0; 4]));
        }
        Ok(())
    }
}

/// What ends a passage and how many there are, where that was asked for.
pub(crate) struct Ends(pub Until, pub u32);

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(until, count) = self;
        if !until.is_off() {
            write!(f, ", until {until}")?;
        }
        match count {
            0 => Ok(()),
            count => write!(f, ", count {count}"),
        }
    }
}

/// A number, or the word that stands for 0.
pub(crate) struct OrWord(pub u32, pub &'static str);

impl fmt::Display for OrWord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str(self.1),
            number => write!(f, "{number}"),
        }
    }
}
