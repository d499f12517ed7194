//! Serial over USB: a CDC-ACM port over any controller that embassy-usb has a driver for.
//!
//! The device runs as a task of an interrupt, so that the PC is answered while the engine computes;
//! two pipes lead to the program. What the PC does not fetch in time is lost, never waited for.

use ::cortex_m::singleton;
use embassy_futures::join::join4;
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;
use embassy_sync::signal::Signal;
use embassy_usb::class::cdc_acm::{CdcAcmClass, ControlChanged, Receiver, Sender, State};
use embassy_usb::driver::Driver;
use embassy_usb::{Builder, Config};

/// The pair that pid.codes keeps for tests and private use.
const VENDOR: u16 = 0x1209;
const PRODUCT: u16 = 0x0001;

const PACKET_BYTES: usize = 64;

const ONE: &str = "there is one USB device";

static TO_PC: Pipe<CriticalSectionRawMutex, 1024> = Pipe::new();
static FROM_PC: Pipe<CriticalSectionRawMutex, 512> = Pipe::new();

/// A program on the PC has opened the port.
static OPENED: Signal<CriticalSectionRawMutex, ()> = Signal::new();

/// Is a device for ever; there can be one. `product` and `serial_number` are what the PC shows.
///
/// It is all made here since it may not move between the program and the interrupt.
pub(super) async fn serve<D: Driver<'static>>(
    driver: D,
    product: &'static str,
    serial_number: &'static str,
) {
    let mut config = Config::new(VENDOR, PRODUCT);
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

/// The program's end of the port.
pub(super) struct Port;

impl Port {
    /// A byte if one has arrived.
    pub(super) fn take(&mut self) -> Option<u8> {
        let mut byte = [0];
        FROM_PC.try_read(&mut byte).ok()?;
        Some(byte[0])
    }

    /// Sends bytes, all or, when too many wait already, none.
    pub(super) fn offer(&mut self, bytes: &[u8]) {
        if TO_PC.free_capacity() >= bytes.len() {
            // The other end only takes, so there is still room.
            let _ = TO_PC.try_write(bytes);
        }
    }

    /// Whether a program on the PC has opened the port since the last call.
    pub(super) fn has_been_opened(&mut self) -> bool {
        OPENED.try_take().is_some()
    }
}
