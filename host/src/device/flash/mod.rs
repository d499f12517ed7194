//! Brings a firmware, a model, or both onto a board, by the way that the board takes them.
//!
//! [`prepare`] puts together what is to stand in flash and checks all that can be checked, in memory
//! and complete, before [`Package::write`] touches a board. A model of its own goes to the board's
//! model region; flashing a whole firmware clears that, so that the model it is built around runs.

mod copy;
pub mod drive;
pub mod error;
pub mod load;
pub mod probe_log;
pub mod tool;
pub mod udev;
pub mod uf2;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use error::FlashError;
use inkling_engine::format::{OLDEST_VERSION, VERSION};
use inkling_store::record::RECORD_BYTES;
use inkling_store::{Layout, Record, Slot};
pub use load::{Load, LoadError};

use super::board::{BOARDS, Board, Flasher, Region};
use super::build::{Firmware, Program};
use super::files::{self, LOADABLE_BYTES};
use crate::image;
use inkling_engine::AlignedImage;

/// What the images that the boot loader of Espressif's chips takes begin with.
const BOOT_IMAGE: u8 = 0xE9;

/// What the start of a region without a model holds: erased flash.
const NO_MODEL: [u8; uf2::PAGE_BYTES] = [0xFF; uf2::PAGE_BYTES];

/// What is to be flashed.
#[derive(Debug, Clone)]
pub struct Order {
    /// The board.
    pub board: &'static Board,
    /// A linked firmware; without it one is built.
    pub firmware: Option<PathBuf>,
    /// The model image; without it a given firmware keeps its own.
    pub model: Option<PathBuf>,
    /// Only the model, not the program.
    pub weights_only: bool,
    /// By a debug probe, which erases no more than it writes.
    pub by_probe: bool,
    /// A small model to build around if the wanted one has to go to the region.
    pub stand_in: PathBuf,
}

/// What stands in a board's flash afterwards.
#[derive(Debug, Clone)]
pub struct Package {
    /// The board.
    pub board: &'static Board,
    /// Everything by address.
    pub load: Load,
    /// The linked firmware, for tools that want it so.
    elf: Option<Vec<u8>>,
    /// The program is none of Inkling's, as far as can be told.
    pub is_foreign: bool,
}

/// How a board was reached, for the user to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// Copied to its drive, and whether the board said that it took it.
    Copied {
        /// Where the drive is mounted.
        drive: PathBuf,
        /// Whether the board has confirmed it.
        confirmed: bool,
    },
    /// By a tool, which has said so itself.
    ByTool,
}

/// Where to look for the board.
#[derive(Debug, Clone)]
pub struct Target<'a> {
    /// The folder where its drive is mounted, if the user named one.
    pub drive: Option<&'a Path>,
    /// It has been asked to show its drive, which is waited for even if it is named.
    pub is_coming: bool,
    /// The debug probe to flash it by, if the user named one.
    pub probe: Option<&'a str>,
    /// Its serial port, if the user named one.
    pub port: Option<&'a str>,
    /// How long to wait for its drive.
    pub patience: Duration,
}

/// The board that a firmware file is for, if the file tells.
///
/// # Errors
/// When the file cannot be read or makes no sense.
pub fn board_of(path: &Path) -> Result<&'static Board, FlashError> {
    let which = || FlashError::WhichBoard { path: path.into() };
    match kind(path) {
        Kind::Elf => Ok(Firmware::open(path)?.board),
        Kind::Hex => marked(&read_hex(path)?).ok_or_else(which),
        Kind::Bin => {
            let found = chip_of(path, &read_file(path)?)?;
            let of_chip = |board: &&Board| matches!(board.flasher, Some(Flasher::Espflash { id, .. }) if id == found);
            BOARDS.iter().find(of_chip).ok_or_else(which)
        }
        Kind::Uf2 => {
            let families = read_uf2(path)?;
            let mut boards = BOARDS.iter().filter(|board| {
                matches!(board.flasher, Some(Flasher::Uf2 { family, .. }) if families.contains_key(&Some(family)))
            });
            match (boards.next(), boards.next()) {
                (Some(board), None) => Ok(board),
                _ => Err(which()),
            }
        }
    }
}

