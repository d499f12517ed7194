//! Builds the firmware for a board with cargo, around a given model image.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use inkling_load::elf::{self, Footprint};

use super::board::Board;
use super::error::DeviceError;
use super::files::{self, LINKED_BYTES};
use crate::output::one_line;
use crate::toolchain::cargo;
use crate::{note, paths};

/// Room for a model in [`Firmware::with_room`], in bytes.
pub const MODEL_ROOM: usize = 128 * 1024;

/// The firmware's programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// Text and console.
    Console,
    /// Counts instructions, see [`mod@super::bench`].
    Bench,
    /// Compares the board's kernels with the reference.
    Kernels,
    /// Fails as it is told to, and is the console program after the restart.
    Fail,
}

impl Program {
    /// The name of the binary in the package `firmware`.
    fn bin(self) -> &'static str {
        match self {
            Program::Console => "firmware",
            Program::Bench => "bench",
            Program::Kernels => "kernels",
            Program::Fail => "fail",
        }
    }
}

/// A linked firmware.
#[derive(Debug, Clone)]
pub struct Firmware {
    /// The board it is for.
    pub board: &'static Board,
    /// The ELF file's content: cargo may overwrite the file for another board.
    pub elf: Vec<u8>,
    /// What it occupies.
    pub footprint: Footprint,
    /// A model by itself, for emulators to put into the board's model region.
    pub flashed_model: Option<Vec<u8>>,
}

impl Firmware {
    /// Builds a program for a board around the model file, whether or not that is a sound image.
    ///
    /// # Errors
    /// Before building when the file cannot be read or is too large for the board; else when cargo
    /// fails, which prints its reasons itself.
    pub fn build(
        board: &'static Board,
        model: &Path,
        program: Program,
    ) -> Result<Firmware, DeviceError> {
        check_fit(board, model)?;
        let model = std::path::absolute(model)?;
        Firmware::link(board, program, ("INKLING_MODEL", model.into()))
    }

    /// Builds a program with room for a model of up to [`MODEL_ROOM`] bytes, which
    /// [`Firmware::replace_model`] fills: other models need no other build.
    ///
    /// # Errors
    /// When cargo fails, which prints its reasons itself.
    pub fn with_room(board: &'static Board, program: Program) -> Result<Firmware, DeviceError> {
        let room = MODEL_ROOM.to_string();
        Firmware::link(board, program, ("INKLING_MODEL_ROOM", room.into()))
    }

    fn link(
        board: &'static Board,
        program: Program,
        model: (&str, OsString),
    ) -> Result<Firmware, DeviceError> {
        // Cargo's own lock ends before the file is read, which the next build overwrites.
        let _lock = lock_builds().map_err(|reason| DeviceError::Cargo { reason })?;
        Firmware::open(&run_cargo(board, board.name, program.bin(), Some(model))?)
    }

    /// Puts another model in the place of the linked one, which must be at least as large.
    ///
    /// # Errors
    /// When it is not.
    pub fn replace_model(&mut self, image: &[u8]) -> Result<(), DeviceError> {
        elf::replace_model(&mut self.elf, image).map_err(DeviceError::Room)
    }

    /// Reads a firmware that is already linked.
    ///
    /// # Errors
    /// When the file cannot be read or is not an Inkling firmware for a known board.
    pub fn open(path: &Path) -> Result<Firmware, DeviceError> {
        let error = |reason| DeviceError::Elf {
            path: path.into(),
            reason,
        };
        let elf = files::read(path, LINKED_BYTES).map_err(|reason| error(reason.to_string()))?;
        let footprint = Footprint::read(&elf).map_err(error)?;
        let board = super::board::find(&footprint.board).map_err(|_| {
            let name = one_line(&footprint.board);
            error(format!(
                "it is for a board '{name}', which this Inkling does not know: is there a newer one?"
            ))
        })?;
        Ok(Firmware {
            board,
            elf,
            footprint,
            flashed_model: None,
        })
    }
}

