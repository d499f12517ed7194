//! The drives that boards show for a new program: found, told apart, and copied to.
//!
//! What is on a drive is somebody else's, and any folder may look like one: only plain files are read
//! and written, see [`crate::device::files`], and what they say is printed on one line.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf, absolute};
use std::thread;
use std::time::{Duration, Instant};

use sysinfo::{DiskRefreshKind, Disks};

use super::error::FlashError;
use crate::device::board::{BOARDS, Board, Flasher};
use crate::device::files;
use crate::output::one_line;

/// How often drives are looked for.
const TICK: Duration = Duration::from_millis(250);

/// How long a DAPLink may take to program a board and to show its drive again.
const CONFIRMATION: Duration = Duration::from_secs(30);

/// How long a board may take to restart, and the system to notice that its drive is gone.
const RESTART: Duration = Duration::from_secs(3);

/// The file by which a DAPLink says what went wrong.
const FAILURE: &str = "FAIL.TXT";

/// The file by which a DAPLink says that it has stopped itself. It stays until the power goes.
const ASSERTION: &str = "ASSERT.TXT";

/// The text files of boards are much shorter.
const TEXT_BYTES: u64 = 64 * 1024;

/// What is quoted of them at most, in characters.
const QUOTED: usize = 300;

/// How many folders beside a drive are looked at when it comes back elsewhere.
const MOST_FOLDERS: usize = 256;

/// How a kind of drive says which board it is of.
#[derive(Debug, Clone, Copy)]
struct Label {
    file: &'static str,
    key: &'static str,
}

const UF2_LABEL: Label = Label {
    file: "INFO_UF2.TXT",
    key: "Board-ID",
};

const DAPLINK_LABEL: Label = Label {
    file: "DETAILS.TXT",
    key: "Unique ID",
};

impl Label {
    /// The label of the drives by which a board is flashed, if it is.
    fn of(board: &Board) -> Option<Label> {
        match board.flasher? {
            Flasher::Uf2 { .. } => Some(UF2_LABEL),
            Flasher::Daplink { .. } => Some(DAPLINK_LABEL),
            Flasher::Probe { .. } | Flasher::Espflash { .. } => None,
        }
    }

    /// What a drive says of itself, if it is of this kind.
    fn read(self, drive: &Path) -> Option<Identity> {
        let text = text(&drive.join(self.file))?;
        let value = |key: &str| {
            text.lines().find_map(|line| {
                let (found, value) = line.split_once(':')?;
                let is_it = found.trim().eq_ignore_ascii_case(key);
                is_it.then(|| value.trim().to_owned())
            })
        };
        let mode = value("Daplink Mode").unwrap_or_default();
        Some(Identity {
            id: value(self.key).unwrap_or_default(),
            in_maintenance: mode.eq_ignore_ascii_case("Bootloader"),
        })
    }
}

/// What a drive says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    id: String,
    /// It takes a new program for the DAPLink only, not for the board.
    in_maintenance: bool,
}

/// The beginning of a text file, if it is a plain one.
fn text(path: &Path) -> Option<String> {
    let bytes = files::read_plain(path, TEXT_BYTES).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// What a text file says, as part of a sentence.
fn said(path: &Path) -> Option<String> {
    let text = text(path)?;
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(one_line(&words).chars().take(QUOTED).collect())
}

/// Whether an identity is that of a board.
fn is_of(board: &Board, id: &str) -> bool {
    match board.flasher {
        Some(Flasher::Uf2 { board_id, .. }) => id == board_id,
        Some(Flasher::Daplink { ids, .. }) => ids.iter().any(|begin| id.starts_with(begin)),
        _ => false,
    }
}

/// What people call the board of an identity; the identity itself if no board is known to have it.
fn name_of(id: &str) -> String {
    if id.is_empty() {
        return "a board that does not say which it is".into();
    }
    let quoted: String = one_line(id).chars().take(QUOTED).collect();
    BOARDS
        .iter()
        .find(|board| is_of(board, id))
        .map_or_else(|| format!("'{quoted}'"), |board| board.name.to_owned())
}

/// What brings out the drive of a board that needs nothing else.
const PLUG_IN: &str = "plug the board in with a cable that carries data";

/// How a person brings out the drive of a board.
#[must_use]
pub fn hint(board: &Board) -> &'static str {
    match board.flasher {
        Some(Flasher::Uf2 { hint, .. }) => hint,
        _ => PLUG_IN,
    }
}