/// Puts together what is to stand in flash.
///
/// # Errors
/// When board, firmware and model do not go together, or building fails.
pub fn prepare(order: &Order) -> Result<Package, FlashError> {
    let board = order.board;
    let Some(flasher) = board.flasher else {
        return Err(FlashError::EmulatedOnly { board: board.name });
    };
    let image = order.model.as_deref().map(image::open).transpose()?;
    let image = image.as_ref().map(AlignedImage::bytes);
    if order.weights_only {
        let image = image.unwrap_or_default();
        let region = region_for(board, image)?;
        let program = match &order.firmware {
            Some(path) => Some(read(board, path, None)?),
            None => None,
        };
        check_versions(program.as_ref(), image)?;
        let package = match (flasher, program) {
            (Flasher::Daplink { .. }, None) if !order.by_probe => {
                return Err(FlashError::ErasesAll { board: board.name });
            }
            (Flasher::Daplink { .. }, Some(program)) if !order.by_probe => program,
            _ => Package {
                board,
                load: Load::default(),
                elf: None,
                is_foreign: false,
            },
        };
        return package.with_model(region, image)?.checked();
    }
    let package = match (&order.firmware, image, board.model_region) {
        (Some(path), Some(image), None) => read(board, path, Some(image))?,
        (Some(path), Some(image), Some(_)) => {
            let program = read(board, path, None)?;
            check_versions(Some(&program), image)?;
            program.with_model(region_for(board, image)?, image)?
        }
        (Some(path), None, _) => read(board, path, None)?.without_model()?,
        (None, _, _) => build(order, image)?,
    };
    package.checked()
}

/// Builds the program around the model, or, if it is too large for that, beside it.
fn build(order: &Order, image: Option<&[u8]>) -> Result<Package, FlashError> {
    let board = order.board;
    let image_bytes = image.map_or(0, <[u8]>::len) as u64;
    let fits = image_bytes + board.program_bytes() <= board.program_area_bytes();
    let beside = board.model_region.filter(|_| !fits);
    let model = order.model.as_deref().unwrap_or(&order.stand_in);
    let around = match beside {
        Some(_) => &order.stand_in,
        None => model,
    };
    if beside.is_some() {
        region_for(board, image.unwrap_or_default())?;
    }
    let package = Package::of_elf(Firmware::build(board, around, Program::Console)?)?;
    match (beside, image) {
        (Some(region), Some(image)) => package.with_model(region, image),
        _ => package.without_model(),
    }
}

/// Reads a firmware file and checks that it is for the board; puts a model in the place of its own.
fn read(board: &'static Board, path: &Path, image: Option<&[u8]>) -> Result<Package, FlashError> {
    let other = |found: String| FlashError::OtherFirmware {
        path: path.into(),
        found,
        wanted: board.name,
    };
    let load = match (kind(path), board.flasher) {
        (
            Kind::Uf2,
            Some(Flasher::Uf2 {
                family,
                takes_absolute,
                ..
            }),
        ) => {
            let mut families = read_uf2(path)?;
            let absolute = takes_absolute.then_some(Some(uf2::ABSOLUTE));
            // What is for this chip alone before what is for others too.
            let keys = [Some(Some(family)), absolute, Some(None)];
            let load = keys
                .into_iter()
                .flatten()
                .find_map(|key| families.remove(&key));
            load.ok_or_else(|| other(chips(&families)))?
        }
        (Kind::Uf2, _) => return Err(other("boards that take UF2 files".into())),
        (Kind::Bin, Some(Flasher::Espflash { id, .. })) => {
            let file = read_file(path)?;
            let found = chip_of(path, &file)?;
            if found != id {
                return Err(other(format!("Espressif's chip number {found}")));
            }
            let mut load = Load::default();
            load.insert(flash_address(board), &file)
                .map_err(|reason| unusable(path, reason))?;
            load
        }
        (Kind::Bin, _) => return Err(other("boards that take .bin files".into())),
        (
            Kind::Hex,
            Some(Flasher::Uf2 { .. } | Flasher::Daplink { .. } | Flasher::Probe { .. }),
        ) => read_hex(path)?,
        (Kind::Elf | Kind::Hex, _) => {
            let mut firmware = Firmware::open(path)?;
            if firmware.board.name != board.name {
                return Err(other(firmware.board.name.to_owned()));
            }
            if let Some(image) = image {
                firmware.replace_model(image)?;
            }
            return Package::of_elf(firmware);
        }
    };
    if let Some(found) = marked(&load)
        && found.name != board.name
    {
        return Err(other(found.name.to_owned()));
    }
    if image.is_some() {
        return Err(FlashError::NoRegion { board: board.name });
    }
    Ok(Package {
        board,
        is_foreign: load.marked_board().is_none() && load.image().is_none(),
        load,
        elf: None,
    })
}

/// The board that an Inkling firmware says it is for.
fn marked(load: &Load) -> Option<&'static Board> {
    let name = load.marked_board()?;
    BOARDS.iter().find(|board| board.name == name)
}

fn read_hex(path: &Path) -> Result<Load, FlashError> {
    let text = read_file(path)?;
    Load::from_hex(&String::from_utf8_lossy(&text)).map_err(|reason| unusable(path, reason))
}

