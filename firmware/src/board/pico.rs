//! Raspberry Pi Pico (RP2040, Cortex-M0+) and Pico 2 (RP2350, Cortex-M33).
//!
//! Two serial ports are one: USB, and UART0 on the pins GP0 and GP1. What is said goes to both, what
//! comes in from either is taken. The clock is the microsecond timer, the light the LED of the board,
//! randomness comes from the ring oscillator or the chip's generator.

use core::task::Poll;

use ::cortex_m::singleton;
use cortex_m_rt::interrupt;
use embassy_futures::poll_once;
use embassy_rp::flash::{self, Flash};
use embassy_rp::gpio::{Level, Output};
use embassy_rp::interrupt::{self, InterruptExt, Priority};
use embassy_rp::peripherals::{FLASH, PIN_0, PIN_1, UART0, USB};
use embassy_rp::rom_data::{reset_to_usb_boot, rom_version_number};
use embassy_rp::uart::{self, Blocking, BufferedInterruptHandler, BufferedUart, Uart};
use embassy_rp::usb::Driver;
use embassy_rp::watchdog::{ResetReason, Watchdog};
use embassy_rp::{Peri, bind_interrupts, pac};
use embassy_time::{Duration, Instant, TICK_HZ};

use super::failure::Failure;
use super::model_flash::ModelFlash;
use super::once::Once;
use super::port::{Port, Wire};
use super::usb::Beside;
use super::{Board, cortex_m, facts, panic, usb};
use inkling_store::{Keeper, Store};

const RX_PIN: usize = 1;

const _: () = assert!(TICK_HZ == facts::TICKS_PER_SECOND as u64);

const ONCE: &str = "a board is started once";

/// Ten times the longest work between two feedings, which is to say the help over the UART.
const WATCHDOG_TIMEOUT: Duration = Duration::from_secs(2);

/// How long the PC may take to fetch what was said before the boot loader starts.
const LAST_WORDS: Duration = Duration::from_millis(100);

/// Room for a model. The flash is a serial one behind a cache of 16 KiB, and every character takes nearly
/// all of the weights: read in place, they would come over four wires each time.
#[repr(C, align(16))]
struct Room([u8; facts::COPIED_BYTES]);

static FAST: Once<Room> = Once::new(Room([0; facts::COPIED_BYTES]));

bind_interrupts!(struct Interrupts {
    UART0_IRQ => BufferedInterruptHandler<UART0>;
    USBCTRL_IRQ => embassy_rp::usb::InterruptHandler<USB>;
    #[cfg(feature = "pico2")]
    TRNG_IRQ => embassy_rp::trng::InterruptHandler<embassy_rp::peripherals::TRNG>;
});

// SAFETY: the executor is told of its own interrupt.
#[interrupt]
unsafe fn SWI_IRQ_0() {
    // SAFETY: called from here only, and the interrupt is enabled by the executor's start.
    unsafe { usb::EXECUTOR.on_interrupt() }
}

#[embassy_executor::task]
async fn serve_usb(controller: Peri<'static, USB>, number: u64) {
    usb::serve(Driver::new(controller, Interrupts), number).await;
}

/// A Pico.
pub struct Pico {
    serial: Port<Beside<Serial>>,
    led: Output<'static>,
    watchdog: Watchdog,
    is_watched: bool,
    was_reset_by_watchdog: bool,
    entropy: Option<u64>,
    store: Store<ModelFlash<ChipFlash>>,
}

/// The flash, all of it.
type ChipFlash = Flash<'static, FLASH, flash::Blocking, { facts::FLASH_BYTES }>;

