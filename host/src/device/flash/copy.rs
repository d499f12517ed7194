//! Copies a program to a board's drive and finds out whether the board has taken it.
//!
//! What is not a plain file is neither read nor written, see the module `files`.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf, absolute};
use std::thread;
use std::time::{Duration, Instant};

use super::drive::{DAPLINK_LABEL, Identity, PLUG_IN, TICK, UF2_LABEL, mounted, said};
use super::error::FlashError;
use crate::device::files;

/// How long a DAPLink may take to program a board and to show its drive again.
const CONFIRMATION: Duration = Duration::from_secs(30);

/// How long a board may take to restart, and the system to notice that its drive is gone.
const RESTART: Duration = Duration::from_secs(3);

/// The file by which a DAPLink says what went wrong.
const FAILURE: &str = "FAIL.TXT";

/// The file by which a DAPLink says that it has stopped itself. It stays until the power goes.
const ASSERTION: &str = "ASSERT.TXT";

/// How many folders beside a drive are looked at when it comes back elsewhere.
const MOST_FOLDERS: usize = 256;

/// Copies a whole file to a UF2 drive, whose board then restarts; answers whether it was seen to.
///
/// The drive is a fiction of the boot ROM, which programs each block as it arrives and neither
/// stores nor renames files: a temporary file that is renamed in the end would be programmed all the
/// same. It starts the program only when every block has come; interrupted, it stays in boot mode,
/// where nothing but a new copy is needed.
///
/// # Errors
/// When the drive does not take it, or `goes_on` says no.
pub fn uf2(
    drive: &Path,
    content: &[u8],
    goes_on: impl FnMut() -> bool,
) -> Result<bool, FlashError> {
    uf2_within(drive, content, RESTART, goes_on)
}

fn uf2_within(
    drive: &Path,
    content: &[u8],
    patience: Duration,
    mut goes_on: impl FnMut() -> bool,
) -> Result<bool, FlashError> {
    let device = block_device(drive);
    // The system may remember files of a drive that is no longer there.
    let is_gone = || {
        UF2_LABEL.read(drive).is_none() || device.as_ref().is_some_and(|device| !device.exists())
    };
    match write(&drive.join("INKLING.UF2"), content) {
        Ok(()) => {}
        // With the last block the board restarts, and the drive is gone before it is flushed.
        Err(Stage::Flush(_)) if is_gone() => return Ok(true),
        Err(Stage::Open(reason) | Stage::Write(reason) | Stage::Flush(reason)) => {
            return Err(FlashError::copy(drive, reason));
        }
    }
    let deadline = Instant::now() + patience;
    loop {
        if is_gone() {
            return Ok(true);
        }
        if Instant::now() >= deadline {
            return Ok(false);
        }
        if !goes_on() {
            return Err(FlashError::GaveUp);
        }
        thread::sleep(TICK);
    }
}

/// What Linux knows the device of a mounted drive by, while it is there.
fn block_device(drive: &Path) -> Option<PathBuf> {
    #[cfg(target_os = "linux")]
    {
        use std::os::linux::fs::MetadataExt;
        let device = fs::metadata(drive).ok()?.st_dev();
        let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
        let path = PathBuf::from(format!("/sys/dev/block/{major}:{minor}"));
        path.exists().then_some(path)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = drive;
        None
    }
}

/// Copies a hex file to a DAPLink's drive and waits for its verdict; `false` if there is none.
///
/// # Errors
/// When the drive does not take it or says that programming failed, or `goes_on` says no.
pub fn hex(
    drive: &Path,
    content: &[u8],
    goes_on: impl FnMut() -> bool,
) -> Result<bool, FlashError> {
    hex_within(drive, content, CONFIRMATION, goes_on)
}

fn hex_within(
    drive: &Path,
    content: &[u8],
    patience: Duration,
    mut goes_on: impl FnMut() -> bool,
) -> Result<bool, FlashError> {
    // Where it comes back is looked for beside it.
    let drive = absolute(drive)?;
    let programming = Programming::new(&drive)?;
    match write(&programming.file(&drive), content) {
        Ok(()) => {}
        // It takes the drive away as soon as it has all it needs.
        Err(Stage::Flush(_)) if DAPLINK_LABEL.read(&drive).is_none() => {}
        Err(Stage::Open(reason) | Stage::Write(reason) | Stage::Flush(reason)) => {
            return Err(FlashError::copy(&drive, reason));
        }
    }
    let deadline = Instant::now() + patience;
    let mut was_done = false;
    while Instant::now() < deadline {
        if !goes_on() {
            return Err(FlashError::GaveUp);
        }
        thread::sleep(TICK);
        let is_done = programming.is_done()?;
        // Seen twice, in case it has not shown all of its files yet.
        if is_done && was_done {
            return Ok(true);
        }
        was_done = is_done;
    }
    Ok(false)
}

