//! `inkling boards` and `inkling emulate` as typed: what they print, and one sentence for each mistake.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use assert_cmd::Command;
use host::device::{BOARDS, DEFAULT_BOARD, Firmware, Program, find};
use host::quantize::{InputForm, quantize};
use host::synthetic::float_model;
use inkling_engine::format::Planes;
use inkling_engine::{Generator, Settings, State};
use predicates::prelude::*;
use tempfile::TempDir;

mod common;

fn host(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inkling"));
    command.args(arguments);
    command
}

fn write_image(path: &Path, hidden: usize) -> Vec<u8> {
    let model = float_model(65, hidden, 1, 7);
    let parts = quantize(&model, Planes::uniform(3), InputForm::Folded).unwrap();
    let image = parts.to_image().unwrap();
    std::fs::write(path, image.bytes()).unwrap();
    image.bytes().to_vec()
}

/// What the model of [`write_image`] with 16 cells writes.
fn on_the_pc(seed: u64, prompt: &str, length: usize) -> String {
    let model = float_model(65, 16, 1, 7);
    let parts = quantize(&model, Planes::uniform(3), InputForm::Folded).unwrap();
    let image = parts.to_image().unwrap();
    let mut generator = Generator::new(
        image.model().unwrap(),
        State::any(),
        Settings::default(),
        seed,
    )
    .unwrap();
    assert!(prompt.chars().all(|c| generator.prompt_char(c)));
    prompt.to_owned()
        + &(0..length)
            .map(|_| generator.next_char())
            .collect::<String>()
}

#[test]
fn boards_are_listed_for_people_and_for_programs() {
    let table = host(&["boards"]).assert().success();
    let json = host(&["boards", "--json"]).assert().success();
    let json: serde_json::Value = serde_json::from_slice(&json.get_output().stdout).unwrap();
    let table = String::from_utf8_lossy(&table.get_output().stdout).into_owned();
    for (index, board) in BOARDS.iter().enumerate() {
        assert!(table.contains(board.name), "{table}");
        assert_eq!(json[index]["name"], board.name);
        assert_eq!(json[index]["flash_bytes"], board.flash_bytes);
        for alias in board.aliases {
            assert!(table.contains(alias.name), "{table}");
        }
    }
    assert_eq!(json[0]["aliases"][0]["name"], "pico-w");
    let all = host(&["boards", "--verbose"]).assert().success();
    let all = String::from_utf8_lossy(&all.get_output().stdout).into_owned();
    assert!(
        all.contains("pico-w: its LED hangs on the radio chip"),
        "{all}"
    );
}

#[test]
fn mistakes_get_one_sentence_before_anything_is_built() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let whole = write_image(Path::new(&path("whole.img")), 16);
    std::fs::write(path("cut.img"), &whole[..whole.len() / 2]).unwrap();
    let mut damaged = whole;
    damaged[100] ^= 1;
    std::fs::write(path("damaged.img"), damaged).unwrap();
    write_image(Path::new(&path("large.img")), 256);

    let complains = |arguments: &[&str], sentence: &str| {
        host(arguments)
            .assert()
            .code(1)
            .stdout("")
            .stderr(predicate::str::contains(sentence))
            .stderr(predicate::str::contains("Compiling").not());
    };
    complains(
        &["emulate", "--board", "abacus"],
        "error: there is no board 'abacus'; the boards are pico, ",
    );
    complains(
        &["emulate", "--model", &path("none.img")],
        "error: cannot read the model image",
    );
    complains(&["emulate", "--model", &path("cut.img")], "cut short");
    complains(&["emulate", "--model", &path("damaged.img")], "damaged");
    complains(
        &[
            "emulate",
            "--board",
            "microbit",
            "--model",
            &path("large.img"),
        ],
        "do not fit the 262144 bytes of flash that microbit has for them",
    );
    complains(
        &[
            "emulate",
            "--board",
            "microbit",
            "--model",
            "shakespeare-512k",
        ],
        "do not fit the 262144 bytes of flash that microbit has for them",
    );
    complains(
        &["emulate", "--elf", &path("whole.img")],
        "error: cannot read the firmware",
    );
}

#[test]
fn an_emulated_board_writes_what_sample_does_with_the_same_options() {
    let written = |arguments: &[&str], options: &[&str]| -> String {
        let arguments = [arguments, options].concat();
        let assert = host(&arguments).assert().success();
        String::from_utf8_lossy(&assert.get_output().stdout).into_owned()
    };
    for options in [
        "--length 200 --seed 7 --until .!? --until \\n --count 3",
        "--length 60 --seed 3 --guard 1 --top-k 3 --prompt The --count 2",
        "--length 300 --seed 5 --top-p 0.7 --until ,",
    ] {
        let options: Vec<&str> = options.split(' ').collect();
        let board = written(&["emulate"], &options);
        let pc = written(&["sample", "shakespeare-64k"], &options);
        assert_eq!(board, pc, "{options:?}");
    }
}

