//! What the tests of training share: a text with some order in it, and the programs.

#![allow(clippy::unwrap_used, dead_code)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use assert_cmd::prelude::*;
use host::toolchain::cargo;

pub mod training;

/// Sentences with some order in them, a new one each time.
pub fn text(sentences: u32) -> String {
    let mut state = 1_u32;
    let mut pick = |words: &[&'static str]| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        words[(state >> 16) as usize % words.len()]
    };
    let mut text = String::new();
    for _ in 0..sentences {
        let who = pick(&["the cat", "a small dog", "my owl", "the old fox"]);
        let does = pick(&["sees", "likes", "follows", "waits for"]);
        let whom = pick(&["the moon", "a mouse", "the rain", "nobody"]);
        text += &format!("{who} {does} {whom}.\n");
    }
    text
}

/// Options for a model that is trained in no time.
pub const SMALL: [&str; 6] = ["--hidden", "8", "--batch", "2", "--seq-len", "16"];

/// What `inkling train` starts, in a folder of its own.
pub fn train(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::cargo_bin("inkling-trainer").unwrap();
    command.current_dir(folder).args(args);
    command
}

/// The program `inkling`, in a folder of its own.
pub fn host(folder: &Path, args: &[&str]) -> Command {
    // Cargo builds the programs of the package that it tests, and no others.
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let output = cargo::cargo()
            .current_dir(root)
            .args(["build", "--quiet", "--package", "host", "--bin", "inkling"])
            .arg("--message-format=json-render-diagnostics")
            .output()
            .unwrap();
        cargo::executable(&output.stdout).expect("host builds")
    });
    let mut command = Command::new(program);
    command.current_dir(folder).args(args);
    command
}

/// Everything below a folder: names and contents, but for locks.
pub fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(contents(&path));
        } else if entry.file_name() != "lock" && entry.file_name() != ".lock" {
            found.push((path.clone(), std::fs::read(&path).unwrap()));
        }
    }
    found.sort();
    found
}
