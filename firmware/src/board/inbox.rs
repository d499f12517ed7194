//! Bytes that come in while the program computes: the serial port's interrupt puts them here.
//!
//! While the inbox is full the interrupt stays off and bytes wait in the port, for as long as that
//! holds them; taking one out lets the interrupt in again.

use core::cell::RefCell;

use cortex_m::interrupt::InterruptNumber;
use cortex_m::peripheral::NVIC;
use critical_section::Mutex;
use heapless::Deque;

/// More than a line of the console.
const BYTES: usize = 256;

/// The receiving half of a serial port, and what it has received.
pub(super) struct Inbox<Port, Interrupt> {
    contents: Mutex<RefCell<Contents<Port>>>,
    interrupt: Interrupt,
}

struct Contents<Port> {
    port: Option<Port>,
    bytes: Deque<u8, BYTES>,
}

impl<Port, Interrupt: InterruptNumber> Inbox<Port, Interrupt> {
    /// An inbox without a port, and the interrupt whose handler is to fill it.
    pub(super) const fn new(interrupt: Interrupt) -> Self {
        let contents = Contents {
            port: None,
            bytes: Deque::new(),
        };
        Inbox {
            contents: Mutex::new(RefCell::new(contents)),
            interrupt,
        }
    }

    /// Gives it its port, which raises the interrupt for each byte.
    pub(super) fn open(&self, port: Port) {
        self.with(|contents| contents.port = Some(port));
        self.listen();
    }

    /// For the interrupt's handler: moves bytes from the port to the inbox until either has no more.
    pub(super) fn fill(&self, mut receive: impl FnMut(&mut Port) -> Option<u8>) {
        let is_full = self.with(|Contents { port, bytes }| {
            while !bytes.is_full() {
                // There is room for the byte.
                match port.as_mut().and_then(&mut receive) {
                    Some(byte) => drop(bytes.push_back(byte)),
                    None => return false,
                }
            }
            true
        });
        if is_full {
            NVIC::mask(self.interrupt);
        }
    }

    /// Takes the oldest byte, if there is one.
    pub(super) fn take(&self) -> Option<u8> {
        let byte = self.with(|contents| contents.bytes.pop_front())?;
        self.listen();
        Some(byte)
    }

    /// Does something with the port that takes no time: nothing interrupts it.
    #[cfg_attr(
        not(feature = "microbit"),
        expect(dead_code, reason = "the port is one half")
    )]
    pub(super) fn with_port<R>(&self, work: impl FnOnce(&mut Port) -> R) -> Option<R> {
        self.with(|contents| contents.port.as_mut().map(work))
    }

    fn listen(&self) {
        // SAFETY: the handler and the program share nothing but what the mutex guards.
        unsafe { NVIC::unmask(self.interrupt) };
    }

    fn with<R>(&self, work: impl FnOnce(&mut Contents<Port>) -> R) -> R {
        critical_section::with(|section| work(&mut self.contents.borrow_ref_mut(section)))
    }
}
