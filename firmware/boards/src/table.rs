//! Reads the table of boards and checks that it makes sense.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Deserializer};

use super::board::{Alias, Board, Device, Flasher, Link, Machine, Region, Speed, Unit, is_same};

/// What processors want of the ends of a stack.
const STACK_ALIGNMENT: u64 = 8;

/// What a table says.
#[derive(Debug)]
pub struct Table {
    /// The boards, first those that people own.
    pub boards: &'static [Board],
    /// USB devices that they are known by.
    pub devices: &'static [Device],
}

/// Why a table is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// It is not written as a table is, or a field is missing or unknown.
    #[error("{0}")]
    Form(String),
    /// What an entry says of a board cannot be.
    #[error("the board '{board}' {what}")]
    Board {
        /// Its name.
        board: String,
        /// What is wrong.
        what: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(borrow)]
    usb: BTreeMap<&'static str, WrittenDevice>,
    board: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenDevice {
    what: &'static str,
    vendor: u16,
    #[serde(default, deserialize_with = "kept")]
    products: &'static [u16],
    #[serde(default)]
    adapter: bool,
}

/// A board as it is written down.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: &'static str,
    #[serde(default, deserialize_with = "kept")]
    aliases: &'static [Alias],
    description: &'static str,
    core: &'static str,
    target: &'static str,
    ticks_per_second: u32,
    /// The USB devices behind whose serial port it may be.
    #[serde(default)]
    serial: Vec<&'static str>,
    flash: Memory,
    #[serde(default)]
    boot_bytes: u64,
    model: Option<Memory>,
    #[serde(default)]
    takes_models: bool,
    ram: Memory,
    #[serde(default)]
    stack_bytes: u64,
    #[serde(default)]
    mapped_by_hal: bool,
    script: Option<&'static str>,
    model_words: Option<usize>,
    #[serde(default)]
    copied_kib: usize,
    speed: Option<Speed>,
    emulator: Option<WrittenMachine>,
    flasher: Option<Flasher>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(deny_unknown_fields)]
struct Memory {
    address: u32,
    kib: u32,
}

