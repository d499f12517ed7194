//! BBC micro:bit v1: nRF51822, a Cortex-M0 with 256 KiB of flash and 16 KiB of RAM.
//!
//! The serial port is the UART on the pins of the USB interface chip, the clock TIMER0 at 16 MHz, the
//! light the top left LED of the matrix.

use core::task::Poll;

use embedded_io::{Read, ReadReady, Write, WriteReady};
use nrf51_hal::gpio::p0::{P0_13, P0_24, P0_25, Parts};
use nrf51_hal::gpio::{Disconnected, Level, Output, PushPull};
use nrf51_hal::pac::{Interrupt, POWER, Peripherals, TIMER0, UART0, WDT, interrupt, uart0};
use nrf51_hal::uart::{Baudrate, Parity, Pins};
use nrf51_hal::wdt::count::One;
use nrf51_hal::wdt::handles::Hdl0;
use nrf51_hal::wdt::{Watchdog, WatchdogHandle};
use nrf51_hal::{Clocks, Rng, Uart};

use super::failure::Failure;
use super::guard::Guard;
use super::inbox::Inbox;
use super::port::{Port, Wire};
use super::{Board, arch, facts, panic};

/// A hung program is restarted after so many periods of the 32,768 Hz clock.
const WATCHDOG_TICKS: u32 = 5 * 32_768;

/// Longer than a byte takes at 115,200 baud, in pairs of processor cycles.
const BYTE_TIME: u32 = 1_000;

static INBOX: Inbox<Uart<UART0>, Interrupt> = Inbox::new(Interrupt::UART0);

/// A BBC micro:bit v1.
pub struct Microbit {
    serial: Port<Serial>,
    led: P0_13<Output<PushPull>>,
    rng: Rng,
    watchdog: Guard<WDT, WatchdogHandle<Hdl0>>,
    has_hung: bool,
}

impl Microbit {
    /// Starts the clock and opens the serial port at 115,200 baud.
    ///
    /// # Panics
    /// When it is called twice.
    #[must_use]
    pub fn start() -> Self {
        let chip = Peripherals::take().expect("the board is started once");
        Clocks::new(chip.CLOCK).enable_ext_hfosc();
        start_clock(&chip.TIMER0);
        let pins = Parts::new(chip.GPIO);
        // The column stays low, so that the row alone switches the LED.
        pins.p0_04.into_push_pull_output(Level::Low);
        let led = pins.p0_13.into_push_pull_output(Level::Low);
        INBOX.open(open_uart(chip.UART0, pins.p0_25, pins.p0_24));
        Microbit {
            serial: Port::new(Serial),
            led,
            rng: Rng::new(chip.RNG),
            watchdog: Guard::Idle(chip.WDT),
            has_hung: take_reset_reason(&chip.POWER),
        }
    }

    /// The serial port once more, for a last message when nothing else runs any more.
    pub(super) fn last_words() -> Port<LastWords> {
        Port::new(LastWords)
    }

    /// The clock, for the time stamps of logs.
    pub(super) fn clock() -> u32 {
        // SAFETY: nothing else uses the timer but to start it.
        let timer = unsafe { &*TIMER0::ptr() };
        // SAFETY: 1 triggers the task.
        timer.tasks_capture[0].write(|w| unsafe { w.bits(1) });
        timer.cc[0].read().bits()
    }
}

/// Lets the timer count all 16,000,000 ticks of a second.
fn start_clock(timer: &TIMER0) {
    timer.bitmode.write(|w| w.bitmode()._32bit());
    // SAFETY: 0 stands for a division by 1.
    timer.prescaler.write(|w| unsafe { w.prescaler().bits(0) });
    // SAFETY: 1 triggers the task.
    timer.tasks_start.write(|w| unsafe { w.bits(1) });
}

fn open_uart(uart: UART0, rx: P0_25<Disconnected>, tx: P0_24<Disconnected>) -> Uart<UART0> {
    let pins = Pins {
        rxd: rx.into_floating_input().degrade(),
        txd: tx.into_push_pull_output(Level::High).degrade(),
        cts: None,
        rts: None,
    };
    let uart = Uart::new(uart, pins, Parity::EXCLUDED, Baudrate::BAUD115200);
    // The driver lets the chip send a byte to have it report that it is ready for the next one. One
    // that did not, as the emulated one, is ready all the same.
    arch::spin(BYTE_TIME);
    // SAFETY: the driver uses neither of the two registers meanwhile.
    let registers = unsafe { &*UART0::ptr() };
    // SAFETY: 1 is what the chip itself writes there.
    registers.events_txdrdy.write(|w| unsafe { w.bits(1) });
    registers.intenset.write(|w| w.rxdrdy().set());
    uart
}

