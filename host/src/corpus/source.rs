//! Where a text comes from: a standard corpus, files, folders, standard input and pipes.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::text::{Bytes, Text, TextFile};
use super::{CorpusError, Reading, Standard, fetch, file_name};
use crate::words::count;

/// The most that is taken from a pipe, so that an endless one does not fill the disk.
const MOST_FROM_PIPE: u64 = 4 << 30;

/// The name of standard input among the files.
const STANDARD_INPUT: &str = "-";

/// Where a text can be read again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A standard corpus, from the cache or downloaded into it.
    Standard(Standard),
    /// A file: by its absolute path, or by a relative one in the folder of the run.
    File(PathBuf),
    /// Several of them, in this order.
    Files(Vec<PathBuf>),
}

impl Source {
    /// Files in this order.
    #[must_use]
    pub fn of_files(mut paths: Vec<PathBuf>) -> Self {
        match paths.pop() {
            Some(path) if paths.is_empty() => Self::File(path),
            last => {
                paths.extend(last);
                Self::Files(paths)
            }
        }
    }

    /// The same, with the files that lie in the folder of the run found there.
    #[must_use]
    pub fn within(&self, run_dir: &Path) -> Self {
        match self {
            Self::Standard(standard) => Self::Standard(*standard),
            Self::File(path) => Self::File(run_dir.join(path)),
            Self::Files(paths) => {
                Self::Files(paths.iter().map(|path| run_dir.join(path)).collect())
            }
        }
    }

    /// The same for others to read: the names of the files without their folders.
    #[must_use]
    pub fn public(&self) -> Self {
        let name = |path: &PathBuf| PathBuf::from(path.file_name().unwrap_or_default());
        match self {
            Self::Standard(standard) => Self::Standard(*standard),
            Self::File(path) => Self::File(name(path)),
            Self::Files(paths) => Self::Files(paths.iter().map(name).collect()),
        }
    }

    /// The text, ready to be read.
    ///
    /// # Errors
    /// When it cannot be found, read, decoded or downloaded.
    pub fn open(&self, reading: Reading, say: &dyn Fn(&str)) -> Result<Text, CorpusError> {
        match self {
            Self::Standard(standard) => {
                let fetched = fetch(*standard, say)?;
                let file = TextFile {
                    name: fetched.path.display().to_string(),
                    bytes: Bytes::File(fetched.path),
                    found: false,
                };
                let name = fetched.standard.to_string();
                let mut text = Text::new(name.clone(), name, vec![file], reading)?;
                text.standard = Some(*standard);
                Ok(text)
            }
            Self::File(path) => gather(std::slice::from_ref(path), reading, say),
            Self::Files(paths) => gather(paths, reading, say),
        }
    }
}

/// What a path given as a text turns out to be.
enum Given {
    StandardInput,
    /// A pipe, or anything else that can be read only once.
    Once(PathBuf),
    File(PathBuf),
    Folder(PathBuf),
}

impl Given {
    fn of(path: &Path) -> Result<Self, CorpusError> {
        if path.as_os_str() == STANDARD_INPUT {
            return Ok(Self::StandardInput);
        }
        let absolute = std::path::absolute(path).map_err(|_| CorpusError::NotFound(path.into()))?;
        let metadata = std::fs::metadata(&absolute).map_err(|reason| unreadable(path, reason))?;
        // Names of what this process has open mean something else to the next one.
        let is_of_process = ["/dev", "/proc"]
            .iter()
            .any(|dir| absolute.starts_with(dir));
        Ok(match metadata.file_type() {
            kind if kind.is_dir() => Self::Folder(absolute),
            kind if kind.is_file() && !is_of_process => Self::File(absolute),
            _ => Self::Once(absolute),
        })
    }

    fn description(&self) -> String {
        match self {
            Self::StandardInput => "standard input".to_owned(),
            Self::Once(_) => "a pipe".to_owned(),
            Self::File(path) | Self::Folder(path) => file_name(path),
        }
    }
}

/// What a run on these texts is called, if nobody says otherwise: like the first one.
#[must_use]
pub fn run_name(paths: &[PathBuf]) -> Option<PathBuf> {
    let first = paths.first()?;
    Some(match Given::of(first) {
        Ok(Given::StandardInput | Given::Once(_)) => PathBuf::from("text"),
        Ok(Given::File(path) | Given::Folder(path)) => path,
        Err(_) => first.clone(),
    })
}

