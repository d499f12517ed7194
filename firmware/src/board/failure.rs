//! Why the board had to restart, told after the restart.
//!
//! A panic or a fault leaves its message in a [`Record`] in memory that start-up does not clear; what is
//! there after power-up is noise, so a record counts only with its mark and checksum. Where the record
//! lies and who writes it is the business of `board::panic`.

use core::fmt;

use bytemuck::{Pod, Zeroable};
use heapless::String;

use inkling_engine::image::crc32;

/// The longest message that is kept, in bytes; the rest is cut off.
pub const MESSAGE_BYTES: usize = 96;

/// After so many failures in a row no text is written until somebody asks for it.
pub const MANY: u32 = 3;

/// What a panic or a fault said.
pub type Message = String<MESSAGE_BYTES>;

/// Why the program did not simply start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The reason.
    pub cause: Cause,
    /// How often it failed since it last ran well for a while, this time included.
    pub in_a_row: u32,
}

/// What made the program restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A panic or a fault, in its own words.
    Ended(Message),
    /// It did not feed the watchdog.
    Watchdog,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.cause {
            Cause::Ended(message) => write!(f, "restarted after a {message}")?,
            Cause::Watchdog => f.write_str("restarted by the watchdog: the program hung")?,
        }
        match self.in_a_row {
            0 | 1 => Ok(()),
            times => write!(f, " ({times} times in a row)"),
        }
    }
}

/// What a processor says of a fault, which no safe code can cause but by a stack that overflows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The instruction, if it is known.
    pub pc: u32,
    /// Where it returns to, or a place on the stack that looks like that; 0 if there is none.
    pub caller: u32,
    /// The stack pointer.
    pub stack_pointer: u32,
    /// What the core has for details: the configurable fault status or the cause.
    pub status: Option<u32>,
}

/// How near to the end of the stack the pointer may still be when there was no room: the most that one
/// instruction puts there, and what the processor does by itself before it tells.
const NEAR_BYTES: u32 = 128;

impl Fault {
    /// Whether the stack that ends at this address had no room.
    #[must_use]
    pub fn is_overflow(&self, stack_end: u32) -> bool {
        self.stack_pointer < stack_end.saturating_add(NEAR_BYTES)
    }

    /// What it is, if the stack ends at this address.
    #[must_use]
    pub fn name(&self, stack_end: u32) -> &'static str {
        match self.is_overflow(stack_end) {
            true => "stack overflow",
            false => "hard fault",
        }
    }
}

/// Where it happened; [`Fault::name`] belongs in front of it.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pc != 0 {
            write!(f, " at {:#010x}", self.pc)?;
        }
        if self.caller != 0 {
            write!(f, ", called from {:#010x}", self.caller)?;
        }
        write!(f, ", stack pointer {:#010x}", self.stack_pointer)?;
        match self.status {
            Some(status) => write!(f, ", status {status:#x}"),
            None => Ok(()),
        }
    }
}

/// A kept message and the number of failures in a row; every pattern of bits is a value of this type, few
/// of them are records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Record {
    mark: u32,
    checksum: u32,
    length: u32,
    text: [u8; MESSAGE_BYTES],
    /// The number, and what tells it from noise.
    row: [u32; 2],
}

/// Nobody has started since the message was written.
const NEW: u32 = u32::from_le_bytes(*b"oops");
/// The message is that of the program before the running one.
const TOLD: u32 = u32::from_le_bytes(*b"told");

impl Record {
    /// Takes a message for the next start.
    pub fn write(&mut self, message: &Message) {
        (self.mark, self.length) = (NEW, message.len() as u32);
        for (to, from) in self.text.iter_mut().zip(message.bytes()) {
            *to = from;
        }
        self.checksum = crc32(message.as_bytes());
    }

    /// At a start: a new message is told, one that was told is forgotten.
    pub fn age(&mut self) {
        self.mark = match (self.mark, self.message()) {
            (NEW, Some(_)) => TOLD,
            _ => 0,
        };
    }

    /// Counts a failure, or begins again where there is none.
    pub fn count(&mut self, has_failed: bool) {
        let count = match has_failed {
            true => self.in_a_row().saturating_add(1),
            false => 0,
        };
        self.row = [count, !count ^ NEW];
    }

    /// How often the program failed in a row.
    #[must_use]
    pub fn in_a_row(&self) -> u32 {
        let [count, check] = self.row;
        match check == !count ^ NEW {
            true => count,
            false => 0,
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

    fn written(text: &str) -> Record {
        let mut record = Record::zeroed();
        record.write(&message(text));
        record
    }

    #[test]
    fn a_message_is_told_after_one_restart_and_forgotten_after_two() {
        let mut record = written("src/x.rs:7: ouch");
        record.age();
        assert_eq!(record.message(), Some(message("src/x.rs:7: ouch")));
        record.age();
        assert_eq!(record.message(), None);
        assert_eq!(Record::zeroed().message(), None);
        let failure = |in_a_row| Failure {
            cause: Cause::Ended(message("panic: ouch")),
            in_a_row,
        };
        assert_eq!(failure(1).to_string(), "restarted after a panic: ouch");
        assert_eq!(
            failure(2).to_string(),
            "restarted after a panic: ouch (2 times in a row)"
        );
    }

    #[test]
    fn a_fault_says_where_it_was_and_whether_the_stack_was_full() {
        const STACK_END: u32 = 0x2000_0000;
        let overflow = Fault {
            pc: 0,
            caller: 0x1234,
            stack_pointer: 0x1FFF_FFE0,
            status: Some(0x1000),
        };
        let said = |fault: Fault| std::format!("{}{fault}", fault.name(STACK_END));
        assert_eq!(
            said(overflow),
            "stack overflow, called from 0x00001234, stack pointer 0x1fffffe0, status 0x1000"
        );
        let fault = Fault {
            pc: 0x3000_0000,
            stack_pointer: 0x2000_0800,
            status: None,
            ..overflow
        };
        assert_eq!(
            said(fault),
            "hard fault at 0x30000000, called from 0x00001234, stack pointer 0x20000800"
        );
        let longest = Fault {
            status: Some(u32::MAX),
            ..fault
        };
        assert!(said(longest).len() <= MESSAGE_BYTES);
    }

    #[test]
    fn failures_in_a_row_are_counted_and_power_up_leaves_none() {
        let mut record = Record::zeroed();
        for noise in [[0, 0], [u32::MAX; 2], [3, 3], [3, !3], [NEW, TOLD]] {
            record.row = noise;
            assert_eq!(record.in_a_row(), 0);
        }
        for times in 1..=MANY {
            record.age();
            record.write(&message("ouch"));
            record.count(true);
            assert_eq!(record.in_a_row(), times);
        }
        record.count(false);
        assert_eq!(record.in_a_row(), 0);
    }

    #[test]
    fn a_long_message_is_cut_between_characters() {
        let long = "ä".repeat(MESSAGE_BYTES);
        let kept = written(&long).message().unwrap();
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
            let mut record = Record { mark, checksum, length, text, row: [0; 2] };
            prop_assert_eq!(record.message(), None);
            record.age();
            prop_assert_eq!(record.message(), None);
        }

        #[test]
        fn a_message_with_a_wrong_bit_is_none(at in 0..16 * 8_usize) {
            let mut record = written("sixteen letters!");
            record.text[at / 8] ^= 1 << (at % 8);
            prop_assert_eq!(record.message(), None);
        }
    }
}