impl Pico {
    /// Sets the clocks, opens the serial ports (the UART at 115,200 baud) and connects to USB.
    #[must_use]
    pub fn start() -> Self {
        let p = embassy_rp::init(embassy_rp::config::Config::default());
        let watchdog = Watchdog::new(p.WATCHDOG);
        #[cfg_attr(
            feature = "pico2",
            expect(unused_mut, reason = "its number is elsewhere")
        )]
        let mut flash = Flash::new_blocking(p.FLASH);
        #[cfg(feature = "pico")]
        let (number, entropy) = (chip::number(&mut flash), chip::entropy());
        #[cfg(feature = "pico2")]
        let (number, entropy) = (chip::number(), chip::entropy(p.TRNG));

        interrupt::SWI_IRQ_0.set_priority(Priority::P3);
        let spawner = usb::EXECUTOR.start(interrupt::SWI_IRQ_0);
        // There is room for one task, and this is the one.
        if let Ok(task) = serve_usb(p.USB, number) {
            spawner.spawn(task);
        }
        let uart = Serial(open_uart(p.UART0, p.PIN_0, p.PIN_1));
        Pico {
            serial: Port::new(Beside::new(uart)),
            led: Output::new(p.PIN_25, Level::Low),
            was_reset_by_watchdog: watchdog.reset_reason() == Some(ResetReason::TimedOut),
            watchdog,
            is_watched: false,
            entropy,
            store: Store::new(ModelFlash::new(flash)),
        }
    }

    /// The UART once more, for a last message when nothing else runs any more.
    pub(super) fn last_words() -> Port<LastWords> {
        // SAFETY: whoever else holds them does not run any more.
        let (uart, tx, rx) = unsafe { (UART0::steal(), PIN_0::steal(), PIN_1::steal()) };
        let uart = Uart::new_blocking(uart, tx, rx, uart::Config::default());
        Port::new(LastWords(uart))
    }

    /// The clock, for the time stamps of logs.
    pub(super) fn clock() -> u32 {
        Instant::now().as_ticks() as u32
    }

    /// Restarts into the boot loader in the ROM; does nothing in emulators, which have no ROM.
    pub(super) fn restart_into_boot_loader() {
        if rom_version_number() == 0 {
            return;
        }
        // Nobody feeds it there, and it would end the boot loader too.
        pac::WATCHDOG.ctrl().modify(|w| w.set_enable(false));
        // No light, since on some boards other things hang on its pin, and everything that it can.
        reset_to_usb_boot(0, 0);
    }
}

fn open_uart(
    uart: Peri<'static, UART0>,
    tx: Peri<'static, PIN_0>,
    rx: Peri<'static, PIN_1>,
) -> BufferedUart {
    let outgoing = singleton!(: [u8; 256] = [0; 256]).expect(ONCE);
    let incoming = singleton!(: [u8; 256] = [0; 256]).expect(ONCE);
    let config = uart::Config::default();
    let uart = BufferedUart::new(uart, tx, rx, Interrupts, outgoing, incoming, config);
    // A pin that nothing is connected to must not look like a sender.
    pac::PADS_BANK0.gpio(RX_PIN).modify(|pad| pad.set_pue(true));
    uart
}

impl Board for Pico {
    const NAME: &'static str = facts::NAME;
    const TICKS_PER_SECOND: u32 = facts::TICKS_PER_SECOND;
    type Serial = Port<Beside<Serial>>;
    type Led = Output<'static>;

    fn serial(&mut self) -> &mut Port<Beside<Serial>> {
        &mut self.serial
    }

