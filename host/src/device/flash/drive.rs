//! The drives that boards show for a new program: found, told apart, and waited for.
//!
//! What is on a drive is somebody else's, and any folder may look like one: only plain files are read
//! and written, see the module `files`, and what they say is printed on one line.

use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use sysinfo::{DiskRefreshKind, Disks};

use super::error::FlashError;
use crate::device::board::{BOARDS, Board, Flasher};
use crate::device::files;
use crate::output::one_line;

/// How often drives are looked for.
pub(super) const TICK: Duration = Duration::from_millis(250);

/// The text files of boards are much shorter.
const TEXT_BYTES: u64 = 64 * 1024;

/// What is quoted of them at most, in characters.
const QUOTED: usize = 300;

/// How a kind of drive says which board it is of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Label {
    pub(super) file: &'static str,
    key: &'static str,
}

pub(super) const UF2_LABEL: Label = Label {
    file: "INFO_UF2.TXT",
    key: "Board-ID",
};

pub(super) const DAPLINK_LABEL: Label = Label {
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
    pub(super) fn read(self, drive: &Path) -> Option<Identity> {
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
pub(super) struct Identity {
    pub(super) id: String,
    /// It takes a new program for the DAPLink only, not for the board.
    in_maintenance: bool,
}

/// The beginning of a text file, if it is a plain one.
fn text(path: &Path) -> Option<String> {
    let bytes = files::read_plain(path, TEXT_BYTES).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// What a text file says, as part of a sentence.
pub(super) fn said(path: &Path) -> Option<String> {
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
pub(super) const PLUG_IN: &str = "plug the board in with a cable that carries data";

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

#[cfg(test)]
pub(super) mod tests {
    use std::fs;

    use tempfile::TempDir;

    use super::*;
    use crate::device::find;

    fn drive(file: &str, text: &str) -> TempDir {
        let drive = TempDir::new().unwrap();
        fs::write(drive.path().join(file), text).unwrap();
        drive
    }

    pub fn pico() -> TempDir {
        drive(
            "INFO_UF2.TXT",
            "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n",
        )
    }

    pub fn microbit(id: &str) -> TempDir {
        drive(
            "DETAILS.TXT",
            &format!("# DAPLink Firmware\r\nUnique ID: {id}4e45\r\nHIC ID: 1\r\n"),
        )
    }

    pub fn choice(board: &str, drives: &[&TempDir]) -> Result<Option<PathBuf>, FlashError> {
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
}
