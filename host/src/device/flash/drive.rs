//! The drives that boards show for a new program: found, told apart, and copied to.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use sysinfo::{DiskRefreshKind, Disks};

use super::error::FlashError;
use crate::device::board::{BOARDS, Board, Flasher};

/// How often drives are looked for.
const TICK: Duration = Duration::from_millis(250);

/// How long a DAPLink may take to program a board and to show its drive again.
const CONFIRMATION: Duration = Duration::from_secs(30);

/// The file by which a DAPLink says what went wrong.
const FAILURE: &str = "FAIL.TXT";

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

    /// The identity of a drive, if it is of this kind.
    fn read(self, drive: &Path) -> Option<String> {
        let text = fs::read(drive.join(self.file)).ok()?;
        let text = String::from_utf8_lossy(&text);
        let value = text.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            (key.trim() == self.key).then(|| value.trim().to_owned())
        });
        Some(value.unwrap_or_default())
    }
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
    BOARDS
        .iter()
        .find(|board| is_of(board, id))
        .map_or_else(|| format!("'{id}'"), |board| board.name.to_owned())
}

/// How a person brings out the drive of a board.
#[must_use]
pub fn hint(board: &Board) -> &'static str {
    match board.flasher {
        Some(Flasher::Uf2 { hint, .. }) => hint,
        _ => "plug the board in with a cable that carries data",
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
    let right: Vec<_> = labelled
        .iter()
        .filter(|(_, id)| is_of(board, id))
        .map(|(drive, _)| (*drive).clone())
        .collect();
    match (right.as_slice(), labelled.first()) {
        ([drive], _) => Ok(Some(drive.clone())),
        ([], None) => Ok(None),
        ([], Some((drive, id))) => Err(FlashError::WrongBoard {
            drive: (*drive).clone(),
            found: name_of(id),
            wanted: board.name,
        }),
        _ => Err(FlashError::Several {
            board: board.name,
            drives: right,
        }),
    }
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
    mut goes_on: impl FnMut() -> bool,
) -> Result<PathBuf, FlashError> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(drive) = choose(board, &mounted())? {
            return Ok(drive);
        }
        if !goes_on() {
            return Err(FlashError::Interrupted);
        }
        if Instant::now() >= deadline {
            return Err(FlashError::NoDrive {
                board: board.name,
                hint: hint(board),
            });
        }
        thread::sleep(TICK);
    }
}

/// Copies a whole file to a UF2 drive, whose board then restarts.
///
/// The drive is a fiction of the boot ROM, which programs each block as it arrives and neither
/// stores nor renames files: a temporary file that is renamed in the end would be programmed all the
/// same. It starts the program only when every block has come; interrupted, it stays in boot mode,
/// where nothing but a new copy is needed.
///
/// # Errors
/// When the drive does not take it.
pub fn copy_uf2(drive: &Path, content: &[u8]) -> Result<(), FlashError> {
    match write(&drive.join("INKLING.UF2"), content) {
        Ok(()) => Ok(()),
        // With the last block the board restarts, and the drive is gone before it is flushed.
        Err(Stage::Flush(_)) if UF2_LABEL.read(drive).is_none() => Ok(()),
        Err(Stage::Open(reason) | Stage::Write(reason) | Stage::Flush(reason)) => {
            Err(FlashError::copy(drive, reason))
        }
    }
}

/// Copies a hex file to a DAPLink's drive and waits for its verdict; `false` if there is none.
///
/// # Errors
/// When the drive does not take it or says that programming failed.
pub fn copy_hex(drive: &Path, content: &[u8]) -> Result<bool, FlashError> {
    copy_hex_within(drive, content, CONFIRMATION)
}

fn copy_hex_within(drive: &Path, content: &[u8], patience: Duration) -> Result<bool, FlashError> {
    let file = drive.join("INKLING.HEX");
    let failure = || fs::read_to_string(drive.join(FAILURE)).ok();
    let old_failure = failure();
    match write(&file, content) {
        Ok(()) => {}
        // It takes the drive away as soon as it has all it needs.
        Err(Stage::Flush(_)) if DAPLINK_LABEL.read(drive).is_none() => {}
        Err(Stage::Open(reason) | Stage::Write(reason) | Stage::Flush(reason)) => {
            return Err(FlashError::copy(drive, reason));
        }
    }
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        thread::sleep(TICK);
        // It shows the drive anew, without the file, when it is done.
        let is_done = DAPLINK_LABEL.read(drive).is_some() && !file.exists();
        match failure() {
            Some(said) if is_done || Some(&said) != old_failure.as_ref() => {
                return Err(FlashError::Refused {
                    said: said.split_whitespace().collect::<Vec<_>>().join(" "),
                });
            }
            None if is_done => return Ok(true),
            _ => {}
        }
    }
    Ok(false)
}

/// How far writing came.
enum Stage {
    Open(io::Error),
    Write(io::Error),
    Flush(io::Error),
}

fn write(path: &Path, content: &[u8]) -> Result<(), Stage> {
    let mut file = File::create(path).map_err(Stage::Open)?;
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

    /// A DAPLink that takes the file away when it is whole, and may complain.
    fn programs(
        drive: &Path,
        length: usize,
        complaint: Option<&'static str>,
    ) -> thread::JoinHandle<()> {
        let drive = drive.to_path_buf();
        thread::spawn(move || {
            let file = drive.join("INKLING.HEX");
            while fs::metadata(&file).map_or(0, |data| data.len()) < length as u64 {
                thread::sleep(Duration::from_millis(5));
            }
            let _ = fs::remove_file(drive.join(FAILURE));
            if let Some(complaint) = complaint {
                fs::write(drive.join(FAILURE), complaint).unwrap();
            }
            fs::remove_file(file).unwrap();
        })
    }

    #[test]
    fn a_daplink_confirms_or_complains() {
        let drive = microbit("9904");
        fs::write(drive.path().join(FAILURE), "of the last time").unwrap();
        let daplink = programs(drive.path(), 5, None);
        assert!(copy_hex(drive.path(), b":test").unwrap());
        daplink.join().unwrap();

        let complaint = "The hex file cannot be decoded.\r\nChecksum failure.\r\n";
        let daplink = programs(drive.path(), 5, Some(complaint));
        let error = copy_hex(drive.path(), b":test").unwrap_err().to_string();
        assert!(
            error.contains("cannot be decoded. Checksum failure."),
            "{error}"
        );
        daplink.join().unwrap();

        fs::remove_file(drive.path().join(FAILURE)).unwrap();
        assert!(!copy_hex_within(drive.path(), b":test", 2 * TICK).unwrap());
    }

    #[test]
    fn a_drive_that_takes_nothing_is_an_error() {
        let drive = pico();
        fs::create_dir(drive.path().join("INKLING.UF2")).unwrap();
        let error = copy_uf2(drive.path(), b"block").unwrap_err().to_string();
        assert!(error.starts_with("cannot copy to"), "{error}");
    }
}
