//! Firmware files: what arrives on the board of them.

use std::path::PathBuf;

use host::device::find;
use host::device::flash::{Order, prepare};
use inkling_engine::format::{OLDEST_VERSION, VERSION};

use super::*;

#[test]
fn a_firmware_arrives_whole_and_clears_the_model_of_before() {
    let desk = Desk::new();
    let drive = desk.pico();
    let firmware = desk.file("firmware.elf", &elf(PICO, "pico", &image(16)));
    flash(&["--firmware", &firmware, "--drive", &drive])
        .assert()
        .success()
        .stdout("")
        .stderr(
            predicate::str::is_match("^[0-9]+ bytes copied to .*; pico has not confirmed").unwrap(),
        )
        .stderr(predicate::str::contains("starts").not());

    let load = decoded(&desk.copied());
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
fn a_program_from_a_release_flashes_the_firmware_beside_it_and_needs_no_compiler() {
    let desk = Desk::new();
    let drive = desk.pico();
    fs::create_dir_all(desk.path("release/firmware")).unwrap();
    fs::create_dir(desk.path("release/weights")).unwrap();
    fs::create_dir(desk.path("elsewhere")).unwrap();
    let program = desk.path("release/inkling");
    fs::copy(env!("CARGO_BIN_EXE_inkling"), &program).unwrap();
    desk.file("release/firmware/manifest.json", b"{}");
    desk.file(
        "release/firmware/inkling-pico.elf",
        &elf(PICO, "pico", &image(16)),
    );
    desk.file("release/weights/novel.img", &image(40));
    let run = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.current_dir(desk.path("elsewhere")).env("PATH", "");
        command.args(arguments).assert()
    };

    let board = ["flash", "--board", "pico", "--drive", &drive];
    run(&[&board[..], &["--model", "novel"]].concat()).success();
    let stored = stored(PICO, "pico", &image(16));
    let parts = [(PICO, &stored[..]), (PICO_REGION, &image(40))];
    assert_eq!(decoded(&desk.copied()), sectors(&parts));

    run(&["flash", "--board", "pico2", "--model", "novel"])
        .failure()
        .stderr(predicate::str::contains(
            "there is no source here to build the firmware for pico2 from",
        ));
    run(&["sample", "novel", "--length", "10"]).success();
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
    let load = decoded(&desk.copied());
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
    let load = decoded(&desk.copied());
    let (_, region) = load.parts().last().unwrap();
    assert_eq!(region.len(), image(8).len().next_multiple_of(4096));
    let program = stored(PICO, "pico", &image(16));
    let parts = [(PICO, &program[..]), (PICO_REGION, &image(40))];
    assert_eq!(decoded(&first), sectors(&parts));
    complains(
        &["--firmware", &by_hex],
        "does not tell which board it is for: name that with --board",
    );
}

#[test]
fn a_files_family_is_chosen_among_those_it_has() {
    let desk = Desk::new();
    let drive = desk.pico();
    let mine = Load::from_elf(&elf(PICO, "pico", &image(16))).unwrap();
    let other = Load::from_elf(&elf(PICO, "pico2", &image(8))).unwrap();
    let (mine, other) = (uf2::encode(&mine, RP2040), uf2::encode(&other, 0xE48B_FF59));
    let both = desk.file("both.uf2", &[&other[..], &mine].concat());
    let alone = desk.file("alone.uf2", &mine);
    let copied = |firmware: &str| {
        flash(&["--board", "pico", "--firmware", firmware, "--drive", &drive])
            .assert()
            .success();
        desk.copied()
    };
    assert_eq!(copied(&both), copied(&alone));
    complains(
        &["--firmware", &both, "--drive", &drive],
        "does not tell which board it is for",
    );
    let neither = desk.file("neither.uf2", &other);
    complains(
        &["--board", "pico", "--firmware", &neither, "--drive", &drive],
        "is a firmware for pico2, not for pico",
    );
}

