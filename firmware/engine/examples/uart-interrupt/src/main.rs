//! USART1 of an STM32F405 (PA9, 115,200 baud) sends by interrupt while the next characters are computed.
//!
//! The main loop puts characters into a queue; whenever the UART has room for a byte, its interrupt takes
//! one out. When the queue is full the main loop sleeps until there has been an interrupt.

#![no_std]
#![no_main]

use core::cell::RefCell;

use cortex_m::peripheral::NVIC;
use cortex_m_rt::entry;
use critical_section::Mutex;
use heapless::spsc::{Consumer, Queue};
use inkling_engine::{Generator, Settings, State, include_model, state_words};
use panic_halt as _;
use static_cell::ConstStaticCell;
use stm32f4xx_hal::pac::{Interrupt, Peripherals, USART1, interrupt};
use stm32f4xx_hal::prelude::*;
use stm32f4xx_hal::rcc::Config;
use stm32f4xx_hal::serial::Tx;

/// The words that the model works in; the path is relative to this file.
const WORDS: usize = state_words!("../../../../../weights/shakespeare-32k.img");

static STATE: ConstStaticCell<State<WORDS>> = ConstStaticCell::new(State::new());
static QUEUE: ConstStaticCell<Queue<u8, 64>> = ConstStaticCell::new(Queue::new());

/// What the interrupt works with.
struct Sender {
    port: Tx<USART1>,
    bytes: Consumer<'static, u8>,
}

static SENDER: Mutex<RefCell<Option<Sender>>> = Mutex::new(RefCell::new(None));

#[entry]
fn main() -> ! {
    let Some(chip) = Peripherals::take() else {
        unreachable!("they are taken once");
    };
    let mut rcc = chip.RCC.freeze(Config::hsi());
    let pins = chip.GPIOA.split(&mut rcc);
    let port = chip.USART1.tx(pins.pa9, 115_200.bps(), &mut rcc);
    let Ok(port) = port else {
        unreachable!("the clock is fast enough for the baud rate");
    };
    let (mut queue, bytes) = QUEUE.take().split();
    critical_section::with(|token| {
        SENDER.replace(token, Some(Sender { port, bytes }));
    });
    // SAFETY: nothing here relies on the interrupt being masked.
    unsafe { NVIC::unmask(Interrupt::USART1) };

    let model = include_model!("../../../../../weights/shakespeare-32k.img");
    let Ok(mut generator) = Generator::new(model, STATE.take(), Settings::default(), 1) else {
        unreachable!("the state has the model's size");
    };
    loop {
        let character = generator.next_char();
        for &byte in character.encode_utf8(&mut [0; 4]).as_bytes() {
            while queue.enqueue(byte).is_err() {
                cortex_m::asm::wfi();
            }
            NVIC::pend(Interrupt::USART1);
        }
    }
}

/// The UART has room, or there is something new in the queue.
#[interrupt]
fn USART1() {
    critical_section::with(|token| {
        let mut sender = SENDER.borrow_ref_mut(token);
        let Some(Sender { port, bytes }) = sender.as_mut() else {
            return;
        };
        // It asks for more bytes only as long as there are any.
        port.unlisten();
        while let Some(&byte) = bytes.peek() {
            if port.write(byte).is_err() {
                port.listen();
                break;
            }
            bytes.dequeue();
        }
    });
}
