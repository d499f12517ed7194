//! Power cuts on an emulated Pico while it takes a model: what its flash may hold then, and what it writes with
//! after the next start.
//!
//! An upload is recorded once, operation by operation. The flash before, in and after each of them is made from
//! that, and a new board is started with it. It knows nothing of how the firmware keeps models.

use std::fs;
use std::ops::ControlFlow;

use firmware::until::Until;
use inkling_engine::format::Planes;
use inkling_engine::{AlignedImage, Generator, Settings, State};
use tempfile::TempDir;

use super::board::Region;
use super::build::Firmware;
use super::emulate::{Emulator, Options, has_usb, machine_of};
use super::error::DeviceError;
use super::passage::Request;
use super::send::{SendingError, send};
use crate::quantize::{InputForm, quantize};
use crate::synthetic::float_model;

/// Characters that a board writes after a start, which no two models write alike.
const LENGTH: u32 = 40;

/// The size of the models: small, for each start takes as long as reading them does.
const HIDDEN: usize = 16;

const SYMBOLS: usize = 65;

const BLANK: u8 = 0xFF;

/// Why power cuts cannot be tried.
#[derive(Debug, thiserror::Error)]
pub enum CutsError {
    /// The emulator fails.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The upload does.
    #[error(transparent)]
    Sending(#[from] SendingError),
    /// Its record cannot be read.
    #[error("the record of what was done to the flash cannot be read: {0}")]
    Record(String),
    /// The board has no flash for models.
    #[error("the board has no flash that is set aside for models")]
    NoRegion,
}

/// What was done to the flash, with offsets from the start of the region for models.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Operation {
    /// These bytes were erased.
    Erase(usize, usize),
    /// These bits were cleared.
    Program(usize, Vec<u8>),
}

/// When power fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moment {
    /// Before an operation.
    Before,
    /// In the middle of it: some of the bits have changed.
    In,
    /// After it.
    After,
}

impl Moment {
    /// All of them.
    pub const ALL: [Moment; 3] = [Moment::Before, Moment::In, Moment::After];
}

/// What an operation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// What says that the slot holds a model goes first.
    RecordErased,
    /// The slot is made blank.
    RoomMade,
    /// The model is written.
    ModelWritten,
    /// What says that it is complete comes last.
    RecordWritten,
}

/// A power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    operation: usize,
    /// What the operation is for.
    pub purpose: Purpose,
    /// When power fails.
    pub moment: Moment,
}

/// What a board writes with after a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// The model that it had.
    Old,
    /// The one that was being sent.
    New,
    /// The one that is linked with the program: both others are lost.
    Lost,
}

/// An upload that was recorded.
#[derive(Debug)]
pub struct Cuts {
    firmware: Firmware,
    /// What is written with the linked, the old and the new model.
    texts: [String; 3],
    /// The region before the upload.
    before: Vec<u8>,
    operations: Vec<Operation>,
}

impl Cuts {
    /// Sends a first model and then a second one to the emulated board, and records the second upload.
    ///
    /// # Errors
    /// When the emulator or an upload fails.
    pub fn record(mut firmware: Firmware) -> Result<Cuts, CutsError> {
        let region = firmware.board.model_region.ok_or(CutsError::NoRegion)?;
        let images = [1, 2, 3].map(made_up);
        firmware.replace_model(images[0].bytes())?;
        let folder = TempDir::new().map_err(DeviceError::from)?;
        let file = folder.path().join("operations");
        let options = Options {
            // Where there is one it is quicker.
            usb: has_usb(machine_of(firmware.board)?),
            operations: Some(&file),
            ..Options::default()
        };
        let mut emulator = Emulator::start(&firmware, options)?;
        let mut before = vec![BLANK; usize::try_from(region.bytes).unwrap_or_default()];
        let mut operations = Vec::new();
        for image in &images[1..] {
            for operation in operations.drain(..) {
                finish(&operation, &mut before);
            }
            fs::write(&file, "").map_err(DeviceError::from)?;
            send(&mut emulator, image.bytes(), |_| ControlFlow::Continue(()))?;
            let record = fs::read_to_string(&file).map_err(DeviceError::from)?;
            for line in record.lines() {
                let start = region.address - firmware.board.link.flash.address;
                let operation = read(line, start, region);
                operations.push(operation.ok_or_else(|| CutsError::Record(line.into()))?);
            }
        }
        Ok(Cuts {
            texts: images.map(|image| on_the_pc(&image)),
            firmware,
            before,
            operations,
        })
    }

    /// All cuts of the upload.
    #[must_use]
    pub fn all(&self) -> Vec<Cut> {
        let last = self.operations.len().saturating_sub(1);
        let cuts = self
            .operations
            .iter()
            .enumerate()
            .flat_map(|(index, operation)| {
                let purpose = match operation {
                    Operation::Erase(..) if index == 0 => Purpose::RecordErased,
                    Operation::Erase(..) => Purpose::RoomMade,
                    Operation::Program(..) if index == last => Purpose::RecordWritten,
                    Operation::Program(..) => Purpose::ModelWritten,
                };
                Moment::ALL.map(|moment| Cut {
                    operation: index,
                    purpose,
                    moment,
                })
            });
        cuts.collect()
    }

