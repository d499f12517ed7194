//! `inkling flash` as typed, against folders that look like the drives of boards.
//!
//! Nothing is built here, but for one test.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::PathBuf;

use assert_cmd::Command;
use host::device::find;
use host::device::flash::{Load, uf2};
use inkling_store::record::RECORD_BYTES;
use inkling_store::{Layout, Record, Slot};
use predicates::prelude::*;
use tempfile::TempDir;

mod drives;
mod files;
mod hostile;
#[cfg(unix)]
mod tools;
#[cfg(unix)]
mod trials;

#[path = "../common/mod.rs"]
mod common;
use common::{elf, image, stored};

const PICO: u32 = 0x1000_0000;
const PICO_REGION: u32 = 0x1010_0000;
const RP2040: u32 = 0xE48B_FF56;

/// A desk with a board on it.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Desk {
        Desk {
            folder: TempDir::new().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, content: &[u8]) -> String {
        fs::write(self.path(name), content).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }

    /// The drive of a board whose label file says so.
    fn drive(&self, name: &str, label: &str, text: &str) -> String {
        let drive = self.path(name);
        fs::create_dir(&drive).unwrap();
        fs::write(drive.join(label), text).unwrap();
        drive.to_str().unwrap().to_owned()
    }

    fn pico(&self) -> String {
        let text = "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n";
        self.drive("pico", "INFO_UF2.TXT", text)
    }

    fn microbit(&self) -> String {
        let text =
            "# DAPLink Firmware\r\nUnique ID: 9904000050264e45\r\nInterface Version: 0249\r\n";
        self.drive("microbit", "DETAILS.TXT", text)
    }

    fn copied(&self) -> Vec<u8> {
        fs::read(self.path("pico/INKLING.UF2")).unwrap()
    }
}

/// What a UF2 file for a Pico alone holds.
fn decoded(file: &[u8]) -> Load {
    let mut families = uf2::decode(file).unwrap();
    let load = families.remove(&Some(RP2040)).unwrap();
    assert!(families.is_empty());
    load
}

fn flash(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inkling"));
    command.arg("flash").args(arguments);
    command
}

#[track_caller]
fn complains(arguments: &[&str], sentence: &str) {
    flash(arguments)
        .assert()
        .code(1)
        .stdout("")
        .stderr(predicate::str::contains(sentence))
        .stderr(predicate::str::is_match("^error: [^\n]+\n$").unwrap());
}

/// The parts that a load was made of, padded to whole sectors with zeros.
fn sectors(parts: &[(u32, &[u8])]) -> Load {
    let mut load = Load::default();
    for (address, part) in parts {
        let mut part = part.to_vec();
        part.resize(part.len().next_multiple_of(4096), 0);
        load.insert(*address, &part).unwrap();
    }
    load
}

/// What goes to the flash for models of a board that takes them over the line: the model, and what says there
/// that it is the newest, and the only one.
fn with_records(board: &str, image: &[u8]) -> Vec<(u32, Vec<u8>)> {
    let region = find(board).unwrap().model_region.unwrap();
    let start = region.address as u32;
    let layout = Layout::new(region.bytes as usize);
    let (newest, record) = Record::from_outside(image, layout).unwrap();
    let mut parts = vec![(start, image.to_vec())];
    for at in [Slot::First, Slot::Second].map(|slot| layout.record(slot)) {
        let mut page = vec![0xFF; 256];
        if at == newest {
            page[..RECORD_BYTES].copy_from_slice(&record.to_bytes());
        }
        parts.push((start + at as u32, page));
    }
    parts
}

/// A pseudo-terminal: this end of it, and the name of the other.
#[cfg(unix)]
fn pty() -> (fs::File, String) {
    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    let own = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    rustix::io::fcntl_setfd(&own, rustix::io::FdFlags::CLOEXEC).unwrap();
    grantpt(&own).unwrap();
    unlockpt(&own).unwrap();
    let name = ptsname(&own, Vec::new()).unwrap().into_string().unwrap();
    (own.into(), name)
}
