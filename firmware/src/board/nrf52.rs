//! BBC micro:bit v2 (nRF52833) and nRF52840-DK.
//!
//! The serial port is UARTE0 on the pins of the USB interface chip, on the nRF52840 also its own USB. The
//! clock is TIMER1 at 1 MHz, the light the top left LED of the matrix, or LED 1.

use core::convert::Infallible;
use core::sync::atomic::{Ordering, compiler_fence};
use core::task::Poll;

use ::cortex_m::singleton;
use embassy_futures::poll_once;
use embassy_nrf::buffered_uarte::{self, BufferedUarte};
use embassy_nrf::config::{Config, HfclkSource};
use embassy_nrf::gpio::{Level, Output, OutputDrive};
use embassy_nrf::nvmc::Nvmc;
use embassy_nrf::peripherals::{UARTE0, WDT};
use embassy_nrf::rng::Rng;
use embassy_nrf::timer::{Frequency, Timer};
use embassy_nrf::wdt::{self, HaltConfig, Watchdog, WatchdogHandle};
use embassy_nrf::{Peri, bind_interrupts, pac, uarte};
use embedded_hal::digital::{self, OutputPin};
use inkling_store::{Keeper, Store};

use super::failure::Failure;
use super::guard::Guard;
use super::model_flash::ModelFlash;
use super::port::{Port, Wire, wait_until};
use super::{Board, arch, facts, panic};

const IS_LED_LIT_BY_LOW: bool = cfg!(feature = "nrf52840-dk");

const ONCE: &str = "a board is started once";

/// A hung program is restarted after so many periods of the 32,768 Hz clock.
const WATCHDOG_TICKS: u32 = 5 * 32_768;

/// How much of a last message is sent at once.
const CHUNK_BYTES: usize = 32;

/// Which of the timer's registers takes the time.
const CAPTURE: usize = 0;

bind_interrupts!(struct Interrupts {
    UARTE0 => buffered_uarte::InterruptHandler<UARTE0>;
    #[cfg(feature = "usb")]
    USBD => embassy_nrf::usb::InterruptHandler<embassy_nrf::peripherals::USBD>;
    #[cfg(feature = "usb")]
    CLOCK_POWER => embassy_nrf::usb::vbus_detect::InterruptHandler;
});

#[cfg(feature = "usb")]
type Console = super::usb::Beside<Serial>;
#[cfg(not(feature = "usb"))]
type Console = Serial;

/// A board with an nRF52.
pub struct Nrf52 {
    serial: Port<Console>,
    led: Led,
    watchdog: Guard<Peri<'static, WDT>, WatchdogHandle>,
    has_hung: bool,
    entropy: u64,
    /// The processor stands while the flash is written, and the UART receives meanwhile.
    store: Store<ModelFlash<Nvmc<'static>>>,
}

impl Nrf52 {
    /// Starts the clock and opens the serial port at 115,200 baud.
    ///
    /// # Panics
    /// When it is called twice.
    #[must_use]
    pub fn start() -> Self {
        let mut config = Config::default();
        config.hfclk_source = HfclkSource::ExternalXtal;
        let p = embassy_nrf::init(config);
        let timer = Timer::new(p.TIMER1);
        timer.set_frequency(Frequency::F1MHz);
        timer.start();
        timer.persist();

        #[cfg(feature = "microbit-v2")]
        let (rx, tx, led) = {
            // The column stays low, so that the row alone switches the LED.
            Output::new(p.P0_28, Level::Low, OutputDrive::Standard).persist();
            (
                p.P1_08,
                p.P0_06,
                Output::new(p.P0_21, Level::Low, OutputDrive::Standard),
            )
        };
        #[cfg(feature = "nrf52840-dk")]
        let (rx, tx, led) = {
            let led = Output::new(p.P0_13, Level::High, OutputDrive::Standard);
            (p.P0_08, p.P0_06, led)
        };
        let uart = BufferedUarte::new(
            p.UARTE0,
            p.TIMER2,
            p.PPI_CH0,
            p.PPI_CH1,
            p.PPI_GROUP0,
            rx,
            tx,
            Interrupts,
            uarte::Config::default(),
            singleton!(: [u8; 256] = [0; 256]).expect(ONCE),
            singleton!(: [u8; 256] = [0; 256]).expect(ONCE),
        );
        let serial = Serial(uart);
        #[cfg(feature = "usb")]
        let serial = controller::beside(serial, p.USBD);
        Nrf52 {
            serial: Port::new(serial),
            led: Led(led),
            watchdog: Guard::Idle(p.WDT),
            has_hung: take_reset_reason(),
            entropy: Rng::new_blocking(p.RNG).blocking_next_u64(),
            store: Store::new(ModelFlash::new(Nvmc::new(p.NVMC))),
        }
    }

    /// The serial port once more, for a last message when nothing else runs any more.
    pub(super) fn last_words() -> Port<LastWords> {
        Port::new(LastWords)
    }

    /// The clock, for the time stamps of logs.
    pub(super) fn clock() -> u32 {
        pac::TIMER1.tasks_capture(CAPTURE).write_value(1);
        pac::TIMER1.cc(CAPTURE).read()
    }
}

/// Whether the watchdog restarted the chip; the next start is asked for itself.
fn take_reset_reason() -> bool {
    let reasons = pac::POWER.resetreas();
    let has_hung = reasons.read().dog();
    // Ones clear the reasons.
    reasons.write(|reasons| reasons.0 = u32::MAX);
    has_hung
}

