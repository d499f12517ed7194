//! USB devices that boards, their debuggers and the adapters between are known by.
//!
//! Serial ports are told apart by them ([`super::line::port`]), and the udev rule allows them
//! ([`super::flash::udev`]).

use std::sync::LazyLock;

use firmware::board::identity::{USB_PRODUCT, USB_VENDOR};
use inkling_boards::Device;

/// What an identity says of what is behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// Our own firmware, if the device's name says so too: tests of others may use the identity.
    Own,
    /// A board of ours, or what is built onto one.
    Board,
    /// An adapter that many boards have for their serial port, not only those of ours.
    Adapter,
}

/// Our own firmware, on a board that is a USB device itself.
const OWN: Device = Device {
    what: "Inkling",
    vendor: USB_VENDOR,
    products: &[USB_PRODUCT],
    is_adapter: false,
    boards: &[],
};

/// All of them; the first that fits counts.
pub static DEVICES: LazyLock<Vec<Device>> =
    LazyLock::new(|| [&[OWN], *inkling_boards::DEVICES].concat());

/// The kind of a device with these numbers, if it is a known one, and how much that says.
#[must_use]
pub fn known(vendor: u16, product: u16) -> Option<(&'static Device, Certainty)> {
    let device = DEVICES.iter().find(|device| {
        let is_product = device.products.is_empty() || device.products.contains(&product);
        device.vendor == vendor && is_product
    })?;
    let certainty = match (vendor, product) {
        (USB_VENDOR, USB_PRODUCT) => Certainty::Own,
        _ if device.is_adapter => Certainty::Adapter,
        _ => Certainty::Board,
    };
    Some((device, certainty))
}