#[test]
fn options_of_a_passage_need_its_length() {
    for option in [
        "--guard 2",
        "--top-k 2",
        "--until .",
        "--count 2",
        "--seed 2",
    ] {
        let arguments: Vec<&str> = ["emulate"].into_iter().chain(option.split(' ')).collect();
        host(&arguments)
            .assert()
            .code(2)
            .stderr(predicate::str::contains("--length"));
    }
    let many = "abcdefghijklmnopqrstuvwxyz";
    host(&["emulate", "--length", "5", "--until", many])
        .assert()
        .failure()
        .stderr(predicate::str::contains("--until"));
    host(&[
        "emulate", "--length", "5", "--until", "abcde", "--until", "fghijklm",
    ])
    .assert()
    .failure()
    .stderr(predicate::str::contains("--until"));
}

#[test]
fn a_linked_firmware_needs_an_emulator_and_a_prompt_that_can_be_typed() {
    let folder = TempDir::new().unwrap();
    let model = folder.path().join("model.img");
    write_image(&model, 16);
    let board = find(DEFAULT_BOARD).unwrap();
    let firmware =
        Firmware::build(board, &model, Program::Console).unwrap_or_else(|error| panic!("{error}"));
    let elf = folder.path().join("firmware.elf");
    std::fs::write(&elf, &firmware.elf).unwrap();
    let elf = elf.to_str().unwrap();

    host(&["emulate", "--elf", elf])
        .env("PATH", "")
        .assert()
        .code(1)
        .stderr("error: qemu-system-arm is not installed: run `cargo xtask setup`\n");
    host(&["emulate", "--length", "5", "--prompt", "a\nb"])
        .assert()
        .code(1)
        .stdout("")
        .stderr(
            "error: a board takes a prompt of one line of at most 255 bytes without control characters\n",
        );
    // One may become too long by being read: this letter is four of the model's.
    host(&["emulate", "--length", "5", "--prompt", &"Щ".repeat(127)])
        .assert()
        .code(1)
        .stdout("")
        .stderr(predicate::str::starts_with(
            "error: a board takes a prompt of one line",
        ));
    for (prompt, taken) in [("/* x", "/* x"), ("//", "//"), ("/aéb", "/ab")] {
        let run = host(&["emulate", "--elf", elf, "--length", "5", "--prompt", prompt]).assert();
        let text = on_the_pc(1, taken, 5);
        let run = run.success().stdout(text);
        let is_told = predicate::str::contains("does not know: \"é\"");
        match prompt == taken {
            true => run.stderr(""),
            false => run.stderr(is_told),
        };
    }
    host(&["emulate", "--elf", elf, "--log"])
        .write_stdin("/pause\n/len 5\n/seed 3\n/rate max\nabc\n/resume\n")
        .assert()
        .success()
        .stdout(
            predicate::str::is_match(
                "# start: seed 3, .*\nabc(?s:.{5})\n# end: seed 3, 5 char.*\n$",
            )
            .unwrap(),
        )
        .stderr(predicate::str::contains("INFO passage with seed 3"));

    // A board that is switched on anew writes the same, whatever it has written before its prompts.
    let script = "/rate max\n/len 40\nabc\n/seed 9\n/* y\n//* x\n# end: 1\n/stats";
    let output = host(&["emulate", "--elf", elf])
        .write_stdin(script)
        .assert();
    let output = output.success().get_output().clone();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.contains("\n# unknown command /*: /help lists the commands\n"),
        "{shown}"
    );
    let written = format!(
        "\n# start: seed 9, temperature 0.8\n{}\n# end: seed 9, ",
        on_the_pc(9, "/* x", 40)
    );
    assert!(shown.contains(&written), "{shown}");
    for prompt in ["abc", "# end: 1"] {
        assert!(
            shown.contains(&format!("temperature 0.8\n{prompt}")),
            "{shown}"
        );
    }
    // What follows the last passage is its answer.
    let (_, last) = shown.rsplit_once("# end: seed ").unwrap();
    assert!(
        last.contains("\n# settings: temperature 0.8, rate max\n"),
        "{shown}"
    );
}

#[cfg(unix)]
#[test]
fn signals_end_an_emulated_conversation_at_once() {
    use std::process::{Command, Stdio};

    use rustix::process::{Pid, Signal, kill_process};

    let folder = TempDir::new().unwrap();
    let model = folder.path().join("model.img");
    write_image(&model, 16);
    let board = find(DEFAULT_BOARD).unwrap();
    let firmware =
        Firmware::build(board, &model, Program::Console).unwrap_or_else(|error| panic!("{error}"));
    let elf = folder.path().join("firmware.elf");
    std::fs::write(&elf, &firmware.elf).unwrap();
    for arguments in [&[][..], &["--length", "4000000000"]] {
        for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130)] {
            let mut command = Command::new(env!("CARGO_BIN_EXE_inkling"));
            command.args(["emulate", "--elf"]).arg(&elf).args(arguments);
            let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
            let mut shown = common::pty::Received::of(child.stdout.take().unwrap());
            shown.wait("text", |text| !text.is_empty());
            kill_process(Pid::from_child(&child), signal).unwrap();
            let status = common::wait::wait_for_end(&mut child);
            assert_eq!(status.code(), Some(code), "{arguments:?}");
        }
    }
}