#[test]
fn a_program_that_is_not_inkling_is_written_with_a_word() {
    let desk = Desk::new();
    let drive = desk.pico();
    let mut foreign = Load::default();
    foreign.insert(PICO, &[0x5A; 5000]).unwrap();
    let uf2 = desk.file("foreign.uf2", &uf2::encode(&foreign, RP2040));
    let word = predicate::str::contains("foreign.uf2 is not an Inkling firmware");
    flash(&["--firmware", &uf2, "--drive", &drive])
        .assert()
        .success()
        .stderr(word.clone());
    // A mark in it, or a model, tells that it is one.
    let mut marked = Load::default();
    let mark = [&[0; 100][..], b"Inkling firmware for pico\n", &[1; 100]].concat();
    marked.insert(PICO, &mark).unwrap();
    let own = desk.file("own.uf2", &uf2::encode(&marked, RP2040));
    let modelled = Load::from_elf(&elf(PICO, "pico", &image(16))).unwrap();
    let modelled = desk.file("modelled.uf2", &uf2::encode(&modelled, RP2040));
    for firmware in [own, modelled] {
        flash(&["--firmware", &firmware, "--drive", &drive])
            .assert()
            .success()
            .stderr(predicate::str::contains("is not an Inkling").not());
    }
}

#[test]
fn a_prebuilt_file_tells_by_its_mark_which_board_it_is_for() {
    let desk = Desk::new();
    let mut marked = Load::default();
    marked
        .insert(0, b"....Inkling firmware for microbit\n....")
        .unwrap();
    let hex = desk.file("v1.hex", marked.to_hex().unwrap().as_bytes());
    complains(
        &["--firmware", &hex, "--board", "microbit-v2"],
        "is a firmware for microbit, not for microbit-v2",
    );
    flash(&["--firmware", &hex, "--wait", "0"])
        .assert()
        .code(1)
        .stderr(predicate::str::contains("no drive of microbit appeared"));
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
    let large = desk.file("large.img", &image(300));
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
            "has format version {}, this program reads {OLDEST_VERSION} to {VERSION}",
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
            "reads model images of format version {}, this one has version {OLDEST_VERSION}",
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

#[test]
fn a_board_without_a_place_for_models_gets_one_into_its_program() {
    let desk = Desk::new();
    let firmware = desk.file("firmware.elf", &elf(0, "microbit", &image(40)));
    let order = Order {
        board: find("microbit").unwrap(),
        firmware: Some(firmware.into()),
        model: Some(desk.file("model.img", &image(16)).into()),
        weights_only: false,
        by_probe: false,
        stand_in: PathBuf::new(),
    };
    let package = prepare(&order).unwrap_or_else(|error| panic!("{error}"));
    assert!(package.load.image().unwrap().starts_with(&image(16)));
}

#[cfg(unix)]
#[test]
fn a_program_that_is_not_inkling_is_asked_about_on_a_terminal() {
    use std::io::{Read, Write};
    use std::process::{Command, Stdio};

    let desk = Desk::new();
    let drive = desk.pico();
    let mut foreign = Load::default();
    foreign.insert(PICO, &[0x5A; 5000]).unwrap();
    let uf2 = desk.file("foreign.uf2", &uf2::encode(&foreign, RP2040));
    let answered = |answer: &str| {
        let (mut terminal, name) = pty();
        let end = || {
            let mut options = fs::OpenOptions::new();
            Stdio::from(options.read(true).write(true).open(&name).unwrap())
        };
        let child = Command::new(env!("CARGO_BIN_EXE_inkling"))
            .args([
                "flash",
                "--firmware",
                &uf2,
                "--drive",
                &drive,
                "--no-monitor",
            ])
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn();
        let mut child = child.unwrap();
        let mut shown = String::new();
        let mut bytes = [0; 1024];
        // Reading fails when the program has ended.
        while let Ok(count @ 1..) = terminal.read(&mut bytes) {
            shown += &String::from_utf8_lossy(&bytes[..count]);
            if shown.ends_with("write it all the same? [y/N] ") {
                terminal.write_all(answer.as_bytes()).unwrap();
            }
        }
        (child.wait().unwrap().success(), shown)
    };
    for no in ["\n", "n\n", "what?\n", "\u{4}"] {
        let (is_done, shown) = answered(no);
        assert!(
            !is_done && shown.contains("error: nothing was written"),
            "{shown}"
        );
        assert!(!desk.path("pico/INKLING.UF2").exists());
    }
    let (is_done, shown) = answered("y\n");
    assert!(is_done, "{shown}");
    assert_eq!(decoded(&desk.copied()).image(), None);
}
