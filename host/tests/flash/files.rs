//! Firmware files: what arrives on the board of them.

use std::path::PathBuf;

use host::device::flash::{Order, prepare};
use inkling_engine::AlignedImage;
use inkling_engine::format::{OLDEST_VERSION, VERSION};
use inkling_engine::image::checksum;
use inkling_engine::writer::made_up;
use inkling_store::places;

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
    let blank = &[0xFF; 256];
    let [first, second] = records();
    let parts = [
        (PICO, &program[..]),
        (PICO_REGION, blank),
        (first, blank),
        (PICO_REGION + 0x8_0000, blank),
        (second, blank),
    ];
    assert_eq!(load, sectors(&parts));
}

/// Where a program that takes models over the line writes down that they are there.
fn records() -> [u32; 2] {
    let region = find("pico").unwrap().model_region.unwrap();
    let layout = Layout::new(region.bytes as usize);
    [Slot::First, Slot::Second].map(|slot| PICO_REGION + layout.record(slot) as u32)
}

/// What the flash for models holds on a board on which this arrives, after two models were sent to it.
fn region_with_two(arrives: &Load) -> Vec<u8> {
    let region = find("pico").unwrap().model_region.unwrap();
    let layout = Layout::new(region.bytes as usize);
    let mut flash = vec![0xFF; region.bytes as usize];
    for (slot, hidden, sequence) in [(Slot::First, 24, 7), (Slot::Second, 32, 8)] {
        let image = image(hidden);
        let start = layout.start(slot);
        let record = Record {
            sequence,
            start: start as u32,
            length: image.len() as u32,
            checksum: checksum(&image),
        };
        flash[start..start + image.len()].copy_from_slice(&image);
        let at = layout.record(slot);
        flash[at..at + RECORD_BYTES].copy_from_slice(&record.to_bytes());
    }
    for (address, part) in arrives
        .parts()
        .filter(|(address, _)| *address >= PICO_REGION)
    {
        let at = (address - PICO_REGION) as usize;
        flash[at..at + part.len()].copy_from_slice(part);
    }
    flash
}

fn used(flash: &[u8]) -> Option<Vec<u8>> {
    let mut places = places(flash).into_iter().flatten();
    let image = places.find(|place| {
        AlignedImage::new(&flash[place.range.clone()])
            .model()
            .is_ok()
    });
    image.map(|place| flash[place.range].to_vec())
}

#[test]
fn what_is_flashed_wins_over_models_that_were_sent_before() {
    let desk = Desk::new();
    let firmware = desk.file("firmware.elf", &elf(PICO, "pico", &image(16)));
    let order = |firmware: Option<&str>, model: Option<&str>| {
        let package = prepare(&Order {
            board: find("pico").unwrap(),
            firmware: firmware.map(PathBuf::from),
            model: model.map(PathBuf::from),
            weights_only: firmware.is_none(),
            by_probe: false,
            stand_in: "none".into(),
        });
        region_with_two(&package.unwrap().load)
    };
    let none = region_with_two(&Load::default());
    assert!(used(&none) == Some(image(32)));
    // A model, be it the very one that has a record already, or one that takes all of the room.
    for hidden in [40, 24, 32] {
        let model = desk.file("model.img", &image(hidden));
        let alone = order(None, Some(&model));
        assert!(used(&alone) == Some(image(hidden)), "{hidden}");
        let beside = order(Some(&firmware), Some(&model));
        assert!(used(&beside) == Some(image(hidden)), "{hidden}");
    }
    let large = made_up(30, 600, 1, 3).bytes().to_vec();
    let model = desk.file("model.img", &large);
    assert!(used(&order(None, Some(&model))) == Some(large));
    // A program with a model of its own.
    assert!(used(&order(Some(&firmware), None)).is_none());
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
    let end = at + image(40).len().next_multiple_of(4096);
    assert!(
        bytes[end..(records()[0] - PICO) as usize]
            .iter()
            .all(|&byte| byte == 0)
    );
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
    let load = decoded(&desk.copied());
    for (address, bytes) in [
        (PICO, stored(PICO, "pico", &image(16))),
        (PICO_REGION, image(40)),
    ] {
        let (_, part) = load.parts().find(|&(at, _)| at == address).unwrap();
        assert_eq!(part[..bytes.len()], bytes);
    }

    run(&["flash", "--board", "pico2", "--model", "novel"])
        .failure()
        .stderr(predicate::str::contains(
            "there is no source here to build the firmware for pico2 from",
        ));
    run(&["sample", "novel", "--length", "10"]).success();
    // Nor is there anything to build an emulator from.
    let elsewhere = desk.file("pico2.elf", &elf(PICO, "pico2", &image(16)));
    run(&["emulate", "--elf", &elsewhere, "--length", "10"])
        .code(1)
        .stderr(predicate::str::contains(
            "the Pico 2 is built from source, and there",
        ));
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
    assert!(load.parts().all(|(address, _)| address >= PICO_REGION));
    let first = load.parts().next();
    assert_eq!(first, sectors(&[(PICO_REGION, &image(40))]).parts().next());
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
    let region = load.parts().find(|(address, _)| *address == PICO_REGION);
    let (_, region) = region.unwrap();
    assert_eq!(region.len(), image(8).len().next_multiple_of(4096));
    let program = stored(PICO, "pico", &image(16));
    let first = decoded(&first);
    let program_and_model: Vec<_> = first.parts().take(2).collect();
    let expected = sectors(&[(PICO, &program[..]), (PICO_REGION, &image(40))]);
    assert_eq!(program_and_model, expected.parts().collect::<Vec<_>>());
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
    for board in ["pico9", ""] {
        let unknown = desk.file("unknown.elf", &elf(PICO, board, &sound));
        together(
            &unknown,
            &format!("it is for a board '{board}', which this Inkling does not know"),
        );
    }
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