/// The mounted drives; none where the system does not tell, and then the user can.
#[must_use]
pub fn mounted() -> Vec<PathBuf> {
    Disks::new_with_refreshed_list_specifics(DiskRefreshKind::nothing())
        .iter()
        .flatten()
        .map(|disk| disk.mount_point().to_path_buf())
        .collect()
}

/// The one drive of the board among `drives`; `None` while no board of its kind is there.
///
/// # Errors
/// When there are several, or only those of other boards.
pub fn choose(board: &Board, drives: &[PathBuf]) -> Result<Option<PathBuf>, FlashError> {
    let Some(label) = Label::of(board) else {
        return Ok(None);
    };
    let labelled: Vec<_> = drives
        .iter()
        .filter_map(|drive| Some((drive, label.read(drive)?)))
        .collect();
    let (right, in_maintenance): (Vec<_>, Vec<_>) = labelled
        .iter()
        .filter(|(_, identity)| identity.in_maintenance || is_of(board, &identity.id))
        .partition(|(_, identity)| !identity.in_maintenance);
    let places = |drives: &[&(&PathBuf, Identity)]| {
        drives.iter().map(|(drive, _)| (*drive).clone()).collect()
    };
    match (right.as_slice(), in_maintenance.first(), labelled.first()) {
        ([(drive, _)], ..) => Ok(Some((*drive).clone())),
        ([], Some((drive, _)), _) => Err(FlashError::Maintenance {
            drive: (*drive).clone(),
        }),
        ([], None, None) => Ok(None),
        ([], None, Some((drive, identity))) => Err(FlashError::WrongBoard {
            drive: (*drive).clone(),
            found: name_of(&identity.id),
            wanted: board.name,
        }),
        (several, ..) => Err(FlashError::Several {
            board: board.name,
            drives: places(several),
        }),
    }
}

/// Whether a board shows its drive only when it is asked to, instead of its program.
#[must_use]
pub fn comes_on_demand(board: &Board) -> bool {
    matches!(board.flasher, Some(Flasher::Uf2 { .. }))
}

/// Whether the drive of a board is there already, at the place that the user named or at any.
#[must_use]
pub fn is_there(board: &Board, drive: Option<&Path>) -> bool {
    let drives = drive.map_or_else(mounted, |drive| vec![drive.to_path_buf()]);
    // Those of other boards are a reason to stop, but not here.
    !matches!(choose(board, &drives), Ok(None))
}

/// The drive that the user named, if it is one of the board's.
///
/// # Errors
/// When it is not.
pub fn named(board: &Board, drive: &Path) -> Result<PathBuf, FlashError> {
    choose(board, &[drive.to_path_buf()])?.ok_or_else(|| FlashError::NoLabel {
        drive: drive.into(),
        file: Label::of(board).map_or(UF2_LABEL.file, |label| label.file),
        hint: hint(board),
    })
}

/// Waits for the drive of a board; asks `goes_on` now and then whether to.
///
/// # Errors
/// As [`choose`], or when the time is up or `goes_on` says no.
pub fn wait_for(
    board: &Board,
    patience: Duration,
    goes_on: impl FnMut() -> bool,
) -> Result<PathBuf, FlashError> {
    let found = wait(|| choose(board, &mounted()), patience, goes_on)?;
    found.ok_or_else(|| FlashError::NoDrive {
        board: board.name,
        hint: hint(board),
    })
}

