//! The emulated board prints what the PC predicts, and its console survives anything.
//!
//! These tests need QEMU and the bare-metal target: `cargo xtask setup` installs both.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;

use firmware::protocol::OWN;
use host::device::board::Unit;
use host::device::build::MODEL_ROOM;
use host::device::{
    BOARDS, Board, DEFAULT_BOARD, Emulator, Firmware, Options, Program, Request, find,
};
use host::image;
use host::quantize::{InputForm, quantize};
use host::synthetic::{float_model, spelling_model};
use inkling_engine::AlignedImage;
use inkling_engine::format::Planes;
use inkling_engine::writer::StreakParts;
use inkling_engine::{Generator, Guard, Settings, State, Thousandths};

mod common;
use common::wait::PATIENCE;

/// A model whose weights are made up: only the arithmetic counts here.
fn image(form: InputForm) -> AlignedImage {
    let model = float_model(65, 128, 1, 7);
    let planes = Planes::uniform(if form == InputForm::Folded { 3 } else { 1 });
    let parts = quantize(&model, planes, form).unwrap();
    parts.to_image().unwrap()
}

fn boot(board: &str, image: &[u8]) -> Emulator {
    start(&link(board, Program::Console, image), Options::default())
}

fn link(board: &str, program: Program, image: &[u8]) -> Firmware {
    let firmware = Firmware::with_room(find(board).unwrap(), program);
    let mut firmware = firmware.unwrap_or_else(|error| panic!("{error}"));
    firmware
        .replace_model(image)
        .unwrap_or_else(|error| panic!("{error}"));
    firmware
}

/// The emulators of the Picos are slower than QEMU.
fn is_slow(board: &Board) -> bool {
    board
        .emulator
        .is_some_and(|machine| machine.unit != Some(Unit::Instructions))
}

fn start(firmware: &Firmware, options: Options) -> Emulator {
    Emulator::start(firmware, options).unwrap_or_else(|error| panic!("{error}"))
}

fn on_the_pc(image: &AlignedImage, request: &Request) -> String {
    let mut generator = Generator::new(
        image.model().unwrap(),
        State::any(),
        request.settings,
        request.seed,
    )
    .unwrap();
    generator.restart(request.seed);
    let mut text: String = request
        .prompt
        .chars()
        .filter(|&c| generator.prompt_char(c))
        .collect();
    text.extend((0..request.length).map(|_| generator.next_char()));
    text
}

fn settings(temperature: u16, top_k: u8, top_p: u16) -> Settings {
    Settings {
        temperature: Thousandths(temperature),
        top_k,
        top_p: Thousandths(top_p),
        ..Settings::default()
    }
}

fn request(seed: u64, prompt: &str, length: u32, settings: Settings) -> Request {
    Request {
        seed,
        prompt: prompt.into(),
        length,
        settings,
        until: firmware::until::Until::OFF,
        count: 1,
    }
}

#[track_caller]
fn assert_same_text(emulator: &mut Emulator, image: &AlignedImage, request: &Request) {
    let board = emulator
        .passage(request)
        .unwrap_or_else(|error| panic!("{error}"));
    let pc = on_the_pc(image, request);
    assert!(board == pc, "{request:?}\nboard: {board:?}\nPC:    {pc:?}");
}

#[test]
fn the_board_prints_what_the_pc_predicts_byte_for_byte() {
    let shipped = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../weights/shakespeare-64k.img"
    ));
    let image = image::open(&shipped).unwrap_or_else(|error| panic!("{error}"));
    let mut emulator = boot(DEFAULT_BOARD, image.bytes());
    for seed in [1, 2, u64::MAX] {
        for temperature in [500, 800] {
            let request = request(seed, "", 2_000, settings(temperature, 0, 1_000));
            assert_same_text(&mut emulator, &image, &request);
        }
    }
    let prompt = request(4, "MARIANA: ¿qué?", 2_000, Settings::default());
    assert_same_text(&mut emulator, &image, &prompt);
    let greedy = request(5, "", 2_000, settings(0, 0, 1_000));
    assert_same_text(&mut emulator, &image, &greedy);
    let choosy = request(6, "", 2_000, settings(1_200, 8, 900));
    assert_same_text(&mut emulator, &image, &choosy);
}