/// A DAPLink at work: which one, and what was there before.
struct Programming<'d> {
    drive: &'d Path,
    identity: Identity,
    old_failure: Option<String>,
    /// Where else the same drive was shown already.
    elsewhere: Vec<PathBuf>,
}

impl Programming<'_> {
    fn new(drive: &Path) -> Result<Programming<'_>, FlashError> {
        if let Some(said) = said(&drive.join(ASSERTION)) {
            return Err(FlashError::Stopped {
                drive: drive.into(),
                said,
            });
        }
        let identity = DAPLINK_LABEL.read(drive);
        let mut programming = Programming {
            drive,
            identity: identity.ok_or_else(|| FlashError::NoLabel {
                drive: drive.into(),
                file: DAPLINK_LABEL.file,
                hint: PLUG_IN,
            })?,
            old_failure: said(&drive.join(FAILURE)),
            elsewhere: Vec::new(),
        };
        programming.elsewhere = programming.places();
        Ok(programming)
    }

    fn file(&self, place: &Path) -> PathBuf {
        place.join("INKLING.HEX")
    }

    /// Whether the board's drive is back without the file, and nothing on it complains.
    fn is_done(&self) -> Result<bool, FlashError> {
        let new = self
            .places()
            .into_iter()
            .filter(|place| !self.elsewhere.contains(place));
        let mut is_done = false;
        for place in new.chain([self.drive.to_path_buf()]) {
            let is_taken = fs::symlink_metadata(self.file(&place)).is_err();
            let is_back = is_taken && self.is_it(&place);
            // What it says has been there before as long as the drive has not come back.
            let failure = said(&place.join(FAILURE))
                .filter(|said| is_back || Some(said) != self.old_failure.as_ref());
            if let Some(said) = said(&place.join(ASSERTION)).or(failure) {
                return Err(FlashError::Refused { said });
            }
            is_done |= is_back;
        }
        Ok(is_done)
    }

    fn is_it(&self, place: &Path) -> bool {
        DAPLINK_LABEL
            .read(place)
            .is_some_and(|identity| identity.id == self.identity.id)
    }

    /// Other places where the drive is shown: systems mount it beside where it was when that is not
    /// free yet.
    fn places(&self) -> Vec<PathBuf> {
        let folder = self
            .drive
            .parent()
            .and_then(|folder| fs::read_dir(folder).ok());
        let beside = folder
            .into_iter()
            .flatten()
            .flatten()
            .take(MOST_FOLDERS)
            .map(|entry| entry.path());
        mounted()
            .into_iter()
            .chain(beside)
            .filter(|place| place != self.drive && self.is_it(place))
            .collect()
    }
}

/// How far writing came.
enum Stage {
    Open(io::Error),
    Write(io::Error),
    Flush(io::Error),
}

