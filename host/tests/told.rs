//! All that users are told: the help of every command, and the sentence of every error, provoked.
//!
//! The snapshots are for reviewers: a changed word shows in them. `cargo insta review`, or
//! `INSTA_UPDATE=always` with the test, takes changes over.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use host::quantize::{InputForm, quantize};
use host::synthetic::float_model;
use inkling_engine::format::Planes;

mod common;
#[path = "common/told.rs"]
mod told;

use common::{elf, image};
use told::{is_told_in, messages, text_of_tests, told};

fn inkling() -> Command {
    Command::new(env!("CARGO_BIN_EXE_inkling"))
}

/// What a command says of itself, and then what its subcommands say.
fn help(words: &[&str]) -> String {
    let mut command = inkling();
    command.args(words).arg("--help").env_remove("COLUMNS");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{words:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let mut told = format!(
        "$ {}\n{text}\n",
        [&["inkling"], words, &["--help"]].concat().join(" ")
    );
    let commands = text.split("\nCommands:\n").nth(1).unwrap_or_default();
    let lines = commands.lines().take_while(|line| !line.is_empty());
    for line in lines {
        // Further rows of a description stand further right.
        let name = line
            .strip_prefix("  ")
            .filter(|rest| !rest.starts_with(' '));
        if let Some(name) = name
            .and_then(|rest| rest.split(' ').next())
            .filter(|name| *name != "help")
        {
            told += &help(&[words, &[name]].concat());
        }
    }
    told
}

#[test]
fn every_command_explains_itself_in_these_words() {
    insta::assert_snapshot!("help", help(&[]));
}

/// A desk with all that can be wrong.
fn desk() -> tempfile::TempDir {
    let desk = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = desk.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    let sound = image(24);
    file("model.img", &sound);
    file("cut.img", &sound[..3_000]);
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = sound.clone();
        change(&mut bytes);
        bytes
    };
    file("damaged.img", &changed(&|bytes| bytes[2_000] ^= 1));
    file("newer.img", &changed(&|bytes| bytes[4] = 99));
    file("longer.img", &changed(&|bytes| bytes.extend([0; 5])));
    file("other.img", b"no image");
    let large = quantize(
        &float_model(65, 1000, 1, 3),
        Planes::uniform(1),
        InputForm::Embedded,
    );
    file("large.img", large.unwrap().to_image().unwrap().bytes());

    file("text.txt", &b"the quick brown fox\n".repeat(100));
    file("short.txt", b"x");
    file("empty.txt", b"");
    file("binary.txt", &[b'a', b'b', 0, 1, 2, 3]);
    file("paper.pdf", b"%PDF-1.7\nx");
    file(
        "noise.txt",
        &(0..4000_u32)
            .map(|n| (n * 7919 % 255) as u8 | 0x80)
            .collect::<Vec<_>>(),
    );
    file("chinese.txt", "\u{10fffd}\u{10fffe}".repeat(50).as_bytes());
    file(
        "damaged.txt",
        &[b"plain enough for a while ".as_slice(), b"\xff\xfe\xfd"]
            .concat()
            .repeat(9),
    );
    fs::create_dir(desk.path().join("nothing")).unwrap();

    file("no.safetensors", b"not one");
    file("runs/begun/run.json", br#"{"id":"0123456789abcdef"}"#);

    let pico = elf(0x1000_0000, "pico", &sound);
    file("pico.elf", &pico);
    file("unnamed.elf", &elf(0x1000_0000, "", &sound));
    file("high.elf", &elf(0x1200_0000 - 16, "pico", &sound));
    file("reaching.elf", &elf(0x1010_0000 - 500, "pico", &sound));
    file(
        "newer.elf",
        &elf(0x1000_0000, "pico", &changed(&|bytes| bytes[4] = 99)),
    );
    file("cut.uf2", &[0; 700]);
    file("cut.hex", b":00");
    file("empty.hex", b":00000001FF\n");
    file("no.elf", b"\x7fELF");
    file(
        "drive/INFO_UF2.TXT",
        b"UF2 Bootloader v3.0\r\nBoard-ID: RP2350\r\n",
    );
    file("mine/other.txt", b"");
    desk
}

/// Command lines that are refused.
const REFUSED: &str = "
tarin
sample
sample model.img other.img
sample model.img --no-such-option
sample model.img --seed ten
sample model.img --seed -1
sample model.img --temperature -1
sample model.img --top-k -1
sample model.img --top-p x
sample model.img --guard 0
sample model.img --length -1
sample model.img --length 99999999999999999999
sample model.img --best-of 0
sample model.img --until abcdefghijklmnopqrstuvwxyz
sample model.img --wrap 0
sample nothing.img
sample nothing
sample nothing --float
sample begun --float
sample cut.img
sample damaged.img
sample newer.img
sample longer.img
sample other.img
sample model.img --unseen
eval
eval model.img --text nothing.txt
eval model.img --text empty.txt
eval model.img --text short.txt
eval model.img --text binary.txt
eval model.img --text paper.pdf
eval model.img --text noise.txt
eval model.img --text chinese.txt
eval model.img --text damaged.txt --encoding utf-8
eval model.img --text damaged.txt --encoding utf-8 --lossy
eval model.img --text text.txt --encoding klingon
eval model.img --text nothing
eval model.img --text text.txt --float nothing
eval model.img --text text.txt --float begun
eval model.img --blocks 0 --text text.txt
eval model.img damaged.img --text text.txt
eval nothing --text text.txt
health model.img --length 0
health nothing.img
health model.img --length 10000 --text nothing.txt
export nothing
export begun
export no.safetensors
export no.safetensors --planes 6
export no.safetensors --name ../x
export no.safetensors --name con
inspect
inspect damaged.img
inspect nothing.img
runs rename nothing new
runs rename begun ../x
runs remove --yes nothing
runs remove
runs compare begun nothing
train --text text.txt --corpus plays
train --resume x --recipe quick
train --budget soon
train --budget 64k --hidden 8
train --hidden x
train --passes 0
train --encoding klingon
train --device gpu
emulate --board abacus
emulate --board pico-2
emulate --model nothing.img
emulate --model large.img --board microbit
emulate --elf nothing.elf
emulate --elf model.img
emulate --seed 2
emulate --length 0
emulate --length 5 --until abcdefghijklmnopqrstuvwxyz
flash
flash --board abacus
flash --board mps2-an386
flash --board pico --weights-only
flash --board pico --firmware nothing.elf
flash --board pico --firmware no.elf
flash --board pico --firmware cut.uf2
flash --board pico --firmware cut.hex
flash --board pico --firmware empty.hex
flash --board pico --firmware model.img
flash --firmware unnamed.elf --drive drive
flash --firmware high.elf --drive drive
flash --firmware reaching.elf --model model.img --drive drive
flash --firmware newer.elf --model model.img --drive drive
flash --firmware pico.elf --board pico2 --drive drive
flash --firmware pico.elf --drive drive
flash --firmware pico.elf --drive mine
flash --firmware pico.elf --drive nothing-there
flash --board microbit --weights-only --model model.img
flash --board microbit-v2 --weights-only --model large.img
flash --board pico --weights-only --model damaged.img
flash --board esp32c3 --probe 1 --weights-only --model model.img
monitor --port no-such-port --wait 0
monitor --port tcp:nowhere --wait 0
monitor --port tcp:127.0.0.1:1 --wait 0
monitor --board abacus
monitor --timestamps
monitor --list --wait 1
fetch --corpus bible
boards --no-such-option
doctor now
";

#[test]
fn every_refusal_is_one_sentence_in_these_words() {
    let desk = desk();
    let lines = REFUSED.lines().filter(|line| !line.is_empty());
    let transcript: String = lines
        .map(|line| told(inkling(), desk.path(), line))
        .collect();
    insta::assert_snapshot!("refusals", transcript);
}

/// What no test provokes word for word, and why.
const NOT_PROVOKED: &[(&str, &str)] = &[
    (
        "changed while it was read",
        "somebody must write to the file at one moment of reading it",
    ),
    (
        "cannot keep the text as",
        "the folder of a run that has just been made must refuse one file",
    ),
    ("so it may never end", "takes a pipe of 4 GiB"),
    (
        "takes one cycle for everything",
        "only the measurement of boards says it",
    ),
    (
        "the alphabet {0}, so it belongs",
        "only files say it, and tests match the variant",
    ),
    (
        " bytes that there are; nothing of it was kept",
        "a test of the download matches the variant",
    ),
    (
        "{what} has SHA-256 {found}",
        "a test of the wheel matches the variant",
    ),
    (
        "cannot use the budgets",
        "the file of budgets in the repository must be damaged",
    ),
    (
        "the bench program failed",
        "a program of this project must report a failure of its own",
    ),
    (
        "the board did not print",
        "a test of this project must wait in vain",
    ),
    (
        "has no USB port: leave --usb out",
        "takes the build of a firmware; the emulators are tested by name",
    ),
    ("the emulator ended unexpectedly", "QEMU must crash"),
    (
        "the record of what was done to the flash cannot be read",
        "the emulator's bridge writes it",
    ),
    (
        "cannot prepare what is to be flashed",
        "the temporary folder must be full",
    ),
    (
        "cannot put firmware and model together",
        "takes a firmware for addresses beyond 32 bits",
    ),
    (
        "cannot run cargo to build the emulator of the Pico 2",
        "takes a checkout without cargo",
    ),
    (
        "the emulator of the Pico 2 did not build",
        "takes a checkout whose sources are broken",
    ),
    (
        "interrupted; the board is as it was",
        "a test of signals matches the exit code",
    ),
    (
        "several boards could be {board}",
        "takes two boards, or drives that the system mounts",
    ),
    (
        "the board did not take the program; it says",
        "a test matches the board's own words in it",
    ),
    (
        "you may not write to {}: mount the drive",
        "takes a user who is not root",
    ),
    (
        "two parts of it overlap at address",
        "a property test matches the variant",
    ),
    ("you may not open {port}", "takes a user who is not root"),
    (
        "cannot store the quantized tensors",
        "the library that writes them must refuse shapes that it is given by this program",
    ),
    (
        "the weights hold NaN or infinite values",
        "a test matches the variant",
    ),
    (
        "cannot draw the learning curve",
        "the library that draws must fail on numbers that are checked before",
    ),
    (
        "is called '{name}' now, but its report is not",
        "the disk must fill between two writes of one command",
    ),
    (
        "and there is none at {}; install it",
        "takes a program outside of a checkout",
    ),
    (
        "a run cannot start with '{}'",
        "tests match the reason in it",
    ),
    (
        "the loss became {loss} at step",
        "a test matches the variant, and what was kept",
    ),
];

#[test]
fn every_error_has_a_test_that_provokes_it_or_a_reason_why_not() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = [
        ("tests", false),
        ("trainer/tests", false),
        ("src", true),
        ("trainer/src", true),
    ];
    let told = folders.map(|(folder, is_source)| text_of_tests(&root.join(folder), is_source));
    // Without this list, which has them all.
    let told = told.concat();
    let (before, behind) = told.split_once("const NOT_PROVOKED").unwrap();
    let (_, behind) = behind.split_once("];\n").unwrap();
    let told = [before, behind].concat();
    let mut silent = Vec::new();
    for sources in ["src", "trainer/src"] {
        for (place, message) in messages(&root.join(sources)) {
            let is_listed = NOT_PROVOKED
                .iter()
                .any(|(known, _)| message.contains(known));
            let is_told = is_told_in(&told, &message);
            if is_told == is_listed {
                silent.push(format!("{place}: {message}"));
            }
        }
    }
    assert!(
        silent.is_empty(),
        "{} are provoked nowhere, or are and stand in the list:\n{}",
        silent.len(),
        silent.join("\n")
    );
    for (known, why) in NOT_PROVOKED {
        assert!(why.len() > 10, "{known}");
    }
}
