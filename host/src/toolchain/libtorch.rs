//! Where libtorch is: the library that training needs, and nothing else does.
//!
//! torch-sys takes the folder in `LIBTORCH`, else downloads libtorch itself while it is built.
//! Set-up keeps `LIBTORCH` in `.cargo/setup.toml`, which cargo reads, so nobody exports anything.
//!
//! What set-up unpacks comes out of wheels of known SHA-256. What torch-sys downloads is not checked:
//! it comes over HTTPS, and neither torch-sys nor this project knows its digest. Users are told where
//! that happens ([`UNCHECKED`]): on platforms without wheels, and where training is built before set-up.

use std::path::{Path, PathBuf};

use super::{Finding, SETUP};
use crate::paths;

/// The one version that tch accepts.
pub const VERSION: &str = "2.13.0";

/// Whether set-up has a prebuilt libtorch for this platform; elsewhere torch-sys downloads one.
pub const HAS_WHEELS: bool = cfg!(all(target_os = "linux", target_arch = "x86_64"));

/// What there is to say about a libtorch that torch-sys downloads.
pub const UNCHECKED: &str = "the build of the trainer downloads libtorch from download.pytorch.org and checks no digest of it";

const NAME: &str = "libtorch";

/// Who says which libtorch to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The user, by the environment variable `LIBTORCH`.
    Environment(PathBuf),
    /// The user, by `LIBTORCH_USE_PYTORCH`: the PyTorch of their Python.
    Python,
    /// Set-up, by `.cargo/setup.toml`.
    Setup(PathBuf),
    /// Nobody yet.
    Nowhere,
}

/// The folder that set-up installs to.
#[must_use]
pub fn install_dir() -> PathBuf {
    paths::cache_dir().join(format!("libtorch-{VERSION}"))
}

/// The git-ignored file by which set-up tells cargo where libtorch is.
#[must_use]
pub fn setup_file() -> PathBuf {
    paths::project_dir().join(".cargo/setup.toml")
}

/// The content of [`setup_file`] for a libtorch in `dir`.
#[must_use]
pub fn setup_text(dir: &Path) -> String {
    let path = toml::Value::String(dir.display().to_string());
    format!("# Written by `{SETUP}`.\n[env]\nLIBTORCH = {path}\n")
}

/// Finds out who says which libtorch to use.
#[must_use]
pub fn source() -> Source {
    let by_setup = std::fs::read_to_string(setup_file())
        .ok()
        .and_then(|text| setup_dir(&text));
    let by_environment = std::env::var_os("LIBTORCH").map(PathBuf::from);
    if std::env::var_os("LIBTORCH_USE_PYTORCH").is_some() {
        return Source::Python;
    }
    match (by_environment, by_setup) {
        // Cargo puts what set-up wrote into the environment of the programs it runs.
        (Some(dir), by_setup) if by_setup.as_ref() != Some(&dir) => Source::Environment(dir),
        (_, Some(dir)) => Source::Setup(dir),
        _ => Source::Nowhere,
    }
}

fn setup_dir(text: &str) -> Option<PathBuf> {
    let table: toml::Table = text.parse().ok()?;
    Some(PathBuf::from(table.get("env")?.get("LIBTORCH")?.as_str()?))
}

/// What is wrong with the libtorch in `dir`; nothing when it can be used.
#[must_use]
pub fn fault(dir: &Path) -> Option<String> {
    let version = std::fs::read_to_string(dir.join("build-version")).unwrap_or_default();
    let version = version.trim();
    if !version.is_empty() && version.split('+').next() != Some(VERSION) {
        return Some(format!(
            "{} holds libtorch {version}, not {VERSION}",
            dir.display()
        ));
    }
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    ["torch_cpu", "torch", "c10"]
        .map(|library| format!("lib/{prefix}{library}{suffix}"))
        .into_iter()
        .chain(["include/torch/csrc/api/include/torch/torch.h".into()])
        .find(|file| !dir.join(file).is_file())
        .map(|file| format!("{} has no {file}", dir.display()))
}