fn read_file(path: &Path) -> Result<Vec<u8>, FlashError> {
    files::read(path, LOADABLE_BYTES).map_err(|reason| FlashError::Read {
        path: path.into(),
        reason,
    })
}

fn read_uf2(path: &Path) -> Result<uf2::ByFamily, FlashError> {
    uf2::decode(&read_file(path)?).map_err(|reason| unusable(path, reason))
}

/// What a file is for, of whose families none is wanted.
fn chips(families: &uf2::ByFamily) -> String {
    let name = |family: u32| {
        let of_family = |board: &&Board| matches!(board.flasher, Some(Flasher::Uf2 { family: own, .. }) if own == family);
        let board = BOARDS.iter().find(of_family);
        board.map_or_else(|| uf2::family_name(family), |board| board.name.to_owned())
    };
    let names: Vec<_> = families.keys().flatten().copied().map(name).collect();
    names.join(" and ")
}

/// The number of the chip of Espressif that a file for the beginning of its flash is for.
fn chip_of(path: &Path, file: &[u8]) -> Result<u16, FlashError> {
    let id = file
        .get(12..14)
        .filter(|_| file.first() == Some(&BOOT_IMAGE));
    match id {
        Some(&[low, high]) => Ok(u16::from_le_bytes([low, high])),
        _ => Err(unusable(path, LoadError::Bin)),
    }
}

/// Where a board's flash begins: within the 32 bits that these machines address.
fn flash_address(board: &Board) -> u32 {
    board.link.flash.address as u32
}

fn unusable(path: &Path, reason: LoadError) -> FlashError {
    FlashError::Firmware {
        path: path.into(),
        reason,
    }
}

/// What a firmware file is, by its name.
enum Kind {
    Bin,
    Elf,
    Hex,
    Uf2,
}

fn kind(path: &Path) -> Kind {
    let extension = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "uf2" => Kind::Uf2,
        "hex" => Kind::Hex,
        "bin" => Kind::Bin,
        _ => Kind::Elf,
    }
}

/// The region of a board, if it holds the model.
fn region_for(board: &'static Board, image: &[u8]) -> Result<Region, FlashError> {
    let region = board
        .model_region
        .ok_or(FlashError::NoRegion { board: board.name })?;
    if image.len() as u64 > region.bytes {
        return Err(FlashError::RegionTooSmall {
            image: image.len(),
            room: region.bytes,
            board: board.name,
        });
    }
    Ok(region)
}

/// The model that a firmware is linked with tells which formats it reads.
fn check_versions(program: Option<&Package>, image: &[u8]) -> Result<(), FlashError> {
    let version = |image: &[u8]| Some(u16::from_le_bytes(*image.get(4..)?.first_chunk()?));
    let linked = program.and_then(|package| version(package.load.image()?));
    match linked {
        Some(firmware) if !(OLDEST_VERSION..=VERSION).contains(&firmware) => {
            Err(FlashError::Versions {
                firmware,
                image: version(image).unwrap_or(OLDEST_VERSION),
            })
        }
        _ => Ok(()),
    }
}

/// The slots whose records there may be: that of the whole region lies where the second one's does.
const RECORDS: [Slot; 2] = [Slot::First, Slot::Second];

fn layout(region: Region) -> Layout {
    // Regions lie in the 32 bits that these machines address.
    Layout::new(region.bytes as usize)
}

impl Package {
    fn of_elf(firmware: Firmware) -> Result<Package, FlashError> {
        Ok(Package {
            board: firmware.board,
            load: Load::from_elf(&firmware.elf)?,
            elf: Some(firmware.elf),
            is_foreign: false,
        })
    }

    /// What a linked firmware becomes in flash, for files that are handed on.
    ///
    /// # Errors
    /// When it does not fit its board.
    pub fn whole(firmware: Firmware) -> Result<Package, FlashError> {
        Package::of_elf(firmware)?.without_model()?.checked()
    }

    fn with_model(mut self, region: Region, image: &[u8]) -> Result<Package, FlashError> {
        self.fill(region, image)?.ok_or(FlashError::RegionTaken {
            board: self.board.name,
        })?;
        self.record(region, Some(image))?;
        Ok(self)
    }

    /// Clears the region of a model that may stand there, unless the program itself does.
    fn without_model(mut self) -> Result<Package, FlashError> {
        if let Some(region) = self.board.model_region
            && self.fill(region, &NO_MODEL)?.is_some()
        {
            self.record(region, None)?;
        }
        Ok(self)
    }