/// Starts the watchdog, or takes over the one that runs since before a restart.
fn arm(watchdog: WDT) -> Option<WatchdogHandle<Hdl0>> {
    let parts = match Watchdog::try_new(watchdog) {
        Ok(mut watchdog) => {
            watchdog.set_lfosc_ticks(WATCHDOG_TICKS);
            watchdog.run_during_debug_halt(false);
            Ok(watchdog.activate::<One>())
        }
        Err(running) => Watchdog::try_recover::<One>(running),
    };
    parts.ok().map(|parts| parts.handles.0)
}

/// Whether the watchdog restarted the chip; the next start is asked for itself.
fn take_reset_reason(power: &POWER) -> bool {
    let has_hung = power.resetreas.read().dog().bit_is_set();
    // SAFETY: ones clear the reasons.
    power.resetreas.write(|w| unsafe { w.bits(u32::MAX) });
    has_hung
}

#[interrupt]
fn UART0() {
    INBOX.fill(|uart| {
        let is_ready = uart.read_ready().is_ok_and(|is_ready| is_ready);
        let mut byte = [0];
        (is_ready && uart.read(&mut byte).is_ok()).then_some(byte[0])
    });
}

impl Board for Microbit {
    const NAME: &'static str = facts::NAME;
    const TICKS_PER_SECOND: u32 = facts::TICKS_PER_SECOND;
    type Serial = Port<Serial>;
    type Led = P0_13<Output<PushPull>>;

    fn serial(&mut self) -> &mut Port<Serial> {
        &mut self.serial
    }

    fn led(&mut self) -> &mut Self::Led {
        &mut self.led
    }

    fn ticks(&mut self) -> u32 {
        Self::clock()
    }

    fn entropy(&mut self) -> Option<u64> {
        Some(self.rng.random_u64())
    }

    fn deepest_stack(&self) -> Option<usize> {
        Some(arch::deepest_stack())
    }

    fn feed_watchdog(&mut self) {
        if let Some(watchdog) = self.watchdog.armed(arm) {
            watchdog.pet();
        }
    }

    fn is_well(&mut self) {
        panic::forget_failures();
    }

    fn failure(&self) -> Option<Failure> {
        panic::failure(self.has_hung)
    }
}

/// The UART: receives by interrupt, for its hardware holds six bytes only.
pub struct Serial;

impl Wire for Serial {
    fn receive(&mut self) -> Option<u8> {
        INBOX.take()
    }

    fn send(&mut self, bytes: &[u8]) -> Poll<usize> {
        let sent = INBOX.with_port(|uart| match uart.write_ready() {
            Ok(true) => uart.write(bytes),
            Ok(false) => Ok(0),
        });
        match sent {
            Some(Ok(0)) => Poll::Pending,
            Some(Ok(count)) => Poll::Ready(count),
            None => Poll::Ready(0),
        }
    }

    fn is_idle(&mut self) -> bool {
        INBOX.with_port(Uart::write_ready) != Some(Ok(false))
    }
}

/// The port as it is set up, if it is.
pub struct LastWords;

impl LastWords {
    /// The port's registers; `None` if it is not set up.
    fn registers(&self) -> Option<&uart0::RegisterBlock> {
        // SAFETY: the program that used the port has ended.
        let port = unsafe { &*UART0::ptr() };
        // That it may interrupt is the last of its set-up.
        let is_set_up = port.intenset.read().rxdrdy().is_enabled();
        is_set_up.then_some(port)
    }
}

impl Wire for LastWords {
    fn send(&mut self, bytes: &[u8]) -> Poll<usize> {
        let (Some(&first), Some(port)) = (bytes.first(), self.registers()) else {
            return Poll::Ready(0);
        };
        if port.events_txdrdy.read().bits() == 0 {
            return Poll::Pending;
        }
        port.events_txdrdy.reset();
        // SAFETY: any byte may be sent.
        port.txd.write(|w| unsafe { w.txd().bits(first) });
        Poll::Ready(1)
    }

    fn is_idle(&mut self) -> bool {
        let port = self.registers();
        port.is_none_or(|port| port.events_txdrdy.read().bits() != 0)
    }
}
