//! Arm MPS2 with the FPGA images AN385 (Cortex-M3), AN386 (M4F), AN500 (M7) and AN505 (M33).
//!
//! The serial port is UART0 of the CMSDK, the clock its timer 0, the light user LED 0. QEMU models
//! all of them; its UART sends at once and holds bytes back until the previous one has been read.

use core::convert::Infallible;
use core::task::Poll;

use embedded_hal::digital::{self, OutputPin};

use super::failure::Failure;
use super::port::{Port, Wire};
use super::register::Register;
use super::{Board, cortex_m, facts, panic};

/// Where an FPGA image has its devices.
struct Image {
    timer: usize,
    uart: usize,
    leds: usize,
}

#[cfg(not(feature = "mps2-an505"))]
const IMAGE: Image = Image {
    timer: 0x4000_0000,
    uart: 0x4000_4000,
    leds: 0x4002_8000,
};
/// Armv8-M starts in the secure state, so these are the secure aliases.
#[cfg(feature = "mps2-an505")]
const IMAGE: Image = Image {
    timer: 0x5000_0000,
    uart: 0x5020_0000,
    leds: 0x5030_2000,
};

const BAUD: u32 = 115_200;

mod register {
    use super::{IMAGE, Register};

    const fn at(address: usize) -> Register {
        // SAFETY: called below only, with addresses of word-sized device registers of the FPGA image
        // that this firmware is built for; accessing them has no effect on memory.
        unsafe { Register::at(address) }
    }

    pub(super) const TIMER_CTRL: Register = at(IMAGE.timer);
    pub(super) const TIMER_VALUE: Register = at(IMAGE.timer + 0x4);
    pub(super) const TIMER_RELOAD: Register = at(IMAGE.timer + 0x8);
    pub(super) const UART_DATA: Register = at(IMAGE.uart);
    pub(super) const UART_STATE: Register = at(IMAGE.uart + 0x4);
    pub(super) const UART_CTRL: Register = at(IMAGE.uart + 0x8);
    pub(super) const UART_BAUDDIV: Register = at(IMAGE.uart + 0x10);
    pub(super) const LEDS: Register = at(IMAGE.leds);
}

const TIMER_ENABLE: u32 = 1;
const UART_STATE_TX_FULL: u32 = 1;
const UART_STATE_RX_FULL: u32 = 1 << 1;
const UART_CTRL_TX_AND_RX: u32 = 0b11;
const LED_0: u32 = 1;

/// An MPS2 board.
pub struct Mps2 {
    serial: Port<Uart>,
    led: Led,
}

impl Mps2 {
    /// Starts the clock and opens the serial port at 115,200 baud.
    #[must_use]
    pub fn start() -> Self {
        register::TIMER_RELOAD.set(u32::MAX);
        register::TIMER_VALUE.set(u32::MAX);
        register::TIMER_CTRL.set(TIMER_ENABLE);
        register::LEDS.set(0);
        Mps2 {
            serial: Port::new(Uart::open()),
            led: Led,
        }
    }

    /// The serial port once more, for a last message when nothing else runs any more.
    pub(super) fn last_words() -> Port<Uart> {
        Port::new(Uart::open())
    }

    /// The clock, for the time stamps of logs.
    pub(super) fn clock() -> u32 {
        // The timer counts down.
        !register::TIMER_VALUE.get()
    }
}

impl Board for Mps2 {
    const NAME: &'static str = facts::NAME;
    const TICKS_PER_SECOND: u32 = facts::TICKS_PER_SECOND;
    type Serial = Port<Uart>;
    type Led = Led;

    fn serial(&mut self) -> &mut Port<Uart> {
        &mut self.serial
    }

    fn led(&mut self) -> &mut Led {
        &mut self.led
    }

    fn ticks(&mut self) -> u32 {
        Self::clock()
    }

    fn entropy(&mut self) -> Option<u64> {
        None
    }

    fn deepest_stack(&self) -> Option<usize> {
        Some(cortex_m::deepest_stack())
    }

    fn is_well(&mut self) {
        panic::forget_failures();
    }

    fn failure(&self) -> Option<Failure> {
        panic::failure(false)
    }
}

/// UART0 of the CMSDK, polled.
pub struct Uart(());

impl Uart {
    fn open() -> Self {
        register::UART_BAUDDIV.set(facts::TICKS_PER_SECOND / BAUD);
        register::UART_CTRL.set(UART_CTRL_TX_AND_RX);
        Uart(())
    }
}

impl Wire for Uart {
    fn receive(&mut self) -> Option<u8> {
        let has_byte = register::UART_STATE.get() & UART_STATE_RX_FULL != 0;
        // Data is in the low byte.
        has_byte.then(|| register::UART_DATA.get() as u8)
    }

    fn send(&mut self, bytes: &[u8]) -> Poll<usize> {
        if !self.is_idle() {
            return Poll::Pending;
        }
        let sent = bytes.iter().take(1);
        let sent = sent.map(|&byte| register::UART_DATA.set(byte.into()));
        Poll::Ready(sent.count())
    }

    fn is_idle(&mut self) -> bool {
        register::UART_STATE.get() & UART_STATE_TX_FULL == 0
    }
}

/// User LED 0.
pub struct Led;

impl digital::ErrorType for Led {
    type Error = Infallible;
}

impl OutputPin for Led {
    fn set_low(&mut self) -> Result<(), Infallible> {
        register::LEDS.set(register::LEDS.get() & !LED_0);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        register::LEDS.set(register::LEDS.get() | LED_0);
        Ok(())
    }
}