#[test]
fn a_board_never_writes_what_stands_for_rare_characters() {
    let mut model = float_model(65, 64, 1, 7);
    // The likeliest symbol by far, in the middle of the others.
    model.alphabet[20] = char::REPLACEMENT_CHARACTER;
    model.output_bias[20] = 30.0;
    let parts = quantize(&model, Planes::uniform(3), InputForm::Folded).unwrap();
    let image = parts.to_image().unwrap();
    let mut emulator = boot(DEFAULT_BOARD, image.bytes());
    for (seed, settings) in [
        (1, settings(0, 0, 1_000)),
        (2, settings(800, 0, 1_000)),
        (3, settings(65_535, 0, 1_000)),
        (4, settings(1_000, 3, 1_000)),
        (5, settings(1_000, 0, 500)),
    ] {
        let request = request(seed, "abc", 500, settings);
        assert!(!on_the_pc(&image, &request).contains(char::REPLACEMENT_CHARACTER));
        assert_same_text(&mut emulator, &image, &request);
    }
}

#[test]
fn every_emulated_core_spells_the_same_characters() {
    let parts = quantize(
        &spelling_model(64, 7),
        Planes::uniform(3),
        InputForm::Folded,
    )
    .unwrap();
    let image = parts.to_image().unwrap();
    for board in BOARDS.iter().filter(|board| board.emulator.is_some()) {
        let length = if is_slow(board) { 100 } else { 500 };
        let mut emulator = boot(board.name, image.bytes());
        for (seed, settings) in [
            (1, settings(0, 0, 1_000)),
            (2, settings(800, 0, 1_000)),
            (3, settings(65_535, 5, 900)),
        ] {
            let request = request(seed, "漢字 é", length, settings);
            let text = on_the_pc(&image, &request);
            assert!(!text.contains(char::REPLACEMENT_CHARACTER));
            assert_same_text(&mut emulator, &image, &request);
        }
    }
}

#[test]
fn every_emulated_core_guards_against_the_same_deserts() {
    let mut model = float_model(65, 64, 1, 7);
    // It would write next to nothing else.
    const LIKELY: usize = 20;
    model.output_bias[LIKELY] = 12.0;
    let mut parts = quantize(&model, Planes::uniform(3), InputForm::Folded).unwrap();
    parts.streaks = Some(StreakParts {
        longest: (0..65)
            .map(|symbol| if symbol == LIKELY { 30 } else { 2 })
            .collect(),
        density: 150,
        // One of five symbols in about 20, of ten in 64, of twenty in 2,048.
        distances: [35, 48, 88, 0],
    });
    let image = parts.to_image().unwrap();
    let longest = |text: &str| {
        let characters: Vec<char> = text.chars().collect();
        let streaks = characters.chunk_by(|a, b| a == b);
        streaks.map(<[char]>::len).max().unwrap()
    };
    for board in BOARDS.iter().filter(|board| board.emulator.is_some()) {
        let length = if is_slow(board) { 400 } else { 3_000 };
        let mut emulator = boot(board.name, image.bytes());
        for (guard, most) in [
            (Guard::Text, 30),
            (Guard::Most(4), 4),
            (Guard::Off, usize::MAX),
        ] {
            let settings = Settings {
                guard,
                ..settings(700, 0, 1_000)
            };
            let request = request(5, "abc", length, settings);
            assert_same_text(&mut emulator, &image, &request);
            let found = longest(&on_the_pc(&image, &request));
            assert!(found <= most, "{guard}: {found}");
            assert!(guard != Guard::Off || found > 100, "{found}");
        }
    }
}

#[test]
fn every_emulated_core_prints_the_same() {
    let forms = [InputForm::Embedded, InputForm::Folded];
    let emulated = BOARDS.iter().filter(|board| board.emulator.is_some());
    for (index, board) in emulated.enumerate() {
        // One long text for each core, a short one in the other form.
        let long = if is_slow(board) { 500 } else { 10_000 };
        for (form, length) in [(forms[index % 2], long), (forms[(index + 1) % 2], 500)] {
            let image = image(form);
            let mut emulator = boot(board.name, image.bytes());
            let request = request(9, "abc", length, settings(1_000, 0, 1_000));
            assert_same_text(&mut emulator, &image, &request);
        }
    }
}

