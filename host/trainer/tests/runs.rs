//! What training never does to a user's files: each promise a test, with the real programs.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use assert_cmd::prelude::*;
use host::image;
use host::quantize::FloatModel;
use host::runs::RunId;
use predicates::prelude::PredicateBooleanExt;
use predicates::str::contains;
use serde_json::Value;
use tempfile::TempDir;

mod common;
use common::{SMALL, contents, host, text, train};

/// A folder with two texts.
fn desk() -> TempDir {
    let desk = tempfile::tempdir().unwrap();
    fs::write(desk.path().join("a.txt"), text(60)).unwrap();
    fs::write(desk.path().join("b.txt"), text(80).to_uppercase()).unwrap();
    desk
}

/// The options of a small training, and some more.
fn small<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&SMALL[..], more].concat()
}

/// Puts a recipe for `--recipe often.toml` on the desk, with these settings of what is saved when.
fn saving_often(folder: &Path, settings: &str) {
    let recipe = format!("inherits = \"quick\"\n[report]\n{settings}\n");
    fs::write(folder.join("often.toml"), recipe).unwrap();
}

/// Trains to the end.
fn finish(folder: &Path, more: &[&str]) {
    let args = small(&[&["--steps", "3"], more].concat());
    train(folder, &args).assert().success();
}

/// A training that will not end by itself, at its first step.
struct Endless {
    child: Child,
    lines: Box<dyn Iterator<Item = Value> + Send>,
}

impl Endless {
    fn start(folder: &Path, more: &[&str]) -> Self {
        let mut child = train(
            folder,
            &small(&[&["--steps", "100000000", "--json"], more].concat()),
        )
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let lines = lines.map_while(Result::ok);
        let mut endless = Self {
            child,
            lines: Box::new(lines.map(|line| serde_json::from_str(&line).unwrap())),
        };
        endless.next("step");
        endless
    }

    fn next(&mut self, event: &str) -> Value {
        let found = self.lines.find(|value| value["event"] == event);
        found.unwrap_or_else(|| panic!("no {event}"))
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let status = std::process::Command::new("kill")
            .args([name, &pid])
            .status();
        assert!(status.unwrap().success());
    }

