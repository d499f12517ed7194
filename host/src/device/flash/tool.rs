//! The tools that flash boards without a drive: probe-rs over a debug probe, espflash over the
//! serial boot loader.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::ErrorKind;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::error::FlashError;
use crate::output::one_line;

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

/// Writes a hex file to a chip by a debug probe and restarts it. The probe may be named by its serial
/// number, or as probe-rs names it.
///
/// # Errors
/// When probe-rs is missing, sees no probe, not that one or several, or fails.
pub fn probe(chip: &str, hex: &str, wanted: Option<&str>) -> Result<(), FlashError> {
    let listed = Command::new(PROBE_RS.name)
        .arg("list")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| PROBE_RS.why(error))?;
    let said = [listed.stdout, listed.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    if said.contains("No debug probes were found") {
        return Err(FlashError::NoProbe);
    }
    let chosen = choose(&probes(&said), wanted)?;
    let folder = TempDir::new()?;
    let file = folder.path().join("inkling.hex");
    fs::write(&file, hex)?;
    let mut common: Vec<OsString> = ["--chip", chip].map(Into::into).into();
    if let Some(chosen) = chosen {
        common.extend(["--probe".into(), chosen.into()]);
    }
    let download = ["--binary-format".into(), "hex".into(), file.into()];
    PROBE_RS.run(&[&["download".into()], &common[..], &download].concat())?;
    PROBE_RS.run(&[&["reset".into()], &common[..]].concat())
}

/// What probe-rs calls the probes in its list: `VENDOR:PRODUCT:SERIAL`, the serial number if there is one.
fn probes(listed: &str) -> Vec<String> {
    let is_hexadecimal =
        |text: &str| text.len() == 4 && text.chars().all(|c| c.is_ascii_hexdigit());
    let is_name = |word: &&str| {
        let mut parts = word.splitn(3, ':');
        let vendor = parts.next().is_some_and(is_hexadecimal);
        // A probe of several interfaces has the interface's number behind a dash.
        let product = parts.next().and_then(|product| product.split('-').next());
        vendor && product.is_some_and(is_hexadecimal)
    };
    let lines = listed.lines();
    lines
        .filter_map(|line| line.split_whitespace().find(is_name))
        .map(one_line)
        .collect()
}

/// The probe to be named to probe-rs; `None` if there is but one, which needs no name.
fn choose(probes: &[String], wanted: Option<&str>) -> Result<Option<String>, FlashError> {
    let is_wanted = |name: &&String| {
        let Some(wanted) = wanted else { return true };
        let mut parts = name.splitn(3, ':');
        let (vendor, product, serial) = (parts.next(), parts.next(), parts.next());
        let device = [vendor, product].map(Option::unwrap_or_default).join(":");
        [Some(name.as_str()), Some(device.as_str()), serial]
            .into_iter()
            .flatten()
            .any(|part| part.eq_ignore_ascii_case(wanted))
    };
    let right: Vec<_> = probes.iter().filter(is_wanted).collect();
    match (right.as_slice(), wanted) {
        // Of a list in another form than we know, probe-rs itself may make something.
        _ if probes.is_empty() => Ok(wanted.map(str::to_owned)),
        ([_], None) => Ok(None),
        ([name], Some(_)) => Ok(Some((*name).clone())),
        ([], _) => Err(FlashError::OtherProbe {
            wanted: one_line(wanted.unwrap_or_default()),
            there: probes.join(", "),
        }),
        (several, _) => {
            let names: Vec<_> = several.iter().map(|name| name.as_str()).collect();
            Err(FlashError::SeveralProbes {
                there: names.join(", "),
            })
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "The following debug probes were found:\n\
         [0]: J-Link -- 1366:1051:000683000001 (J-Link)\n\
         [1]: STLink V3 -- 0483:374e:0030AB (ST-LINK)\n\
         [2]: ESP JTAG -- 303a:1001:68:67:25:EC (EspJtag)\n\
         [3]: Debug Probe -- 2e8a:000c-1:E6616407 (CMSIS-DAP)\n";

    #[test]
    fn a_probe_is_chosen_by_its_serial_number_or_its_whole_name() {
        let there = probes(LIST);
        assert_eq!(there.len(), 4, "{there:?}");
        let chosen = |wanted| choose(&there, Some(wanted)).unwrap().unwrap();
        assert_eq!(chosen("0030ab"), "0483:374e:0030AB");
        assert_eq!(chosen("68:67:25:EC"), "303a:1001:68:67:25:EC");
        assert_eq!(chosen("1366:1051"), "1366:1051:000683000001");
        assert_eq!(chosen("2e8a:000c-1:E6616407"), "2e8a:000c-1:E6616407");
        let error = choose(&there, Some("30AB")).unwrap_err().to_string();
        assert!(
            error.contains("no debug probe 30AB; there are 1366:1051"),
            "{error}"
        );
    }

    #[test]
    fn several_probes_have_to_be_told_apart() {
        let error = choose(&probes(LIST), None).unwrap_err().to_string();
        assert!(
            error.contains("name one with --probe: 1366:1051:000683000001, 0483"),
            "{error}"
        );
        let one = probes("[0]: J-Link -- 1366:1051");
        assert_eq!(choose(&one, None).unwrap(), None);
        assert_eq!(choose(&[], None).unwrap(), None);
        assert_eq!(choose(&[], Some("x")).unwrap().unwrap(), "x");
        let twins = probes("[0]: a -- 1366:1051:1\n[1]: b -- 1366:1051:2");
        assert!(choose(&twins, Some("1366:1051")).is_err());
    }
}
