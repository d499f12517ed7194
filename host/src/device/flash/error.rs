//! What can go wrong between a linked firmware and a board, each in one sentence with what to do.

use std::io;
use std::path::{Path, PathBuf};

use super::load::LoadError;
use crate::device::DeviceError;
use crate::device::error::shown;

/// Why a board could not be flashed.
#[derive(Debug, thiserror::Error)]
pub enum FlashError {
    /// The board exists in emulators only.
    #[error("{board} exists in emulators only: `inkling emulate --board {board}` boots it")]
    EmulatedOnly {
        /// The board's name.
        board: &'static str,
    },
    /// The file is for another board.
    #[error("{} is a firmware for {found}, not for {wanted}", shown(path))]
    OtherFirmware {
        /// The file.
        path: PathBuf,
        /// Whose firmware it is.
        found: String,
        /// The board that is to be flashed.
        wanted: &'static str,
    },
    /// Nothing says which board a file is for.
    #[error(
        "{} does not tell which board it is for: name that with --board",
        shown(path)
    )]
    WhichBoard {
        /// The file.
        path: PathBuf,
    },
    /// The firmware file cannot be read.
    #[error("cannot read the firmware {}: {reason}", shown(path))]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// The firmware file makes no sense.
    #[error("cannot use the firmware {}: {reason}", shown(path))]
    Firmware {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: LoadError,
    },
    /// The firmware would be written to where the board has no flash.
    #[error(
        "the firmware does not fit {board}: it lies from {start:#x} to {end:#x}, the flash from \
         {flash_start:#x} to {flash_end:#x}"
    )]
    OutsideFlash {
        /// The board's name.
        board: &'static str,
        /// The firmware's first address.
        start: u64,
        /// Behind its last.
        end: u64,
        /// The first address of the flash.
        flash_start: u64,
        /// Behind its last.
        flash_end: u64,
    },
    /// The board's flash has no place for a model of its own.
    #[error(
        "{board} has no flash set aside for a model: `inkling flash --board {board} --model FILE` builds \
         the program around it instead"
    )]
    NoRegion {
        /// The board's name.
        board: &'static str,
    },
    /// The model exceeds the place for it.
    #[error(
        "the model has {image} bytes, the flash set aside for one on {board} {room}: export a smaller \
         model"
    )]
    RegionTooSmall {
        /// The model's bytes.
        image: usize,
        /// The region's.
        room: u64,
        /// The board's name.
        board: &'static str,
    },
    /// The program lies where the model is to go.
    #[error(
        "the program reaches into the flash set aside for a model on {board}: build it around a \
         smaller model"
    )]
    RegionTaken {
        /// The board's name.
        board: &'static str,
    },
    /// A DAPLink erases everything else.
    #[error(
        "{board} erases its whole flash whenever a file is copied to its drive, so the program must \
         come along: add --firmware FILE, for example the .hex that `cargo xtask dist` makes"
    )]
    ErasesAll {
        /// The board's name.
        board: &'static str,
    },
    /// The model is of another format than the firmware.
    #[error(
        "the firmware reads model images of format version {firmware}, this one has version {image}: \
         export the model again or update the firmware"
    )]
    Versions {
        /// That of the firmware.
        firmware: u16,
        /// That of the model.
        image: u16,
    },
    /// The drive is another board's.
    #[error(
        "the drive {} is that of {found}, not of {wanted}: plug the right board in, or name the other \
         one with --board",
        shown(drive)
    )]
    WrongBoard {
        /// Where the drive is mounted.
        drive: PathBuf,
        /// Whose it is.
        found: String,
        /// Whose is wanted.
        wanted: &'static str,
    },
    /// More than one board waits.
    #[error(
        "several boards could be {board}: unplug all but one, or name one's drive with --drive: {}",
        listed(drives)
    )]
    Several {
        /// The board's name.
        board: &'static str,
        /// Where their drives are mounted.
        drives: Vec<PathBuf>,
    },
    /// The folder is no board's drive.
    #[error(
        "{} is not the drive of a board (it has no {file}): {hint}",
        shown(drive)
    )]
    NoLabel {
        /// The folder.
        drive: PathBuf,
        /// The file that tells.
        file: &'static str,
        /// How to bring the drive out.
        hint: &'static str,
    },
    /// No board came in time.
    #[error(
        "no drive of {board} appeared: {hint}; if your system does not mount drives by itself, mount \
         it and name the folder with --drive"
    )]
    NoDrive {
        /// The board's name.
        board: &'static str,
        /// How to bring the drive out.
        hint: &'static str,
    },
    /// The drive takes no programs for the board.
    #[error(
        "the board at {} is in maintenance mode, where it takes new interface firmware only: unplug it, \
         and plug it in again without holding its reset button",
        shown(drive)
    )]
    Maintenance {
        /// Where the drive is mounted.
        drive: PathBuf,
    },
    /// The board's interface has come to an end.
    #[error(
        "the interface of the board at {} has stopped at an error and says: {said}; unplug the board, \
         plug it in again and repeat",
        shown(drive)
    )]
    Stopped {
        /// Where the drive is mounted.
        drive: PathBuf,
        /// What it says.
        said: String,
    },
    /// The user gave up.
    #[error("interrupted; the board is as it was")]
    Interrupted,
    /// The user gave up while the board was at it.
    #[error(
        "interrupted before the board had confirmed the program: if it does not start, repeat this"
    )]
    GaveUp,
    /// The drive cannot be written.
    #[error(
        "cannot copy to {} ({reason}): plug the board in again and repeat",
        shown(drive)
    )]
    Copy {
        /// Where the drive is mounted.
        drive: PathBuf,
        /// The system's reason.
        reason: io::Error,
    },
    /// Where the file is to go is something else.
    #[error(
        "{} has a link, or another thing that is no plain file, by the name of the file that is to be \
         copied there: delete that and repeat",
        shown(drive)
    )]
    NotPlain {
        /// Where the drive is mounted.
        drive: PathBuf,
    },
    /// Another process copies something there.
    #[error(
        "another program is copying to {}: wait until it has ended, and repeat",
        shown(drive)
    )]
    Busy {
        /// Where the drive is mounted.
        drive: PathBuf,
    },
    /// The drive belongs to somebody else.
    #[error(
        "you may not write to {}: mount the drive as yourself, or run this as the user who mounted it",
        shown(drive)
    )]
    NotYours {
        /// Where the drive is mounted.
        drive: PathBuf,
    },
    /// The board itself says that it failed.
    #[error("the board did not take the program; it says: {said}")]
    Refused {
        /// What it says.
        said: String,
    },
    /// A tool is not there.
    #[error(
        "{tool} is not installed, which flashes this board: `cargo install {package} --locked`"
    )]
    NoTool {
        /// Its name.
        tool: &'static str,
        /// Its package on crates.io.
        package: &'static str,
    },
    /// There is no probe.
    #[error(
        "no debug probe was found: plug it in; if it is, your system may keep you from it, which \
         `inkling flash --udev` mends on Linux for whoever sits at the machine"
    )]
    NoProbe,
    /// There are other probes only.
    #[error("there is no debug probe {wanted}; there are {there}")]
    OtherProbe {
        /// What was asked for.
        wanted: String,
        /// What there is.
        there: String,
    },
    /// Nothing says which probe is the board's.
    #[error("several debug probes are there: name one with --probe: {there}")]
    SeveralProbes {
        /// What there is.
        there: String,
    },
    /// The board's flash is not within reach of a probe.
    #[error("{board} is flashed over its serial port, not by a debug probe: leave --probe out")]
    NotByProbe {
        /// The board's name.
        board: &'static str,
    },
    /// The tool said what is wrong.
    #[error(
        "{tool} could not flash the board, see above; if it may not open the device, `inkling flash \
         --udev` mends that on Linux for whoever sits at the machine"
    )]
    Tool {
        /// Its name.
        tool: &'static str,
    },
    /// Building, or the model file.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The model file.
    #[error(transparent)]
    Model(#[from] crate::image::FileError),
    /// Parts of the load overlap.
    #[error("cannot put firmware and model together: {0}")]
    Load(#[from] LoadError),
    /// Temporary files and processes.
    #[error("cannot prepare what is to be flashed: {reason}")]
    Io {
        /// The system's reason.
        reason: io::Error,
    },
}

impl From<io::Error> for FlashError {
    fn from(reason: io::Error) -> Self {
        FlashError::Io { reason }
    }
}

impl FlashError {
    /// The error for a drive that does not take a file.
    pub(super) fn copy(drive: &Path, reason: io::Error) -> Self {
        match reason.kind() {
            io::ErrorKind::PermissionDenied => FlashError::NotYours {
                drive: drive.into(),
            },
            io::ErrorKind::ResourceBusy => FlashError::Busy {
                drive: drive.into(),
            },
            // Not the system's, but that of the module `files`.
            io::ErrorKind::InvalidInput if reason.raw_os_error().is_none() => {
                FlashError::NotPlain {
                    drive: drive.into(),
                }
            }
            _ => FlashError::Copy {
                drive: drive.into(),
                reason,
            },
        }
    }
}

fn listed(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| shown(path)).collect();
    paths.join(", ")
}
