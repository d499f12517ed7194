//! The commands in README and book do what they are there for: each that can run here runs, in the order of
//! its page, on a desk with texts of the names that the pages use.
//!
//! Blocks marked `console` hold them behind `$ `; what needs a board is marked `sh` and checked for its words
//! alone, as is what [`NOT_RUN`] names.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

mod common;
use common::{host, text, train};

/// Commands that do not run here, by how they begin, and why.
const NOT_RUN: [(&str, &str); 4] = [
    (
        "cargo ",
        "set-up, tests and builds of the checkout itself: CI runs them",
    ),
    (
        "inkling health ",
        "writes three million characters; a test writes one million",
    ),
    (
        "inkling eval shakespeare-32k",
        "measures on the standard corpus, which may have to be downloaded",
    ),
    (
        "inkling emulate",
        "boots an emulator, which the tests of host do with the same options",
    ),
];

/// So long do the trainings of this test take, whatever the page says.
const STEPS: &str = " --steps 5";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// README, the book, and the pages beside them.
fn pages() -> Vec<PathBuf> {
    let mut pages: Vec<_> = fs::read_dir(root().join("docs/src"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    pages.sort();
    let others = ["README.md", "CONTRIBUTING.md", "weights/README.md"];
    pages.extend(others.map(|page| root().join(page)));
    pages
}

/// The commands in the blocks of a page that are marked so.
fn commands(page: &Path, mark: &str) -> Vec<String> {
    let mut commands = Vec::new();
    let mut block: Option<bool> = None;
    for line in fs::read_to_string(page).unwrap().lines() {
        match (line.strip_prefix("```"), block) {
            (Some(_), Some(_)) => block = None,
            (Some(info), None) => block = Some(info == mark),
            (None, Some(true)) => match (mark, line.strip_prefix("$ ")) {
                ("console", command) => commands.extend(command.map(str::to_owned)),
                _ => commands.push(line.to_owned()),
            },
            _ => {}
        }
    }
    commands
}

fn is_run(command: &str) -> bool {
    !NOT_RUN.iter().any(|(start, _)| command.starts_with(start))
        && !command.contains("| inkling emulate")
}

/// A desk where commands find what the pages speak of.
fn desk() -> tempfile::TempDir {
    let desk = tempfile::tempdir().unwrap();
    let path = |name: &str| desk.path().join(name);
    fs::create_dir_all(path("letters")).unwrap();
    fs::create_dir_all(path("firmware")).unwrap();
    fs::create_dir_all(path("weights")).unwrap();
    fs::write(path("my-novel.txt"), text(120)).unwrap();
    fs::write(path("letters/first.txt"), text(40)).unwrap();
    fs::write(path("diary.txt"), text(50).to_uppercase()).unwrap();
    let names = [
        "anna", "berta", "clara", "doris", "emma", "frieda", "grete", "helga",
    ];
    fs::write(
        path("names.txt"),
        names.map(|name| format!("{name}\n")).concat().repeat(20),
    )
    .unwrap();
    let shipped = root().join("weights").canonicalize().unwrap();
    for entry in fs::read_dir(shipped).unwrap().flatten() {
        symlink(entry.path(), path("weights").join(entry.file_name())).unwrap();
    }
    desk
}

/// Runs a line as a shell does. `inkling train` starts the trainer, as that is what it would build first.
fn run(desk: &Path, line: &str) {
    let bin = desk.join("bin");
    if !bin.exists() {
        let program = |command: Command| PathBuf::from(command.get_program()).display().to_string();
        let (trainer, others) = (program(train(desk, &[])), program(host(desk, &[])));
        let script = format!(
            "#!/bin/sh\nif [ \"$1\" = train ]; then shift; exec '{trainer}' \"$@\"; fi\nexec '{others}' \"$@\"\n"
        );
        fs::create_dir(&bin).unwrap();
        fs::write(bin.join("inkling"), script).unwrap();
        fs::set_permissions(bin.join("inkling"), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let output = Command::new("sh")
        .args(["-c", line])
        .current_dir(desk)
        .env("PATH", path)
        .env("INKLING_CACHE", desk.join("cache"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
}

#[test]
fn every_command_in_readme_and_book_runs() {
    let desk = desk();
    let desk = desk.path();
    // What pages take for granted.
    for name in ["novel", "novel-2"] {
        run(
            desk,
            &format!("inkling train --text my-novel.txt --name {name}{STEPS}"),
        );
    }
    run(
        desk,
        &format!("inkling train --text names.txt --name names{STEPS}"),
    );
    let mut count = 0;
    let mut seen = HashSet::new();
    for page in pages() {
        for command in commands(&page, "console") {
            if !is_run(&command) || !seen.insert(command.clone()) {
                continue;
            }
            let trains = command.starts_with("inkling train ") && !command.contains("--resume");
            let line = match command.split_once(" > ") {
                Some(_) | None if !trains => command,
                Some((command, file)) => format!("{command}{STEPS} > {file}"),
                None => format!("{command}{STEPS}"),
            };
            run(desk, &line);
            count += 1;
        }
    }
    assert!(count >= 10, "the pages have only {count} commands that run");
}

#[test]
fn every_option_in_readme_and_book_exists() {
    let desk = tempfile::tempdir().unwrap();
    for page in pages() {
        let marked = ["console", "sh"].map(|mark| commands(&page, mark));
        for command in marked.concat() {
            // Of a pipe and behind `cargo run -p host --` it is the last part.
            let line = command.rsplit("| ").next().unwrap();
            let Some(line) = line.strip_prefix("inkling ") else {
                continue;
            };
            let words: Vec<&str> = line.split_whitespace().collect();
            let name = words[..1].iter().chain(
                words
                    .get(1)
                    .filter(|word| ["rename", "remove", "compare"].contains(word)),
            );
            let name: Vec<&str> = name.copied().collect();
            let help = host(desk.path(), &[&name[..], &["--help"]].concat())
                .output()
                .unwrap();
            assert!(help.status.success(), "{}: {command}", page.display());
            let help = String::from_utf8(help.stdout).unwrap();
            let options = words.iter().filter(|word| word.starts_with("--"));
            for option in options {
                let ends = [" ", "\n", ","].map(|end| format!("{option}{end}"));
                assert!(
                    ends.iter().any(|option| help.contains(option)),
                    "{}: {command}: {option}",
                    page.display()
                );
            }
        }
    }
}