    fn led(&mut self) -> &mut Output<'static> {
        &mut self.led
    }

    fn ticks(&mut self) -> u32 {
        Self::clock()
    }

    fn entropy(&mut self) -> Option<u64> {
        self.entropy
    }

    fn deepest_stack(&self) -> Option<usize> {
        Some(cortex_m::deepest_stack())
    }

    fn feed_watchdog(&mut self) {
        if self.is_watched {
            self.watchdog.feed(WATCHDOG_TIMEOUT);
        } else {
            self.is_watched = true;
            self.watchdog.pause_on_debug(true);
            self.watchdog.start(WATCHDOG_TIMEOUT);
        }
    }

    fn copy_to_ram(image: &[u8]) -> Option<&'static [u8]> {
        let place = FAST.take()?;
        let copy = place.0.get_mut(..image.len())?;
        copy.copy_from_slice(image);
        Some(copy)
    }

    fn is_well(&mut self) {
        panic::forget_failures();
    }

    fn failure(&self) -> Option<Failure> {
        panic::failure(self.was_reset_by_watchdog)
    }

    fn store(&mut self) -> Option<&mut dyn Keeper> {
        Some(&mut self.store)
    }

    fn has_boot_loader(&self) -> bool {
        rom_version_number() != 0
    }

    fn start_boot_loader(&mut self) {
        let start = Instant::now();
        // The PC fetches the last words meanwhile.
        while start.elapsed() < LAST_WORDS {}
        Pico::restart_into_boot_loader();
    }

    fn has_new_reader(&mut self) -> bool {
        self.serial.wire.has_been_opened()
    }
}

/// The UART.
pub struct Serial(BufferedUart);

impl Wire for Serial {
    fn receive(&mut self) -> Option<u8> {
        let mut byte = [0];
        // Noise on the line ends the reception until the error is taken, which this does too.
        let reading = embedded_io_async::Read::read(&mut self.0, &mut byte);
        match poll_once(reading) {
            Poll::Ready(Ok(1)) => Some(byte[0]),
            _ => None,
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Poll<usize> {
        let writing = embedded_io_async::Write::write(&mut self.0, bytes);
        poll_once(writing).map(Result::unwrap_or_default)
    }

    fn is_idle(&mut self) -> bool {
        // A port that fails has nothing to wait for.
        poll_once(embedded_io_async::Write::flush(&mut self.0)).is_ready()
    }
}

/// The UART without interrupts.
pub struct LastWords(Uart<'static, Blocking>);

impl Wire for LastWords {
    fn send(&mut self, bytes: &[u8]) -> Poll<usize> {
        if pac::UART0.uartfr().read().txff() {
            return Poll::Pending;
        }
        let first = bytes.get(..1).unwrap_or_default();
        Poll::Ready(self.0.blocking_write(first).map_or(0, |()| first.len()))
    }

    fn is_idle(&mut self) -> bool {
        !pac::UART0.uartfr().read().busy()
    }
}

/// What differs between the two chips.
#[cfg(feature = "pico")]
mod chip {
    use embassy_rp::clocks::RoscRng;
    use embassy_rp::rom_data::rom_version_number;

    use super::ChipFlash;

    /// The flash's number, by routines in the ROM; 0 in emulators, which have none.
    pub(super) fn number(flash: &mut ChipFlash) -> u64 {
        let mut number = [0; 8];
        if rom_version_number() != 0 {
            // Without an answer it stays 0.
            let _ = flash.blocking_unique_id(&mut number);
        }
        u64::from_be_bytes(number)
    }

    /// Stirs the ring oscillator's bits, which are few in a byte; none if they do not change.
    pub(super) fn entropy() -> Option<u64> {
        const BYTES: usize = 256;
        let mut seed = 0_u64;
        let mut is_alive = false;
        let first = RoscRng::next_u8();
        for _ in 0..BYTES {
            let byte = RoscRng::next_u8();
            is_alive |= byte != first;
            seed = (seed ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
        is_alive.then_some(seed ^ seed >> 32)
    }
}

/// What differs between the two chips.
#[cfg(feature = "pico2")]
mod chip {
    use embassy_rp::Peri;
    use embassy_rp::otp;
    use embassy_rp::peripherals::TRNG;
    use embassy_rp::trng::{Config, Trng};

    use super::Interrupts;

    /// The chip's number.
    pub(super) fn number() -> u64 {
        otp::get_chipid().unwrap_or_default()
    }

    /// From the chip's generator.
    pub(super) fn entropy(generator: Peri<'static, TRNG>) -> Option<u64> {
        Some(Trng::new(generator, Interrupts, Config::default()).blocking_next_u64())
    }
}
