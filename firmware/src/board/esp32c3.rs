//! Boards with an ESP32-C3.
//!
//! Two serial ports are one: the USB port of the chip, and UART0 on GPIO 20 and 21, which many boards
//! connect to a USB chip of their own. What is said goes to both, what comes in from either is taken. The
//! clock is the system timer in microseconds, the light an LED between GPIO 8 and power.

use core::convert::Infallible;
use core::task::Poll;

use embedded_hal::digital::{self, OutputPin};
use esp_bootloader_esp_idf::{ESP_IDF_COMPATIBLE_VERSION, MMU_PAGE_SIZE, SECURE_VERSION};
use esp_hal::Blocking;
use esp_hal::clock::CpuClock;
use esp_hal::gpio::{Level, Output, OutputConfig};
use esp_hal::peripherals::{GPIO20, GPIO21, Peripherals, TIMG0, UART0, USB_DEVICE};
use esp_hal::rng::{Trng, TrngSource};
use esp_hal::rtc_cntl::SocResetReason;
use esp_hal::system::{reset_reason, software_reset};
use esp_hal::time::{Duration, Instant};
use esp_hal::timer::timg::{MwdtStage, TimerGroup, Wdt};
use esp_hal::uart::{self, Uart};
use esp_hal::usb::usb_serial_jtag::UsbSerialJtag;

use super::failure::Failure;
use super::patience::Patience;
use super::port::{Port, Wire, wait};
use super::{Board, facts, panic, riscv};

/// Much longer than the longest work between two feedings.
const WATCHDOG_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a PC that listens may take to fetch what is in the USB port.
const PATIENCE: Duration = Duration::from_millis(20);

/// What flash is mapped by.
const PAGE_KILOBYTES: u32 = 64;

// What the boot loader asks the program for. Without the time of the build, for the same program must
// be the same file.
esp_bootloader_esp_idf::esp_app_desc!(
    env!("CARGO_PKG_VERSION"),
    "inkling",
    "-",
    "-",
    ESP_IDF_COMPATIBLE_VERSION,
    MMU_PAGE_SIZE,
    0,
    u16::MAX,
    SECURE_VERSION
);

/// A board with an ESP32-C3.
pub struct Esp32c3 {
    serial: Port<Serial>,
    led: Led,
    watchdog: Wdt<TIMG0<'static>>,
    is_watched: bool,
    has_hung: bool,
    entropy: Option<u64>,
}

impl Esp32c3 {
    /// Sets the clocks and opens the serial ports.
    #[must_use]
    pub fn start() -> Self {
        riscv::paint_stack();
        map_model_region();
        let config = esp_hal::Config::default().with_cpu_clock(CpuClock::max());
        let p = esp_hal::init(config);
        let _source = TrngSource::new(p.RNG, p.ADC1);
        let entropy = Trng::try_new().ok().map(|generator| {
            let mut bytes = [0; 8];
            generator.read(&mut bytes);
            u64::from_le_bytes(bytes)
        });
        Esp32c3 {
            serial: Port::new(Serial::open(p.UART0, p.GPIO20, p.GPIO21, p.USB_DEVICE)),
            led: Led(Output::new(p.GPIO8, Level::High, OutputConfig::default())),
            watchdog: TimerGroup::new(p.TIMG0).wdt,
            is_watched: false,
            has_hung: reset_reason() == Some(SocResetReason::CoreMwdt0),
            entropy,
        }
    }

    /// The serial ports once more, for a last message when nothing else runs any more.
    pub(super) fn last_words() -> Port<Serial> {
        // SAFETY: the program that used the ports has ended.
        let p = unsafe { Peripherals::steal() };
        Port::new(Serial::open(p.UART0, p.GPIO20, p.GPIO21, p.USB_DEVICE))
    }

    /// The clock, for the time stamps of logs too.
    pub(super) fn clock() -> u32 {
        // It wraps around.
        Instant::now().duration_since_epoch().as_micros() as u32
    }

    /// Resets the chip.
    pub(super) fn restart() -> ! {
        software_reset()
    }
}