fn write(path: &Path, content: &[u8]) -> Result<(), Stage> {
    let mut file = files::create_plain(path).map_err(Stage::Open)?;
    file.write_all(content).map_err(Stage::Write)?;
    file.sync_all().map_err(Stage::Flush)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::super::drive::tests::{choice, microbit, pico};
    use super::*;

    /// A DAPLink that takes the file away when it is whole, after it has done something else.
    fn programs(
        drive: &Path,
        length: usize,
        then: impl FnOnce(&Path) + Send + 'static,
    ) -> thread::JoinHandle<()> {
        let drive = drive.to_path_buf();
        thread::spawn(move || {
            let file = drive.join("INKLING.HEX");
            while fs::metadata(&file).map_or(0, |data| data.len()) < length as u64 {
                thread::sleep(Duration::from_millis(5));
            }
            then(&drive);
            let _ = fs::remove_file(file);
        })
    }

    fn copy(drive: &Path, patience: Duration) -> Result<bool, FlashError> {
        hex_within(drive, b":test", patience, || true)
    }

    #[test]
    fn a_daplink_confirms_or_complains() {
        let drive = microbit("9904");
        fs::write(drive.path().join(FAILURE), "of the last time").unwrap();
        let daplink = programs(drive.path(), 5, |drive| {
            fs::remove_file(drive.join(FAILURE)).unwrap();
        });
        assert!(copy(drive.path(), CONFIRMATION).unwrap());
        daplink.join().unwrap();

        for file in [FAILURE, ASSERTION] {
            let daplink = programs(drive.path(), 5, move |drive| {
                let text = "The hex file cannot be decoded.\r\nChecksum\x1b[2J failure.\r\n";
                fs::write(drive.join(file), text).unwrap();
            });
            let error = copy(drive.path(), CONFIRMATION).unwrap_err().to_string();
            assert!(
                error.contains("cannot be decoded. Checksum␛[2J failure."),
                "{error}"
            );
            daplink.join().unwrap();
            fs::remove_file(drive.path().join(file)).unwrap();
        }
        assert!(!copy(drive.path(), 2 * TICK).unwrap());
        let given_up = hex_within(drive.path(), b":test", CONFIRMATION, || false);
        assert!(matches!(given_up, Err(FlashError::GaveUp)));
    }

    #[test]
    fn a_daplink_that_has_stopped_before_is_to_be_plugged_in_again() {
        let drive = microbit("9904");
        fs::write(drive.path().join(ASSERTION), "Assert\r\nLine: 42").unwrap();
        let error = copy(drive.path(), TICK).unwrap_err().to_string();
        assert!(
            error.contains("Assert Line: 42; unplug the board"),
            "{error}"
        );
        assert!(!drive.path().join("INKLING.HEX").exists());
    }

    #[test]
    fn a_drive_that_comes_back_elsewhere_is_found_and_heard() {
        const DETAILS: &str = "Unique ID: 9904000000001\r\n";
        let label = |folder: &Path, details: &str| {
            fs::create_dir_all(folder).unwrap();
            fs::write(folder.join("DETAILS.TXT"), details).unwrap();
        };
        for complaint in [None, Some(FAILURE), Some(ASSERTION)] {
            let media = TempDir::new().unwrap();
            let drive = media.path().join("MICROBIT");
            label(&drive, DETAILS);
            // Another board of the kind has nothing to say here.
            let other = media.path().join("MICROBIT2");
            label(&other, "Unique ID: 9904000000002\r\n");
            fs::write(other.join(FAILURE), "of another board").unwrap();
            let daplink = programs(&drive, 5, move |drive| {
                fs::remove_dir_all(drive).unwrap();
                let new = drive.with_file_name("MICROBIT1");
                fs::create_dir_all(&new).unwrap();
                if let Some(file) = complaint {
                    fs::write(new.join(file), "The interface firmware failed.").unwrap();
                }
                label(&new, DETAILS);
            });
            match (complaint, copy(&drive, CONFIRMATION)) {
                (None, verdict) => assert!(verdict.unwrap()),
                (Some(_), verdict) => {
                    let error = verdict.unwrap_err().to_string();
                    assert!(
                        error.contains("it says: The interface firmware failed."),
                        "{error}"
                    );
                }
            }
            daplink.join().unwrap();
        }
    }

    #[test]
    fn a_uf2_drive_confirms_by_going_away() {
        let drive = pico();
        let copy = |drive: &Path, patience| uf2_within(drive, b"block", patience, || true);
        assert!(!copy(drive.path(), Duration::ZERO).unwrap());
        let path = drive.path().to_path_buf();
        let board = thread::spawn(move || {
            thread::sleep(TICK);
            fs::remove_dir_all(path).unwrap();
        });
        assert!(copy(drive.path(), CONFIRMATION).unwrap());
        board.join().unwrap();
    }

    #[test]
    fn a_drive_that_takes_nothing_is_an_error() {
        let drive = pico();
        fs::create_dir(drive.path().join("INKLING.UF2")).unwrap();
        let error = uf2(drive.path(), b"block", || true).unwrap_err();
        assert!(error.to_string().starts_with("cannot copy to"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn nothing_on_a_drive_is_followed_waited_for_or_read_without_end() {
        use std::os::unix::fs::symlink;

        use rustix::fs::{CWD, FileType, Mode, mknodat};

        let label = |make: &dyn Fn(PathBuf)| {
            let folder = TempDir::new().unwrap();
            make(folder.path().join("INFO_UF2.TXT"));
            choice("pico", &[&folder])
        };
        let elsewhere = pico();
        let target = elsewhere.path().join("INFO_UF2.TXT");
        let pipe = |path: PathBuf| {
            mknodat(CWD, path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        };
        assert_eq!(label(&pipe).unwrap(), None);
        assert_eq!(
            label(&|path| symlink("/dev/zero", path).unwrap()).unwrap(),
            None
        );
        assert_eq!(
            label(&|path| symlink(&target, path).unwrap()).unwrap(),
            None
        );
        // A terabyte, of which there is nothing but its end.
        let long = |path: PathBuf| fs::File::create(path).unwrap().set_len(1 << 40).unwrap();
        assert!(label(&long).is_err());

        let mine = elsewhere.path().join("mine");
        fs::write(&mine, "kept").unwrap();
        for (drive, file) in [(pico(), "INKLING.UF2"), (microbit("9904"), "INKLING.HEX")] {
            symlink(&mine, drive.path().join(file)).unwrap();
            let copied = match file {
                "INKLING.UF2" => uf2(drive.path(), b"block", || true),
                _ => copy(drive.path(), CONFIRMATION),
            };
            let error = copied.unwrap_err().to_string();
            assert!(error.contains("delete that and repeat"), "{error}");
            assert_eq!(fs::read_to_string(&mine).unwrap(), "kept");
        }
    }
}
