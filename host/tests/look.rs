//! How commands look on a terminal of 80 columns, and what `inkling runs` does.

#![allow(clippy::unwrap_used)]
#![cfg(unix)]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use assert_cmd::prelude::*;
use console::{measure_text_width, strip_ansi_codes};
use host::quantize::{InputForm, quantize};
use host::recipe::{Length, Recipe};
use host::report::{Point, Report, State, TextStatistics};
use host::synthetic::float_model;
use inkling_engine::format::Planes;
use serde_json::Value;
use tempfile::TempDir;

mod common;
use common::pty::{Pty, Received};
use common::wait::wait_for_end;

const COLUMNS: u16 = 80;

/// The longest name that a run or a model may have.
const LONG: &str = "a-name-of-thirty-two-characters-";

/// A folder with models, texts and runs.
struct Desk(TempDir);

impl Desk {
    fn new() -> Desk {
        let desk = Desk(TempDir::new().unwrap());
        for (file, name, hidden) in [("a.img", LONG, 24), ("b.img", "short", 400)] {
            let model = float_model(65, hidden, 1, 3);
            let mut parts = quantize(&model, Planes::uniform(1), InputForm::Embedded).unwrap();
            parts.name = name.parse().unwrap();
            fs::write(desk.path(file), parts.to_image().unwrap().bytes()).unwrap();
        }
        fs::write(desk.path("text.txt"), "to be or not to be\n".repeat(100)).unwrap();
        desk.add_run(LONG, 10_000, State::Finished);
        desk.add_run("short", 1_234_567, State::Interrupted);
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, name: &str) -> PathBuf {
        self.path("runs").join(name)
    }

    /// A run with a report, and a checkpoint that nobody reads.
    fn add_run(&self, name: &str, steps: u64, state: State) {
        let folder = self.run(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("run.json"), format!("{{\"id\":\"of {name}\"}}")).unwrap();
        fs::write(folder.join("checkpoint.safetensors"), [0; 1000]).unwrap();
        let mut recipe = Recipe::find("quick").unwrap();
        recipe.length = Length::Steps(steps);
        let point = |n: u32| Point {
            step: steps / 100 * u64::from(n),
            seconds: 1.0,
            loss_nats: Some(1.5 + 2.0 / f64::from(n)),
            validation_loss_nats: Some(1.6 + 2.0 / f64::from(n)),
        };
        let report = Report {
            name: name.to_owned(),
            state,
            step: steps,
            done: 1.0,
            seconds: 3_000.0,
            parameters: 1_234_567,
            device: "cpu".to_owned(),
            backend: None,
            recipe: recipe.to_toml(),
            text: TextStatistics {
                description: format!("{} and 23 more files", self.path("text.txt").display()),
                sha256: "0".repeat(64),
                training_characters: 1_000_000,
                validation_characters: 100_000,
                symbols: vec![('e', 1_000_000)],
            },
            notes: Vec::new(),
            curve: (1..=100).map(point).collect(),
            samples: Vec::new(),
            float_loss_nats: None,
            comparison: None,
            exports: Vec::new(),
        };
        report.write(&folder).unwrap();
    }

    fn host(&self, line: &str) -> Command {
        let mut command = Command::cargo_bin("inkling").unwrap();
        command.current_dir(self.0.path()).args(line.split(' '));
        command
    }

    fn output(&self, line: &str) -> String {
        let output = self.host(line).assert().success().get_output().clone();
        String::from_utf8(output.stdout).unwrap()
    }

    fn refusal(&self, line: &str) -> String {
        let output = self.host(line).assert().failure().get_output().clone();
        assert!(output.stdout.is_empty());
        String::from_utf8(output.stderr).unwrap()
    }

    /// All that a command writes to a terminal of 80 columns.
    fn shown(&self, line: &str) -> String {
        let pty = Pty::open();
        pty.resize(24, COLUMNS);
        let mut child = pty.start(&mut self.host(line));
        let mut output = Received::of(pty.master.try_clone().unwrap());
        wait_for_end(&mut child);
        // What comes through the same line last has come last.
        std::io::Write::write_all(&mut &pty.slave, b"\x04end").unwrap();
        output.wait_for("\x04end");
        let text = String::from_utf8(output.text).unwrap();
        text.trim_end_matches("\x04end").to_owned()
    }
}

