//! What Inkling needs on a PC, and what of it is there.
//!
//! Everything is found by looking at files, so that a check takes milliseconds and needs nothing of
//! what it looks for. Nothing here downloads, installs or writes: `doctor` prints
//! these findings and `cargo xtask setup` mends them.

use std::path::{Path, PathBuf};
use std::process::Command;

use comfy_table::{Table, presets};
use serde::Serialize;

use crate::corpus::Standard;
use crate::paths;

pub mod bounded;
pub mod browser;
pub mod cargo;
pub mod libtorch;
pub mod rp2040js;
pub mod rp2350;
pub mod tools;
pub mod trainer;

/// The command that mends nearly everything.
pub const SETUP: &str = "cargo xtask setup";

/// The bare-metal targets of the supported boards.
pub const TARGETS: [&str; 5] = [
    "thumbv6m-none-eabi",
    "thumbv7m-none-eabi",
    "thumbv7em-none-eabihf",
    "thumbv8m.main-none-eabihf",
    "riscv32imc-unknown-none-elf",
];

/// The target of the page.
pub const PAGE_TARGET: &str = "wasm32-unknown-unknown";

/// The parts of the Rust toolchain that the tests need: component and program.
pub const COMPONENTS: [(&str, &str); 2] = [("clippy", "cargo-clippy"), ("rustfmt", "rustfmt")];

/// The emulators that boot the firmware, and the packages of Debian that they are in.
pub const EMULATORS: [(&str, &str); 2] = [
    ("qemu-system-arm", "qemu-system-arm"),
    ("qemu-system-riscv32", "qemu-system-misc"),
];

/// The name of the one finding that is a guess: less may do.
pub const DISK_SPACE: &str = "Disk space";

/// Free disk space that a first build and a training need together.
const FREE_BYTES_NEEDED: u64 = 2_000_000_000;

/// One thing that Inkling needs.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// A short name, the same in every run.
    pub name: &'static str,
    /// Whether it is there.
    pub ready: bool,
    /// Where it is, or what exactly is missing.
    pub detail: String,
    /// The one command or action that mends it; none when it is there.
    pub mend: Option<String>,
    /// Whether only those need it who change Inkling itself.
    pub for_developers: bool,
}

impl Finding {
    fn ready(name: &'static str, detail: impl Into<String>) -> Self {
        Self {
            name,
            ready: true,
            detail: detail.into(),
            mend: None,
            for_developers: false,
        }
    }

    fn missing(name: &'static str, detail: impl Into<String>, mend: impl Into<String>) -> Self {
        Self {
            name,
            ready: false,
            detail: detail.into(),
            mend: Some(mend.into()),
            for_developers: false,
        }
    }

    fn for_developers(self) -> Self {
        Self {
            for_developers: true,
            ..self
        }
    }
}

/// Looks at everything, in the order in which set-up mends it.
#[must_use]
pub fn check() -> Vec<Finding> {
    let mut findings = vec![project_folder(), disk_space(), compiler(), emulator()];
    findings.extend(rust());
    findings.push(rp2040js::check());
    findings.push(npm().for_developers());
    findings.push(libtorch::check());
    findings.push(corpus());
    let tools = tools::TOOLS.iter().map(tools::Tool::check);
    findings.extend(tools.map(Finding::for_developers));
    findings
}

/// The findings as people read them, with the commands that mend what is missing.
#[must_use]
pub fn table<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    for finding in findings {
        let mark = if finding.ready { "ok" } else { "missing" };
        let mend = finding
            .mend
            .as_ref()
            .map_or(String::new(), |mend| format!("-> {mend}"));
        table.add_row([mark, finding.name, &finding.detail, &mend]);
    }
    table.trim_fmt()
}

/// Targets and components that the active Rust toolchain lacks.
///
/// # Errors
/// When `rustc` cannot be run.
pub fn missing_rust_parts() -> std::io::Result<(Vec<&'static str>, Vec<&'static str>)> {
    let sysroot = sysroot()?;
    let targets = TARGETS
        .into_iter()
        .chain([PAGE_TARGET])
        .filter(|target| {
            !sysroot
                .join("lib/rustlib")
                .join(target)
                .join("lib")
                .is_dir()
        })
        .collect();
    let components = COMPONENTS
        .into_iter()
        .filter(|(_, program)| find_program_in(&[sysroot.join("bin")], program).is_none())
        .map(|(component, _)| component)
        .collect();
    Ok((targets, components))
}

/// The file that running `program` would start, found in `PATH`.
#[must_use]
pub fn find_program(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    find_program_in(&folders, program)
}

fn find_program_in(folders: &[PathBuf], program: &str) -> Option<PathBuf> {
    let name = format!("{program}{}", std::env::consts::EXE_SUFFIX);
    folders
        .iter()
        .map(|folder| folder.join(&name))
        .find(|file| file.is_file())
}

/// Bytes as people read them: `527 MB`.
#[must_use]
pub fn human_bytes(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", bytes / 1_000),
        1_000_000..1_000_000_000 => format!("{} MB", bytes / 1_000_000),
        _ => format!("{}.{} GB", bytes / 1_000_000_000, bytes / 100_000_000 % 10),
    }
}

