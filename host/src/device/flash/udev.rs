//! The udev rule that lets people at a Linux desk use their boards without being root.

use std::io;
use std::path::{Path, PathBuf};

use crate::device::usb::{DEVICES, known};
use crate::paths::write_atomic;

/// Where the system looks for rules of its administrator.
pub const RULES_DIR: &str = "/etc/udev/rules.d";

/// The name of the rule's file: it must come before 73-seat-late.rules, which acts on the tag.
pub const FILE: &str = "70-inkling.rules";

/// The rule: for the devices in [`DEVICES`], and for no others.
///
/// ModemManager, which types at whatever looks like a modem, is told to leave them alone.
#[must_use]
pub fn rules() -> String {
    let mut text = String::from(
        "# Boards that Inkling runs on: whoever sits at the machine may use their serial ports and probes.\n\
         # Over SSH no such rule helps: there, people join the group of the port, such as dialout.\n\
         ACTION==\"remove\", GOTO=\"inkling_end\"\n\
         SUBSYSTEM!=\"tty|usb|hidraw\", GOTO=\"inkling_end\"\n",
    );
    for device in DEVICES.iter() {
        text += &format!("# {}\n", device.what);
        let vendor = format!("ATTRS{{idVendor}}==\"{:04x}\"", device.vendor);
        let products = device.products.iter();
        let mut which: Vec<_> = products
            .map(|product| format!("{vendor}, ATTRS{{idProduct}}==\"{product:04x}\""))
            .collect();
        if which.is_empty() {
            which.push(vendor);
        }
        for which in which {
            text += &format!("{which}, TAG+=\"uaccess\", ENV{{ID_MM_DEVICE_IGNORE}}=\"1\"\n");
        }
    }
    text + "LABEL=\"inkling_end\"\n"
}

/// Whether the rule is about the device with these numbers.
#[must_use]
pub fn covers(vendor: u16, product: u16) -> bool {
    known(vendor, product).is_some()
}

/// Writes the rule to a folder; answers with its file.
///
/// # Errors
/// When the user may not.
pub fn install(dir: &Path) -> io::Result<PathBuf> {
    let path = dir.join(FILE);
    write_atomic(&path, rules().as_bytes())?;
    Ok(path)
}