#[test]
fn nothing_is_wider_than_a_terminal_of_80_columns() {
    let desk = Desk::new();
    let mut lines = vec![
        "boards".to_owned(),
        "boards --verbose".to_owned(),
        "doctor".to_owned(),
        "doctor --all".to_owned(),
        "inspect a.img".to_owned(),
        "inspect b.img".to_owned(),
        "inspect none.img".to_owned(),
        "eval a.img --text text.txt".to_owned(),
        "eval a.img b.img none.img --text text.txt".to_owned(),
        "eval a.img b.img --text text.txt --blocks 50 --verbose".to_owned(),
        "health a.img --length 10000".to_owned(),
        "emulate --board abacus".to_owned(),
        "monitor --list".to_owned(),
        "runs".to_owned(),
        "runs --verbose".to_owned(),
        format!("runs compare {LONG} short"),
        "runs compare short none".to_owned(),
        "export short".to_owned(),
        "--help".to_owned(),
    ];
    let subcommands = "train export eval health sample inspect boards emulate flash monitor page fetch doctor runs";
    lines.extend(subcommands.split(' ').map(|name| format!("{name} --help")));
    let folder = desk.0.path().display().to_string();
    for line in lines {
        let shown = desk.shown(&line);
        assert!(!shown.is_empty(), "{line}");
        for row in shown.split(['\n', '\r']) {
            let row = strip_ansi_codes(row).into_owned();
            // Paths are left whole, so that they can be copied; those of tests are long.
            let width = measure_text_width(&row.replace(&folder, "FOLDER"));
            assert!(width <= COLUMNS.into(), "{line}: {width} columns: {row}");
        }
    }
}

#[test]
fn columns_are_few_until_all_is_asked_for() {
    let desk = Desk::new();
    for (few, all, detail) in [
        ("boards", "boards --verbose", "target thumbv6m-none-eabi"),
        (
            "eval a.img b.img --text text.txt",
            "eval a.img b.img --text text.txt --verbose",
            "saturation",
        ),
        ("runs", "runs --verbose", "kB"),
    ] {
        assert!(!desk.output(few).contains(detail), "{few}");
        assert!(desk.output(all).contains(detail), "{all}");
    }
    // What programs read is the same either way.
    for (line, path) in [("boards", "/0/target"), ("runs", "/0/disk_bytes")] {
        let json: Value = serde_json::from_str(&desk.output(&format!("{line} --json"))).unwrap();
        assert!(json.pointer(path).is_some(), "{json}");
    }
}