fn sysroot() -> std::io::Result<PathBuf> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(["--print", "sysroot"]).output()?;
    if !output.status.success() {
        let reason = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(std::io::Error::other(reason));
    }
    Ok(PathBuf::from(
        String::from_utf8_lossy(&output.stdout).trim(),
    ))
}

/// What firmware is built with, and what Inkling itself is checked with.
fn rust() -> Vec<Finding> {
    const NAME: &str = "Rust targets";
    match missing_rust_parts() {
        Err(error) => vec![Finding::missing(
            NAME,
            format!("rustc does not run: {error}"),
            "install Rust from https://rustup.rs",
        )],
        Ok((targets, components)) => {
            let all = format!("{} for the firmware, 1 for the page", TARGETS.len());
            let checks = COMPONENTS.map(|(component, _)| component).join(", ");
            vec![
                rust_parts(NAME, all, &targets),
                rust_parts("Rust tools", checks, &components).for_developers(),
            ]
        }
    }
}

fn rust_parts(name: &'static str, all: String, missing: &[&str]) -> Finding {
    if missing.is_empty() {
        Finding::ready(name, all)
    } else {
        Finding::missing(name, format!("no {}", missing.join(", ")), SETUP)
    }
}

fn compiler() -> Finding {
    const NAME: &str = "C++ compiler";
    let program = std::env::var("CXX").unwrap_or_else(|_| "c++".into());
    match find_program(&program).or_else(|| Some(PathBuf::from(&program)).filter(|f| f.is_file())) {
        Some(file) => Finding::ready(NAME, file.display().to_string()),
        None => Finding::missing(NAME, format!("no {program} in PATH"), SETUP),
    }
}

fn emulator() -> Finding {
    const NAME: &str = "Emulator";
    let programs = EMULATORS.map(|(program, _)| program);
    match programs.iter().find(|name| find_program(name).is_none()) {
        Some(program) => Finding::missing(NAME, format!("no {program} in PATH"), SETUP),
        None => Finding::ready(NAME, programs.join(", ")),
    }
}

/// What brings the packages that the page is built with.
fn npm() -> Finding {
    const NAME: &str = "npm";
    match find_program(NAME) {
        Some(file) => Finding::ready(NAME, file.display().to_string()),
        None => Finding::missing(NAME, "no npm in PATH", SETUP),
    }
}

fn corpus() -> Finding {
    const NAME: &str = "Corpus";
    match [Standard::Tinyshakespeare, Standard::Plays]
        .into_iter()
        .find(|corpus| corpus.path().is_file())
    {
        Some(corpus) => Finding::ready(NAME, format!("{corpus} in {}", corpus.path().display())),
        None => Finding::missing(NAME, "not downloaded", SETUP),
    }
}

fn project_folder() -> Finding {
    const NAME: &str = "Project folder";
    let project = paths::project_dir();
    match tempfile::tempfile_in(&project) {
        Ok(_) => Finding::ready(NAME, project.display().to_string()),
        Err(error) => Finding::missing(
            NAME,
            format!("cannot write to {}: {error}", project.display()),
            format!("sudo chown -R \"$USER\" '{}'", project.display()),
        ),
    }
}

/// Looks whether the disks of project and cache have room for a first build.
#[must_use]
pub fn disk_space() -> Finding {
    let project = paths::project_dir();
    let free = [
        nearest_folder(&project),
        nearest_folder(&paths::cache_dir()),
    ]
    .into_iter()
    .filter_map(|folder| Some((fs4::available_space(&folder).ok()?, folder)))
    .min();
    match free {
        Some((bytes, folder)) if bytes < FREE_BYTES_NEEDED => Finding::missing(
            DISK_SPACE,
            format!("{} free in {}", human_bytes(bytes), folder.display()),
            format!("free {} there", human_bytes(FREE_BYTES_NEEDED)),
        ),
        Some((bytes, _)) => Finding::ready(DISK_SPACE, format!("{} free", human_bytes(bytes))),
        None => Finding::ready(DISK_SPACE, "unknown"),
    }
}

/// `path` itself, or the nearest folder above it that exists.
fn nearest_folder(path: &Path) -> PathBuf {
    path.ancestors()
        .find(|folder| folder.is_dir())
        .map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_thing_says_how_to_mend_it() {
        for finding in check() {
            assert_ne!(finding.ready, finding.mend.is_some(), "{finding:?}");
            assert!(!finding.detail.is_empty(), "{finding:?}");
        }
    }

    #[test]
    fn what_is_missing_stands_beside_its_remedy() {
        let text = table(&[
            Finding::ready("libtorch", "2.13.0"),
            Finding::missing("Emulator", "no qemu-system-arm in PATH", SETUP),
        ]);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(lines[0], " ok       libtorch  2.13.0");
        assert_eq!(
            lines[1],
            " missing  Emulator  no qemu-system-arm in PATH  -> cargo xtask setup"
        );
    }

    #[test]
    fn bytes_are_readable() {
        assert_eq!(human_bytes(999), "999 B");
        assert_eq!(human_bytes(64 * 1024), "65 kB");
        assert_eq!(human_bytes(526_574_961), "526 MB");
        assert_eq!(human_bytes(4_250_000_000), "4.2 GB");
    }

    #[test]
    fn programs_are_found_in_path_only_when_they_are_there() {
        assert!(find_program("cargo").is_some());
        assert!(find_program("no-such-program-anywhere").is_none());
    }
}
