//! Nothing is lost on the PC: commands that write are killed, stopped, started twice and left without
//! room, at random moments, and end where they would have ended undisturbed, bit for bit.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use assert_cmd::prelude::*;
use host::image;
use safetensors::SafeTensors;

mod common;
#[path = "../../tests/common/trial.rs"]
mod trial;

use common::{SMALL, contents, host, text, train};
use trial::{Moments, SmallDisk, with_short_files};

/// How often a training is ended before its end.
const LIVES: u32 = 7;

/// How often a command is that takes an instant.
const SHORT_LIVES: u32 = 12;

/// What ends it: most of them give no chance to save anything.
const SIGNALS: [&str; 5] = ["-KILL", "-KILL", "-TERM", "-HUP", "-INT"];

/// The options of a training that saves often.
const TRAINING: [&str; 8] = [
    "--text",
    "a.txt",
    "--name",
    "x",
    "--steps",
    "400",
    "--recipe",
    "often.toml",
];

/// Puts the text and the recipe of the training there.
fn lay_out(folder: &Path) {
    fs::write(folder.join("a.txt"), text(60)).unwrap();
    let recipe = "inherits = \"quick\"\n[report]\ncheckpoint_every = 5\nvalidate_every = 40\n";
    fs::write(folder.join("often.toml"), recipe).unwrap();
}

/// Starts the training, or goes on with it where it can be gone on with.
fn training(folder: &Path) -> Command {
    let checkpoint = folder.join("runs/x/checkpoint.safetensors");
    let mut command = if checkpoint.is_file() {
        train(folder, &["--resume", "x"])
    } else {
        train(folder, &[&TRAINING[..], &SMALL, &["--overwrite"]].concat())
    };
    command.arg("--json");
    command
}

/// What a training ends with: the tensors of its weights, and its image.
#[derive(PartialEq, Eq)]
struct Ending {
    tensors: Vec<(String, Vec<u8>)>,
    image: Vec<u8>,
}

impl Ending {
    fn of(folder: &Path) -> Self {
        let bytes = fs::read(folder.join("runs/x/weights.safetensors")).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let mut tensors: Vec<_> = file
            .iter()
            .map(|(name, tensor)| (name.to_owned(), tensor.data().to_vec()))
            .collect();
        tensors.sort();
        let image = fs::read(folder.join("weights/x.img")).unwrap();
        Self { tensors, image }
    }
}

/// The folder of a training that nothing disturbed.
fn undisturbed() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        lay_out(folder.path());
        training(folder.path()).assert().success();
        folder
    });
    folder.path()
}

/// Goes on to the end, undisturbed, and compares that.
fn ends_as_undisturbed(folder: &Path) {
    let output = training(folder).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(Ending::of(folder) == Ending::of(undisturbed()));
    let left = partial_files(folder);
    // Young ones may belong to somebody: they are swept later.
    assert!(left.len() <= LIVES as usize, "{left:?}");
}

/// All names in a folder that are not for users.
fn partial_files(folder: &Path) -> Vec<PathBuf> {
    let files = contents(folder).into_iter().map(|(path, _)| path);
    files.filter(|path| is_partial(path)).collect()
}

fn is_partial(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy();
    name.starts_with(".partial-")
}

/// Whether each file is whole, whatever it is.
fn all_is_whole(folder: &Path) {
    for (path, bytes) in contents(folder) {
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let text = String::from_utf8_lossy(&bytes);
        let is_whole = match &*extension {
            _ if is_partial(&path) => true,
            "safetensors" => SafeTensors::deserialize(&bytes).is_ok(),
            "json" => serde_json::from_slice::<serde_json::Value>(&bytes).is_ok(),
            "html" => text.trim_end().ends_with("</html>"),
            "svg" => text.trim_end().ends_with("</svg>"),
            "img" => image::open(&path).is_ok_and(|image| image.model().is_ok()),
            "md" => text.contains("# x") && text.ends_with('\n'),
            "txt" | "toml" => true,
            _ => path.ends_with("filler"),
        };
        assert!(is_whole, "{}: {} bytes", path.display(), bytes.len());
    }
}

