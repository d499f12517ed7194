//! Drives of boards, as folders: the right one is found, and what it says is heard.

use std::path::Path;
use std::thread;
use std::time::Duration;

use super::*;

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
fn a_board_starts_only_when_it_has_confirmed_that() {
    let desk = Desk::new();
    let drive = PathBuf::from(desk.pico());
    let firmware = desk.file("firmware.elf", &elf(PICO, "pico", &image(16)));
    let board = thread::spawn(move || {
        let file = drive.join("INKLING.UF2");
        while fs::metadata(&file).map_or(0, |data| data.len()) < 8192 {
            thread::sleep(Duration::from_millis(10));
        }
        thread::sleep(Duration::from_millis(300));
        fs::remove_dir_all(drive).unwrap();
    });
    let drive = desk.path("pico").display().to_string();
    flash(&["--firmware", &firmware, "--drive", &drive])
        .assert()
        .success()
        .stderr(predicate::str::is_match("^[0-9]+ bytes copied to .*; pico starts\n$").unwrap());
    board.join().unwrap();
}

#[test]
fn a_microbit_in_maintenance_mode_gets_nothing_and_its_owner_advice() {
    let desk = Desk::new();
    let details = "Unique ID: 9904000050264e45\r\nDaplink Mode: Bootloader\r\n";
    let drive = desk.drive("maintenance", "DETAILS.TXT", details);
    let firmware = desk.file("firmware.elf", &elf(0, "microbit-v2", &image(16)));
    complains(
        &["--firmware", &firmware, "--drive", &drive],
        "is in maintenance mode, where it takes new interface firmware only: unplug it",
    );
    assert_eq!(fs::read_dir(&drive).unwrap().count(), 1);
}

#[test]
fn a_drive_that_comes_back_elsewhere_with_a_complaint_is_a_failure() {
    for file in ["FAIL.TXT", "ASSERT.TXT"] {
        let desk = Desk::new();
        let drive = desk.microbit();
        let firmware = desk.file("firmware.elf", &elf(0, "microbit-v2", &image(16)));
        let old = PathBuf::from(&drive);
        let board = thread::spawn(move || {
            let text = || fs::read_to_string(old.join("INKLING.HEX")).unwrap_or_default();
            while !text().ends_with(":00000001FF\n") {
                thread::sleep(Duration::from_millis(10));
            }
            let new = old.with_file_name("microbit1");
            fs::create_dir(&new).unwrap();
            fs::write(new.join(file), "error: \x1b]0;title\x07 it broke\r\n").unwrap();
            fs::rename(old.join("DETAILS.TXT"), new.join("DETAILS.TXT")).unwrap();
            fs::remove_dir_all(old).unwrap();
        });
        complains(
            &["--firmware", &firmware, "--drive", &drive],
            "it says: error: ␛]0;title␇ it broke",
        );
        board.join().unwrap();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn nothing_on_a_drive_is_followed_or_waited_for() {
    use std::os::unix::fs::symlink;

    let desk = Desk::new();
    let firmware = desk.file("firmware.elf", &elf(PICO, "pico", &image(16)));
    let mine = desk.file("mine.txt", b"kept");
    let drive = desk.pico();
    symlink(&mine, desk.path("pico/INKLING.UF2")).unwrap();
    complains(
        &["--firmware", &firmware, "--drive", &drive],
        "no plain file, by the name of the file that is to be copied there: delete that",
    );
    assert_eq!(fs::read(&mine).unwrap(), b"kept");

    for (name, target) in [("endless", "/dev/zero"), ("pipe", "")] {
        fs::create_dir(desk.path(name)).unwrap();
        let label = desk.path(name).join("INFO_UF2.TXT");
        match target {
            "" => rustix::fs::mknodat(
                rustix::fs::CWD,
                &label,
                rustix::fs::FileType::Fifo,
                rustix::fs::Mode::RUSR,
                0,
            )
            .unwrap(),
            target => symlink(target, &label).unwrap(),
        }
        let drive = desk.path(name).display().to_string();
        flash(&["--firmware", &firmware, "--drive", &drive])
            .timeout(Duration::from_secs(30))
            .assert()
            .code(1)
            .stderr(predicate::str::contains("is not the drive of a board"));
    }
    flash(&["--firmware", "/dev/zero"])
        .timeout(Duration::from_secs(60))
        .assert()
        .code(1)
        .stderr(predicate::str::contains(
            "cannot read the firmware /dev/zero",
        ));
}

#[test]
fn what_a_drive_says_does_not_act_on_terminals() {
    let desk = Desk::new();
    let firmware = desk.file("firmware.elf", &elf(PICO, "pico", &image(16)));
    let text = "Board-ID: \x1b[2Jevil\u{202e}\u{9b}\x07\r\n";
    let drive = desk.drive("evil\x1b[31m", "INFO_UF2.TXT", text);
    complains(
        &["--firmware", &firmware, "--drive", &drive],
        "evil␛[31m is that of '␛[2Jevil��␇', not of pico",
    );
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
    let mut expected = vec![(0, program)];
    expected.extend(with_records("microbit-v2", &image(40)));
    let parts: Vec<_> = load
        .parts()
        .map(|(address, part)| (address, part.to_vec()))
        .collect();
    assert!(parts == expected);

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
    let large = image(236);
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

#[cfg(unix)]
#[test]
fn a_pico_that_runs_is_asked_for_its_drive_and_waited_for() {
    use std::io::Read;

    let desk = Desk::new();
    let firmware = desk.file("firmware.elf", &elf(PICO, "pico", &image(16)));
    let (mut board, port) = pty();
    let drive = desk.path("pico");
    let comes = thread::spawn({
        let drive = drive.clone();
        move || {
            let mut typed = String::new();
            while !typed.ends_with('\n') {
                let mut bytes = [0; 64];
                let count = board.read(&mut bytes).unwrap_or_default();
                typed += std::str::from_utf8(&bytes[..count]).unwrap();
                thread::sleep(Duration::from_millis(20));
            }
            fs::create_dir(&drive).unwrap();
            fs::write(drive.join("INFO_UF2.TXT"), "Board-ID: RPI-RP2\r\n").unwrap();
            typed
        }
    });
    flash(&["--firmware", &firmware, "--port", &port, "--wait", "30"])
        .args(["--drive", drive.to_str().unwrap()])
        .timeout(Duration::from_secs(60))
        .assert()
        .success()
        .stderr(predicate::str::contains(
            "is asked to restart pico into its boot loader\n",
        ));
    assert_eq!(comes.join().unwrap(), "\u{15}/bootloader\n");
    assert!(!desk.copied().is_empty());
}