/// Looks whether training can be built and run.
#[must_use]
pub fn check() -> Finding {
    let ready = |dir: &Path| Finding::ready(NAME, format!("{VERSION} in {}", dir.display()));
    match source() {
        Source::Python => Finding::ready(NAME, "the PyTorch of Python (LIBTORCH_USE_PYTORCH)"),
        Source::Environment(dir) => match fault(&dir) {
            None => ready(&dir),
            Some(fault) => Finding::missing(NAME, format!("LIBTORCH: {fault}"), "unset LIBTORCH"),
        },
        Source::Setup(dir) => match fault(&dir) {
            None => ready(&dir),
            Some(fault) => Finding::missing(NAME, fault, SETUP),
        },
        Source::Nowhere => not_chosen(HAS_WHEELS),
    }
}

fn not_chosen(has_wheels: bool) -> Finding {
    if has_wheels {
        Finding::missing(NAME, format!("not set up, so {UNCHECKED}"), SETUP)
    } else {
        let detail = format!("{UNCHECKED}; to use one that you have checked, set LIBTORCH to it");
        Finding::ready(NAME, detail)
    }
}

/// What is wrong with the libtorch that somebody has chosen, and what mends it. Where nobody has,
/// nothing is: the build of the trainer downloads one.
#[must_use]
pub fn broken() -> Option<(String, String)> {
    let finding = check();
    let is_chosen = source() != Source::Nowhere;
    finding
        .mend
        .filter(|_| is_chosen)
        .map(|mend| (finding.detail, mend))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pretend_libtorch(version: &str) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a folder");
        let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
        let libraries = ["torch_cpu", "torch", "c10"].map(|l| format!("lib/{prefix}{l}{suffix}"));
        let header = "include/torch/csrc/api/include/torch/torch.h".to_owned();
        for file in libraries.into_iter().chain([header]) {
            paths::write_atomic(&dir.path().join(file), b"").expect("a file");
        }
        paths::write_atomic(&dir.path().join("build-version"), version.as_bytes()).expect("a file");
        dir
    }

    #[test]
    fn a_complete_folder_of_the_right_version_is_accepted() {
        assert_eq!(fault(pretend_libtorch("2.13.0+cpu\n").path()), None);
        assert_eq!(fault(pretend_libtorch("2.13.0+cu129").path()), None);
    }

    #[test]
    fn another_version_is_refused_by_name() {
        let fault = fault(pretend_libtorch("2.12.1+cpu").path()).expect("a fault");
        assert!(
            fault.ends_with("holds libtorch 2.12.1+cpu, not 2.13.0"),
            "{fault}"
        );
    }

    #[test]
    fn a_missing_library_is_named() {
        let dir = pretend_libtorch(VERSION);
        let library = format!(
            "lib/{}torch_cpu{}",
            std::env::consts::DLL_PREFIX,
            std::env::consts::DLL_SUFFIX
        );
        std::fs::remove_file(dir.path().join(&library)).expect("removed");
        let fault = fault(dir.path()).expect("a fault");
        assert!(fault.ends_with(&format!("has no {library}")), "{fault}");
    }

    #[test]
    fn a_libtorch_that_nobody_checks_is_said_to_be_that() {
        for has_wheels in [true, false] {
            let finding = not_chosen(has_wheels);
            assert!(finding.detail.contains("checks no digest"), "{finding:?}");
            assert_eq!(finding.ready, !has_wheels);
        }
    }

    #[test]
    fn the_setup_file_survives_odd_folder_names() {
        for dir in ["/home/a b/lib", "C:\\Users\\\"me\"\\lib", "/tmp/ключ"] {
            assert_eq!(setup_dir(&setup_text(Path::new(dir))), Some(dir.into()));
        }
    }
}