/// The text that `paths` name, in this order: files, folders, pipes, and `-` for standard input.
///
/// Of a folder all files are taken, those in folders inside it too, in the order of their paths; hidden
/// ones and those that are no text are left out. What can be read only once is set aside.
///
/// # Errors
/// When something cannot be found, read or decoded, or when a folder holds no text.
pub fn gather(
    paths: &[PathBuf],
    reading: Reading,
    say: &dyn Fn(&str),
) -> Result<Text, CorpusError> {
    let given: Vec<Given> = paths
        .iter()
        .map(|path| Given::of(path))
        .collect::<Result<_, _>>()?;
    let mut files = Files::default();
    for (path, given) in paths.iter().zip(&given) {
        let name = path.display().to_string();
        match given {
            Given::StandardInput => {
                let stdin = io::stdin();
                if stdin.is_terminal() {
                    say("reading the text from the terminal; Ctrl-D ends it");
                }
                files.set_aside(given.description(), stdin.lock())?;
            }
            Given::Once(absolute) => {
                let file = File::open(absolute).map_err(|reason| unreadable(path, reason))?;
                files.set_aside(name, file)?;
            }
            Given::File(absolute) => files.add(name, absolute.clone(), false),
            Given::Folder(absolute) => {
                let mut found = Vec::new();
                files.hidden += search(absolute, &mut found)?;
                found.sort();
                for path in found {
                    files.add(path.display().to_string(), path, true);
                }
            }
        }
    }
    let (first_name, first) = match (&paths, &given[..]) {
        ([path, ..], [given, ..]) => (path.display().to_string(), given.description()),
        _ => return Err(CorpusError::NoText(String::new())),
    };
    let more = match paths.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let Files {
        files,
        hidden,
        repeated,
    } = files;
    let mut text = Text::new(first_name + &more, first + &more, files, reading)?;
    if matches!(given[..], [Given::Folder(_)]) {
        let files = count(text.files(), "file");
        text.description = format!("{} ({files})", text.description);
    }
    if hidden > 0 {
        let files = count(hidden, "hidden file");
        text.notes.push(format!("left out: {files}"));
    }
    if repeated > 0 {
        let files = count(repeated, "file");
        text.notes
            .push(format!("left out: {files} named a second time"));
    }
    Ok(text)
}

/// Files in the order in which they were named or found.
#[derive(Default)]
struct Files {
    files: Vec<TextFile>,
    hidden: u64,
    repeated: u64,
}

impl Files {
    fn add(&mut self, name: String, path: PathBuf, found: bool) {
        let is_same = |file: &TextFile| matches!(&file.bytes, Bytes::File(other) if *other == path);
        if self.files.iter().any(is_same) {
            self.repeated += 1;
            return;
        }
        self.files.push(TextFile {
            name,
            bytes: Bytes::File(path),
            found,
        });
    }

    /// Copies what can be read only once to a file without a name, which is gone with the program.
    fn set_aside(&mut self, name: String, source: impl Read) -> Result<(), CorpusError> {
        let unkept = |reason| CorpusError::NotSetAside {
            name: name.clone(),
            reason,
        };
        let mut file = tempfile::tempfile().map_err(unkept)?;
        let copied = io::copy(&mut source.take(MOST_FROM_PIPE + 1), &mut file).map_err(unkept)?;
        if copied > MOST_FROM_PIPE {
            return Err(CorpusError::Endless(name));
        }
        self.files.push(TextFile {
            name,
            bytes: Bytes::SetAside(Arc::new(file)),
            found: false,
        });
        Ok(())
    }
}

/// Adds all files in a folder and in those inside it, and returns how many hidden ones there are.
fn search(folder: &Path, found: &mut Vec<PathBuf>) -> Result<u64, CorpusError> {
    let failed = |reason| unreadable(folder, reason);
    let mut hidden = 0;
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let path = entry.path();
        // A link to a folder may lead back to where it lies, so only links to files are followed.
        let is_folder = entry.file_type().map_err(failed)?.is_dir();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            hidden += u64::from(!is_folder);
        } else if is_folder {
            hidden += search(&path, found)?;
        } else if path.is_file() {
            found.push(path);
        }
    }
    Ok(hidden)
}

fn unreadable(path: &Path, reason: io::Error) -> CorpusError {
    let path = path.to_owned();
    match reason.kind() {
        io::ErrorKind::NotFound => CorpusError::NotFound(path),
        _ => CorpusError::Unreadable { path, reason },
    }
}