/// Checks that a model file and a program fit the flash that a board has for both.
///
/// # Errors
/// When they do not, or the file cannot be read.
pub fn check_fit(board: &'static Board, model: &Path) -> Result<(), DeviceError> {
    let image = fs::metadata(model)
        .map_err(|reason| DeviceError::ReadModel {
            path: model.into(),
            reason,
        })?
        .len();
    let program = board.program_bytes();
    if image.saturating_add(program) > board.program_area_bytes() {
        return Err(DeviceError::TooLarge {
            path: model.into(),
            image,
            program,
            flash: board.program_area_bytes(),
            board: board.name,
        });
    }
    Ok(())
}

/// Links the engine for a board's core with a panic handler that cannot be linked.
///
/// # Errors
/// When the engine can reach a panic; the linker names the undefined symbol `the_engine_can_panic`.
pub fn link_without_panics(board: &'static Board) -> Result<(), DeviceError> {
    run_cargo(board, "no-panic", "no_panic", None).map(drop)
}

/// Lets one build of a firmware run at a time, in this program and in all others of the project.
fn lock_builds() -> io::Result<Option<File>> {
    let project = paths::project_dir();
    if !project.join("firmware").is_dir() {
        // There is nothing to build, as cargo will say, and no folder to leave a file in.
        return Ok(None);
    }
    let target = std::env::var_os("CARGO_TARGET_DIR");
    let target = project.join(target.unwrap_or_else(|| "target".into()));
    fs::create_dir_all(&target)?;
    let file = File::create(target.join("firmware.lock"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            if io::stderr().is_terminal() {
                note!("waiting for another build of a firmware to end");
            }
            file.lock()?;
        }
        Err(TryLockError::Error(error)) => return Err(error),
    }
    Ok(Some(file))
}

/// Runs `cargo build`; answers with the path of the linked file.
fn run_cargo(
    board: &'static Board,
    features: &str,
    bin: &str,
    model: Option<(&str, OsString)>,
) -> Result<PathBuf, DeviceError> {
    let project = paths::project_dir();
    if !paths::is_checkout(&project) {
        return Err(DeviceError::NoSource { board: board.name });
    }
    let mut cargo = cargo::cargo();
    cargo
        .current_dir(project)
        .args(["build", "--release", "--package", "firmware"])
        .args(["--no-default-features", "--features", features])
        .args(["--target", board.target, "--bin", bin])
        .arg("--message-format=json-render-diagnostics")
        .env_remove("INKLING_MODEL")
        .env_remove("INKLING_MODEL_ROOM")
        .envs(model)
        // Flags for the PC, or for measuring coverage there, are not for the board.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    if !io::stderr().is_terminal() {
        cargo.arg("--quiet");
    }
    let output = cargo
        .output()
        .map_err(|reason| DeviceError::Cargo { reason })?;
    match cargo::executable(&output.stdout) {
        Some(path) if output.status.success() => Ok(path),
        _ => Err(DeviceError::Build {
            board: board.name,
            target: board.target,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::board::{DEFAULT_BOARD, find};

    #[test]
    fn a_model_larger_than_the_flash_is_refused_before_building() {
        let board = find(DEFAULT_BOARD).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(board.flash_bytes).unwrap();
        let error = Firmware::build(board, file.path(), Program::Console).unwrap_err();
        assert!(matches!(error, DeviceError::TooLarge { .. }));
        assert!(error.to_string().contains("do not fit"), "{error}");
    }

    #[test]
    fn a_missing_model_is_named() {
        let board = find(DEFAULT_BOARD).unwrap();
        let error = Firmware::build(board, Path::new("no/such.img"), Program::Console).unwrap_err();
        assert!(error.to_string().contains("no/such.img"), "{error}");
    }

    #[test]
    fn a_firmware_is_read_before_the_next_build_can_replace_it() {
        let first = lock_builds().unwrap();
        let (sender, receiver) = std::sync::mpsc::channel();
        let second = std::thread::spawn(move || {
            let lock = lock_builds().unwrap();
            sender.send(()).unwrap();
            drop(lock);
        });
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(receiver.try_recv().is_err(), "two builds at once");
        drop(first);
        receiver.recv().unwrap();
        second.join().unwrap();
    }

    #[test]
    fn a_file_that_is_no_firmware_is_refused() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), b"hello").unwrap();
        let error = Firmware::open(file.path()).unwrap_err();
        assert!(matches!(error, DeviceError::Elf { .. }), "{error}");
    }
}