/// Starts the watchdog, or takes over the one that runs since before a restart.
fn arm(watchdog: Peri<'static, WDT>) -> Option<WatchdogHandle> {
    let mut config = wdt::Config::default();
    config.timeout_ticks = WATCHDOG_TICKS;
    config.action_during_debug_halt = HaltConfig::Pause;
    let (_, [handle]) = Watchdog::try_new(watchdog, config).ok()?;
    Some(handle)
}

impl Board for Nrf52 {
    const NAME: &'static str = facts::NAME;
    const TICKS_PER_SECOND: u32 = facts::TICKS_PER_SECOND;
    type Serial = Port<Console>;
    type Led = Led;

    fn serial(&mut self) -> &mut Port<Console> {
        &mut self.serial
    }

    fn led(&mut self) -> &mut Led {
        &mut self.led
    }

    fn ticks(&mut self) -> u32 {
        Self::clock()
    }

    fn entropy(&mut self) -> Option<u64> {
        Some(self.entropy)
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

    fn store(&mut self) -> Option<&mut dyn Keeper> {
        Some(&mut self.store)
    }

    #[cfg(feature = "usb")]
    fn has_new_reader(&mut self) -> bool {
        self.serial.wire.has_been_opened()
    }
}

/// The UART: its hardware receives into memory while the engine computes.
pub struct Serial(BufferedUarte<'static>);

impl Wire for Serial {
    fn receive(&mut self) -> Option<u8> {
        let mut byte = [0];
        // Bytes that were lost are no byte; the error is told once.
        match poll_once(self.0.read(&mut byte)) {
            Poll::Ready(Ok(1)) => Some(byte[0]),
            _ => None,
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Poll<usize> {
        poll_once(self.0.write(bytes)).map(Result::unwrap_or_default)
    }

    fn is_idle(&mut self) -> bool {
        // A port that fails has nothing to wait for.
        poll_once(self.0.flush()).is_ready()
    }
}

/// The port as it is set up, if it is, without its driver's interrupts.
pub struct LastWords;

impl Wire for LastWords {
    fn send(&mut self, bytes: &[u8]) -> Poll<usize> {
        const { assert!(CHUNK_BYTES < 256, "the port sends that many at once") };
        let port = pac::UARTE0;
        let count = bytes.len().min(CHUNK_BYTES);
        if port.enable().read().enable() != pac::uarte::vals::Enable::Enabled {
            return Poll::Ready(0);
        }
        // Whatever the driver was sending ends here.
        port.events_txstopped().write_value(0);
        port.tasks_dma().tx().stop().write_value(1);
        wait_until(|| port.events_txstopped().read() != 0);
        // The hardware reads memory only.
        let mut chunk = [0; CHUNK_BYTES];
        for (to, from) in chunk.iter_mut().zip(bytes) {
            *to = *from;
        }
        let sender = port.dma().tx();
        sender
            .ptr()
            .write_value(chunk.as_ptr().expose_provenance() as u32);
        sender.maxcnt().write(|w| w.set_maxcnt(count as u16));
        port.events_dma().tx().end().write_value(0);
        compiler_fence(Ordering::SeqCst);
        port.tasks_dma().tx().start().write_value(1);
        wait_until(|| port.events_dma().tx().end().read() != 0);
        Poll::Ready(count)
    }
}

/// The LED, whatever lights it.
pub struct Led(Output<'static>);

impl digital::ErrorType for Led {
    type Error = Infallible;
}

impl OutputPin for Led {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.0.set_level(IS_LED_LIT_BY_LOW.into());
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.0.set_level((!IS_LED_LIT_BY_LOW).into());
        Ok(())
    }
}

/// The chip's own USB.
#[cfg(feature = "usb")]
mod controller {
    use cortex_m_rt::interrupt;
    use embassy_nrf::interrupt::{self, InterruptExt, Priority};
    use embassy_nrf::peripherals::USBD;
    use embassy_nrf::usb::Driver;
    use embassy_nrf::usb::vbus_detect::HardwareVbusDetect;
    use embassy_nrf::{Peri, pac};

    use super::super::usb::{self, Beside};
    use super::{Interrupts, Serial};

    // SAFETY: the executor is told of its own interrupt.
    #[interrupt]
    unsafe fn EGU0_SWI0() {
        // SAFETY: called from here only, and the interrupt is enabled by the executor's start.
        unsafe { usb::EXECUTOR.on_interrupt() }
    }

    #[embassy_executor::task]
    async fn serve(controller: Peri<'static, USBD>) {
        let power = HardwareVbusDetect::new(Interrupts);
        let [low, high] = [0, 1].map(|word| u64::from(pac::FICR.deviceid(word).read()));
        usb::serve(Driver::new(controller, Interrupts, power), high << 32 | low).await;
    }

    /// Connects to USB, which becomes one port with this one.
    pub(super) fn beside(uart: Serial, controller: Peri<'static, USBD>) -> Beside<Serial> {
        interrupt::EGU0_SWI0.set_priority(Priority::P7);
        let spawner = usb::EXECUTOR.start(interrupt::EGU0_SWI0);
        // There is room for one task, and this is the one.
        if let Ok(task) = serve(controller) {
            spawner.spawn(task);
        }
        Beside::new(uart)
    }
}
