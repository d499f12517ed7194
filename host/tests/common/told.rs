//! What a command tells its user, as a transcript for snapshots; and which sentences of the sources are
//! told in none.

#![allow(clippy::unwrap_used, dead_code)]

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Runs a command line, with its words parted by blanks, and tells how it ended.
pub fn told(mut program: Command, folder: &Path, line: &str) -> String {
    program
        .current_dir(folder)
        .args(line.split_whitespace())
        .env("INKLING_CACHE", folder.join("cache"))
        .env("NO_COLOR", "1")
        .env_remove("COLUMNS")
        .stdin(Stdio::null());
    let output = program.output().unwrap();
    let folder = folder.to_str().unwrap();
    let said = String::from_utf8(output.stderr)
        .unwrap()
        .replace(folder, "FOLDER");
    let code = output.status.code().unwrap();
    let shown = match output.stdout.is_empty() {
        true => "",
        false => "(and prints something)\n",
    };
    format!("$ inkling {line}\n[{code}] {said}{shown}\n")
}

/// The messages of the errors in the sources below a folder, each with its place.
pub fn messages(sources: &Path) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(sources).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(messages(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let code = fs::read_to_string(&path).unwrap();
            let places = code.split("#[error(").skip(1);
            let literals = places.filter_map(first_literal);
            found.extend(literals.map(|literal| (path.display().to_string(), literal)));
        }
    }
    found.sort();
    found
}

/// The string that an attribute begins with; none for `transparent`.
fn first_literal(code: &str) -> Option<String> {
    let code = code.trim_start().strip_prefix('"')?;
    let mut literal = String::new();
    let mut chars = code.chars();
    loop {
        match chars.next()? {
            '"' => return Some(literal),
            // A line that goes on.
            '\\' => match chars.next()? {
                '\n' => {
                    let rest = chars.as_str().trim_start();
                    chars = rest.chars();
                }
                'n' => literal.push('\n'),
                c => literal.push(c),
            },
            c => literal.push(c),
        }
    }
}

/// So many characters of a message are it and no other.
const TELLING: usize = 16;

/// Whether a text has part of a message, one that no value stands in.
pub fn is_told_in(text: &str, message: &str) -> bool {
    let pieces = message.split(['{', '}']).step_by(2);
    let mut long = pieces.filter(|piece| piece.len() >= TELLING).peekable();
    // Of values alone, it says what another says.
    long.peek().is_none()
        || long.any(|piece| {
            let starts = piece.char_indices().map(|(start, _)| start);
            let windows = starts.filter_map(|start| piece.get(start..start + TELLING));
            windows.into_iter().any(|window| text.contains(window))
        })
}

/// The texts of all files below a folder, one behind the other; of sources, the tests alone.
pub fn text_of_tests(folder: &Path, is_source: bool) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            text += &text_of_tests(&path, is_source);
        } else if let Ok(content) = fs::read_to_string(&path) {
            let (_, tests) = content.split_once("#[cfg(test)]").unwrap_or_default();
            text += if is_source { tests } else { &content };
        }
    }
    text
}
