//! BBC micro:bit v1: nRF51822, a Cortex-M0 with 256 KiB of flash and 16 KiB of RAM.
//!
//! The serial port is the UART on the pins of the USB interface chip, the clock is TIMER0 at 16 MHz,
//! the light the top left LED of the matrix.

use core::convert::Infallible;

use embedded_hal::digital::{self, OutputPin};
use embedded_io::{ErrorType, Read, ReadReady, Write};

use super::failure::Failure;
use super::register::Register;
use super::{Board, cortex_m, panic};

mod register {
    use super::Register;

    const fn at(address: usize) -> Register {
        // SAFETY: called below only, with addresses of word-sized device registers of the nRF51; none
        // of them has an effect on memory.
        unsafe { Register::at(address) }
    }

    const UART: usize = 0x4000_2000;
    pub(super) const UART_STARTRX: Register = at(UART);
    pub(super) const UART_STARTTX: Register = at(UART + 0x008);
    pub(super) const UART_RXDRDY: Register = at(UART + 0x108);
    pub(super) const UART_TXDRDY: Register = at(UART + 0x11C);
    pub(super) const UART_ENABLE: Register = at(UART + 0x500);
    pub(super) const UART_PSELTXD: Register = at(UART + 0x50C);
    pub(super) const UART_PSELRXD: Register = at(UART + 0x514);
    pub(super) const UART_RXD: Register = at(UART + 0x518);
    pub(super) const UART_TXD: Register = at(UART + 0x51C);
    pub(super) const UART_BAUDRATE: Register = at(UART + 0x524);

    const TIMER0: usize = 0x4000_8000;
    pub(super) const TIMER_START: Register = at(TIMER0);
    pub(super) const TIMER_CAPTURE: Register = at(TIMER0 + 0x040);
    pub(super) const TIMER_BITMODE: Register = at(TIMER0 + 0x508);
    pub(super) const TIMER_PRESCALER: Register = at(TIMER0 + 0x510);
    pub(super) const TIMER_CC: Register = at(TIMER0 + 0x540);

    const RNG: usize = 0x4000_D000;
    pub(super) const RNG_START: Register = at(RNG);
    pub(super) const RNG_STOP: Register = at(RNG + 0x004);
    pub(super) const RNG_VALRDY: Register = at(RNG + 0x100);
    pub(super) const RNG_VALUE: Register = at(RNG + 0x508);

    const GPIO: usize = 0x5000_0000;
    pub(super) const GPIO_OUTSET: Register = at(GPIO + 0x508);
    pub(super) const GPIO_OUTCLR: Register = at(GPIO + 0x50C);
    pub(super) const GPIO_DIRSET: Register = at(GPIO + 0x518);
}

const UART_ENABLED: u32 = 4;
const BAUD_115200: u32 = 0x01D7_E000;
const TIMER_32_BITS: u32 = 3;

const TX_PIN: u32 = 24;
const RX_PIN: u32 = 25;
const LED_ROW_PIN: u32 = 13;
const LED_COLUMN_PIN: u32 = 4;

/// Writing it starts a task.
const TRIGGER: u32 = 1;

/// A BBC micro:bit v1.
pub struct Microbit {
    serial: Uart,
    led: Led,
}

impl Microbit {
    /// Starts the clock and opens the serial port at 115,200 baud.
    #[must_use]
    pub fn start() -> Self {
        register::TIMER_BITMODE.set(TIMER_32_BITS);
        register::TIMER_PRESCALER.set(0);
        register::TIMER_START.set(TRIGGER);
        // The column stays low, so that the row alone switches the LED.
        register::GPIO_OUTCLR.set(1 << LED_COLUMN_PIN | 1 << LED_ROW_PIN);
        register::GPIO_DIRSET.set(1 << LED_COLUMN_PIN | 1 << LED_ROW_PIN);
        Microbit {
            serial: Uart::open(),
            led: Led,
        }
    }

    /// The serial port once more, for a last message when nothing else runs any more.
    pub(super) fn last_words() -> Uart {
        Uart::open()
    }

    /// The clock, for the time stamps of logs.
    pub(super) fn clock() -> u32 {
        register::TIMER_CAPTURE.set(TRIGGER);
        register::TIMER_CC.get()
    }
}

impl Board for Microbit {
    const NAME: &'static str = "microbit";
    const TICKS_PER_SECOND: u32 = 16_000_000;
    type Serial = Uart;
    type Led = Led;

    fn serial(&mut self) -> &mut Uart {
        &mut self.serial
    }

    fn led(&mut self) -> &mut Led {
        &mut self.led
    }

    fn ticks(&mut self) -> u32 {
        Self::clock()
    }

    fn entropy(&mut self) -> Option<u64> {
        register::RNG_START.set(TRIGGER);
        let mut bytes = [0; 8];
        for byte in &mut bytes {
            register::RNG_VALRDY.set(0);
            while register::RNG_VALRDY.get() == 0 {}
            *byte = register::RNG_VALUE.get() as u8;
        }
        register::RNG_STOP.set(TRIGGER);
        Some(u64::from_le_bytes(bytes))
    }

    fn deepest_stack(&self) -> Option<usize> {
        Some(cortex_m::deepest_stack())
    }

    fn failure(&self) -> Option<Failure> {
        panic::failure(false)
    }
}

/// The UART, polled; the hardware holds six received bytes.
pub struct Uart {
    /// Whether a byte has been handed over whose end has not been waited for.
    is_sending: bool,
}

impl Uart {
    fn open() -> Self {
        register::GPIO_OUTSET.set(1 << TX_PIN);
        register::GPIO_DIRSET.set(1 << TX_PIN);
        register::UART_PSELTXD.set(TX_PIN);
        register::UART_PSELRXD.set(RX_PIN);
        register::UART_BAUDRATE.set(BAUD_115200);
        register::UART_ENABLE.set(UART_ENABLED);
        register::UART_RXDRDY.set(0);
        register::UART_TXDRDY.set(0);
        register::UART_STARTRX.set(TRIGGER);
        register::UART_STARTTX.set(TRIGGER);
        Uart { is_sending: false }
    }

    fn has_byte(&self) -> bool {
        register::UART_RXDRDY.get() != 0
    }

    fn finish_byte(&mut self) {
        if self.is_sending {
            while register::UART_TXDRDY.get() == 0 {}
            register::UART_TXDRDY.set(0);
            self.is_sending = false;
        }
    }
}

impl ErrorType for Uart {
    type Error = Infallible;
}

impl ReadReady for Uart {
    fn read_ready(&mut self) -> Result<bool, Infallible> {
        Ok(self.has_byte())
    }
}

impl Read for Uart {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Infallible> {
        let Some(first) = buffer.first_mut() else {
            return Ok(0);
        };
        while !self.has_byte() {}
        // Cleared first: reading the byte announces the next one.
        register::UART_RXDRDY.set(0);
        *first = register::UART_RXD.get() as u8;
        Ok(1)
    }
}

impl Write for Uart {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Infallible> {
        let Some(&first) = bytes.first() else {
            return Ok(0);
        };
        self.finish_byte();
        register::UART_TXD.set(first.into());
        self.is_sending = true;
        Ok(1)
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        self.finish_byte();
        Ok(())
    }
}

/// The top left LED of the matrix.
pub struct Led;

impl digital::ErrorType for Led {
    type Error = Infallible;
}

impl OutputPin for Led {
    fn set_low(&mut self) -> Result<(), Infallible> {
        register::GPIO_OUTCLR.set(1 << LED_ROW_PIN);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        register::GPIO_OUTSET.set(1 << LED_ROW_PIN);
        Ok(())
    }
}
