//! The serial port, as fast as whoever reads it: what is sent is gone at once.

use std::collections::VecDeque;

const DR: u32 = 0x00;
const FR: u32 = 0x18;
const MASK: u32 = 0x38;
const RAISED: u32 = 0x3C;
const MASKED: u32 = 0x40;
const ICR: u32 = 0x44;

const RECEIVE_EMPTY: u32 = 1 << 4;
const TRANSMIT_FULL: u32 = 1 << 5;
const TRANSMIT_EMPTY: u32 = 1 << 7;
/// Of the interrupts: bytes have come, and no more follow.
const RECEIVE: u32 = 1 << 4 | 1 << 6;
const TRANSMIT: u32 = 1 << 5;

/// Bytes that wait to be read by the chip.
const FIFO: usize = 32;

/// UART0.
#[derive(Debug, Default)]
pub struct Uart {
    /// What was sent and nobody has fetched.
    pub sent: Vec<u8>,
    /// Whether nothing leaves it.
    is_stuck: bool,
    received: VecDeque<u8>,
    mask: u32,
    transmit: bool,
}

impl Uart {
    /// One through which nothing leaves until [`Uart::loosen`].
    pub fn stuck() -> Self {
        Uart {
            is_stuck: true,
            ..Uart::default()
        }
    }

    /// It sends from now on.
    pub fn loosen(&mut self) {
        self.transmit |= self.is_stuck;
        self.is_stuck = false;
    }

    /// Whether a byte can arrive.
    pub fn has_room(&self) -> bool {
        self.received.len() < FIFO
    }

    /// A byte arrives.
    pub fn receive(&mut self, byte: u8) {
        self.received.push_back(byte);
    }

    /// Whether it wants to interrupt the program.
    pub fn interrupts(&self) -> bool {
        self.raised() & self.mask != 0
    }

    fn raised(&self) -> u32 {
        let receive = if self.received.is_empty() { 0 } else { RECEIVE };
        let transmit = if self.transmit { TRANSMIT } else { 0 };
        receive | transmit
    }

    /// Reads a register, unless it is one without a meaning of its own.
    pub fn read(&mut self, register: u32) -> Option<u32> {
        Some(match register {
            DR => self.received.pop_front().unwrap_or_default().into(),
            FR => {
                let empty = if self.received.is_empty() {
                    RECEIVE_EMPTY
                } else {
                    0
                };
                let full = if self.is_stuck {
                    TRANSMIT_FULL
                } else {
                    TRANSMIT_EMPTY
                };
                empty | full
            }
            MASK => self.mask,
            RAISED => self.raised(),
            MASKED => self.raised() & self.mask,
            _ => return None,
        })
    }

    /// Writes a register, unless it is one without a meaning of its own.
    pub fn write(&mut self, register: u32, value: u32) -> bool {
        match register {
            DR => {
                // A full FIFO loses what is written to it.
                if !self.is_stuck {
                    self.sent.push(value as u8);
                    self.transmit = true;
                }
            }
            MASK => self.mask = value,
            ICR => self.transmit &= value & TRANSMIT == 0,
            _ => return false,
        }
        true
    }
}
