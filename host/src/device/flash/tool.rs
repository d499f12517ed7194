//! The tools that flash boards without a drive: probe-rs over a debug probe, espflash over the
//! serial boot loader.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::error::FlashError;

/// A program that the user installs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tool {
    /// The program's name.
    pub name: &'static str,
    /// Its package on crates.io.
    pub package: &'static str,
}

/// Talks to debug probes.
pub const PROBE_RS: Tool = Tool {
    name: "probe-rs",
    package: "probe-rs-tools",
};

/// Talks to the boot loader of Espressif's chips.
pub const ESPFLASH: Tool = Tool {
    name: "espflash",
    package: "espflash",
};

impl Tool {
    /// The command that installs it.
    #[must_use]
    pub fn missing(self) -> FlashError {
        FlashError::NoTool {
            tool: self.name,
            package: self.package,
        }
    }

    /// Explains why it could not be started.
    pub(in crate::device) fn why(self, error: std::io::Error) -> FlashError {
        match error.kind() {
            ErrorKind::NotFound => self.missing(),
            _ => error.into(),
        }
    }

    /// Runs it with the terminal's output.
    fn run<T: AsRef<OsStr>>(self, arguments: &[T]) -> Result<(), FlashError> {
        let status = Command::new(self.name)
            .args(arguments)
            .stdin(Stdio::null())
            .status()
            .map_err(|error| self.why(error))?;
        match status.success() {
            true => Ok(()),
            false => Err(FlashError::Tool { tool: self.name }),
        }
    }
}

/// Writes a hex file to a chip by a debug probe and restarts it.
///
/// # Errors
/// When probe-rs is missing, sees no probe, or fails.
pub fn probe(chip: &str, hex: &str) -> Result<(), FlashError> {
    let listed = Command::new(PROBE_RS.name)
        .arg("list")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| PROBE_RS.why(error))?;
    let said = [listed.stdout, listed.stderr].concat();
    if String::from_utf8_lossy(&said).contains("No debug probes were found") {
        return Err(FlashError::NoProbe);
    }
    let folder = TempDir::new()?;
    let file = folder.path().join("inkling.hex");
    fs::write(&file, hex)?;
    let arguments = ["download", "--chip", chip, "--binary-format", "hex"].map(OsStr::new);
    PROBE_RS.run(&[&arguments[..], &[file.as_os_str()]].concat())?;
    PROBE_RS.run(&["reset", "--chip", chip])
}

/// Writes a linked firmware to a chip by its serial boot loader and restarts it.
///
/// # Errors
/// When espflash is missing or fails.
pub fn espflash(chip: &str, elf: &[u8], port: Option<&str>) -> Result<(), FlashError> {
    run_espflash("flash", chip, port, None, elf)
}

/// Writes bytes to a place in the flash of a chip by its serial boot loader and restarts it.
///
/// # Errors
/// When espflash is missing or fails.
pub fn espflash_part(
    chip: &str,
    offset: u32,
    bytes: &[u8],
    port: Option<&str>,
) -> Result<(), FlashError> {
    let place = format!("{offset:#x}").into();
    run_espflash("write-bin", chip, port, Some(place), bytes)
}

/// Runs one of the subcommands of espflash that take a file last.
fn run_espflash(
    subcommand: &str,
    chip: &str,
    port: Option<&str>,
    place: Option<OsString>,
    content: &[u8],
) -> Result<(), FlashError> {
    let folder = TempDir::new()?;
    let file = folder.path().join("inkling");
    fs::write(&file, content)?;
    let mut arguments: Vec<OsString> = [subcommand, "--chip", chip].map(Into::into).into();
    if let Some(port) = port {
        arguments.extend(["--port".into(), port.into()]);
    }
    arguments.extend(place);
    arguments.push(file.into());
    ESPFLASH.run(&arguments)
}
