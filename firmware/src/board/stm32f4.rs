//! STM32F4: WeAct Black Pill and Nucleo (STM32F411), Netduino Plus 2 (STM32F405).
//!
//! The serial port is USART2 on PA2 and PA3, on a Nucleo those of its USB interface; the clock is timer
//! 2, the light PC13, on an open drain as a Nucleo has a button there. The Netduino is here for QEMU,
//! which models no PLL, connects USART1, and counts timers as if the chip ran at 1 GHz.

use core::task::Poll;

use stm32f4xx_hal::gpio::{OpenDrain, Output, PC13};
use stm32f4xx_hal::nb;
use stm32f4xx_hal::pac::{Interrupt, Peripherals, RCC, TIM2, interrupt};
use stm32f4xx_hal::prelude::*;
use stm32f4xx_hal::rcc::{Config, Rcc};
use stm32f4xx_hal::serial::{Rx, Serial as Usart, Tx};
use stm32f4xx_hal::timer::FTimer;
use stm32f4xx_hal::watchdog::IndependentWatchdog;

use super::failure::Failure;
use super::inbox::Inbox;
#[cfg(feature = "store")]
use super::model_flash::ModelFlash;
use super::port::{Port, Wire};
use super::{Board, arch, facts, panic};
#[cfg(feature = "store")]
use chip::Sectors;
use chip::USART;
#[cfg(feature = "store")]
use inkling_store::{Keeper, Store};

const BAUD: u32 = 115_200;

/// Much longer than the longest work between two feedings, which is to erase a sector: up to 4 s, and its
/// oscillator may be half as fast again as it should.
const WATCHDOG_SECONDS: u32 = if cfg!(feature = "store") { 10 } else { 5 };

static INBOX: Inbox<Rx<USART>, Interrupt> = Inbox::new(chip::INTERRUPT);

/// A board with an STM32F4.
pub struct Stm32f4 {
    serial: Port<Serial>,
    led: PC13<Output<OpenDrain>>,
    watchdog: IndependentWatchdog,
    is_watched: bool,
    has_hung: bool,
    entropy: Option<u64>,
    #[cfg(feature = "store")]
    store: Store<ModelFlash<Sectors>>,
}

impl Stm32f4 {
    /// Sets the clocks and opens the serial port at 115,200 baud.
    ///
    /// # Panics
    /// When it is called twice.
    #[must_use]
    pub fn start() -> Self {
        let chip = Peripherals::take().expect("the board is started once");
        let has_hung = take_reset_reason(&chip.RCC);
        let mut rcc = chip.RCC.freeze(chip::clocks());
        start_clock(chip.TIM2, &mut rcc);
        let port_a = chip.GPIOA.split(&mut rcc);
        #[cfg(feature = "blackpill")]
        let (usart, pins) = (chip.USART2, (port_a.pa2, port_a.pa3));
        #[cfg(feature = "netduinoplus2")]
        let (usart, pins) = (chip.USART1, (port_a.pa9, port_a.pa10));
        let usart = Usart::new(usart, pins, BAUD.bps(), &mut rcc);
        let (sender, mut receiver) = usart.expect("the clock is fast enough").split();
        receiver.listen();
        INBOX.open(receiver);
        #[cfg(feature = "blackpill")]
        let entropy = chip::entropy(chip.ADC1, &mut rcc);
        #[cfg(feature = "netduinoplus2")]
        let entropy = None;
        let watchdog = IndependentWatchdog::new(chip.IWDG);
        watchdog.stop_on_debug(&chip.DBGMCU, true);
        Stm32f4 {
            serial: Port::new(Serial(sender)),
            led: chip.GPIOC.split(&mut rcc).pc13.into_open_drain_output(),
            watchdog,
            is_watched: false,
            has_hung,
            entropy,
            #[cfg(feature = "store")]
            store: Store::new(ModelFlash::new(Sectors::new(chip.FLASH))),
        }
    }

    /// The serial port once more, for a last message when nothing else runs any more.
    pub(super) fn last_words() -> Port<LastWords> {
        Port::new(LastWords)
    }

