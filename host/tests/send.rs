//! A model goes to the emulated Picos over the UART and over USB, and what they write then is what the PC predicts;
//! power fails at any operation on the flash, and they write all the same.
//!
//! These tests need rp2040js and the bare-metal target: `cargo xtask setup` installs both.

#![allow(clippy::unwrap_used)]

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use firmware::until::Until;
use host::device::cuts::{Cuts, Found, Moment, Purpose};
use host::device::send::{Outcome, send};
use host::device::{Emulator, Firmware, Options, Program, Request, find};
use host::image;
use inkling_engine::{AlignedImage, Generator, Settings, State};

mod common;

const NAME: &str = "shakespeare-32k";

fn model(name: &str) -> AlignedImage {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../weights");
    image::open(&Path::new(folder).join(format!("{name}.img"))).unwrap()
}

fn pico() -> Firmware {
    firmware("pico")
}

fn firmware(board: &str) -> Firmware {
    let firmware = Firmware::with_room(find(board).unwrap(), Program::Console);
    let mut firmware = firmware.unwrap_or_else(|error| panic!("{error}"));
    firmware.replace_model(&common::image(16)).unwrap();
    firmware
}

fn request() -> Request {
    Request {
        seed: 7,
        prompt: "abc".into(),
        length: 100,
        settings: Settings::default(),
        until: Until::OFF,
        count: 1,
    }
}

fn on_the_pc(image: &AlignedImage, request: &Request) -> String {
    let model = image.model().unwrap();
    let settings = request.settings;
    let mut generator = Generator::new(model, State::any(), settings, request.seed).unwrap();
    let mut text = request.prompt.clone();
    text.chars().for_each(|c| assert!(generator.prompt_char(c)));
    text.extend((0..request.length).map(|_| generator.next_char()));
    text
}

#[track_caller]
fn assert_writes(emulator: &mut Emulator, image: &AlignedImage) {
    let written = emulator.passage(&request());
    let written = written.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(written, on_the_pc(image, &request()));
}

#[test]
fn a_pico_writes_with_the_model_that_is_sent_to_it_over_uart_and_usb() {
    // The UART takes as long as a real one. The second model goes beside the first.
    let small = [40, 48].map(|hidden| AlignedImage::new(&common::image(hidden)));
    for (board, usb, models) in [
        ("pico", true, vec![model(NAME), small[0].clone()]),
        ("pico", false, small.to_vec()),
        ("pico2", false, small.to_vec()),
    ] {
        let options = Options {
            usb,
            ..Options::default()
        };
        let mut emulator = Emulator::start(&firmware(board), options).unwrap();
        for image in models {
            let outcome = send(&mut emulator, image.bytes(), |_| ControlFlow::Continue(()));
            let outcome = outcome.unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(outcome, Outcome::Sent);
            assert_writes(&mut emulator, &image);
        }
    }
}

/// Runs `inkling` with a line to the emulator as its port; answers with what it printed, and what it said.
#[track_caller]
fn inkling(emulator: &mut Emulator, arguments: &[&str], typed: &str) -> (String, String) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut command = Command::new(env!("CARGO_BIN_EXE_inkling"))
        .args(arguments)
        .args(["--port", &format!("tcp:127.0.0.1:{port}")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = command.stdin.take().unwrap();
    stdin.write_all(typed.as_bytes()).unwrap();
    drop(stdin);
    let (mut line, _) = listener.accept().unwrap();
    line.set_read_timeout(Some(Duration::from_millis(5)))
        .unwrap();
    let mut buffer = [0; 4096];
    while command.try_wait().unwrap().is_none() {
        match line.read(&mut buffer) {
            Ok(count) => emulator.send(&buffer[..count]).unwrap(),
            Err(error) => assert!(
                matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionReset
                ),
                "{error}"
            ),
        }
        let said = emulator.read(Duration::from_millis(1)).unwrap();
        // It may have ended with its last answer unread.
        let _ = line.write_all(&said);
    }
    let output = command.wait_with_output().unwrap();
    let [printed, said] =
        [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{said}");
    (printed, said)
}

#[test]
fn a_model_is_sent_by_a_command_and_from_the_console_of_the_monitor() {
    let options = Options {
        usb: true,
        ..Options::default()
    };
    let mut emulator = Emulator::start(&pico(), options).unwrap();
    let (_, said) = inkling(&mut emulator, &["send", NAME], "");
    let bytes = model(NAME).bytes().len();
    assert!(
        said.contains(&format!("{NAME}: {bytes} bytes sent in ")),
        "{said}"
    );
    let (_, said) = inkling(&mut emulator, &["send", NAME], "");
    assert!(said.contains("the board writes with it already"), "{said}");
    assert_writes(&mut emulator, &model(NAME));

    let other = "shakespeare-40k";
    let typed = format!("/send {other}\n/len 100\n/rate max\n/seed 7\nabc\n");
    let (printed, said) = inkling(&mut emulator, &["monitor"], &typed);
    assert!(said.contains(&format!("{other}: ")), "{said}");
    assert!(
        printed.contains(&on_the_pc(&model(other), &request())),
        "{printed}"
    );
}

#[test]
fn a_pico_writes_with_the_old_or_the_new_model_wherever_power_fails() {
    // All of the cuts are for `cargo xtask bench power-cuts`.
    writes_wherever_power_fails("pico", 6);
    writes_wherever_power_fails("pico2", 2);
}

#[track_caller]
fn writes_wherever_power_fails(board: &str, tried: usize) {
    let firmware = Firmware::with_room(find(board).unwrap(), Program::Console);
    let firmware = firmware.unwrap_or_else(|error| panic!("{error}"));
    let cuts = Cuts::record(firmware).unwrap_or_else(|error| panic!("{error}"));
    let all = cuts.all();
    assert!(all.len() > 100, "{}", all.len());
    let some = all.iter().enumerate().filter(|(index, cut)| {
        let is_rare = matches!(cut.purpose, Purpose::RecordErased | Purpose::RecordWritten);
        is_rare || index.is_multiple_of(all.len() / tried)
    });
    let mut last = None;
    for (_, &cut) in some {
        let found = cuts.start_after(cut);
        let found = found.unwrap_or_else(|error| panic!("{cut:?}: {error}"));
        let is_complete = (cut.purpose, cut.moment) == (Purpose::RecordWritten, Moment::After);
        let expected = if is_complete { Found::New } else { Found::Old };
        assert_eq!(found, expected, "{cut:?}");
        last = Some(found);
    }
    assert_eq!(last, Some(Found::New));
    // And where it went to the slot of the model in use, that is lost.
    let middle = all[all.len() / 2];
    assert_eq!(cuts.start_after_spoiling(middle).unwrap(), Found::Lost);
}