/// Waits until the folder that the user named is the drive of a board.
///
/// # Errors
/// As [`named`], or when `goes_on` says no.
pub fn wait_for_named(
    board: &Board,
    drive: &Path,
    patience: Duration,
    goes_on: impl FnMut() -> bool,
) -> Result<PathBuf, FlashError> {
    let drives = [drive.to_path_buf()];
    match wait(|| choose(board, &drives), patience, goes_on)? {
        Some(drive) => Ok(drive),
        None => named(board, drive),
    }
}

fn wait(
    look: impl Fn() -> Result<Option<PathBuf>, FlashError>,
    patience: Duration,
    mut goes_on: impl FnMut() -> bool,
) -> Result<Option<PathBuf>, FlashError> {
    let deadline = Instant::now() + patience;
    loop {
        let drive = look()?;
        if drive.is_some() || Instant::now() >= deadline {
            return Ok(drive);
        }
        if !goes_on() {
            return Err(FlashError::Interrupted);
        }
        thread::sleep(TICK);
    }
}

/// Copies a whole file to a UF2 drive, whose board then restarts; answers whether it was seen to.
///
/// The drive is a fiction of the boot ROM, which programs each block as it arrives and neither
/// stores nor renames files: a temporary file that is renamed in the end would be programmed all the
/// same. It starts the program only when every block has come; interrupted, it stays in boot mode,
/// where nothing but a new copy is needed.
///
/// # Errors
/// When the drive does not take it, or `goes_on` says no.
pub fn copy_uf2(
    drive: &Path,
    content: &[u8],
    goes_on: impl FnMut() -> bool,
) -> Result<bool, FlashError> {
    copy_uf2_within(drive, content, RESTART, goes_on)
}

