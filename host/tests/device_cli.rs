//! `host boards` and `host emulate` as typed: what they print, and one sentence for each mistake.

#![allow(clippy::unwrap_used)]

use std::path::Path;

use assert_cmd::Command;
use firmware::kernels::Bits;
use host::device::{BOARDS, DEFAULT_BOARD, Firmware, Program, find};
use host::quantize::{Widths, quantize};
use host::synthetic::float_model;
use predicates::prelude::*;
use tempfile::TempDir;

fn host(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host"));
    command.args(arguments);
    command
}

fn write_image(path: &Path, hidden: usize) -> Vec<u8> {
    let model = float_model(65, hidden, 1, 7);
    let parts = quantize(&model, Widths::uniform(Bits::Eight)).unwrap();
    let image = parts.to_image().unwrap();
    std::fs::write(path, image.bytes()).unwrap();
    image.bytes().to_vec()
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
            assert!(table.contains(&format!(" {} is {}", alias.name, board.name)));
        }
    }
    assert_eq!(json[0]["aliases"][0]["name"], "pico-w");
    assert!(
        table.contains(" pico-w is pico: its LED hangs on the radio chip"),
        "{table}"
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
    host(&[
        "emulate", "--elf", elf, "--length", "5", "--prompt", "/help",
    ])
    .assert()
    .code(1)
    .stdout("")
    .stderr(predicate::str::contains(
        "a board takes a prompt of one line",
    ));
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
}
