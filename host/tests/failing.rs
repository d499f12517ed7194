//! What a board does when its program fails, seen from its serial port, on every core that is emulated.
//!
//! These tests need QEMU and the bare-metal targets: `cargo xtask setup` installs them.

#![allow(clippy::unwrap_used)]

use firmware::protocol::{BREAK, DONE, OWN};
use host::device::{Emulator, Firmware, Options, Program, Request, find};
use host::quantize::{InputForm, quantize};
use host::synthetic::float_model;
use inkling_engine::format::Planes;
use inkling_engine::{AlignedImage, Generator, Settings, State};

mod common;
use common::wait::PATIENCE;

/// One board for each way to notice a fault, and each way to restart.
const BOARDS: [&str; 8] = [
    "pico",
    "pico2",
    "mps2-an385",
    "mps2-an386",
    "mps2-an505",
    "microbit",
    "netduinoplus2",
    "riscv-virt",
];

/// Those whose emulators have a watchdog.
const PICOS: [&str; 2] = ["pico", "pico2"];

fn image() -> AlignedImage {
    let model = float_model(65, 64, 1, 7);
    let parts = quantize(&model, Planes::uniform(1), InputForm::Embedded).unwrap();
    parts.to_image().unwrap()
}

fn link(board: &str, program: Program) -> Firmware {
    let firmware = Firmware::with_room(find(board).unwrap(), program);
    let mut firmware = firmware.unwrap_or_else(|error| panic!("{error}"));
    firmware
        .replace_model(image().bytes())
        .unwrap_or_else(|error| panic!("{error}"));
    firmware
}

/// Boots the program that fails and tells it how; answers with what it says from there to `until`.
fn fail(firmware: &Firmware, how: &str, until: &str) -> (Emulator, String) {
    let mut emulator = Emulator::start(firmware, Options::default()).unwrap();
    emulator.read_until("# fail how?\n", PATIENCE).unwrap();
    emulator.send(how.as_bytes()).unwrap();
    let said = emulator.read_until(until, PATIENCE);
    let said = said.unwrap_or_else(|error| panic!("{how} on {}: {error}", firmware.board.name));
    (emulator, said)
}

/// What the greeting says of the failure: the same as the last words.
#[track_caller]
fn told(said: &str, board: &str) -> String {
    let last_words = said.strip_prefix(&format!("{BREAK}{OWN}"));
    let (last_words, _) = last_words.expect(said).split_once('\n').unwrap();
    let greeting = format!(" on {board}\n{OWN}restarted after a {last_words}\n{OWN}model: ");
    assert!(said.contains(&greeting), "{board}: {said}");
    last_words.to_owned()
}

/// The number behind a word.
#[track_caller]
fn number(told: &str, word: &str) -> u32 {
    let (_, rest) = told.split_once(word).expect(told);
    let digits: String = rest.chars().take_while(char::is_ascii_hexdigit).collect();
    u32::from_str_radix(&digits, 16).expect(told)
}

#[test]
fn a_failing_program_restarts_the_board_which_says_what_it_was_and_where() {
    for board in BOARDS {
        let firmware = link(board, Program::Fail);
        let start = format!("{OWN}start: ");

        let (_, said) = fail(&firmware, "p", &start);
        let told_of = told(&said, board);
        assert!(
            told_of.starts_with("panic: firmware/src/bin/fail.rs:"),
            "{told_of}"
        );
        assert!(told_of.ends_with(": as it was told to"), "{told_of}");

        // The stack ends where the RAM begins.
        let (_, said) = fail(&firmware, "o", &start);
        let told_of = told(&said, board);
        assert!(told_of.starts_with("stack overflow"), "{told_of}");
        let link = firmware.board.link;
        let pointer = u64::from(number(&told_of, "stack pointer 0x"));
        assert!(pointer.abs_diff(link.ram.address) < 256, "{told_of}");
        if let Some(bits) = guard(board) {
            assert_ne!(number(&told_of, "status 0x") & bits, 0, "{told_of}");
        }
        assert!(
            is_code(&firmware, number(&told_of, "called from 0x")),
            "{told_of}"
        );

        let (_, said) = fail(&firmware, "j", &start);
        let told_of = told(&said, board);
        assert_eq!(
            number(&told_of, "hard fault at 0x"),
            0x7000_0000,
            "{told_of}"
        );
        assert!(
            is_code(&firmware, number(&told_of, "called from 0x")),
            "{told_of}"
        );
        let stack = link.ram.address..link.ram.address + link.stack_bytes;
        let pointer = u64::from(number(&told_of, "stack pointer 0x"));
        assert!(stack.contains(&pointer), "{told_of}");
    }
}