#[test]
fn doctor_shows_a_user_what_a_user_needs() {
    let desk = Desk::new();
    let look = |line: &str| {
        let output = desk.host(line).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let (few, all) = (look("doctor"), look("doctor --all"));
    for tool in ["typos", "cargo-machete", "cargo-deny", "clippy"] {
        assert!(!few.contains(tool), "{few}");
        assert!(all.contains(tool), "{all}");
    }
    assert!(
        few.contains("libtorch") && few.contains("Emulator"),
        "{few}"
    );
    let json: Value = serde_json::from_str(&look("doctor --json")).unwrap();
    let findings = json["findings"].as_array().unwrap();
    assert_eq!(findings.len(), all.lines().count());
    let ready = |finding: &Value| finding["ready"] == true || finding["for_developers"] == true;
    assert_eq!(json["ready"], findings.iter().all(ready));
}

/// What `inkling runs --json` tells of a run.
fn told(desk: &Desk, name: &str) -> Option<Value> {
    let runs: Value = serde_json::from_str(&desk.output("runs --json")).unwrap();
    let mut runs = runs.as_array().unwrap().clone().into_iter();
    runs.find(|run| run["name"] == name)
}

#[test]
fn runs_are_listed_with_what_there_is_to_know() {
    let desk = Desk::new();
    let long = told(&desk, LONG).unwrap();
    assert_eq!(long["state"], "finished");
    assert_eq!(
        (&long["steps"], &long["all_steps"]),
        (&10_000.into(), &10_000.into())
    );
    assert!((long["loss_nats"].as_f64().unwrap() - 1.62).abs() < 1e-9);
    assert!(long["disk_bytes"].as_u64().unwrap() > 1_000);
    assert!(long["text"].as_str().unwrap().ends_with("23 more files"));
    assert_eq!(told(&desk, "short").unwrap()["state"], "interrupted");
    // A folder without anything in it is a run all the same, and can be removed.
    fs::create_dir(desk.run("nothing")).unwrap();
    assert_eq!(told(&desk, "nothing").unwrap()["state"], "empty");
    let list = desk.output("runs");
    assert!(
        list.lines()
            .any(|line| line.starts_with("nothing ") && line.contains("empty"))
    );
    assert!(list.contains("2.337"), "{list}");

    let empty = TempDir::new().unwrap();
    let mut command = Command::cargo_bin("inkling").unwrap();
    let output = command
        .current_dir(empty.path())
        .arg("runs")
        .output()
        .unwrap();
    assert!(
        String::from_utf8(output.stdout)
            .unwrap()
            .starts_with("there are no runs in ")
    );
    // Looking makes nothing.
    assert!(!empty.path().join("runs").exists());
}

#[test]
fn runs_are_compared_by_settings_and_curves() {
    let desk = Desk::new();
    let said = desk.output(&format!("runs compare {LONG} short --svg both.svg"));
    assert!(said.contains("10000, 1234567"), "{said}");
    assert!(!said.contains("learning_rate"), "{said}");
    assert!(said.contains('█') && said.contains('▁'), "{said}");
    let svg = fs::read_to_string(desk.path("both.svg")).unwrap();
    assert!(svg.contains(LONG) && svg.contains("short"), "{svg}");
    let json: Value =
        serde_json::from_str(&desk.output("runs compare short short --json")).unwrap();
    assert_eq!(json["settings"], serde_json::json!({}));
    assert_eq!(json["runs"][1]["name"], "short");
    assert_eq!(json["runs"][0]["curve"].as_array().unwrap().len(), 100);
    assert!(
        desk.refusal("runs compare short none")
            .contains("there is no run 'none'")
    );
}

#[test]
fn a_renamed_run_stays_the_same_run() {
    let desk = Desk::new();
    let identity = fs::read(desk.run("short").join("run.json")).unwrap();
    fs::create_dir(desk.path("weights")).unwrap();
    fs::write(desk.path("weights/taken.img"), "a model of somebody").unwrap();
    for (name, reason) in [
        (LONG, "there is a run or another model"),
        ("taken", "there is a run or another model"),
        ("../x", "cannot be used"),
    ] {
        let said = desk.refusal(&format!("runs rename short {name}"));
        assert!(said.contains(reason), "{said}");
    }
    assert!(
        desk.refusal("runs rename none new")
            .contains("there is no run 'none'")
    );

    fs::write(desk.path("weights/short.img"), "its own model").unwrap();
    let said = desk.output("runs rename short new");
    assert!(said.contains("the model 'short' keeps its name"), "{said}");
    assert!(!desk.run("short").exists());
    assert_eq!(
        fs::read(desk.run("new").join("run.json")).unwrap(),
        identity
    );
    assert_eq!(
        fs::read(desk.path("weights/short.img")).unwrap(),
        b"its own model"
    );
    let page = fs::read_to_string(desk.run("new").join("report.html")).unwrap();
    assert!(page.contains("<h1>new</h1>"), "{page}");
    assert_eq!(told(&desk, "new").unwrap()["steps"], 1_234_567);
}

/// Holds a run as the process that trains it does.
fn hold(folder: &Path) -> File {
    let lock = File::create(folder.join("lock")).unwrap();
    lock.lock().unwrap();
    lock
}

#[test]
fn a_run_that_is_being_trained_is_told_from_others_and_left_alone() {
    let desk = Desk::new();
    let lock = hold(&desk.run("short"));
    assert_eq!(told(&desk, "short").unwrap()["state"], "training");
    for line in [
        "runs rename short new".to_owned(),
        "runs remove --yes short".to_owned(),
        format!("runs remove --yes {LONG} short"),
    ] {
        let said = desk.refusal(&line);
        assert!(said.contains("the run 'short' is being trained"), "{said}");
    }
    // All or none are removed.
    assert!(desk.run(LONG).join("report.json").is_file());
    // A program that another test has just started may still have the file.
    lock.unlock().unwrap();
    desk.output(&format!("runs remove --yes {LONG} short"));
    assert!(told(&desk, LONG).is_none() && told(&desk, "short").is_none());
}

#[test]
fn runs_are_removed_only_after_a_yes() {
    let desk = Desk::new();
    let said = desk.refusal("runs remove short");
    assert!(said.contains("add --yes"), "{said}");
    assert!(
        desk.refusal("runs remove --yes short none")
            .contains("there is no run 'none'")
    );
    let answer = |answer: &str| {
        let pty = Pty::open();
        pty.resize(24, COLUMNS);
        let mut child = pty.start(&mut desk.host("runs remove short"));
        let mut output = Received::of(pty.master.try_clone().unwrap());
        output.wait_for("[y/N]");
        std::io::Write::write_all(&mut &pty.master, answer.as_bytes()).unwrap();
        assert!(wait_for_end(&mut child).success());
    };
    answer("\r");
    assert!(desk.run("short").join("report.json").is_file());
    answer("y\r");
    assert!(!desk.run("short").exists());
    assert!(desk.run(LONG).is_dir());
    assert!(
        desk.refusal("runs remove --yes short")
            .contains("there is no run 'short'")
    );
}
