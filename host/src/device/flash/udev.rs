//! The udev rule that lets people at a Linux desk use their boards without being root.

use std::io;
use std::path::{Path, PathBuf};

use crate::paths::write_atomic;

/// Where the system looks for rules of its administrator.
pub const RULES_DIR: &str = "/etc/udev/rules.d";

/// The name of the rule's file: it must come before 73-seat-late.rules, which acts on the tag.
pub const FILE: &str = "70-inkling.rules";

/// USB vendors of the boards and of the probes that are built into them.
const VENDORS: [(&str, &str); 7] = [
    ("1209", "Inkling firmware with USB"),
    ("2e8a", "Raspberry Pi: boot ROM and debug probe"),
    ("0d28", "DAPLink: micro:bit"),
    ("1366", "SEGGER J-Link: nRF52840-DK"),
    ("0483", "ST-Link and the boot loader of STM32"),
    ("303a", "Espressif"),
    ("c251", "CMSIS-DAP"),
];

/// The rule.
#[must_use]
pub fn rules() -> String {
    let mut text = String::from(
        "# Boards that Inkling runs on: whoever sits at the machine may use their serial ports and probes.\n\
         ACTION==\"remove\", GOTO=\"inkling_end\"\n\
         SUBSYSTEM!=\"tty|usb|hidraw\", GOTO=\"inkling_end\"\n",
    );
    for (vendor, what) in VENDORS {
        text += &format!("# {what}\nATTRS{{idVendor}}==\"{vendor}\", TAG+=\"uaccess\"\n");
    }
    text + "LABEL=\"inkling_end\"\n"
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