/// What the status says where the board's own guard of the stack raised the fault, where the core tells.
fn guard(board: &str) -> Option<u32> {
    match board {
        // The memory protection unit's: a data access, or what the processor puts on the stack itself.
        "mps2-an385" | "mps2-an386" | "netduinoplus2" => Some(1 << 1 | 1 << 4),
        // The stack limit's.
        "mps2-an505" | "pico2" => Some(1 << 20),
        // The physical memory protection's: a store.
        "riscv-virt" => Some(7),
        _ => None,
    }
}

/// Whether it is an address in the program's part of the flash.
fn is_code(firmware: &Firmware, address: u32) -> bool {
    let flash = firmware.board.link.flash;
    (flash.address + 1..flash.end()).contains(&address.into())
}

#[test]
fn a_board_that_keeps_failing_stays_at_the_console_without_writing() {
    for board in ["mps2-an386", "pico", "pico2"] {
        let firmware = link(board, Program::Fail);
        let paused = format!("{OWN}paused, for it keeps failing; ");
        let (mut emulator, said) = fail(&firmware, "a", &paused);
        assert_eq!(said.matches("panic: ").count(), 3 + 1, "{said}");
        assert!(
            said.contains(": once more (3 times in a row)\n") && !said.contains("start: "),
            "{said}"
        );
        emulator.send_line("/stats").unwrap();
        let answer = emulator.read_until(&format!("{DONE}"), PATIENCE).unwrap();
        assert!(answer.contains(", paused"), "{answer}");
        emulator.send_line("/resume").unwrap();
        emulator.read_until("start: ", PATIENCE).unwrap();
    }
}

#[test]
fn failures_before_the_program_is_up_count_as_well() {
    for board in ["mps2-an386", "microbit", "riscv-virt", "pico"] {
        let firmware = link(board, Program::Fail);
        let paused = format!("{OWN}paused, for it keeps failing; ");
        let (mut emulator, said) = fail(&firmware, "e", &paused);
        assert!(
            said.contains(": before it was up (3 times in a row)\n") && !said.contains("start: "),
            "{board}: {said}"
        );
        assert_eq!(said.matches(" on ").count(), 1, "{board}: {said}");
        emulator.send_line("/resume").unwrap();
        emulator.read_until("start: ", PATIENCE).unwrap();
    }
}

#[test]
fn the_watchdog_restarts_a_board_that_hangs_which_says_so() {
    for board in PICOS {
        let firmware = link(board, Program::Fail);
        let (mut emulator, said) = fail(&firmware, "h", "# start: ");
        assert!(
            said.contains(&format!(
                " on {board}\n{OWN}restarted by the watchdog: the program hung\n"
            )),
            "{said}"
        );
        // Nor does it restart one that is only slow: four characters take longer than its patience.
        emulator.send_line("/rate 1").unwrap();
        emulator
            .read_until(&format!("rate 1\n{DONE}"), PATIENCE)
            .unwrap();
        let mut text = Vec::new();
        while text.len() < 4 {
            text.extend(emulator.read(PATIENCE).unwrap());
        }
        assert!(!text.contains(&b'#'), "{}", text.escape_ascii());
    }
}

/// Reads until text comes without a greeting for much longer than the host ever stays away; answers with how
/// often the board greeted.
fn wait_until_the_host_stays(emulator: &mut Emulator, said: &mut String) -> usize {
    const GREETING: &str = "# Inkling ";
    let is_quiet = |said: &str| {
        said.rsplit(GREETING)
            .next()
            .is_some_and(|last| last.len() > 260)
    };
    while !is_quiet(said) {
        said.push_str(&String::from_utf8_lossy(&emulator.read(PATIENCE).unwrap()));
    }
    said.matches(GREETING).count()
}

/// Boots the console with trouble at its port; it comes through that without a restart, and writes what the
/// PC predicts.
fn comes_through_trouble(board: &str, usb: bool) {
    let options = Options {
        usb,
        trouble: true,
        ..Options::default()
    };
    let mut emulator = Emulator::start(&link(board, Program::Console), options).unwrap();
    let mut said = emulator
        .read_until(&format!("{OWN}start: "), PATIENCE)
        .unwrap();
    if usb {
        let times = wait_until_the_host_stays(&mut emulator, &mut said);
        assert!(times >= 20, "{times}: {said}");
    }
    assert!(!said.contains("restarted"), "{said}");
    let image = image();
    let mut generator =
        Generator::new(image.model().unwrap(), State::any(), Settings::default(), 5).unwrap();
    let text: String = (0..300).map(|_| generator.next_char()).collect();
    let passage = emulator.passage(&Request {
        seed: 5,
        prompt: String::new(),
        length: 300,
        settings: Settings::default(),
        until: firmware::until::Until::OFF,
        count: 1,
    });
    assert_eq!(passage.unwrap(), text);
}

#[test]
fn a_uart_that_is_stuck_stops_nothing() {
    for board in PICOS {
        comes_through_trouble(board, false);
    }
}

#[test]
fn a_usb_host_that_comes_and_goes_stops_nothing() {
    comes_through_trouble("pico", true);
}
