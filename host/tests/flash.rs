//! `host flash` as typed, against folders that look like the drives of boards.
//!
//! Nothing is built here, but for one test.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use assert_cmd::Command;
use firmware::image::VERSION;
use host::device::find;
use host::device::flash::{Load, Order, prepare, uf2};
use predicates::prelude::*;
use tempfile::TempDir;

mod common;
use common::{elf, image, stored};

const PICO: u32 = 0x1000_0000;
const PICO_REGION: u32 = 0x1010_0000;
const RP2040: u32 = 0xE48B_FF56;

/// A desk with a board on it.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Desk {
        Desk {
            folder: TempDir::new().unwrap(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn file(&self, name: &str, content: &[u8]) -> String {
        fs::write(self.path(name), content).unwrap();
        self.path(name).to_str().unwrap().to_owned()
    }

    /// The drive of a board whose label file says so.
    fn drive(&self, name: &str, label: &str, text: &str) -> String {
        let drive = self.path(name);
        fs::create_dir(&drive).unwrap();
        fs::write(drive.join(label), text).unwrap();
        drive.to_str().unwrap().to_owned()
    }

    fn pico(&self) -> String {
        let text = "UF2 Bootloader v3.0\r\nModel: Raspberry Pi RP2\r\nBoard-ID: RPI-RP2\r\n";
        self.drive("pico", "INFO_UF2.TXT", text)
    }

    fn microbit(&self) -> String {
        let text =
            "# DAPLink Firmware\r\nUnique ID: 9904000050264e45\r\nInterface Version: 0249\r\n";
        self.drive("microbit", "DETAILS.TXT", text)
    }

    fn copied(&self) -> Vec<u8> {
        fs::read(self.path("pico/INKLING.UF2")).unwrap()
    }
}

fn flash(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_host"));
    command.arg("flash").args(arguments);
    command
}

#[track_caller]
fn complains(arguments: &[&str], sentence: &str) {
    flash(arguments)
        .assert()
        .code(1)
        .stdout("")
        .stderr(predicate::str::contains(sentence))
        .stderr(predicate::str::is_match("^error: [^\n]+\n$").unwrap());
}

/// The parts that a load was made of, padded to whole sectors with zeros.
fn sectors(parts: &[(u32, &[u8])]) -> Load {
    let mut load = Load::default();
    for (address, part) in parts {
        let mut part = part.to_vec();
        part.resize(part.len().next_multiple_of(4096), 0);
        load.insert(*address, &part).unwrap();
    }
    load
}

#[test]
fn a_firmware_arrives_whole_and_clears_the_model_of_before() {
    let desk = Desk::new();
    let drive = desk.pico();
    let firmware = desk.file("firmware.elf", &elf(PICO, "pico", &image(16)));
    flash(&["--firmware", &firmware, "--drive", &drive])
        .assert()
        .success()
        .stdout("")
        .stderr(predicate::str::is_match("^[0-9]+ bytes copied to .*; pico starts\n$").unwrap());

    let (load, family) = uf2::decode(&desk.copied()).unwrap();
    assert_eq!(family, Some(RP2040));
    let program = stored(PICO, "pico", &image(16));
    let parts = [(PICO, &program[..]), (PICO_REGION, &[0xFF; 256])];
    assert_eq!(load, sectors(&parts));
}

#[test]
fn an_independent_reader_finds_the_same_in_the_file() {
    let desk = Desk::new();
    let drive = desk.pico();
    let firmware = desk.file("firmware.elf", &elf(PICO, "pico", &image(16)));
    let model = desk.file("model.img", &image(40));
    flash(&[
        "--firmware",
        &firmware,
        "--model",
        &model,
        "--drive",
        &drive,
    ])
    .assert()
    .success();

    let (bytes, families) = uf2_decode::convert_from_uf2(&desk.copied()).unwrap();
    assert_eq!(
        families.into_iter().collect::<Vec<_>>(),
        [(RP2040, u64::from(PICO))]
    );
    let program = stored(PICO, "pico", &image(16));
    assert_eq!(bytes[..program.len()], program);
    let at = (PICO_REGION - PICO) as usize;
    assert!(bytes[program.len()..at].iter().all(|&byte| byte == 0));
    assert_eq!(bytes[at..at + image(40).len()], image(40));
    assert_eq!(bytes.len(), at + image(40).len().next_multiple_of(4096));
}

#[test]
fn weights_alone_touch_nothing_but_their_region() {
    let desk = Desk::new();
    let drive = desk.pico();
    let model = desk.file("model.img", &image(40));
    flash(&[
        "--board",
        "pico",
        "--weights-only",
        "--model",
        &model,
        "--drive",
        &drive,
    ])
    .env("PATH", "") // no compiler
    .assert()
    .success();
    let (load, _) = uf2::decode(&desk.copied()).unwrap();
    assert_eq!(load, sectors(&[(PICO_REGION, &image(40))]));
}

#[test]
fn a_prebuilt_file_may_be_uf2_or_hex_and_takes_a_new_model() {
    let desk = Desk::new();
    let drive = desk.pico();
    let linked = Load::from_elf(&elf(PICO, "pico", &image(16))).unwrap();
    let by_uf2 = desk.file("prebuilt.uf2", &uf2::encode(&linked, RP2040));
    let by_hex = desk.file("prebuilt.HEX", linked.to_hex().unwrap().as_bytes());
    let model = desk.file("model.img", &image(40));

    flash(&["--firmware", &by_uf2, "--model", &model, "--drive", &drive])
        .assert()
        .success();
    let first = desk.copied();
    flash(&[
        "--board",
        "pico",
        "--firmware",
        &by_hex,
        "--model",
        &model,
        "--drive",
        &drive,
    ])
    .assert()
    .success();
    assert_eq!(first, desk.copied());
    // The model of before, in what is now the firmware, makes room again.
    let by_uf2 = desk.file("with-model.uf2", &first);
    let smaller = desk.file("smaller.img", &image(8));
    flash(&[
        "--firmware",
        &by_uf2,
        "--model",
        &smaller,
        "--drive",
        &drive,
    ])
    .assert()
    .success();
    let (load, _) = uf2::decode(&desk.copied()).unwrap();
    let (_, region) = load.parts().last().unwrap();
    assert_eq!(region.len(), image(8).len().next_multiple_of(4096));
    let program = stored(PICO, "pico", &image(16));
    let parts = [(PICO, &program[..]), (PICO_REGION, &image(40))];
    assert_eq!(uf2::decode(&first).unwrap().0, sectors(&parts));
    complains(
        &["--firmware", &by_hex],
        "does not tell which board it is for: name that with --board",
    );
}

#[test]
fn the_wrong_board_gets_nothing() {
    let desk = Desk::new();
    let (pico, microbit) = (desk.pico(), desk.microbit());
    let pico2 = desk.drive("pico2", "INFO_UF2.TXT", "Board-ID: RP2350\r\n");
    let firmware = desk.file("firmware.elf", &elf(PICO, "pico", &image(16)));
    let other = desk.file(
        "other.uf2",
        &uf2::encode(
            &Load::from_hex(":0100000001FE\n:00000001FF").unwrap(),
            0xE48B_FF59,
        ),
    );

    complains(
        &["--firmware", &firmware, "--drive", &pico2],
        "is that of pico2, not of pico: plug the right board in",
    );
    complains(
        &["--firmware", &firmware, "--drive", &microbit],
        "is not the drive of a board (it has no INFO_UF2.TXT): hold BOOTSEL",
    );
    complains(
        &[
            "--firmware",
            &firmware,
            "--board",
            "pico2",
            "--drive",
            &pico2,
        ],
        "is a firmware for pico, not for pico2",
    );
    complains(
        &["--firmware", &other, "--board", "pico", "--drive", &pico],
        "is a firmware for pico2, not for pico",
    );
    complains(
        &[
            "--firmware",
            &other,
            "--board",
            "microbit-v2",
            "--drive",
            &microbit,
        ],
        "is a firmware for boards that take UF2 files, not for microbit-v2",
    );
    complains(
        &["--board", "mps2-an386"],
        "mps2-an386 exists in emulators only",
    );
    complains(&["--board", "abacus"], "there is no board 'abacus'");
    for drive in ["pico", "pico2", "microbit"] {
        assert_eq!(
            fs::read_dir(desk.path(drive)).unwrap().count(),
            1,
            "{drive}"
        );
    }
}

#[test]
fn no_board_is_said_with_how_to_bring_it_out() {
    let desk = Desk::new();
    let firmware = desk.file("firmware.elf", &elf(PICO, "pico", &image(16)));
    flash(&["--firmware", &firmware, "--wait", "0"])
        .assert()
        .code(1)
        .stderr(predicate::str::contains(
            "waiting for the drive of pico: hold BOOTSEL while you plug the board in\n",
        ))
        .stderr(predicate::str::contains(
            "error: no drive of pico appeared: hold BOOTSEL",
        ));
}

#[test]
fn what_does_not_fit_or_is_broken_never_reaches_the_board() {
    let desk = Desk::new();
    let drive = desk.pico();
    let sound = image(16);
    let firmware = desk.file("firmware.elf", &elf(PICO, "pico", &sound));
    let model = desk.file("model.img", &sound);
    let mut damaged = sound.clone();
    damaged[100] ^= 1;
    let damaged = desk.file("damaged.img", &damaged);
    let mut newer = sound.clone();
    newer[4] = VERSION as u8 + 1;
    let newer_model = desk.file("newer.img", &newer);
    let large = desk.file("large.img", &image(250));
    let newer_firmware = desk.file("newer.elf", &elf(PICO, "pico", &newer));
    let high = desk.file("high.elf", &elf(PICO + 0x0200_0000 - 16, "pico", &sound));
    let reaching = desk.file("reaching.elf", &elf(PICO_REGION - 500, "pico", &sound));
    let weights = |model: &str, board: &str, sentence: &str| {
        let arguments = [
            "--board",
            board,
            "--weights-only",
            "--model",
            model,
            "--drive",
            &drive,
        ];
        complains(&arguments, sentence);
    };
    weights(&damaged, "pico", "damaged: its checksum does not match");
    weights(
        &newer_model,
        "pico",
        &format!(
            "has format version {}, this program reads {VERSION}",
            VERSION + 1
        ),
    );
    weights(&firmware, "pico", "this is not a model image");
    weights("no-such-model", "pico", "there is no model no-such-model");
    weights(
        &large,
        "microbit-v2",
        "the flash set aside for one on microbit-v2 262144: export a smaller model",
    );
    weights(
        &model,
        "microbit-v2",
        "so the program must come along: add --firmware FILE",
    );
    weights(
        &model,
        "microbit",
        "microbit has no flash set aside for a model",
    );
    weights(&model, "mps2-an386", "mps2-an386 exists in emulators only");

    let together = |firmware: &str, sentence: &str| {
        complains(
            &["--firmware", firmware, "--model", &model, "--drive", &drive],
            sentence,
        );
    };
    together(
        &newer_firmware,
        &format!(
            "reads model images of format version {}, this one has version {VERSION}",
            VERSION + 1
        ),
    );
    together(
        &reaching,
        "the program reaches into the flash set aside for a model on pico",
    );
    together(&model, "cannot read the firmware");
    together("no-such.elf", "cannot read the firmware no-such.elf");
    complains(
        &["--firmware", &high, "--drive", &drive],
        "does not fit pico: it lies from 0x10100000 to",
    );
    let cut = desk.file("cut.uf2", &[0; 700]);
    together(
        &cut,
        "it is not a UF2 file (its length is not that of blocks)",
    );
    assert_eq!(fs::read_dir(desk.path("pico")).unwrap().count(), 1);
}

/// A DAPLink that takes a whole hex file away, and complains if told so; answers with the file.
fn daplink(drive: &Path, complaint: Option<&'static str>) -> thread::JoinHandle<String> {
    let drive = drive.to_path_buf();
    thread::spawn(move || {
        let file = drive.join("INKLING.HEX");
        loop {
            thread::sleep(Duration::from_millis(10));
            let text = fs::read_to_string(&file).unwrap_or_default();
            if text.ends_with(":00000001FF\n") {
                if let Some(complaint) = complaint {
                    fs::write(drive.join("FAIL.TXT"), complaint).unwrap();
                }
                fs::remove_file(file).unwrap();
                return text;
            }
        }
    })
}

#[test]
fn a_microbit_takes_program_and_model_together_and_says_if_it_failed() {
    let desk = Desk::new();
    let drive = desk.microbit();
    let firmware = desk.file("firmware.elf", &elf(0, "microbit-v2", &image(16)));
    let model = desk.file("model.img", &image(40));
    let arguments = [
        "--board",
        "microbit-v2",
        "--firmware",
        &firmware,
        "--weights-only",
        "--model",
        &model,
        "--drive",
        &drive,
    ];

    let board = daplink(Path::new(&drive), None);
    flash(&arguments).assert().success().stderr(
        predicate::str::contains("; microbit-v2 starts\n")
            .and(predicate::str::contains("confirmed").not()),
    );
    let load = Load::from_hex(&board.join().unwrap()).unwrap();
    let program = stored(0, "microbit-v2", &image(16));
    let expected = [(0, program), (0x4_0000, image(40))];
    let parts: Vec<_> = load
        .parts()
        .map(|(address, part)| (address, part.to_vec()))
        .collect();
    assert_eq!(parts, expected);

    let complaint = "error: The transfer timed out.\r\ntype: transient, user\r\n";
    let board = daplink(Path::new(&drive), Some(complaint));
    complains(
        &arguments,
        "it says: error: The transfer timed out. type: transient, user",
    );
    board.join().unwrap();
}

#[test]
fn a_model_too_large_to_link_goes_beside_the_program() {
    let desk = Desk::new();
    let drive = desk.microbit();
    let large = image(200);
    assert!((200_000..262_144).contains(&large.len()), "{}", large.len());
    let model = desk.file("large.img", &large);
    let board = daplink(Path::new(&drive), None);
    flash(&[
        "--board",
        "microbit-v2",
        "--model",
        &model,
        "--drive",
        &drive,
    ])
    .assert()
    .success();
    let load = Load::from_hex(&board.join().unwrap()).unwrap();
    let region = find("microbit-v2").unwrap().model_region.unwrap().address as u32;
    let (_, at_region) = load
        .parts()
        .find(|(address, _)| *address == region)
        .unwrap();
    assert_eq!(at_region, large);
}

#[test]
fn a_board_without_a_place_for_models_gets_one_into_its_program() {
    let desk = Desk::new();
    let firmware = desk.file("firmware.elf", &elf(0, "microbit", &image(40)));
    let order = Order {
        board: find("microbit").unwrap(),
        firmware: Some(firmware.into()),
        model: Some(desk.file("model.img", &image(16)).into()),
        weights_only: false,
        stand_in: PathBuf::new(),
    };
    let package = prepare(&order).unwrap_or_else(|error| panic!("{error}"));
    assert!(package.load.image().unwrap().starts_with(&image(16)));
}

#[cfg(unix)]
mod tools {
    use super::*;

    /// A folder with a program that notes how it was called, and copies the file it was given.
    fn tool(desk: &Desk, name: &str, listed: &str, exit: u8) -> String {
        use std::os::unix::fs::PermissionsExt;
        let bin = desk.path("bin");
        fs::create_dir_all(&bin).unwrap();
        let notes = desk.path("notes").display().to_string();
        let script = format!(
            "#!/bin/sh\necho \"$@\" >>{notes}\n[ \"$1\" = list ] && echo '{listed}' && exit 0\n\
             for last; do :; done\n[ -f \"$last\" ] && /bin/cat \"$last\" >>{notes}.$1\nexit {exit}\n"
        );
        fs::write(bin.join(name), script).unwrap();
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        bin.display().to_string()
    }

    fn notes(desk: &Desk) -> Vec<String> {
        let notes = fs::read_to_string(desk.path("notes")).unwrap();
        notes.lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_debug_probe_gets_a_hex_file() {
        let desk = Desk::new();
        let bin = tool(&desk, "probe-rs", "[0]: J-Link -- 1366:1051", 0);
        let model = desk.file("model.img", &image(16));
        flash(&[
            "--board",
            "nrf52840-dk",
            "--weights-only",
            "--model",
            &model,
        ])
        .env("PATH", &bin)
        .assert()
        .success()
        .stderr(predicate::str::contains("; nrf52840-dk starts\n"));
        let notes = notes(&desk);
        assert_eq!(notes[0], "list");
        assert!(notes[1].starts_with("download --chip nRF52840_xxAA --binary-format hex /"));
        assert_eq!(notes[2], "reset --chip nRF52840_xxAA");
        let hex = fs::read_to_string(desk.path("notes.download")).unwrap();
        let load = Load::from_hex(&hex).unwrap();
        assert_eq!(
            load.parts().collect::<Vec<_>>(),
            [(0x8_0000, &image(16)[..])]
        );
    }

    /// The options with which espflash is to be called.
    const ON_PORT: &str = "--chip esp32c3 --port /dev/ttyACM7";

    /// Flashes an ESP32-C3; answers with how espflash was called, but for the files.
    fn esp32c3(desk: &Desk, arguments: &[&str]) -> Vec<String> {
        let bin = tool(desk, "espflash", "", 0);
        flash(arguments)
            .args(["--port", "/dev/ttyACM7"])
            .env("PATH", &bin)
            .assert()
            .success()
            .stderr(predicate::str::contains("; esp32c3 starts\n"));
        let call = |note: String| note.rsplit_once(" /").unwrap().0.to_owned();
        notes(desk).into_iter().map(call).collect()
    }

    #[test]
    fn espflash_gets_the_linked_file_and_the_model_for_beside_it() {
        let desk = Desk::new();
        let linked = elf(0x3C00_0000, "esp32c3", &image(40));
        let firmware = desk.file("firmware.elf", &linked);
        let model = desk.file("model.img", &image(16));
        let calls = esp32c3(&desk, &["--firmware", &firmware, "--model", &model]);
        let beside = format!("write-bin {ON_PORT} 0x200000");
        assert_eq!(calls, [beside.clone(), format!("flash {ON_PORT}")]);
        assert_eq!(fs::read(desk.path("notes.flash")).unwrap(), linked);
        assert_eq!(fs::read(desk.path("notes.write-bin")).unwrap(), image(16));

        // By itself it clears the model of before.
        let desk = Desk::new();
        let calls = esp32c3(&desk, &["--firmware", &firmware]);
        assert_eq!(calls, [beside.clone(), format!("flash {ON_PORT}")]);
        assert_eq!(fs::read(desk.path("notes.write-bin")).unwrap(), [0xFF; 256]);

        let desk = Desk::new();
        let weights = ["--board", "esp32c3", "--weights-only", "--model", &model];
        assert_eq!(esp32c3(&desk, &weights), [beside]);
        assert_eq!(fs::read(desk.path("notes.write-bin")).unwrap(), image(16));
    }

    #[test]
    fn espflash_gets_a_whole_image_for_the_beginning_of_the_flash() {
        let desk = Desk::new();
        let mut image = vec![0xE9, 3, 2, 0x20, 0, 0, 0, 0, 0xEE, 0, 0, 0, 5, 0];
        image.resize(70_000, 0x5A);
        let firmware = desk.file("firmware.bin", &image);
        // The file tells which board it is for.
        let calls = esp32c3(&desk, &["--firmware", &firmware]);
        let call = |offset| format!("write-bin {ON_PORT} {offset}");
        assert_eq!(calls, [call("0x0"), call("0x200000")]);
        let written = fs::read(desk.path("notes.write-bin")).unwrap();
        assert_eq!(written, [&image[..], &[0xFF; 256]].concat());

        complains(
            &["--firmware", &firmware, "--board", "pico"],
            "is a firmware for boards",
        );
        image[12] = 9;
        let other = desk.file("other.bin", &image);
        complains(
            &["--firmware", &other, "--board", "esp32c3"],
            "other.bin is a firmware for Espressif's chip number 9, not for esp32c3",
        );
        complains(
            &["--firmware", &other],
            "does not tell which board it is for",
        );
        let program = desk.file("program.bin", &[0; 100]);
        complains(
            &["--firmware", &program],
            "it is no image for the boot loader",
        );
    }

    #[test]
    fn a_missing_tool_or_probe_or_one_that_fails_is_one_sentence() {
        let desk = Desk::new();
        let model = desk.file("model.img", &image(16));
        let weights = ["--board", "blackpill", "--weights-only", "--model", &model];
        let said = |path: &str, sentence: &'static str| {
            flash(&weights)
                .env("PATH", path)
                .assert()
                .code(1)
                .stderr(predicate::str::contains(sentence));
        };
        said(
            "",
            "error: probe-rs is not installed, which flashes this board: `cargo install probe-rs-tools --locked`",
        );
        let bin = tool(&desk, "probe-rs", "No debug probes were found.", 0);
        said(&bin, "error: no debug probe was found");
        let bin = tool(&desk, "probe-rs", "[0]: STLink", 1);
        said(&bin, "error: probe-rs could not flash the board, see above");
    }

    #[test]
    fn the_udev_rule_is_written_or_shown() {
        let desk = Desk::new();
        fs::create_dir(desk.path("rules.d")).unwrap();
        let rules = desk.path("rules.d").display().to_string();
        flash(&[&format!("--udev={rules}")]).assert().success();
        let text = fs::read_to_string(desk.path("rules.d/70-inkling.rules")).unwrap();
        assert!(
            text.contains("ATTRS{idVendor}==\"2e8a\", TAG+=\"uaccess\"\n"),
            "{text}"
        );
        let file = desk.file("file", b"");
        flash(&[&format!("--udev={file}/rules.d")])
            .assert()
            .code(1)
            .stdout(text)
            .stderr(predicate::str::contains("run this as root"));
    }
}