    /// The clock, for the time stamps of logs.
    pub(super) fn clock() -> u32 {
        // SAFETY: the register is only read.
        unsafe { &*TIM2::ptr() }.cnt().read().bits()
    }
}

/// Lets the timer count microseconds, over all of its 32 bits.
fn start_clock(timer: TIM2, rcc: &mut Rcc) {
    let timer = FTimer::<TIM2, 1_000_000>::new(timer, rcc).release();
    timer.egr().write(|w| w.ug().set_bit());
    timer.cr1().modify(|_, w| w.cen().set_bit());
}

/// Whether the watchdog restarted the chip; the next start is asked for itself.
fn take_reset_reason(rcc: &RCC) -> bool {
    let has_hung = rcc.csr().read().wdgrstf().bit_is_set();
    rcc.csr().modify(|_, w| w.rmvf().set_bit());
    has_hung
}

/// For the interrupt: a received byte, if there is one. Bytes that noise broke are skipped.
fn receive(port: &mut Rx<USART>) -> Option<u8> {
    loop {
        match port.read() {
            Ok(byte) => return Some(byte),
            Err(nb::Error::WouldBlock) => return None,
            Err(nb::Error::Other(_)) => {}
        }
    }
}

#[cfg(feature = "blackpill")]
#[interrupt]
fn USART2() {
    INBOX.fill(receive);
}

#[cfg(feature = "netduinoplus2")]
#[interrupt]
fn USART1() {
    INBOX.fill(receive);
}

impl Board for Stm32f4 {
    const NAME: &'static str = facts::NAME;
    const TICKS_PER_SECOND: u32 = facts::TICKS_PER_SECOND;
    type Serial = Port<Serial>;
    type Led = PC13<Output<OpenDrain>>;

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
        self.entropy
    }

    fn deepest_stack(&self) -> Option<usize> {
        Some(arch::deepest_stack())
    }

    fn feed_watchdog(&mut self) {
        if self.is_watched {
            self.watchdog.feed();
        } else {
            self.is_watched = true;
            self.watchdog.start(WATCHDOG_SECONDS.secs());
        }
    }

    fn is_well(&mut self) {
        panic::forget_failures();
    }

    fn failure(&self) -> Option<Failure> {
        panic::failure(self.has_hung)
    }

    #[cfg(feature = "store")]
    fn store(&mut self) -> Option<&mut dyn Keeper> {
        Some(&mut self.store)
    }
}

/// The USART: receives by interrupt, for its hardware holds one byte only.
pub struct Serial(Tx<USART>);

impl Wire for Serial {
    fn receive(&mut self) -> Option<u8> {
        INBOX.take()
    }

    fn send(&mut self, bytes: &[u8]) -> Poll<usize> {
        let Some(&first) = bytes.first() else {
            return Poll::Ready(0);
        };
        match self.0.write(first) {
            Ok(()) => Poll::Ready(1),
            Err(nb::Error::WouldBlock) => Poll::Pending,
            Err(nb::Error::Other(_)) => Poll::Ready(0),
        }
    }

    fn is_idle(&mut self) -> bool {
        // A port that fails has nothing to wait for.
        self.0.flush() != Err(nb::Error::WouldBlock)
    }
}

/// The port as it is set up, if it is.
pub struct LastWords;

impl LastWords {
    fn registers(&self) -> &chip::Registers {
        // SAFETY: the program that used the port has ended.
        unsafe { &*USART::ptr() }
    }
}

impl Wire for LastWords {
    fn send(&mut self, bytes: &[u8]) -> Poll<usize> {
        let port = self.registers();
        let first = bytes
            .first()
            .filter(|_| port.cr1().read().ue().bit_is_set());
        let Some(&first) = first else {
            return Poll::Ready(0);
        };
        if port.sr().read().txe().bit_is_clear() {
            return Poll::Pending;
        }
        port.dr().write(|w| w.dr().set(first.into()));
        Poll::Ready(1)
    }

    fn is_idle(&mut self) -> bool {
        let port = self.registers();
        port.cr1().read().ue().bit_is_clear() || port.sr().read().tc().bit_is_set()
    }
}

