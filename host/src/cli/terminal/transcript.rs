//! A file with all that the board prints, complete at any time.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use jiff::Timestamp;

/// The file.
#[derive(Debug)]
pub struct Transcript {
    file: File,
    path: PathBuf,
    /// Whether each line starts with the time at which it began.
    has_times: bool,
    is_mid_line: bool,
}

impl Transcript {
    /// Goes on with the file, or begins it.
    pub fn append(path: &Path, has_times: bool) -> Result<Transcript> {
        let open = || {
            let file = OpenOptions::new().create(true).append(true).open(path)?;
            let is_mid_line = has_times && is_mid_line(path)?;
            io::Result::Ok((file, is_mid_line))
        };
        let (file, is_mid_line) =
            open().with_context(|| format!("cannot write to {}", path.display()))?;
        let mut transcript = Transcript {
            file,
            path: path.into(),
            has_times,
            is_mid_line,
        };
        if is_mid_line {
            transcript.add("\n")?;
        }
        Ok(transcript)
    }

    /// Adds what the board has printed.
    pub fn add(&mut self, text: &str) -> Result<()> {
        let text = match self.has_times {
            true => &self.with_times(text, Timestamp::now()),
            false => text,
        };
        self.file
            .write_all(text.as_bytes())
            .and_then(|()| self.file.flush())
            .with_context(|| format!("cannot write to {}", self.path.display()))
    }

    fn with_times(&mut self, text: &str, now: Timestamp) -> String {
        let mut timed = String::new();
        for line in text.split_inclusive('\n') {
            if !self.is_mid_line {
                timed += &format!("{now:.3} ");
            }
            timed += line;
            self.is_mid_line = !line.ends_with('\n');
        }
        timed
    }
}

/// Whether the last line of a file has no end.
fn is_mid_line(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    // What is no regular file, such as a pipe, starts with a line.
    if !file.metadata()?.is_file() || file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn each_line_starts_with_the_time_at_which_it_began() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("board.log");
        std::fs::write(&path, "of yesterday").unwrap();
        let mut transcript = Transcript::append(&path, true).unwrap();
        let now = "2024-05-06T07:08:09.1234Z".parse().unwrap();
        let later = "2024-05-06T07:08:10Z".parse().unwrap();
        assert_eq!(
            transcript.with_times("one\ntw", now),
            "2024-05-06T07:08:09.123Z one\n2024-05-06T07:08:09.123Z tw"
        );
        assert_eq!(
            transcript.with_times("o\n\n", later),
            "o\n2024-05-06T07:08:10.000Z \n"
        );
        transcript.add("end").unwrap();
        let written = std::fs::read_to_string(&path).unwrap();
        let (before, line) = written.split_once('\n').unwrap();
        assert_eq!(before, "of yesterday");
        let (time, text) = line.split_once(' ').unwrap();
        assert!(time.parse::<Timestamp>().is_ok(), "{line}");
        assert_eq!(text, "end");
    }
}