    /// Holds it until it gets `-CONT`.
    fn pause(&self) {
        self.signal("-STOP");
        let is_held = || {
            let status = fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
            status.map_or(true, |status| status.contains(") T "))
        };
        while !is_held() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Ends without a chance to save anything.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends in an orderly way; answers with the step and the exit code.
    fn stop(mut self, signal: &str) -> (u64, Option<i32>) {
        self.signal(signal);
        let end = self.next("end");
        assert_eq!(end["interrupted"], true);
        let step = end["step"].as_u64().unwrap();
        (step, self.child.wait().unwrap().code())
    }
}

/// A value that is dropped while a test fails must not leave a training behind.
impl Drop for Endless {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn id(run: &Path) -> RunId {
    let id = RunId::of_folder(run);
    assert_ne!(id, RunId::default());
    id
}

fn weights(run: &Path) -> FloatModel {
    FloatModel::load(&run.join("weights.safetensors")).unwrap()
}

#[test]
fn a_run_never_exports_samples_or_resumes_the_model_of_another_text() {
    let desk = desk();
    let folder = desk.path();
    finish(folder, &["--text", "a.txt", "--name", "x"]);
    let first = contents(&folder.join("runs/x"));

    // By itself the other text gets a run of its own.
    Endless::start(folder, &["--text", "b.txt", "--name", "x"]).kill();
    assert_eq!(contents(&folder.join("runs/x")), first);
    assert!(folder.join("runs/x-2/run.json").is_file());

    // Where it is to replace the first one, nothing of that is left to be taken for the new one's.
    Endless::start(folder, &["--text", "b.txt", "--name", "x", "--overwrite"]).kill();
    for run in ["x", "x-2", "runs/x"] {
        let unfinished = || contains("is not finished").and(contains("--resume"));
        host(folder, &["export", run])
            .assert()
            .failure()
            .stderr(unfinished());
        host(folder, &["sample", run, "--float"])
            .assert()
            .failure()
            .stderr(unfinished());
    }
    train(folder, &["--resume", "x"])
        .assert()
        .failure()
        .stderr(contains("has no checkpoint"));
}

#[test]
fn a_file_of_another_training_in_a_runs_folder_is_noticed_by_every_reader() {
    let desk = desk();
    let folder = desk.path();
    finish(folder, &["--text", "a.txt"]);
    finish(folder, &["--text", "b.txt"]);
    for file in ["weights.safetensors", "checkpoint.safetensors"] {
        fs::copy(
            folder.join("runs/a").join(file),
            folder.join("runs/b").join(file),
        )
        .unwrap();
    }
    let stranger = || contains("belongs to another training");
    host(folder, &["export", "b"])
        .assert()
        .failure()
        .stderr(stranger());
    host(folder, &["sample", "b", "--float"])
        .assert()
        .failure()
        .stderr(stranger());
    host(folder, &["eval", "a", "--float", "b"])
        .assert()
        .failure()
        .stderr(stranger());
    train(folder, &["--resume", "b"])
        .assert()
        .failure()
        .stderr(stranger());
    train(folder, &small(&["--text", "a.txt", "--from", "b"]))
        .assert()
        .failure()
        .stderr(stranger());
    // Elsewhere a file of weights speaks for itself.
    fs::copy(
        folder.join("runs/a/weights.safetensors"),
        folder.join("mine.safetensors"),
    )
    .unwrap();
    host(
        folder,
        &["sample", "mine.safetensors", "--float", "--length", "5"],
    )
    .assert()
    .success();
}

#[test]
fn a_new_training_never_touches_what_exists() {
    let desk = desk();
    let folder = desk.path();
    for place in ["p", "q"] {
        fs::create_dir(folder.join(place)).unwrap();
    }
    fs::write(folder.join("p/input.txt"), text(50)).unwrap();
    fs::write(folder.join("q/input.txt"), text(70)).unwrap();
    finish(folder, &["--text", "p/input.txt"]);
    let before = contents(folder);
    train(folder, &small(&["--steps", "3", "--text", "q/input.txt"]))
        .assert()
        .success()
        .stderr(contains("this one is 'input-2'").and(contains("--overwrite")))
        .stdout(contains("input-2.img"));
    let after = contents(folder);
    assert!(before.iter().all(|file| after.contains(file)));
    assert!(after.len() > before.len());

    // Told to, it replaces the run and its model.
    finish(
        folder,
        &["--text", "q/input.txt", "--name", "input", "--overwrite"],
    );
    let names: Vec<_> = fs::read_dir(folder.join("runs"))
        .unwrap()
        .flatten()
        .collect();
    assert_eq!(names.len(), 3, "two runs and a lock: {names:?}");
    assert_eq!(
        weights(&folder.join("runs/input")).metadata["corpus"],
        weights(&folder.join("runs/input-2")).metadata["corpus"]
    );
}

#[test]
fn a_model_of_other_origin_is_replaced_only_where_that_was_asked_for() {
    let desk = desk();
    let folder = desk.path();
    let shipped = folder.join("weights/shipped.img");
    fs::create_dir(folder.join("weights")).unwrap();
    fs::write(&shipped, "precious").unwrap();
    fs::copy(folder.join("a.txt"), folder.join("shipped.txt")).unwrap();
    for options in [
        &["--text", "shipped.txt"][..],
        &["--text", "a.txt", "--name", "shipped"],
    ] {
        let args = small(&[&["--steps", "3"], options].concat());
        train(folder, &args)
            .assert()
            .success()
            .stderr(contains("this one is 'shipped-"));
    }
    let refused = || contains("has another model 'shipped'").and(contains("--overwrite"));
    host(folder, &["export", "shipped-2", "--name", "shipped"])
        .assert()
        .failure()
        .stderr(refused());
    // A model that appears while its namesake is trained is as safe.
    host(folder, &["export", "shipped-2", "--name", "shipped-3"])
        .assert()
        .failure();
    assert_eq!(fs::read(&shipped).unwrap(), b"precious");
    // A run's own model is replaced without asking.
    host(folder, &["export", "shipped-2", "--planes", "3"])
        .assert()
        .success();
    host(
        folder,
        &["export", "shipped-2", "--name", "shipped", "--overwrite"],
    )
    .assert()
    .success();
    assert_ne!(fs::read(&shipped).unwrap(), b"precious");
}

#[test]
fn interrupted_runs_of_one_name_are_all_kept() {
    let desk = desk();
    let folder = desk.path();
    let long = "victory-over-the-longest-of-names"[..32].to_owned();
    for name in ["vic-at-50", &long] {
        let mut ids = Vec::new();
        for _ in 0..3 {
            let run = Endless::start(folder, &["--text", "a.txt", "--name", name]);
            run.stop("-TERM");
        }
        let runs = fs::read_dir(folder.join("runs")).unwrap().flatten();
        let runs = runs.filter(|entry| entry.file_name().to_string_lossy().starts_with("vic"));
        for run in runs {
            assert!(
                run.path().join("checkpoint.safetensors").is_file(),
                "{run:?}"
            );
            ids.push(id(&run.path()));
        }
        let count = ids.len();
        ids.sort_by_key(|id| id.as_str().to_owned());
        ids.dedup();
        assert_eq!(count, ids.len());
        assert!([3, 6].contains(&count), "{count}");
    }
}

#[test]
fn two_trainings_of_one_name_at_once_keep_apart() {
    let desk = desk();
    let folder = desk.path();
    let start = || Endless::start(folder, &["--text", "a.txt", "--name", "x"]);
    let (first, second) = std::thread::scope(|scope| {
        let both = [scope.spawn(start), scope.spawn(start)];
        let mut both = both.map(|thread| thread.join().unwrap()).into_iter();
        (both.next().unwrap(), both.next().unwrap())
    });
    let third = start();
    let pids = [&first, &second].map(|run| format!("process {}", run.child.id()));
    let in_use =
        || contains("is being trained by").and(contains(&pids[0][..]).or(contains(&pids[1][..])));
    let overwrite = small(&["--text", "b.txt", "--name", "x", "--overwrite"]);
    train(folder, &overwrite)
        .assert()
        .failure()
        .stderr(in_use());
    train(folder, &["--resume", "x"])
        .assert()
        .failure()
        .stderr(in_use());
    for run in [first, second, third] {
        run.stop("-TERM");
    }
    let runs = ["x", "x-2", "x-3"].map(|name| folder.join("runs").join(name));
    for (run, name) in runs.iter().zip(["x", "x-2", "x-3"]) {
        train(folder, &["--resume", name, "--steps", "1"])
            .assert()
            .success();
        assert_eq!(weights(run).run, id(run));
    }
}

#[test]
fn names_from_anywhere_stay_in_their_folder() {
    let desk = desk();
    let folder = desk.path();
    fs::create_dir(folder.join("inner")).unwrap();
    let inner = folder.join("inner");
    fs::copy(folder.join("a.txt"), inner.join("a.txt")).unwrap();
    finish(&inner, &["--text", "a.txt"]);
    let before = contents(folder);
    for name in [
        "../../evil",
        "/evil",
        "",
        ".",
        "..",
        "a/b",
        "a\nb",
        "a\x1b[2J",
        "-x",
        ".x",
        "a\u{202e}b",
    ] {
        let named = format!("--name={name}");
        let error = || contains("cannot be used");
        host(&inner, &["export", "a", &named])
            .assert()
            .failure()
            .stderr(error());
        let args = small(&["--steps", "3", "--text", "a.txt", &named]);
        train(&inner, &args).assert().failure().stderr(error());
    }
    assert_eq!(contents(folder), before);

    // A downloaded file may tell any name.
    for name in ["../../evil", "x\x1b[31mred", "", "a\nb"] {
        let bytes = fs::read(inner.join("runs/a/weights.safetensors")).unwrap();
        let file = renamed(&bytes, name);
        fs::write(inner.join("got.safetensors"), file).unwrap();
        host(&inner, &["export", "got.safetensors"])
            .assert()
            .failure()
            .stderr(contains("tells no name that can be used"));
        host(
            &inner,
            &[
                "export",
                "got.safetensors",
                "--name",
                "got",
                "--overwrite",
                "--text",
                "a.txt",
            ],
        )
        .assert()
        .success();
    }
    assert!(
        !folder.join("evil.img").exists() && !folder.parent().unwrap().join("evil.img").exists()
    );
}

/// Float weights of another name.
fn renamed(bytes: &[u8], name: &str) -> Vec<u8> {
    let file = safetensors::SafeTensors::deserialize(bytes).unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(bytes).unwrap();
    let mut strings = header.metadata().clone().unwrap();
    strings.insert("name".into(), name.into());
    let tensors: Vec<_> = file.tensors();
    safetensors::serialize(tensors, Some(strings)).unwrap()
}

#[test]
fn a_renamed_run_is_exported_and_resumed_by_its_new_name() {
    let desk = desk();
    finish(
        desk.path(),
        &["--text", "a.txt", "--name", "old", "--no-export"],
    );
    let before = id(&desk.path().join("runs/old"));
    host(desk.path(), &["runs", "rename", "old", "new"])
        .assert()
        .success();
    assert_eq!(id(&desk.path().join("runs/new")), before);
    let export = ["export", "new"];
    host(desk.path(), &export).assert().success();
    let new = image::open(&desk.path().join("weights/new.img")).unwrap();
    assert_eq!(new.model().unwrap().name(), "new");
    assert!(!desk.path().join("weights/old.img").exists());

    let more = ["--resume", "new", "--steps", "5", "--json"];
    train(desk.path(), &more).assert().success();
    assert_eq!(
        weights(&desk.path().join("runs/new")).metadata["steps"],
        "5"
    );
    // It is the same run, so the model is its own and replaced without a question.
    host(desk.path(), &export).assert().success();

    let mut endless = Endless::start(desk.path(), &["--text", "b.txt", "--name", "busy"]);
    host(desk.path(), &["runs", "remove", "--yes", "busy"])
        .assert()
        .failure()
        .stderr(contains("the run 'busy' is being trained by process"));
    endless.child.kill().unwrap();
    endless.child.wait().unwrap();
    host(desk.path(), &["runs", "remove", "--yes", "busy"])
        .assert()
        .success();
    assert!(!desk.path().join("runs/busy").exists());
}

#[test]
fn the_run_of_any_text_can_be_resumed_as_it_says() {
    let desk = desk();
    let folder = desk.path();
    fs::copy(folder.join("a.txt"), folder.join("[Lyrics] (2023) mix.txt")).unwrap();
    Endless::start(folder, &["--text", "[Lyrics] (2023) mix.txt"]).stop("-INT");
    let name = "Lyrics-2023-mix";
    assert!(folder.join("runs").join(name).is_dir());
    train(folder, &["--resume", name, "--steps", "1"])
        .assert()
        .success();
}

#[test]
fn files_to_hand_on_tell_no_folder() {
    let desk = desk();
    let secret = desk.path().join("private-folder");
    fs::create_dir(&secret).unwrap();
    fs::copy(desk.path().join("a.txt"), secret.join("a|[x](y) <b>.txt")).unwrap();
    let path = secret.join("a|[x](y) <b>.txt");
    finish(
        desk.path(),
        &["--text", path.to_str().unwrap(), "--name", "a"],
    );
    let files = contents(&desk.path().join("weights"));
    assert_eq!(files.len(), 3);
    for (file, bytes) in files {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("private-folder"), "{}", file.display());
        if file.extension().is_some_and(|extension| extension == "md") {
            assert!(text.contains(r"a\|\[x\](y) \<b\>.txt"), "{text}");
        }
    }
}

#[test]
fn the_same_run_gives_the_same_bytes() {
    let desk = desk();
    let folder = desk.path();
    finish(folder, &["--text", "a.txt"]);
    let first = contents(&folder.join("weights"));
    for _ in 0..5 {
        host(folder, &["export", "a"]).assert().success();
        assert!(contents(&folder.join("weights")) == first);
    }
}

#[cfg(unix)]
#[test]
fn sigterm_and_sighup_save_what_ctrl_c_saves() {
    let desk = desk();
    let folder = desk.path();
    for (signal, code) in [("-TERM", 143), ("-HUP", 129), ("-INT", 130)] {
        let name = format!("run{signal}");
        let run = Endless::start(folder, &["--text", "a.txt", "--name", &name]);
        let (step, ended) = run.stop(signal);
        assert_eq!(ended, Some(code));
        let steps = (step + 2).to_string();
        train(folder, &["--resume", &name, "--steps", &steps])
            .assert()
            .success()
            .stdout(contains(format!("trained {steps} steps")));
    }
    // Closing a window sends several signals: only Ctrl-C means 'at once' the second time.
    let mut run = Endless::start(folder, &["--text", "a.txt", "--name", "window"]);
    for signal in ["-HUP", "-HUP", "-TERM", "-HUP"] {
        run.signal(signal);
    }
    assert_eq!(run.next("end")["interrupted"], true);
    assert!(folder.join("runs/window/checkpoint.safetensors").is_file());
}

#[test]
fn checkpoints_come_by_time_as_well() {
    let desk = desk();
    let folder = desk.path();
    saving_often(folder, "checkpoint_every = 0\ncheckpoint_seconds = 0.2");
    let mut run = Endless::start(
        folder,
        &["--text", "a.txt", "--name", "x", "--recipe", "often.toml"],
    );
    let first = run.next("checkpoint")["step"].as_u64().unwrap();
    let second = run.next("checkpoint")["step"].as_u64().unwrap();
    assert!(second > first);
    run.kill();
    let steps = (second + 1).to_string();
    train(folder, &["--resume", "x", "--steps", &steps])
        .assert()
        .success();
}

#[test]
fn what_cannot_be_written_ends_no_training_and_is_tried_again() {
    let desk = desk();
    let folder = desk.path();
    saving_often(folder, "checkpoint_every = 5\nvalidate_every = 5");
    let mut run = Endless::start(
        folder,
        &["--text", "a.txt", "--name", "x", "--recipe", "often.toml"],
    );
    run.next("checkpoint");
    // A folder in its place: it can be written as little as on a full disk.
    let in_the_way = folder.join("runs/x/checkpoint.safetensors");
    // The training may write it anew in between.
    while fs::create_dir(&in_the_way).is_err() {
        fs::remove_file(&in_the_way).unwrap();
    }
    fs::write(in_the_way.join("file"), "x").unwrap();
    let note = run.lines.find(|value| {
        let text = value["text"].as_str().unwrap_or_default();
        text.contains("cannot write") && text.contains("training goes on")
    });
    assert!(note.is_some());
    fs::remove_dir_all(&in_the_way).unwrap();
    let note = run.lines.find(|value| {
        value["text"]
            .as_str()
            .is_some_and(|text| text.contains("can be written again"))
    });
    assert!(note.is_some());
    run.stop("-TERM");
    assert!(in_the_way.is_file());
}

#[test]
fn a_folder_that_takes_no_files_is_noticed_before_the_first_step() {
    for blocked in ["runs", "weights"] {
        let desk = desk();
        fs::write(desk.path().join(blocked), "a file where a folder should be").unwrap();
        train(desk.path(), &small(&["--text", "a.txt"]))
            .assert()
            .failure()
            .stderr(contains("cannot write to").and(contains(blocked)))
            .stdout("");
    }
}

#[test]
fn models_that_no_board_can_hold_are_refused_before_the_first_step() {
    let desk = desk();
    let folder = desk.path();
    for shape in [
        &["--hidden", "1100"][..],
        &["--layers", "8", "--hidden", "8"],
        &["--layers", "4", "--hidden", "300"],
    ] {
        let args = [
            &[
                "--text",
                "a.txt",
                "--steps",
                "1",
                "--batch",
                "2",
                "--seq-len",
                "4",
            ],
            shape,
        ]
        .concat();
        train(folder, &args)
            .assert()
            .failure()
            .stderr(contains("larger than what runs on boards").and(contains("--no-export")))
            .stdout("");
        assert!(!folder.join("runs").exists());
    }
    let args = [
        "--text",
        "a.txt",
        "--steps",
        "1",
        "--batch",
        "2",
        "--seq-len",
        "4",
        "--hidden",
        "1100",
    ];
    train(folder, &[&args[..], &["--no-export"]].concat())
        .assert()
        .success();
}

#[test]
fn what_a_killed_training_leaves_is_swept_by_the_next_one() {
    let desk = desk();
    let folder = desk.path();
    finish(folder, &["--text", "a.txt"]);
    let left: Vec<PathBuf> = [
        "runs/a/.partial-x",
        "weights/.partial-y",
        "runs/.replaced-z",
    ]
    .map(|name| folder.join(name))
    .into();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(60);
    for path in &left[..2] {
        fs::File::create(path).unwrap().set_modified(old).unwrap();
    }
    fs::create_dir(&left[2]).unwrap();
    train(folder, &["--resume", "a"]).assert().success();
    for path in left {
        assert!(!path.exists(), "{}", path.display());
    }
}

#[test]
fn a_finished_run_that_has_gone_on_says_so_when_it_is_exported() {
    let desk = desk();
    let folder = desk.path();
    finish(folder, &["--text", "a.txt"]);
    let mut child = train(folder, &["--resume", "a", "--steps", "100000000", "--json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut run = Endless {
        lines: Box::new(
            lines
                .map_while(Result::ok)
                .map(|line| serde_json::from_str(&line).unwrap()),
        ),
        child,
    };
    run.next("step");
    let (step, _) = run.stop("-TERM");
    host(folder, &["export", "a"])
        .assert()
        .success()
        .stderr(contains(format!("has gone on to step {step}")));
}

#[test]
fn handed_over_from_host_it_is_the_same_training() {
    let desk = desk();
    let folder = desk.path();
    let args = small(&["--text", "a.txt", "--steps", "3"]);
    host(folder, &[&["train"], &args[..]].concat())
        .assert()
        .success()
        .stdout(contains("trained 3 steps"));
    // With a libtorch that is gone only training says so.
    host(folder, &[&["train"], &args[..]].concat())
        .env("LIBTORCH", folder.join("gone"))
        .assert()
        .failure()
        .stderr(contains("training needs libtorch").and(contains("unset LIBTORCH")));
    host(folder, &["sample", "a", "--length", "5"])
        .env("LIBTORCH", folder.join("gone"))
        .assert()
        .success();
}

#[test]
fn no_other_program_is_linked_to_libtorch() {
    let library = b"libtorch_cpu.so";
    let names_it = |program: &std::ffi::OsStr| {
        let bytes = fs::read(program).unwrap();
        bytes.windows(library.len()).any(|window| window == library)
    };
    let folder = Path::new(".");
    assert!(!names_it(host(folder, &[]).get_program()));
    if cfg!(target_os = "linux") {
        assert!(names_it(train(folder, &[]).get_program()));
    }
}

#[test]
fn a_training_whose_folder_is_taken_stops_and_one_whose_folder_is_gone_makes_it_again() {
    let desk = desk();
    let folder = desk.path();
    saving_often(folder, "checkpoint_every = 5");
    let options = ["--text", "a.txt", "--name", "x", "--recipe", "often.toml"];
    let mut run = Endless::start(folder, &options);
    run.next("checkpoint");
    let first = id(&folder.join("runs/x"));
    let checkpoint = folder.join("runs/x/checkpoint.safetensors");
    let saved = fs::read(&checkpoint).unwrap();
    // The second time as when the folder goes just before a checkpoint is put there.
    for is_put_there in [false, true] {
        // Not while it puts files there.
        run.pause();
        fs::remove_dir_all(folder.join("runs/x")).unwrap();
        if is_put_there {
            fs::create_dir(folder.join("runs/x")).unwrap();
            fs::write(&checkpoint, &saved).unwrap();
        }
        run.signal("-CONT");
        while !folder.join("runs/x/run.json").is_file() {
            run.next("checkpoint");
        }
        assert_eq!(id(&folder.join("runs/x")), first);
    }

    // It must not make its folder again while that is given to another.
    run.pause();
    fs::rename(folder.join("runs/x"), folder.join("runs/y")).unwrap();
    Endless::start(folder, &options).stop("-TERM");
    let given = contents(&folder.join("runs/x"));
    run.signal("-CONT");
    assert_eq!(run.child.wait().unwrap().code(), Some(1));
    assert_eq!(contents(&folder.join("runs/x")), given);
    train(folder, &["--resume", "x", "--steps", "1"])
        .assert()
        .success();
}

/// Runs a training at a terminal where somebody types an answer; returns what it showed.
#[cfg(unix)]
fn train_at_a_terminal(folder: &Path, more: &[&str], answer: &str) -> String {
    use std::io::{Read, Write};

    use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap();
    let terminal = fs::File::options()
        .read(true)
        .write(true)
        .open(name.to_str().unwrap())
        .unwrap();
    let mut master = fs::File::from(master);
    // The terminal keeps what is typed until it is asked for.
    master.write_all(answer.as_bytes()).unwrap();
    let mut child = train(folder, &small(&[&["--steps", "3"], more].concat()))
        .stdin(terminal.try_clone().unwrap())
        .stdout(terminal.try_clone().unwrap())
        .stderr(terminal)
        .spawn()
        .unwrap();
    // With the last program at the terminal the reading ends.
    let mut shown = Vec::new();
    let _ = master.read_to_end(&mut shown);
    assert!(child.wait().unwrap().success());
    String::from_utf8_lossy(&shown).into_owned()
}

#[cfg(unix)]
#[test]
fn an_unfinished_run_of_that_name_is_asked_about_on_a_terminal() {
    let desk = desk();
    let folder = desk.path();
    Endless::start(folder, &["--text", "a.txt", "--name", "x"]).stop("-TERM");
    let first = id(&folder.join("runs/x"));
    let again = ["--text", "b.txt", "--name", "x"];

    let shown = train_at_a_terminal(folder, &again, "\n");
    assert!(
        shown.contains("Replace it?") && shown.contains("'x-2'"),
        "{shown}"
    );
    assert_eq!(id(&folder.join("runs/x")), first);

    let shown = train_at_a_terminal(folder, &again, "y\n");
    assert!(shown.contains("Replace it?"), "{shown}");
    assert_ne!(id(&folder.join("runs/x")), first);

    // What is finished is never asked about, and never replaced.
    let second = id(&folder.join("runs/x"));
    let shown = train_at_a_terminal(folder, &again, "y\n");
    assert!(
        !shown.contains("Replace it?") && shown.contains("'x-3'"),
        "{shown}"
    );
    assert_eq!(id(&folder.join("runs/x")), second);
}