    /// What the region holds after a cut. If it `spoils`, all of the upload went to the other slot: that of the
    /// model in use.
    fn region_after(&self, cut: Cut, spoils: bool) -> Vec<u8> {
        let moved = |operation: &Operation| {
            let half = self.before.len() / 2;
            let other = |at: usize| if at < half { at + half } else { at - half };
            match operation {
                Operation::Erase(at, bytes) if spoils => Operation::Erase(other(*at), *bytes),
                Operation::Program(at, bytes) if spoils => {
                    Operation::Program(other(*at), bytes.clone())
                }
                operation => operation.clone(),
            }
        };
        let mut region = self.before.clone();
        for operation in self.operations.iter().take(cut.operation) {
            finish(&moved(operation), &mut region);
        }
        let operation = self.operations.get(cut.operation).map(moved);
        match (operation, cut.moment) {
            (Some(operation), Moment::In) => break_off(&operation, &mut region),
            (Some(operation), Moment::After) => finish(&operation, &mut region),
            (_, Moment::Before) | (None, _) => {}
        }
        region
    }

    /// Starts a board whose flash is as a cut leaves it, and lets it write.
    ///
    /// # Errors
    /// When the emulator fails, or the board writes something else than any of the models do.
    pub fn start_after(&self, cut: Cut) -> Result<Found, CutsError> {
        self.start_with(self.region_after(cut, false))
    }

    /// The same, if the model had gone to the slot of the one in use: the counter-check.
    ///
    /// # Errors
    /// As for [`Cuts::start_after`].
    pub fn start_after_spoiling(&self, cut: Cut) -> Result<Found, CutsError> {
        self.start_with(self.region_after(cut, true))
    }

    fn start_with(&self, region: Vec<u8>) -> Result<Found, CutsError> {
        let firmware = Firmware {
            flashed_model: Some(region),
            ..self.firmware.clone()
        };
        let mut emulator = Emulator::start(&firmware, Options::default())?;
        let text = emulator.passage(&request())?;
        let all = self.texts.iter().zip([Found::Lost, Found::Old, Found::New]);
        let mut found = all
            .filter(|(known, _)| **known == text)
            .map(|(_, found)| found);
        found
            .next()
            .ok_or_else(|| CutsError::Record(format!("a board wrote {text:?}")))
    }
}

fn made_up(seed: u64) -> AlignedImage {
    let model = float_model(SYMBOLS, HIDDEN, 1, seed);
    let parts = quantize(&model, Planes::uniform(3), InputForm::Folded);
    let image = parts.ok().and_then(|parts| parts.to_image().ok());
    image.expect("a model of this shape can be written")
}

fn request() -> Request {
    Request {
        seed: 7,
        prompt: String::new(),
        length: LENGTH,
        settings: Settings::default(),
        until: Until::OFF,
        count: 1,
    }
}

fn on_the_pc(image: &AlignedImage) -> String {
    let request = request();
    let model = image.model().expect("it was just made");
    let generator = Generator::new(model, State::any(), request.settings, request.seed);
    let mut generator = generator.expect("there is room for any model");
    (0..request.length).map(|_| generator.next_char()).collect()
}

/// Reads a line of the emulator's record.
fn read(line: &str, start: u64, region: Region) -> Option<Operation> {
    let mut words = line.split(' ').skip(1);
    let (what, offset, rest) = (words.next()?, words.next()?, words.next()?);
    let at: u64 = offset.parse().ok()?;
    let at = usize::try_from(at.checked_sub(start)?).ok()?;
    let operation = match what {
        "erase" => Operation::Erase(at, rest.parse().ok()?),
        "program" => {
            let digits = rest.as_bytes().chunks_exact(2);
            let byte = |pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
            Operation::Program(at, digits.map(byte).collect::<Option<_>>()?)
        }
        _ => return None,
    };
    let bytes = match &operation {
        Operation::Erase(_, bytes) => *bytes,
        Operation::Program(_, bytes) => bytes.len(),
    };
    ((at + bytes) as u64 <= region.bytes).then_some(operation)
}

fn finish(operation: &Operation, region: &mut [u8]) {
    match operation {
        Operation::Erase(at, bytes) => region[*at..at + bytes].fill(BLANK),
        Operation::Program(at, bytes) => {
            for (place, byte) in region[*at..].iter_mut().zip(bytes) {
                *place &= byte;
            }
        }
    }
}

/// Changes about half of the bits that the operation would change.
fn break_off(operation: &Operation, region: &mut [u8]) {
    let mut done = region.to_vec();
    finish(operation, &mut done);
    let mut noise = 0x9E37_79B9_u32;
    for (place, done) in region.iter_mut().zip(done) {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        let changed = noise as u8;
        *place = *place & !changed | done & changed;
    }
}