/// What differs between the two chips.
#[cfg(feature = "blackpill")]
mod chip {
    use embedded_storage::nor_flash::{ErrorType, NorFlash, ReadNorFlash};
    use stm32f4xx_hal::adc::Temperature;
    use stm32f4xx_hal::adc::config::{AdcConfig, SampleTime};
    use stm32f4xx_hal::flash::{self, FlashExt, LockedFlash};
    pub(super) use stm32f4xx_hal::pac::USART2 as USART;
    pub(super) use stm32f4xx_hal::pac::usart1::RegisterBlock as Registers;
    use stm32f4xx_hal::pac::{ADC1, FLASH};

    use stm32f4xx_hal::prelude::*;

    use super::{Config, Interrupt, Rcc};

    pub(super) const INTERRUPT: Interrupt = Interrupt::USART2;

    /// From the internal oscillator, as crystals differ between the boards.
    pub(super) fn clocks() -> Config {
        Config::hsi().sysclk(100.MHz()).pclk1(50.MHz())
    }

    /// Stirs the noise of the temperature sensor; none if it is silent.
    pub(super) fn entropy(adc: ADC1, rcc: &mut Rcc) -> Option<u64> {
        const SAMPLES: usize = 256;
        let mut adc = stm32f4xx_hal::adc::Adc::new(adc, true, AdcConfig::default(), rcc);
        adc.enable_temperature_and_vref();
        let mut sample = || adc.convert(&Temperature, SampleTime::Cycles_3);
        let first = sample();
        let mut seed = 0_u64;
        let mut is_alive = false;
        for _ in 0..SAMPLES {
            let sample = sample();
            is_alive |= sample != first;
            seed = (seed ^ u64::from(sample)).wrapping_mul(0x0000_0100_0000_01B3);
        }
        is_alive.then_some(seed ^ seed >> 32)
    }

    /// The flash, whose large sectors are those that models lie in: a slot is one of them.
    pub struct Sectors(LockedFlash);

    impl Sectors {
        /// That of the chip.
        pub(super) fn new(flash: FLASH) -> Self {
            Sectors(LockedFlash::new(flash))
        }
    }

    impl ErrorType for Sectors {
        type Error = flash::Error;
    }

    impl ReadNorFlash for Sectors {
        const READ_SIZE: usize = 1;

        fn read(&mut self, offset: u32, bytes: &mut [u8]) -> Result<(), flash::Error> {
            ReadNorFlash::read(&mut self.0, offset, bytes)
        }

        fn capacity(&self) -> usize {
            self.0.len()
        }
    }

    impl NorFlash for Sectors {
        const WRITE_SIZE: usize = 1;
        const ERASE_SIZE: usize = 128 * 1024;

        fn erase(&mut self, from: u32, to: u32) -> Result<(), flash::Error> {
            let erased = NorFlash::erase(&mut self.0.unlocked(), from, to);
            forget_what_was_read();
            erased
        }

        fn write(&mut self, offset: u32, bytes: &[u8]) -> Result<(), flash::Error> {
            NorFlash::write(&mut self.0.unlocked(), offset, bytes)
        }
    }

    /// Empties the cache of data, which holds what was in a sector after that has been erased.
    fn forget_what_was_read() {
        // SAFETY: the register says how the flash is read, and nothing else is changed.
        let control = unsafe { &*FLASH::ptr() }.acr();
        control.modify(|_, w| w.dcen().clear_bit());
        control.modify(|_, w| w.dcrst().set_bit());
        control.modify(|_, w| w.dcrst().clear_bit());
        control.modify(|_, w| w.dcen().set_bit());
    }
}

/// What differs between the two chips.
#[cfg(feature = "netduinoplus2")]
mod chip {
    pub(super) use stm32f4xx_hal::pac::USART1 as USART;
    pub(super) use stm32f4xx_hal::pac::usart1::RegisterBlock as Registers;

    use super::{Config, Interrupt};

    pub(super) const INTERRUPT: Interrupt = Interrupt::USART1;

    /// The internal oscillator.
    pub(super) fn clocks() -> Config {
        Config::hsi()
    }
}
