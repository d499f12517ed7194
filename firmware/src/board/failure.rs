//! Why the board had to restart, told after the restart.
//!
//! A panic leaves its message in a [`Record`] in memory that start-up does not clear; what is there
//! after power-up is noise, so a record counts only with its mark and checksum. Where the record lies
//! and who writes it is the business of `board::panic`.

use core::fmt;

use bytemuck::{Pod, Zeroable};
use heapless::String;

use inkling_engine::image::crc32;

/// The longest message that is kept, in bytes; the rest is cut off.
pub const MESSAGE_BYTES: usize = 96;

/// What a panic said.
pub type Message = String<MESSAGE_BYTES>;

/// Why the program did not simply start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It panicked before.
    Panic(Message),
    /// It did not feed the watchdog.
    Watchdog,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Panic(message) => write!(f, "restarted after a panic: {message}"),
            Failure::Watchdog => f.write_str("restarted by the watchdog: the program hung"),
        }
    }
}

/// A kept message; every pattern of bits is a value of this type, few of them are records.
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
#[repr(C)]
pub struct Record {
    mark: u32,
    checksum: u32,
    length: u32,
    text: [u8; MESSAGE_BYTES],
}

/// Nobody has started since the message was written.
const NEW: u32 = u32::from_le_bytes(*b"oops");
/// The message is that of the program before the running one.
const TOLD: u32 = u32::from_le_bytes(*b"told");

impl Record {
    /// A record of nothing.
    pub const EMPTY: Record = Record {
        mark: 0,
        checksum: 0,
        length: 0,
        text: [0; MESSAGE_BYTES],
    };

    /// A record of this message.
    #[must_use]
    pub fn new(message: &Message) -> Record {
        let mut record = Record {
            mark: NEW,
            length: message.len() as u32,
            ..Record::EMPTY
        };
        for (to, from) in record.text.iter_mut().zip(message.bytes()) {
            *to = from;
        }
        record.checksum = crc32(message.as_bytes());
        record
    }

    /// What becomes of it at a start: a new message is told, one that was told is forgotten.
    #[must_use]
    pub fn aged(self) -> Record {
        match (self.mark, self.message()) {
            (NEW, Some(_)) => Record { mark: TOLD, ..self },
            _ => Record::EMPTY,
        }
    }

    /// The message, if it is one.
    #[inline(never)]
    #[must_use]
    pub fn message(&self) -> Option<Message> {
        let text = self.text.get(..self.length as usize)?;
        let is_marked = self.mark == NEW || self.mark == TOLD;
        if !is_marked || crc32(text) != self.checksum {
            return None;
        }
        core::str::from_utf8(text).ok()?.try_into().ok()
    }
}

/// Writes into a message as much as it holds.
pub struct Clipped<'m>(pub &'m mut Message);

impl fmt::Write for Clipped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars()
            .try_for_each(|c| self.0.push(c))
            .map_err(|_| fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use core::fmt::Write as _;

    use super::*;
    use proptest::prelude::*;

    fn message(text: &str) -> Message {
        let mut message = Message::new();
        let _ = Clipped(&mut message).write_str(text);
        message
    }

    #[test]
    fn a_message_is_told_after_one_restart_and_forgotten_after_two() {
        let record = Record::new(&message("src/x.rs:7: ouch"));
        let told = record.aged();
        assert_eq!(told.message(), Some(message("src/x.rs:7: ouch")));
        assert_eq!(told.aged().message(), None);
        assert_eq!(Record::EMPTY.message(), None);
        assert_eq!(
            Failure::Panic(message("ouch")).to_string(),
            "restarted after a panic: ouch"
        );
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let long = "ä".repeat(MESSAGE_BYTES);
        let kept = Record::new(&message(&long)).message().unwrap();
        assert_eq!(kept, "ä".repeat(MESSAGE_BYTES / 2).as_str());
    }

    proptest! {
        #[test]
        fn noise_is_no_message(
            mark in prop_oneof![any::<u32>(), Just(NEW), Just(TOLD)],
            checksum: u32,
            length in prop_oneof![any::<u32>(), 1..=MESSAGE_BYTES as u32],
            text: [u8; MESSAGE_BYTES],
        ) {
            let record = Record { mark, checksum, length, text };
            prop_assert_eq!(record.message(), None);
            prop_assert_eq!(record.aged().message(), None);
        }

        #[test]
        fn a_message_with_a_wrong_bit_is_none(at in 0..16 * 8_usize) {
            let mut record = Record::new(&message("sixteen letters!"));
            record.text[at / 8] ^= 1 << (at % 8);
            prop_assert_eq!(record.message(), None);
        }
    }
}