#[test]
fn layers_and_planes_can_be_mixed() {
    let model = float_model(65, 72, 2, 7);
    for ([recurrent, input, output], form) in [
        ([2, 1, 5], InputForm::Embedded),
        ([4, 1, 2], InputForm::Folded),
    ] {
        let planes = Planes {
            recurrent,
            input,
            output,
        };
        let image = quantize(&model, planes, form).unwrap().to_image().unwrap();
        for board in ["mps2-an386", "microbit"] {
            let mut emulator = boot(board, image.bytes());
            let request = request(9, "abc", 500, settings(1_000, 0, 1_000));
            assert_same_text(&mut emulator, &image, &request);
        }
    }
}

#[test]
fn a_linked_firmware_takes_no_model_larger_than_its_own() {
    let board = find(DEFAULT_BOARD).unwrap();
    let mut firmware =
        Firmware::with_room(board, Program::Console).unwrap_or_else(|error| panic!("{error}"));
    let error = firmware.replace_model(&[0; MODEL_ROOM + 1]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot replace the model of the linked firmware: it has room for a model of 131072 bytes, \
         not 131073"
    );
}

#[test]
fn the_console_answers_and_survives_noise() {
    let usb = |usb| Options {
        usb,
        ..Options::default()
    };
    for (board, options) in [
        (DEFAULT_BOARD, usb(false)),
        ("microbit", usb(false)),
        ("netduinoplus2", usb(false)),
        ("riscv-virt", usb(false)),
        ("pico", usb(false)),
        ("pico", usb(true)),
        ("pico2", usb(false)),
    ] {
        converse(board, options);
    }
}

fn converse(board: &str, options: Options) {
    let image = image(InputForm::Folded);
    let mut emulator = start(&link(board, Program::Console, image.bytes()), options);
    let greeting = emulator.read_until("# start: seed ", PATIENCE).unwrap();
    assert!(greeting.contains(&format!(
        "# Inkling {} on {board}\n",
        env!("CARGO_PKG_VERSION")
    )));
    assert!(
        greeting.contains("# model: synthetic-128, 65 symbols"),
        "{greeting}"
    );

    let mut ask = |line: &[u8], answer: &str| {
        emulator.send(line).unwrap();
        emulator.send(b"\n").unwrap();
        if let Err(error) = emulator.read_until(answer, PATIENCE) {
            panic!("{}: {error}", line.escape_ascii());
        }
    };
    ask(b"/help", "# /help       this list\n");
    ask(b"/temp 0.5", "# temperature 0.5\n");
    ask(
        b"/temp -1",
        "# /temp: expected a number from 0 to 65.535, such as 0.8\n",
    );
    ask(b"/temp NaN", "# /temp: ");
    ask(b"/topk 5", "# temperature 0.5, top-k 5\n");
    ask(
        b"/topk 256",
        "# /topk takes a whole number from 0 to 255, not '256'\n",
    );
    ask(b"/topp 0.9", "# temperature 0.5, top-k 5, top-p 0.9\n");
    ask(
        b"/topp 1.1",
        "# /topp takes a number from 0 to 1, not '1.1'\n",
    );
    ask(
        b"/guard 9",
        "# temperature 0.5, top-k 5, top-p 0.9, guard 9\n",
    );
    ask(b"/guard text", "# temperature 0.5, top-k 5, top-p 0.9\n");
    ask(b"/until .!\\n", "# until .!\\n\n");
    ask(b"/until off", "# until off\n");
    ask(b"/count 0", "# count endless\n");
    ask(b"/len 30", "# length 30\n");
    ask(b"/rate max", "# rate max\n");
    ask(b"/rate 200\r", "# rate 200\n");
    ask(b"/model", "# model: synthetic-128, 65 symbols");
    ask(b"/stats", "# engine: ");
    ask(b"/pasuse\x08\x08\x08\x08use", "# paused\n");
    ask(b"/resume", "# resumed\n");
    ask(b"/seed 77", "# seed 77\n");
    ask(
        b"",
        "# start: seed 77, temperature 0.5, top-k 5, top-p 0.9\n",
    );
    ask(b"/reset", "# start: seed 7");
    ask(
        b"/frobnicate now",
        "# unknown command /frobnicate: /help lists the commands\n",
    );
    ask(&[b'x'; 1_000], "# line ignored: longer than 255 bytes\n");
    ask(&[0xff, 0xfe, 0xc3], "# line ignored: not UTF-8 text\n");
    ask(
        b"\x00\x1b[A",
        "# line ignored: it holds control characters\n",
    );
    ask(
        "ab日本c".as_bytes(),
        "# skipped what the model does not know: 日本\n",
    );
    ask(b"", "\nabc");
    ask(b"/len 20", "# length 20\n");
    ask(b"", "# end: seed ");

    // The text goes on, and is still the right one.
    let request = request(3, "abc", 300, Settings::default());
    assert_same_text(&mut emulator, &image, &request);
}