/// Makes the flash for a model by itself readable; the boot loader maps the program only.
///
/// Nothing can be fetched from flash meanwhile, so this runs from RAM and calls the ROM alone.
#[esp_hal::ram]
fn map_model_region() {
    unsafe extern "C" {
        static _model_region_start: u8;
        static _model_region_end: u8;
        fn Cache_Suspend_ICache() -> u32;
        fn Cache_Resume_ICache(autoload: u32);
        fn Cache_Dbus_MMU_Set(
            external_ram: u32,
            address: u32,
            flash: u32,
            page_kilobytes: u32,
            pages: u32,
            fixed: u32,
        ) -> i32;
    }
    let start = (&raw const _model_region_start).addr() as u32;
    let end = (&raw const _model_region_end).addr() as u32;
    let pages = (end - start) / (PAGE_KILOBYTES * 1024);
    // SAFETY: the functions are the ROM's, with its types. The pages are nobody's before, as the linker
    // script keeps the program out of them, and no interrupt is enabled yet.
    unsafe {
        let autoload = Cache_Suspend_ICache();
        // It fails for addresses that are no whole pages; these are.
        let _ = Cache_Dbus_MMU_Set(
            0,
            start,
            start - facts::FLASH_ADDRESS,
            PAGE_KILOBYTES,
            pages,
            0,
        );
        Cache_Resume_ICache(autoload);
    }
}

impl Board for Esp32c3 {
    const NAME: &'static str = facts::NAME;
    const TICKS_PER_SECOND: u32 = facts::TICKS_PER_SECOND;
    type Serial = Port<Serial>;
    type Led = Led;

    fn serial(&mut self) -> &mut Port<Serial> {
        &mut self.serial
    }

    fn led(&mut self) -> &mut Led {
        &mut self.led
    }

    fn ticks(&mut self) -> u32 {
        Self::clock()
    }

    fn entropy(&mut self) -> Option<u64> {
        self.entropy
    }

    fn deepest_stack(&self) -> Option<usize> {
        Some(riscv::deepest_stack())
    }

    fn feed_watchdog(&mut self) {
        if !self.is_watched {
            self.is_watched = true;
            self.watchdog
                .set_timeout(MwdtStage::Stage0, WATCHDOG_TIMEOUT);
            self.watchdog.enable();
        }
        self.watchdog.feed();
    }

    fn is_well(&mut self) {
        panic::forget_failures();
    }

    fn failure(&self) -> Option<Failure> {
        panic::failure(self.has_hung)
    }
}

/// Both serial ports; each holds more than comes in while a character is computed.
pub struct Serial {
    /// `None` if it cannot be had at this speed.
    uart: Option<Uart<'static, Blocking>>,
    patience: Patience,
    usb: UsbSerialJtag<'static, Blocking>,
    /// Whether someone has fetched what was last put into the USB port.
    is_usb_read: bool,
}

impl Serial {
    fn open(
        uart: UART0<'static>,
        rx: GPIO20<'static>,
        tx: GPIO21<'static>,
        usb: USB_DEVICE<'static>,
    ) -> Self {
        let uart = Uart::new(uart, uart::Config::default()).ok();
        Serial {
            uart: uart.map(|uart| uart.with_rx(rx).with_tx(tx)),
            patience: Patience::new(),
            usb: UsbSerialJtag::new(usb),
            is_usb_read: false,
        }
    }

    fn take_from_uart(&mut self) -> Option<u8> {
        let mut byte = [0];
        // Noise on the line is an error, which is told once.
        match self.uart.as_mut()?.read_buffered(&mut byte) {
            Ok(1) => Some(byte[0]),
            _ => None,
        }
    }

    /// Puts bytes into the USB port; what nobody fetches is lost.
    fn offer_to_usb(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            let start = Instant::now();
            while self.usb.write_byte_nb(byte).is_err() {
                if !self.is_usb_read || start.elapsed() > PATIENCE {
                    self.is_usb_read = false;
                    return;
                }
            }
            self.is_usb_read = true;
        }
        // If it is full, what it holds is on its way.
        let _ = self.usb.flush_tx_nb();
    }
}

impl Wire for Serial {
    fn receive(&mut self) -> Option<u8> {
        let typed = self.usb.read_byte().ok();
        typed.or_else(|| self.take_from_uart())
    }

    fn send(&mut self, bytes: &[u8]) -> Poll<usize> {
        let uart = self.uart.as_mut();
        let sent = uart.and_then(|uart| {
            wait(&mut self.patience, || match uart.write_ready() {
                true => Poll::Ready(uart.write(bytes).unwrap_or_default()),
                false => Poll::Pending,
            })
        });
        // A UART that takes nothing is no reason for USB to go without.
        let count = sent.unwrap_or(bytes.len());
        self.offer_to_usb(bytes.get(..count).unwrap_or_default());
        Poll::Ready(count)
    }

    fn is_idle(&mut self) -> bool {
        let registers = UART0::regs();
        let is_empty = registers.status().read().txfifo_cnt().bits() == 0;
        let is_sending = registers.fsm_status().read().st_utx_out().bits() != 0;
        self.uart.is_none() || is_empty && !is_sending
    }
}

/// The LED, which low lights.
pub struct Led(Output<'static>);

impl digital::ErrorType for Led {
    type Error = Infallible;
}

impl OutputPin for Led {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.0.set_high();
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.0.set_low();
        Ok(())
    }
}
