//! What is left on a drive when `flash` is killed, stopped, started twice or without room, at random moments:
//! what was there, or the beginning of what was to come, which boards do not start; and flashing again mends
//! it.

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::*;

#[path = "../common/trial.rs"]
mod trial;

use trial::{Moments, SmallDisk, with_short_files};

/// How often a copy is ended before its end.
const LIVES: u32 = 10;

/// What was on the drive before: longer than what comes.
const BEFORE: &[u8] = &[0x5A; 1 << 20];

/// The command as typed, of the standard library's kind.
fn flashing(firmware: &str, drive: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_inkling"));
    command.args(["flash", "--firmware", firmware, "--drive", drive]);
    command.stdin(Stdio::null());
    command
}

/// A firmware of some size, and the file that it is on a drive.
fn firmware(desk: &Desk) -> (String, Vec<u8>) {
    let firmware = desk.file("firmware.elf", &elf(PICO, "pico", &image(150)));
    let drive = desk.drive("other", "INFO_UF2.TXT", "Board-ID: RPI-RP2\r\n");
    takes(&firmware, &drive);
    let whole = fs::read(Path::new(&drive).join("INKLING.UF2")).unwrap();
    assert!(whole.len() > 100_000 && whole.len() < BEFORE.len());
    (firmware, whole)
}

/// Flashes undisturbed: the board starts when its file is whole, and its drive is gone.
fn takes(firmware: &str, drive: &str) {
    let file = Path::new(drive).join("INKLING.UF2");
    let is_whole = || {
        let bytes = fs::read(&file).unwrap_or_default();
        bytes.len() > 512 && is_complete(&bytes)
    };
    if is_whole() {
        // Else it could not be told from the one that comes.
        fs::remove_file(&file).unwrap();
    }
    let mut child = flashing(firmware, drive)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while !is_whole() {
        assert!(child.try_wait().unwrap().is_none(), "it has ended before");
        thread::sleep(Duration::from_millis(2));
    }
    let label = Path::new(drive).join("INFO_UF2.TXT");
    let text = fs::read(&label).unwrap();
    fs::remove_file(&label).unwrap();
    assert!(child.wait().unwrap().success());
    fs::write(label, text).unwrap();
}

/// Whether a boot ROM has every block that a file announces, and so starts the program.
fn is_complete(file: &[u8]) -> bool {
    let blocks = file.chunks_exact(uf2::BLOCK_BYTES);
    let count = |block: &[u8]| u32::from_le_bytes(*block[24..].first_chunk().unwrap());
    let announced = blocks.clone().next().map_or(u32::MAX, count);
    announced as usize == blocks.len()
}

/// Whether the drive holds what was there or the beginning of what comes, and otherwise what it had.
#[track_caller]
fn is_old_or_a_beginning(drive: &Path, whole: &[u8]) {
    let file = fs::read(drive.join("INKLING.UF2")).unwrap();
    let is_old = file == BEFORE;
    assert!(is_old || whole.starts_with(&file), "{} bytes", file.len());
    assert_eq!(
        is_complete(&file),
        file == whole || is_old && is_complete(BEFORE)
    );
    let names = fs::read_dir(drive)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names.collect();
    names.sort();
    assert_eq!(names, ["INFO_UF2.TXT", "INKLING.UF2"]);
}

#[test]
fn a_flash_that_is_killed_at_any_moment_is_mended_by_the_next_one() {
    let desk = Desk::new();
    let (firmware, whole) = firmware(&desk);
    let drive = desk.pico();
    let folder = Path::new(&drive);
    let mut moments = Moments::of("flash");
    let start = Instant::now();
    takes(&firmware, &drive);
    let time = start.elapsed();
    for _ in 0..LIVES {
        fs::write(folder.join("INKLING.UF2"), BEFORE).unwrap();
        let mut child = flashing(&firmware, &drive)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        moments.wait(time);
        let name = moments.pick(&["-KILL", "-TERM", "-INT"]);
        let pid = child.id().to_string();
        Command::new("kill").args([name, &pid]).status().unwrap();
        let status = child.wait().unwrap();
        // Stopped by the user it says how it is in a sentence.
        let by_signal = matches!(status.signal(), Some(2 | 9 | 15));
        assert!(
            by_signal || matches!(status.code(), Some(1 | 130 | 143)),
            "{status}"
        );
        is_old_or_a_beginning(folder, &whole);
    }
    takes(&firmware, &drive);
    assert_eq!(desk.copied(), whole);
}

#[test]
fn a_flash_whose_copy_ends_half_way_says_so_and_is_mended_by_the_next_one() {
    let desk = Desk::new();
    let (firmware, whole) = firmware(&desk);
    let drive = desk.pico();
    let mut moments = Moments::of("half a flash");
    for _ in 0..LIVES {
        // Nothing at all of it fits as well.
        let blocks = moments.below(whole.len() as u64 / 512) as u32;
        let output = with_short_files(blocks, &flashing(&firmware, &drive))
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.starts_with("error: cannot copy to "), "{said}");
        assert!(
            said.ends_with("plug the board in again and repeat\n"),
            "{said}"
        );
        assert_eq!(desk.copied(), whole[..512 * blocks as usize]);
        is_old_or_a_beginning(&desk.path("pico"), &whole);
    }
    takes(&firmware, &drive);
    assert_eq!(desk.copied(), whole);
}

#[test]
fn a_full_drive_is_said_to_be_full() {
    let Some(disk) = SmallDisk::of_kib(256) else {
        return;
    };
    let desk = Desk::new();
    let (firmware, whole) = firmware(&desk);
    let drive = disk.path().to_str().unwrap();
    fs::write(disk.path().join("INFO_UF2.TXT"), "Board-ID: RPI-RP2\r\n").unwrap();
    disk.fill();
    complains(
        &["--firmware", &firmware, "--drive", drive],
        "No space left on device",
    );
    disk.empty();
    is_old_or_a_beginning(disk.path(), &whole);
}

#[test]
fn two_flashes_at_once_never_mix_what_they_copy() {
    let desk = Desk::new();
    let (firmware, whole) = firmware(&desk);
    let drive = desk.pico();
    // Another one is at it, for as long as this file is locked.
    let other = File::create(desk.path("pico/INKLING.UF2")).unwrap();
    fs::write(desk.path("pico/INKLING.UF2"), b"a part of it").unwrap();
    other.lock().unwrap();
    complains(
        &["--firmware", &firmware, "--drive", &drive],
        "another program is copying to ",
    );
    assert_eq!(desk.copied(), b"a part of it");
    drop(other);
    let mut moments = Moments::of("two flashes");
    // Each waits for a board that does not start.
    for _ in 0..2 {
        let start = || {
            flashing(&firmware, &drive)
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        };
        let one = start();
        moments.wait(Duration::from_millis(30));
        let two = start();
        let outputs = [one, two].map(|child| child.wait_with_output().unwrap());
        let refused = outputs.iter().filter(|output| !output.status.success());
        for output in refused {
            let said = String::from_utf8_lossy(&output.stderr);
            let is_known = ["another program is copying", "does not start"];
            assert!(is_known.iter().any(|part| said.contains(part)), "{said}");
        }
        assert_eq!(desk.copied(), whole);
    }
}