fn copy_uf2_within(
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
pub fn copy_hex(
    drive: &Path,
    content: &[u8],
    goes_on: impl FnMut() -> bool,
) -> Result<bool, FlashError> {
    copy_hex_within(drive, content, CONFIRMATION, goes_on)
}

fn copy_hex_within(
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
    let mut file: File = files::create_plain(path).map_err(Stage::Open)?;
    file.write_all(content).map_err(Stage::Write)?;
    file.sync_all().map_err(Stage::Flush)
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::device::find;

    fn drive(file: &str, text: &str) -> TempDir {
        let drive = TempDir::new().unwrap();
        fs::write(drive.path().join(file), text).unwrap();
        drive
    }

    fn pico() -> TempDir {
        drive(
            "INFO_UF2.TXT",
            "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n",
        )
    }

    fn microbit(id: &str) -> TempDir {
        drive(
            "DETAILS.TXT",
            &format!("# DAPLink Firmware\r\nUnique ID: {id}4e45\r\nHIC ID: 1\r\n"),
        )
    }

    fn choice(board: &str, drives: &[&TempDir]) -> Result<Option<PathBuf>, FlashError> {
        let drives: Vec<_> = drives.iter().map(|drive| drive.path().into()).collect();
        choose(find(board).unwrap(), &drives)
    }

    #[test]
    fn the_right_drive_is_found_among_others() {
        let (pico, bare, v1, v2) = (
            pico(),
            TempDir::new().unwrap(),
            microbit("9900"),
            microbit("9904"),
        );
        let all = [&bare, &v1, &pico, &v2];
        assert_eq!(choice("pico", &all).unwrap().unwrap(), pico.path());
        assert_eq!(choice("microbit", &all).unwrap().unwrap(), v1.path());
        assert_eq!(choice("microbit-v2", &all).unwrap().unwrap(), v2.path());
        assert_eq!(choice("pico", &[&bare, &v1]).unwrap(), None);
        assert_eq!(choice("esp32c3", &all).unwrap(), None);
    }

    #[test]
    fn wrong_boards_and_two_boards_are_named() {
        let (first, second, v2) = (pico(), pico(), microbit("9906"));
        let error = choice("pico2", &[&first]).unwrap_err().to_string();
        assert!(error.contains("is that of pico, not of pico2"), "{error}");
        let error = choice("microbit", &[&v2]).unwrap_err().to_string();
        assert!(error.contains("microbit-v2"), "{error}");
        let strange = drive("INFO_UF2.TXT", "Board-ID: SAMD21G18A-Feather-v0");
        let error = choice("pico", &[&strange]).unwrap_err().to_string();
        assert!(error.contains("'SAMD21G18A-Feather-v0'"), "{error}");
        let error = choice("pico", &[&first, &second]).unwrap_err().to_string();
        assert!(error.contains("--drive"), "{error}");
        assert!(error.contains(first.path().to_str().unwrap()), "{error}");
        assert!(error.contains(second.path().to_str().unwrap()), "{error}");
    }

    #[test]
    fn waiting_ends_with_the_time_or_with_the_user() {
        // No machine that tests run on has such a board in boot mode.
        let board = Board {
            flasher: Some(Flasher::Uf2 {
                chip: "RP2040",
                family: 0,
                takes_absolute: false,
                board_id: "no such board",
                hint: "press the button",
            }),
            ..*find("pico").unwrap()
        };
        let error = wait_for(&board, Duration::ZERO, || true).unwrap_err();
        assert!(error.to_string().contains("press the button"), "{error}");
        let error = wait_for(&board, Duration::from_secs(60), || false).unwrap_err();
        assert!(matches!(error, FlashError::Interrupted));
    }

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
        copy_hex_within(drive, b":test", patience, || true)
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
        let given_up = copy_hex_within(drive.path(), b":test", CONFIRMATION, || false);
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
    fn maintenance_mode_is_no_place_for_programs() {
        for mode in ["Daplink Mode: Bootloader", "daplink mode : bootloader"] {
            let v2 = drive("DETAILS.TXT", &format!("Unique ID: 99044e45\r\n{mode}\r\n"));
            let error = choice("microbit-v2", &[&v2]).unwrap_err().to_string();
            assert!(error.contains("in maintenance mode"), "{error}");
            assert!(
                error.contains("without holding its reset button"),
                "{error}"
            );
            // Some do not say which board they are on.
            let silent = drive("DETAILS.TXT", &format!("{mode}\r\n"));
            assert!(choice("microbit", &[&silent]).is_err());
            // A board that is ready is taken all the same.
            let ready = microbit("9904");
            let found = choice("microbit-v2", &[&v2, &ready]).unwrap();
            assert_eq!(found.unwrap(), ready.path());
        }
        let usual = drive(
            "DETAILS.TXT",
            "Unique ID: 9904\r\nDaplink Mode: Interface\r\n",
        );
        assert!(choice("microbit-v2", &[&usual]).unwrap().is_some());
    }

    #[test]
    fn a_uf2_drive_confirms_by_going_away() {
        let drive = pico();
        let copy = |drive: &Path, patience| copy_uf2_within(drive, b"block", patience, || true);
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
        let error = copy_uf2(drive.path(), b"block", || true).unwrap_err();
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
        let long = |path: PathBuf| File::create(path).unwrap().set_len(1 << 40).unwrap();
        assert!(label(&long).is_err());

        let mine = elsewhere.path().join("mine");
        fs::write(&mine, "kept").unwrap();
        for (drive, file) in [(pico(), "INKLING.UF2"), (microbit("9904"), "INKLING.HEX")] {
            symlink(&mine, drive.path().join(file)).unwrap();
            let copied = match file {
                "INKLING.UF2" => copy_uf2(drive.path(), b"block", || true),
                _ => copy(drive.path(), CONFIRMATION),
            };
            let error = copied.unwrap_err().to_string();
            assert!(error.contains("delete that and repeat"), "{error}");
            assert_eq!(fs::read_to_string(&mine).unwrap(), "kept");
        }
    }
}
