//! USB devices that boards, their debuggers and the adapters between are known by.
//!
//! Serial ports are told apart by them ([`super::line::port`]), and the udev rule allows them
//! ([`super::flash::udev`]).

use firmware::board::identity::{USB_PRODUCT, USB_VENDOR};

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

/// One kind of USB device.
#[derive(Debug, Clone, Copy)]
pub struct Device {
    /// The vendor's number.
    pub vendor: u16,
    /// The numbers of the products; none for all of the vendor's.
    pub products: &'static [u16],
    /// What it is, for people.
    pub what: &'static str,
    /// The boards that may be behind its serial port.
    pub boards: &'static [&'static str],
    /// How much that says.
    pub certainty: Certainty,
}

/// Boards that have no USB of their own, or an adapter in front of it.
const BEHIND_ADAPTERS: &[&str] = &["esp32c3", "blackpill"];

/// All of them; the first that fits counts.
pub const DEVICES: &[Device] = &[
    Device {
        vendor: USB_VENDOR,
        products: &[USB_PRODUCT],
        what: "Inkling",
        boards: &[],
        certainty: Certainty::Own,
    },
    board(
        0x2E8A,
        &[0x000C],
        "Raspberry Pi Debug Probe",
        &["pico", "pico2"],
    ),
    board(0x2E8A, &[], "Raspberry Pi", &[]),
    board(0x0D28, &[0x0204], "DAPLink", &["microbit", "microbit-v2"]),
    board(0x0D28, &[], "DAPLink", &[]),
    board(0x1366, &[], "J-Link", &["nrf52840-dk"]),
    board(0x0483, &[], "ST-Link", &["blackpill"]),
    board(0x303A, &[0x1001], "Espressif USB serial", &["esp32c3"]),
    board(0x303A, &[], "Espressif", &[]),
    board(0xC251, &[], "CMSIS-DAP", &[]),
    adapter(
        0x10C4,
        &[0xEA60, 0xEA61, 0xEA63, 0xEA70, 0xEA71],
        "CP210x adapter",
    ),
    adapter(
        0x1A86,
        &[
            0x7522, 0x7523, 0x5523, 0x55D2, 0x55D3, 0x55D4, 0x55D5, 0x55D8,
        ],
        "CH340 or CH9102 adapter",
    ),
    adapter(
        0x0403,
        &[0x6001, 0x6010, 0x6011, 0x6014, 0x6015],
        "FTDI adapter",
    ),
    adapter(0x067B, &[0x2303, 0x23A3, 0x23C3, 0x23D3], "PL2303 adapter"),
];

impl Device {
    /// The kind of a device with these numbers, if it is a known one.
    #[must_use]
    pub fn of(vendor: u16, product: u16) -> Option<&'static Device> {
        DEVICES.iter().find(|device| {
            let is_product = device.products.is_empty() || device.products.contains(&product);
            device.vendor == vendor && is_product
        })
    }
}

const fn board(
    vendor: u16,
    products: &'static [u16],
    what: &'static str,
    boards: &'static [&'static str],
) -> Device {
    Device {
        vendor,
        products,
        what,
        boards,
        certainty: Certainty::Board,
    }
}

const fn adapter(vendor: u16, products: &'static [u16], what: &'static str) -> Device {
    Device {
        vendor,
        products,
        what,
        boards: BEHIND_ADAPTERS,
        certainty: Certainty::Adapter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_board_behind_a_device_is_one_and_the_special_come_first() {
        for (index, device) in DEVICES.iter().enumerate() {
            for name in device.boards {
                assert_eq!(crate::device::find(name).unwrap().name, *name);
            }
            let whole = DEVICES[..index]
                .iter()
                .find(|earlier| earlier.vendor == device.vendor && earlier.products.is_empty());
            assert!(whole.is_none(), "{} never counts", device.what);
        }
    }
}
