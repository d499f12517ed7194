//! A board made of buffers, for tests on a PC: both ends of its serial line, its clock and whatever goes wrong
//! are the test's. No board that writes for people is made of it.

extern crate std;

use std::boxed::Box;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::rc::Rc;
use std::vec::Vec;

use embedded_hal::digital::{self, OutputPin};
use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};
use inkling_store::Keeper;

use super::Board;
use super::failure::Failure;

/// How the port takes what is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Take {
    /// All at once.
    #[default]
    Whole,
    /// So many bytes at a time.
    Parts(usize),
    /// Not at all, as when nothing is plugged in.
    Nothing,
    /// It fails, and reading does, too.
    Broken,
}

/// What a test sees of a board, and does to it.
#[derive(Debug, Default)]
pub struct Wires {
    /// What was typed and has not been read.
    pub typed: VecDeque<u8>,
    /// What the port has taken.
    pub printed: Vec<u8>,
    /// How it takes that.
    pub takes: Take,
    /// The clock.
    pub ticks: u32,
    /// How far the clock goes on whenever it is looked at.
    pub pace: u32,
    /// Somebody has opened the port.
    pub has_new_reader: bool,
    /// Whether there is a boot loader to start.
    pub has_boot_loader: bool,
    /// How often it was started.
    pub boot_loader_starts: u32,
    /// When the watchdog was fed last.
    pub fed: u32,
    /// The longest time it went hungry.
    pub hunger: u32,
    /// How often the program was said to run well.
    pub times_well: u32,
    /// Whether the board was to restart.
    pub is_restarting: bool,
}

/// The board at the other end of these wires.
#[derive(Default)]
pub struct WiredBoard<'s> {
    /// The wires, which the test has as well.
    pub wires: Rc<RefCell<Wires>>,
    /// Its randomness.
    pub entropy: Option<u64>,
    /// Why it restarted.
    pub failure: Option<Failure>,
    /// Where it keeps models that are sent.
    pub store: Option<Box<dyn Keeper + 's>>,
}

impl WiredBoard<'_> {
    /// A board without a past at these wires.
    #[must_use]
    pub fn at(wires: &Rc<RefCell<Wires>>) -> Self {
        Self {
            wires: Rc::clone(wires),
            ..Self::default()
        }
    }
}

impl Board for WiredBoard<'_> {
    const NAME: &'static str = "wired";
    const TICKS_PER_SECOND: u32 = 1_000;
    type Serial = Self;
    type Led = Self;

    fn serial(&mut self) -> &mut Self {
        self
    }

    fn led(&mut self) -> &mut Self {
        self
    }

    fn ticks(&mut self) -> u32 {
        let mut wires = self.wires.borrow_mut();
        wires.ticks = wires.ticks.wrapping_add(wires.pace);
        wires.ticks
    }

    fn entropy(&mut self) -> Option<u64> {
        self.entropy
    }

    fn feed_watchdog(&mut self) {
        let mut wires = self.wires.borrow_mut();
        wires.hunger = wires.hunger.max(wires.ticks.wrapping_sub(wires.fed));
        wires.fed = wires.ticks;
    }

    fn is_well(&mut self) {
        self.wires.borrow_mut().times_well += 1;
    }

    fn failure(&self) -> Option<Failure> {
        self.failure.clone()
    }

    fn store(&mut self) -> Option<&mut dyn Keeper> {
        let store = self.store.as_mut();
        store.map(|store| &mut **store as &mut dyn Keeper)
    }

    fn restart(&mut self) {
        self.wires.borrow_mut().is_restarting = true;
    }

    fn has_boot_loader(&self) -> bool {
        self.wires.borrow().has_boot_loader
    }

    fn start_boot_loader(&mut self) {
        self.wires.borrow_mut().boot_loader_starts += 1;
    }

    fn has_new_reader(&mut self) -> bool {
        core::mem::take(&mut self.wires.borrow_mut().has_new_reader)
    }
}

impl ErrorType for WiredBoard<'_> {
    type Error = ErrorKind;
}

impl digital::ErrorType for WiredBoard<'_> {
    type Error = Infallible;
}

impl OutputPin for WiredBoard<'_> {
    fn set_low(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl ReadReady for WiredBoard<'_> {
    fn read_ready(&mut self) -> Result<bool, ErrorKind> {
        let wires = self.wires.borrow();
        match wires.takes {
            Take::Broken => Err(ErrorKind::BrokenPipe),
            _ => Ok(!wires.typed.is_empty()),
        }
    }
}

impl Read for WiredBoard<'_> {
    /// # Panics
    /// When there is nothing to read: a session must not wait for input.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ErrorKind> {
        let byte = self.wires.borrow_mut().typed.pop_front();
        let byte = byte.expect("a session must not wait for input");
        if let Some(place) = buffer.first_mut() {
            *place = byte;
        }
        Ok(1)
    }
}

impl Write for WiredBoard<'_> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let mut wires = self.wires.borrow_mut();
        let taken = match wires.takes {
            Take::Whole => bytes,
            Take::Parts(most) => bytes.get(..most).unwrap_or(bytes),
            Take::Nothing => &[],
            Take::Broken => return Err(ErrorKind::BrokenPipe),
        };
        wires.printed.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> Result<(), ErrorKind> {
        Ok(())
    }
}
