//! Writes to UART0 (GP0, 115,200 baud) of a Raspberry Pi Pico, while another task blinks.

#![no_std]
#![no_main]

use embassy_executor::Spawner;
use embassy_futures::yield_now;
use embassy_rp::gpio::{Level, Output};
use embassy_rp::peripherals::UART0;
use embassy_rp::uart::{BufferedInterruptHandler, BufferedUartTx, Config};
use embassy_rp::{bind_interrupts, uart};
use embassy_time::Timer;
use embedded_io_async::Write;
use inkling_engine::{Generator, Settings, State, include_model, state_words};
use panic_halt as _;
use static_cell::ConstStaticCell;

bind_interrupts!(struct Interrupts {
    UART0_IRQ => BufferedInterruptHandler<UART0>;
});

/// The words that the model works in; the path is relative to this file.
const WORDS: usize = state_words!("../../../../../weights/shakespeare-64k.img");

static STATE: ConstStaticCell<State<WORDS>> = ConstStaticCell::new(State::new());
static SEND_BUFFER: ConstStaticCell<[u8; 64]> = ConstStaticCell::new([0; 64]);

#[embassy_executor::main]
async fn main(spawner: Spawner) {
    let chip = embassy_rp::init(Default::default());
    let led = Output::new(chip.PIN_25, Level::Low);
    let serial = uart::BufferedUartTx::new(
        chip.UART0,
        Interrupts,
        chip.PIN_0,
        SEND_BUFFER.take(),
        Config::default(),
    );
    spawner.spawn(blink(led).expect("there is room for one of it"));
    write(serial).await;
}

/// Writes for ever, and lets others have their turn.
async fn write(mut serial: BufferedUartTx) {
    let model = include_model!("../../../../../weights/shakespeare-64k.img");
    let Ok(mut generator) = Generator::new(model, STATE.take(), Settings::default(), 1) else {
        unreachable!("the state has the model's size");
    };
    loop {
        // About a millisecond at a time, so that no other task waits longer.
        let character = loop {
            match generator.advance(40) {
                Some(character) => break character,
                None => yield_now().await,
            }
        };
        let mut bytes = [0; 4];
        let bytes = character.encode_utf8(&mut bytes).as_bytes();
        // Nobody may be listening.
        let _ = serial.write_all(bytes).await;
    }
}

#[embassy_executor::task]
async fn blink(mut led: Output<'static>) {
    loop {
        led.toggle();
        Timer::after_millis(250).await;
    }
}