/// Sends a signal, unless it has ended.
fn signal(child: &Child, name: &str) {
    let pid = child.id().to_string();
    let mut kill = Command::new("kill");
    let _ = kill.args([name, &pid]).stderr(Stdio::null()).status();
}

/// Starts a program, and lets it print so many lines.
fn start_and_read(command: &mut Command, lines: u64) -> Child {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut printed = BufReader::new(child.stdout.take().unwrap()).lines();
    for _ in 0..lines {
        if printed.next().is_none() {
            break;
        }
    }
    // It must not be stopped by a closed pipe.
    std::thread::spawn(move || printed.for_each(drop));
    child
}

#[test]
fn a_training_that_is_killed_at_any_moment_ends_with_the_same_weights() {
    let mut moments = Moments::of("killed");
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    lay_out(folder);
    for _ in 0..LIVES {
        let lines = moments.below(30);
        let mut child = start_and_read(&mut training(folder), lines);
        moments.wait(Duration::from_millis(60));
        signal(&child, moments.pick(&SIGNALS));
        let status = child.wait().unwrap();
        // Before it listens to signals they end it as they end any program.
        let by_signal = matches!(status.signal(), Some(1 | 2 | 9 | 15));
        let code = status.code();
        assert!(
            by_signal || matches!(code, Some(0 | 129 | 130 | 143)),
            "{status}"
        );
        all_is_whole(folder);
    }
    ends_as_undisturbed(folder);
}

#[test]
fn a_training_whose_disk_is_full_at_any_moment_ends_with_the_same_weights() {
    let Some(disk) = SmallDisk::of_kib(600) else {
        return;
    };
    let mut moments = Moments::of("full disk");
    let folder = disk.path();
    lay_out(folder);
    for _ in 0..LIVES / 2 {
        let lines = moments.below(30);
        let mut child = start_and_read(&mut training(folder), lines);
        moments.wait(Duration::from_millis(30));
        disk.fill();
        moments.wait(Duration::from_millis(300));
        match moments.below(3) {
            0 => signal(&child, "-KILL"),
            1 => disk.empty(),
            _ => signal(&child, "-TERM"),
        }
        let status = child.wait().unwrap();
        // 101 would be a panic.
        assert_ne!(status.code(), Some(101));
        all_is_whole(folder);
        disk.empty();
    }
    ends_as_undisturbed(folder);
}

/// What a command says that cannot write: one sentence, and no panic.
fn refuses(output: &Output) -> String {
    let said = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let errors = said.lines().filter(|line| line.starts_with("error: "));
    assert_eq!(errors.count(), 1, "{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[test]
fn a_training_that_can_write_nothing_says_so_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    lay_out(folder);
    let output = with_short_files(4, &training(folder)).output().unwrap();
    let said = refuses(&output);
    assert!(
        said.contains("; what was saved before is untouched"),
        "{said}"
    );
    all_is_whole(folder);
    assert!(partial_files(folder).is_empty());
    ends_as_undisturbed(folder);
}

#[test]
fn of_two_that_go_on_with_a_training_at_once_one_does() {
    let mut moments = Moments::of("two at once");
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    lay_out(folder);
    for _ in 0..3 {
        let mut first = start_and_read(&mut training(folder), moments.below(10) + 3);
        signal(&first, "-KILL");
        first.wait().unwrap();
        let spawn = |command: &mut Command| {
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        };
        let one = spawn(&mut training(folder));
        moments.wait(Duration::from_millis(40));
        let other = spawn(&mut training(folder));
        moments.wait(Duration::from_millis(200));
        // The one that trains stops and saves; the other has been refused.
        for child in [&one, &other] {
            signal(child, "-TERM");
        }
        let ended = [one, other].map(|child| child.wait_with_output().unwrap());
        let trained = |output: &&Output| matches!(output.status.code(), Some(0 | 143));
        for output in ended.iter().filter(|output| !trained(output)) {
            if output.status.signal() == Some(15) {
                continue; // before it had begun
            }
            let said = refuses(output);
            assert!(said.contains("is being trained by process"), "{said}");
        }
        all_is_whole(folder);
    }
    ends_as_undisturbed(folder);
}

/// A copy of the undisturbed training, with its model or without.
fn copy_of_undisturbed(with_model: bool) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in contents(undisturbed()) {
        let name = path.strip_prefix(undisturbed()).unwrap();
        if with_model || !name.starts_with("weights") {
            let target = folder.path().join(name);
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::write(target, bytes).unwrap();
        }
    }
    folder
}

