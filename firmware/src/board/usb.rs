//! Serial over USB: a CDC-ACM port over any controller that embassy-usb has a driver for.
//!
//! The device runs as a task of an interrupt, so that the PC is answered while the engine computes;
//! two pipes lead to the program. What the PC does not fetch in time is lost, never waited for. The
//! board lends an interrupt that its hardware does not raise, and the task, which names its driver.

use core::fmt::Write;
use core::task::Poll;

use ::cortex_m::singleton;
use embassy_executor::InterruptExecutor;
use embassy_futures::join::join4;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;
use embassy_sync::signal::Signal;
use embassy_usb::class::cdc_acm::{CdcAcmClass, ControlChanged, Receiver, Sender, State};
use embassy_usb::driver::Driver;
use embassy_usb::{Builder, Config};
use heapless::String;

use super::identity::{USB_PRODUCT, USB_PRODUCT_PREFIX, USB_VENDOR};
use super::patience::Patience;
use super::port::{Wire, wait};
use super::{Board, Selected};

const PACKET_BYTES: usize = 64;

const ONE: &str = "there is one USB device";

static TO_PC: Pipe<CriticalSectionRawMutex, 1024> = Pipe::new();
static FROM_PC: Pipe<CriticalSectionRawMutex, 512> = Pipe::new();

/// A program on the PC has opened the port.
static OPENED: Signal<CriticalSectionRawMutex, ()> = Signal::new();

/// Runs the device's task in the interrupt that the board lends.
pub(super) static EXECUTOR: InterruptExecutor = InterruptExecutor::new();

/// Is a device for ever; there can be one. The number is the chip's, for the PC to show.
///
/// It is all made here since it may not move between the program and the interrupt.
pub(super) async fn serve<D: Driver<'static>>(driver: D, number: u64) {
    let product = singleton!(: String<32> = String::new()).expect(ONE);
    let serial_number = singleton!(: String<16> = String::new()).expect(ONE);
    for part in [USB_PRODUCT_PREFIX, Selected::NAME] {
        // Board names are short; if one were not, it would be missing there.
        let _ = product.push_str(part);
    }
    // Sixteen digits fit.
    let _ = write!(serial_number, "{number:016X}");
    let mut config = Config::new(USB_VENDOR, USB_PRODUCT);
    config.manufacturer = Some("Inkling");
    config.product = Some(product);
    config.serial_number = Some(serial_number);
    let mut builder = Builder::new(
        driver,
        config,
        singleton!(: [u8; 128] = [0; 128]).expect(ONE),
        singleton!(: [u8; 16] = [0; 16]).expect(ONE),
        &mut [],
        singleton!(: [u8; 64] = [0; 64]).expect(ONE),
    );
    #[cfg(feature = "rp")]
    builder.handler(singleton!(: touch::Touch = touch::Touch::new()).expect(ONE));
    let state = singleton!(: State<'static> = State::new()).expect(ONE);
    let serial = CdcAcmClass::new(&mut builder, state, PACKET_BYTES as u16);
    let (sender, receiver, control) = serial.split_with_control();
    let mut device = builder.build();
    join4(
        device.run(),
        send(sender),
        receive(receiver),
        watch(control),
    )
    .await;
}

async fn send<D: Driver<'static>>(mut sender: Sender<'static, D>) {
    let mut packet = [0; PACKET_BYTES];
    loop {
        sender.wait_connection().await;
        let length = TO_PC.read(&mut packet).await;
        let text = packet.get(..length).unwrap_or_default();
        // What is lost on a broken connection is lost.
        let _ = sender.write_packet(text).await;
        if length == PACKET_BYTES && TO_PC.is_empty() {
            // A full packet does not end a transfer.
            let _ = sender.write_packet(&[]).await;
        }
    }
}

async fn receive<D: Driver<'static>>(mut receiver: Receiver<'static, D>) {
    let mut packet = [0; PACKET_BYTES];
    loop {
        receiver.wait_connection().await;
        while let Ok(length) = receiver.read_packet(&mut packet).await {
            FROM_PC
                .write_all(packet.get(..length).unwrap_or_default())
                .await;
        }
    }
}

async fn watch(control: ControlChanged<'static>) {
    let mut was_open = false;
    loop {
        control.control_changed().await;
        let is_open = control.dtr();
        if is_open && !was_open {
            // Old text is of no interest.
            TO_PC.clear();
            OPENED.signal(());
        }
        was_open = is_open;
    }
}

/// What programs on the PC do to a port whose board is to take a new program: they open it at 1200 baud,
/// which nobody does otherwise, and close it.
#[cfg(feature = "rp")]
mod touch {
    use embassy_usb::Handler;
    use embassy_usb::control::{OutResponse, Request, RequestType};

    use super::Selected;

    const BAUD: u32 = 1200;

    // Requests of the communication device class.
    const SET_LINE_CODING: u8 = 0x20;
    const SET_CONTROL_LINE_STATE: u8 = 0x22;

    /// The bit of the control lines by which the PC says that it is there.
    const IS_OPEN: u16 = 1;

    /// Looks on while the port is set up, before the port itself is asked.
    pub(super) struct Touch {
        is_announced: bool,
    }

    impl Touch {
        pub(super) const fn new() -> Self {
            Touch {
                is_announced: false,
            }
        }
    }

    impl Handler for Touch {
        fn reset(&mut self) {
            self.is_announced = false;
        }

        fn control_out(&mut self, request: Request, data: &[u8]) -> Option<OutResponse> {
            match request.request {
                _ if request.request_type != RequestType::Class => {}
                SET_LINE_CODING => {
                    self.is_announced = data.first_chunk() == Some(&BAUD.to_le_bytes());
                }
                SET_CONTROL_LINE_STATE if self.is_announced && request.value & IS_OPEN == 0 => {
                    Selected::restart_into_boot_loader();
                }
                _ => {}
            }
            // The port answers.
            None
        }
    }
}

/// USB beside a port of the board, as one: what is said goes to both, what comes in from either is
/// taken.
pub struct Beside<W> {
    wire: W,
    patience: Patience,
}

impl<W> Beside<W> {
    /// The USB port and this one.
    pub(super) const fn new(wire: W) -> Self {
        Beside {
            wire,
            patience: Patience::new(),
        }
    }

    /// Whether a program on the PC has opened the USB port since the last call.
    pub(super) fn has_been_opened(&mut self) -> bool {
        OPENED.try_take().is_some()
    }
}

impl<W: Wire> Wire for Beside<W> {
    fn receive(&mut self) -> Option<u8> {
        let mut byte = [0];
        match FROM_PC.try_read(&mut byte) {
            Ok(_) => Some(byte[0]),
            Err(_) => self.wire.receive(),
        }
    }

    fn send(&mut self, bytes: &[u8]) -> Poll<usize> {
        let sent = wait(&mut self.patience, || self.wire.send(bytes));
        // A UART that takes nothing is no reason for USB to go without.
        let count = sent.filter(|&count| count > 0).unwrap_or(bytes.len());
        // All or, when too much waits already, nothing: text with holes is of no use. The other end
        // only takes, so there is still room.
        if TO_PC.free_capacity() >= count {
            let _ = TO_PC.try_write(bytes.get(..count).unwrap_or_default());
        }
        Poll::Ready(count)
    }

    fn is_idle(&mut self) -> bool {
        self.wire.is_idle()
    }
}