impl From<Memory> for Region {
    fn from(memory: Memory) -> Self {
        Region {
            address: memory.address.into(),
            bytes: 1024 * u64::from(memory.kib),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenMachine {
    program: &'static str,
    machine: &'static str,
    #[serde(default)]
    unit: Option<Unit>,
}

/// A list that stays for the life of the program, as the table does.
pub(crate) fn kept<'de, D, T>(deserializer: D) -> Result<&'static [T], D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Vec::deserialize(deserializer).map(|list| &*list.leak())
}

/// Reads a table.
///
/// # Errors
/// When a field is missing, unknown or of another kind, or what the fields say cannot be: the error names
/// the line or the board.
pub fn parse(text: &'static str) -> Result<Table, TableError> {
    let written: Written =
        toml::from_str(text).map_err(|error| TableError::Form(error.to_string()))?;
    let Written { usb, board } = written;
    for entry in &board {
        let error = |what: String| TableError::Board {
            board: entry.name.to_owned(),
            what,
        };
        entry.check(&board).map_err(error)?;
        if let Some(device) = entry.serial.iter().find(|name| !usb.contains_key(*name)) {
            let what = format!("is said to be behind '{device}', and there is no [usb.{device}]");
            return Err(error(what));
        }
    }
    let devices = usb.into_iter().map(|(name, device)| {
        let entries = board.iter().filter(|entry| entry.serial.contains(&name));
        Device {
            what: device.what,
            vendor: device.vendor,
            products: device.products,
            is_adapter: device.adapter,
            boards: entries.map(|entry| entry.name).collect::<Vec<_>>().leak(),
        }
    });
    let mut devices: Vec<_> = devices.collect();
    // What is said of a product comes before what is said of all of the vendor's.
    devices.sort_by_key(|device| device.products.is_empty());
    Ok(Table {
        devices: devices.leak(),
        boards: board.iter().map(Board::from).collect::<Vec<_>>().leak(),
    })
}

impl Entry {
    /// What cannot be, as the end of a sentence that begins with the board.
    fn check(&self, all: &[Entry]) -> Result<(), String> {
        let require = |holds: bool, what: &dyn fmt::Display| match holds {
            true => Ok(()),
            false => Err(what.to_string()),
        };
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        require(
            !self.name.is_empty() && self.name.chars().all(is_plain),
            &"needs a name of small letters, digits and dashes, as that of a feature is",
        )?;
        let names = |entry: &Entry| -> Vec<&str> {
            let aliases = entry.aliases.iter().map(|alias| alias.name);
            aliases.chain([entry.name]).collect()
        };
        for own in names(self) {
            let others = all.iter().flat_map(names);
            let is_alone = others.filter(|name| is_same(name, own)).count() == 1;
            require(is_alone, &format!("shares the name '{own}'"))?;
        }
        let (flash, ram) = (Region::from(self.flash), Region::from(self.ram));
        for (what, region) in [("flash", flash), ("RAM", ram)] {
            require(region.bytes > 0, &format!("has no {what}"))?;
            require(
                region.end() <= 1 << 32,
                &format!("has {what} behind the last address of 32 bits"),
            )?;
        }
        let overlap = flash.address < ram.end() && ram.address < flash.end();
        require(!overlap, &"has flash and RAM at the same addresses")?;
        require(
            self.boot_bytes < flash.bytes,
            &"has no flash behind its boot program",
        )?;
        if let Some(model) = self.model.map(Region::from) {
            require(
                model.address > flash.address && model.bytes > 0 && model.end() == flash.end(),
                &"has a place for a model that is not the end of its flash",
            )?;
        }
        require(
            !self.takes_models || self.model.is_some(),
            &"takes models and has no place for one",
        )?;
        require(
            !self.mapped_by_hal || self.model.is_some(),
            &"is mapped by its abstraction layer, and has nothing to add",
        )?;
        require(
            self.mapped_by_hal == (self.stack_bytes == 0),
            &"needs 'stack_bytes', unless its abstraction layer maps the memory",
        )?;
        require(
            self.stack_bytes.is_multiple_of(STACK_ALIGNMENT) && self.stack_bytes < ram.bytes,
            &"has a stack that leaves no RAM, or is no multiple of 8 bytes",
        )?;
        require(self.ticks_per_second > 0, &"has a clock that stands")?;
        require(
            self.flasher.is_some() || self.emulator.is_some(),
            &"can be neither flashed nor emulated",
        )?;
        require(
            self.flasher.is_some() == self.speed.is_some(),
            &"needs 'speed' if it has a 'flasher', and only then",
        )
    }
}

impl From<&Entry> for Board {
    fn from(entry: &Entry) -> Self {
        let (flash, ram) = (Region::from(entry.flash), Region::from(entry.ram));
        Board {
            name: entry.name,
            aliases: entry.aliases,
            description: entry.description,
            core: entry.core,
            target: entry.target,
            flash_bytes: flash.bytes,
            ram_bytes: ram.bytes,
            model_region: entry.model.map(Region::from),
            takes_models: entry.takes_models,
            emulator: entry.emulator.as_ref().map(|machine| Machine {
                program: machine.program,
                machine: machine.machine,
                ticks_per_second: entry.ticks_per_second.into(),
                unit: machine.unit,
            }),
            flasher: entry.flasher,
            link: Link {
                flash,
                ram,
                stack_bytes: entry.stack_bytes,
                boot_bytes: entry.boot_bytes,
                mapped_by_hal: entry.mapped_by_hal,
                script: entry.script,
            },
            ticks_per_second: entry.ticks_per_second,
            model_words: entry.model_words,
            copied_bytes: 1024 * entry.copied_kib,
            speed: entry.speed,
        }
    }
}