/// The files of a folder, without what a killed program was writing.
fn kept(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let relative = |path: PathBuf| path.strip_prefix(folder).unwrap().to_owned();
    let files = contents(folder).into_iter();
    files
        .filter(|(path, _)| !is_partial(path))
        .map(|(path, bytes)| (relative(path), bytes))
        .collect()
}

/// How long a command takes undisturbed.
fn time_of(command: &mut Command) -> Duration {
    let start = Instant::now();
    command.assert().success();
    start.elapsed()
}

#[test]
fn an_export_that_is_killed_at_any_moment_leaves_whole_files_or_none() {
    let mut moments = Moments::of("export");
    let folder = copy_of_undisturbed(false);
    let folder = folder.path();
    let export = ["export", "x"];
    let time = time_of(&mut host(folder, &export));
    let exported = kept(&folder.join("weights"));
    for round in 0..SHORT_LIVES {
        // Over the files of before, and where there are none.
        if round % 2 == 0 {
            fs::remove_dir_all(folder.join("weights")).unwrap();
        }
        moments.kill_within(time, &mut host(folder, &export));
        all_is_whole(folder);
        let left = kept(&folder.join("weights"));
        assert!(left.iter().all(|file| exported.contains(file)), "{left:?}");
        host(folder, &export).assert().success();
        assert_eq!(kept(&folder.join("weights")), exported);
    }
}

#[test]
fn an_export_without_room_says_so_and_leaves_the_model_of_before() {
    let folder = copy_of_undisturbed(true);
    let folder = folder.path();
    let before = kept(folder);
    let export = host(folder, &["export", "x", "--planes", "3"]);
    let output = with_short_files(1, &export).output().unwrap();
    let said = refuses(&output);
    assert!(said.contains("; nothing was changed there"), "{said}");
    assert_eq!(kept(folder), before);
    assert!(partial_files(folder).is_empty());
}

#[test]
fn a_run_whose_renaming_is_killed_has_one_of_its_names_and_all_of_its_files() {
    let mut moments = Moments::of("rename");
    let folder = copy_of_undisturbed(false);
    let folder = folder.path();
    // The report tells the name, and each export of it.
    let of_run = |name: &str| {
        let files = ["checkpoint.safetensors", "weights.safetensors", "run.json"];
        files.map(|file| fs::read(folder.join("runs").join(name).join(file)).unwrap())
    };
    let files = of_run("x");
    let mut names = ["x", "y"];
    let time = time_of(&mut host(folder, &["runs"]));
    for _ in 0..SHORT_LIVES {
        let rename = ["runs", "rename", names[0], names[1]];
        moments.kill_within(time, &mut host(folder, &rename));
        let is_there = names.map(|name| folder.join("runs").join(name).is_dir());
        assert!(is_there[0] != is_there[1], "{is_there:?}");
        if is_there[1] {
            names.reverse();
        }
        assert!(of_run(names[0]) == files);
        host(folder, &["export", names[0]]).assert().success();
    }
}

#[test]
fn a_run_whose_removal_is_killed_is_whole_or_gone() {
    let mut moments = Moments::of("remove");
    let mut time = None;
    for _ in 0..SHORT_LIVES {
        let folder = copy_of_undisturbed(false);
        let folder = folder.path();
        let files = kept(&folder.join("runs/x"));
        let most = *time.get_or_insert_with(|| time_of(&mut host(folder, &["runs"])));
        let remove = ["runs", "remove", "--yes", "x"];
        moments.kill_within(most, &mut host(folder, &remove));
        let run = folder.join("runs/x");
        if run.is_dir() {
            assert_eq!(kept(&run), files);
            host(folder, &remove).assert().success();
        }
        assert!(!run.exists());
        // What was being removed is no run, and the next training sweeps it.
        host(folder, &["runs"]).assert().success();
    }
}