#[test]
fn the_usb_port_of_a_pico_prints_what_the_pc_predicts() {
    let image = image(InputForm::Embedded);
    let usb = Options {
        usb: true,
        ..Options::default()
    };
    let mut emulator = start(&link("pico", Program::Console, image.bytes()), usb);
    let request = request(11, "usb", 1_000, settings(1_000, 0, 1_000));
    assert_same_text(&mut emulator, &image, &request);
}

#[test]
fn an_emulated_board_says_that_it_has_no_boot_loader_and_goes_on() {
    for board in ["pico", "pico2", "microbit"] {
        let image = image(InputForm::Embedded);
        let mut emulator = start(
            &link(board, Program::Console, image.bytes()),
            Options::default(),
        );
        emulator.read_until("# start: ", PATIENCE).unwrap();
        emulator.send(b"/bootloader\n").unwrap();
        let answer = "# this board has no boot loader that a program can start\n";
        emulator.read_until(answer, PATIENCE).unwrap();
        let request = request(7, "abc", 100, Settings::default());
        assert_same_text(&mut emulator, &image, &request);
    }
}

#[test]
fn a_model_that_is_flashed_by_itself_is_used_unless_it_is_broken() {
    let flashed = image(InputForm::Folded);
    let linked = quantize(
        &float_model(65, 16, 1, 7),
        Planes::uniform(3),
        InputForm::Folded,
    )
    .unwrap();
    for board in ["pico", "pico2"] {
        let linked = linked.to_image().unwrap();
        let mut firmware = link(board, Program::Console, linked.bytes());
        firmware.flashed_model = Some(flashed.bytes().to_vec());
        let mut emulator = start(&firmware, Options::default());
        assert_same_text(
            &mut emulator,
            &flashed,
            &request(7, "", 100, Settings::default()),
        );

        let mut broken = flashed.bytes().to_vec();
        broken[1_000] ^= 1;
        firmware.flashed_model = Some(broken);
        let mut emulator = start(&firmware, Options::default());
        let said = emulator.read_until("# start: ", PATIENCE).unwrap();
        let refusal = format!(
            "{OWN}the flashed model is not used: the model image is damaged: its checksum does not match; \
             the program's own follows\n{OWN}model: synthetic-16, "
        );
        assert!(said.contains(&refusal), "{said}");
    }
}

#[test]
fn a_board_that_takes_no_models_says_so_and_goes_on() {
    let board = find("microbit").unwrap();
    assert!(!board.takes_models);
    let image = image(InputForm::Embedded);
    let mut emulator = boot(board.name, image.bytes());
    emulator.read_until("# start: ", PATIENCE).unwrap();
    for typed in ["/load 100 12345678", "/load nonsense"] {
        emulator.send_line(typed).unwrap();
        let refusal =
            "load: refused: this board's program cannot write to its flash: use `inkling flash`\n";
        emulator.read_until(refusal, PATIENCE).unwrap();
    }
    emulator.send_line("/data 0 0 AAAA").unwrap();
    let request = request(7, "abc", 100, Settings::default());
    assert_same_text(&mut emulator, &image, &request);
}

#[test]
fn a_broken_image_is_reported_and_the_console_stays() {
    let mut bytes = image(InputForm::Folded).bytes().to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let mut emulator = boot(DEFAULT_BOARD, &bytes);
    emulator
        .read_until("# no model: the model image is damaged", PATIENCE)
        .unwrap_or_else(|error| panic!("{error}"));
    emulator.send_line("/stats").unwrap();
    emulator.read_until("# settings: ", PATIENCE).unwrap();
    emulator.send_line("to be or not").unwrap();
    emulator.read_until("# no model: ", PATIENCE).unwrap();
}