    /// Says to a program that writes models itself that this one is the newest, and takes from those that it has
    /// written what says that they are there.
    fn record(&mut self, region: Region, image: Option<&[u8]>) -> Result<(), FlashError> {
        if !self.board.takes_models {
            return Ok(());
        }
        let layout = layout(region);
        let newest = image.and_then(|image| Record::from_outside(image, layout));
        for at in RECORDS.map(|slot| layout.record(slot)) {
            let address = region.address as u32 + at as u32;
            let mut page = NO_MODEL;
            if let Some((_, record)) = newest.filter(|(place, _)| *place == at) {
                page[..RECORD_BYTES].copy_from_slice(&record.to_bytes());
            }
            // Of a model that reaches so far there is no other one to be told apart.
            if !self.load.touches(address..address + page.len() as u32) {
                self.load.insert(address, &page)?;
            }
        }
        if image.is_none() {
            // Without a record it would still be better than none.
            let second = region.address as u32 + layout.start(Slot::Second) as u32;
            self.load.insert(second, &NO_MODEL)?;
        }
        Ok(())
    }

    /// Writes to the start of a region; `None` if the program reaches into it.
    fn fill(&mut self, region: Region, bytes: &[u8]) -> Result<Option<()>, FlashError> {
        // Regions lie in the 32 bits that these machines address.
        let start = region.address as u32;
        // What begins there is the model, or the lack of one, of a prebuilt firmware.
        self.load.remove(start);
        if self.board.takes_models {
            for slot in RECORDS {
                let layout = layout(region);
                self.load.remove(start + layout.record(slot) as u32);
                self.load.remove(start + layout.start(slot) as u32);
            }
        }
        if self.load.touches(start..start + region.bytes as u32) {
            return Ok(None);
        }
        self.load.insert(start, bytes)?;
        Ok(Some(()))
    }

    fn checked(self) -> Result<Package, FlashError> {
        let board = self.board;
        if board.model_region.is_none() {
            return Ok(self);
        }
        // What such chips load to RAM is stored elsewhere, which is checked by the tool.
        if self.elf.is_some() && matches!(board.flasher, Some(Flasher::Espflash { .. })) {
            return Ok(self);
        }
        let (used, flash) = (self.load.range(), board.link.flash);
        if flash.address <= used.start && used.end <= flash.end() {
            return Ok(self);
        }
        Err(FlashError::OutsideFlash {
            board: board.name,
            start: used.start,
            end: used.end,
            flash_start: flash.address,
            flash_end: flash.end(),
        })
    }

    /// Writes it to the board. `goes_on` says now and then whether to go on waiting for the
    /// board's drive, and for its word that it has taken the program.
    ///
    /// # Errors
    /// When the board does not come, is the wrong one, or does not take it.
    pub fn write(
        &self,
        target: &Target<'_>,
        mut goes_on: impl FnMut() -> bool,
    ) -> Result<Written, FlashError> {
        let board = self.board;
        if target.probe.is_some() {
            return self.write_by_probe(target.probe);
        }
        let mut find_drive = || match target.drive {
            Some(drive) if target.is_coming => {
                drive::wait_for_named(board, drive, target.patience, &mut goes_on)
            }
            Some(drive) => drive::named(board, drive),
            None => drive::wait_for(board, target.patience, &mut goes_on),
        };
        match board.flasher {
            Some(Flasher::Uf2 { family, .. }) => {
                let file = uf2::encode(&self.load, family);
                let drive = find_drive()?;
                let confirmed = copy::uf2(&drive, &file, goes_on)?;
                Ok(Written::Copied { drive, confirmed })
            }
            Some(Flasher::Daplink { .. }) => {
                let file = self.load.to_hex()?;
                let drive = find_drive()?;
                let confirmed = copy::hex(&drive, file.as_bytes(), goes_on)?;
                Ok(Written::Copied { drive, confirmed })
            }
            Some(Flasher::Probe { .. }) => self.write_by_probe(None),
            Some(Flasher::Espflash { chip, .. }) => {
                // Of a linked firmware the tool makes what the boot loader takes.
                let is_linked = self.elf.is_some();
                let region = board.model_region.map(|region| region.address);
                for (address, part) in self.load.parts() {
                    if !is_linked || region.is_some_and(|region| region <= address.into()) {
                        let offset = address.saturating_sub(flash_address(board));
                        tool::espflash_part(chip, offset, part, target.port)?;
                    }
                }
                if let Some(elf) = &self.elf {
                    tool::espflash(chip, elf, target.port)?;
                }
                Ok(Written::ByTool)
            }
            None => Err(FlashError::EmulatedOnly { board: board.name }),
        }
    }

    fn write_by_probe(&self, probe: Option<&str>) -> Result<Written, FlashError> {
        let board = self.board.name;
        match self.board.flasher {
            None => Err(FlashError::EmulatedOnly { board }),
            Some(Flasher::Espflash { .. }) => Err(FlashError::NotByProbe { board }),
            Some(flasher) => {
                tool::probe(flasher.chip(), &self.load.to_hex()?, probe)?;
                Ok(Written::ByTool)
            }
        }
    }
}
