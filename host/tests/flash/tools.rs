//! The programs that flash boards without a drive, played by scripts that note how they were called.

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
    let parts: Vec<_> = load
        .parts()
        .map(|(address, part)| (address, part.to_vec()))
        .collect();
    assert_eq!(parts, with_records("nrf52840-dk", &image(16)));
}

#[test]
fn a_named_probe_flashes_any_board_that_it_can_reach() {
    let desk = Desk::new();
    let list =
        "[0]: J-Link -- 1366:1051:0001 (J-Link)\n[1]: DAPLink -- 0d28:0204:9904AB (CMSIS-DAP)";
    let bin = tool(&desk, "probe-rs", list, 0);
    let model = desk.file("model.img", &image(16));
    let weights = |board, probe: &[&str]| {
        let mut command = flash(&["--board", board, "--weights-only", "--model", &model]);
        command.args(probe).env("PATH", &bin).assert()
    };
    weights("nrf52840-dk", &[])
        .code(1)
        .stderr("error: several debug probes are there: name one with --probe: 1366:1051:0001, 0d28:0204:9904AB\n");
    weights("nrf52840-dk", &["--probe", "0002"]).code(1).stderr(
        "error: there is no debug probe 0002; there are 1366:1051:0001, 0d28:0204:9904AB\n",
    );
    weights("nrf52840-dk", &["--probe", "0001"]).success();
    // A probe leaves the rest of the flash alone, which the drive does not.
    weights("microbit-v2", &["--probe", "9904ab"]).success();
    weights("esp32c3", &["--probe", "0001"]).code(1).stderr(
        "error: esp32c3 is flashed over its serial port, not by a debug probe: leave --probe out\n",
    );
    let notes: Vec<_> = notes(&desk)
        .into_iter()
        .filter(|note| note != "list")
        .collect();
    assert!(notes[0].starts_with("download --chip nRF52840_xxAA --probe 1366:1051:0001 "));
    assert_eq!(
        notes[1],
        "reset --chip nRF52840_xxAA --probe 1366:1051:0001"
    );
    assert!(notes[2].starts_with("download --chip nRF52833_xxAA --probe 0d28:0204:9904AB "));
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
    flash(&[&format!("--udev={rules}")])
        .env("SSH_CONNECTION", "")
        .env("SSH_TTY", "")
        .assert()
        .success()
        .stderr(predicate::str::contains("dialout").not());
    flash(&[&format!("--udev={rules}")])
        .env("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22")
        .assert()
        .success()
        .stderr(predicate::str::contains(
            "over SSH, join the group of the board's port",
        ));
    let text = fs::read_to_string(desk.path("rules.d/70-inkling.rules")).unwrap();
    assert!(
        text.contains("ATTRS{idVendor}==\"1366\", TAG+=\"uaccess\""),
        "{text}"
    );
    // Where others have numbers of the same vendor, products are named.
    for shared in ["1209", "2e8a", "0483", "303a", "0d28", "10c4", "0403"] {
        assert!(!text.contains(&format!("\"{shared}\", TAG")), "{text}");
    }
    for device in [
        "1209:0001",
        "2e8a:000c",
        "2e8a:0003",
        "0d28:0204",
        "0483:374b",
        "303a:1001",
        "10c4:ea60",
        "1a86:7523",
        "1a86:55d4",
        "0403:6001",
    ] {
        let (vendor, product) = device.split_once(':').unwrap();
        let line = format!(
            "ATTRS{{idVendor}}==\"{vendor}\", ATTRS{{idProduct}}==\"{product}\", TAG+=\"uaccess\", \
             ENV{{ID_MM_DEVICE_IGNORE}}=\"1\"\n"
        );
        assert!(text.contains(&line), "{line}{text}");
    }
    flash(&["--udev=-"]).assert().success().stdout(text.clone());
    let file = desk.file("file", b"");
    flash(&[&format!("--udev={file}/rules.d")])
        .assert()
        .code(1)
        .stdout(text)
        .stderr(predicate::str::contains("run this as root"));
}
