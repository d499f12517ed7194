//! The board's program on the PC: the same session, over a board made of two buffers and a clock.

#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::rc::Rc;

use firmware::board::failure::{Cause, Failure, MANY};
use firmware::board::wired::{Take, WiredBoard, Wires};
use firmware::choice::Choice;
use firmware::protocol::{DONE_TEXT, Heard, OWN, Parser, Said};
use firmware::session::{Memory, Session};
use host::quantize::{InputForm, quantize};
use host::synthetic::{float_model, spelling_model};
use inkling_engine::AlignedImage;
use inkling_engine::format::Planes;
use inkling_engine::{Generator, Settings, State};
use proptest::prelude::*;

/// A failure, so many times in a row.
fn failure(cause: Cause, in_a_row: u32) -> Option<Failure> {
    Some(Failure { cause, in_a_row })
}

/// A session with its board.
struct Desk<'s, 'm> {
    session: &'s mut Session<'m, WiredBoard<'static>>,
    wires: Rc<RefCell<Wires>>,
}

impl Desk<'_, '_> {
    fn type_bytes(&mut self, bytes: &[u8]) {
        self.wires.borrow_mut().typed.extend(bytes);
        // At most so many polls are needed to take them all in.
        for _ in 0..=bytes.len() {
            self.session.poll();
        }
        assert!(self.wires.borrow().typed.is_empty());
    }

    fn type_line(&mut self, line: &str) {
        self.type_bytes(format!("{line}\n").as_bytes());
    }

    /// What has been printed since the last call, as people see it.
    fn printed(&mut self) -> String {
        let mut parser = Parser::new();
        let printed = self.written().into_bytes().into_iter();
        let shown = printed.filter_map(|byte| parser.push(byte).shown());
        String::from_utf8(shown.collect()).unwrap()
    }

    /// What has been printed since the last call, with the characters that people do not see.
    fn written(&mut self) -> String {
        let written = std::mem::take(&mut self.wires.borrow_mut().printed);
        String::from_utf8(written).expect("the board prints UTF-8")
    }

    fn wait_milliseconds(&mut self, milliseconds: u32) {
        for _ in 0..milliseconds {
            let ticks = self.wires.borrow().ticks;
            self.wires.borrow_mut().ticks = ticks.wrapping_add(1);
            self.session.poll();
        }
    }

    fn poll(&mut self, times: usize) {
        for _ in 0..times {
            self.session.poll();
        }
    }
}

fn image() -> AlignedImage {
    let parts = quantize(
        &float_model(65, 16, 1, 7),
        Planes::uniform(3),
        InputForm::Folded,
    )
    .unwrap();
    parts.to_image().unwrap()
}

fn at_a_desk(board: WiredBoard<'static>, test: impl FnOnce(&mut Desk)) {
    let image = image();
    let wires = Rc::clone(&board.wires);
    let mut memory = Memory::new();
    let mut session = Session::new(board, Choice::only(image.bytes()), &mut memory);
    test(&mut Desk {
        session: &mut session,
        wires,
    });
}

fn on_the_pc(seed: u64, prompt: &str, length: usize) -> String {
    let image = image();
    let mut generator = Generator::new(
        image.model().unwrap(),
        State::any(),
        Settings::default(),
        seed,
    )
    .unwrap();
    let mut text: String = prompt
        .chars()
        .filter(|&c| generator.prompt_char(c))
        .collect();
    text.extend((0..length).map(|_| generator.next_char()));
    text
}

/// The text of the one passage that ends in `printed`.
fn passage(printed: &str) -> &str {
    let (_, rest) = printed.split_once("# start: ").expect("a start");
    let (_, rest) = rest.split_once('\n').expect("a line");
    rest.split_once("\n# end: ").expect("an end").0
}

#[test]
fn a_passage_starts_by_itself_with_seed_1_at_a_readable_pace() {
    at_a_desk(WiredBoard::default(), |desk| {
        desk.wait_milliseconds(1_000);
        let printed = desk.printed();
        assert!(printed.starts_with("# Inkling "), "{printed}");
        let (_, text) = printed
            .split_once("# start: seed 1, temperature 0.8\n")
            .unwrap();
        let count = text.chars().count();
        assert!((39..=41).contains(&count), "{count} characters in a second");
        assert!(on_the_pc(1, "", 100).starts_with(text));
    });
}

#[test]
fn entropy_gives_the_first_seed() {
    let board = WiredBoard {
        entropy: Some(123_456_789_012),
        ..WiredBoard::default()
    };
    at_a_desk(board, |desk| {
        desk.poll(1);
        assert!(desk.printed().contains("# start: seed 123456789012, "));
    });
}

#[test]
fn a_script_gets_exactly_the_passage_it_asked_for() {
    at_a_desk(WiredBoard::default(), |desk| {
        for line in ["/pause", "/rate max", "/len 50", "/seed 9", "ab\u{e9}c"] {
            desk.type_line(line);
        }
        assert!(
            desk.printed()
                .contains("# skipped what the model does not know: \u{e9}\n")
        );
        desk.type_line("/resume");
        desk.poll(60);
        assert_eq!(passage(&desk.printed()), on_the_pc(9, "abc", 50));
    });
}

#[test]
fn the_boot_loader_starts_when_it_is_asked_for_and_there_is_one() {
    at_a_desk(WiredBoard::default(), |desk| {
        let starts = |desk: &Desk| desk.wires.borrow().boot_loader_starts;
        desk.type_line("/bootloader");
        let answer = "# this board has no boot loader that a program can start\n";
        assert!(desk.printed().contains(answer));
        assert_eq!(starts(desk), 0);

        desk.wires.borrow_mut().has_boot_loader = true;
        desk.type_line("/bootloader now");
        assert_eq!(starts(desk), 0);
        assert!(
            desk.printed()
                .contains("# /bootloader takes no value, not 'now'\n")
        );
        desk.type_line("/bootloader");
        assert_eq!(starts(desk), 1);
        // What it says comes first, since nothing comes after it.
        assert!(desk.printed().contains("# the boot loader starts\n"));
    });
}

#[test]
fn every_passage_takes_the_next_seed_and_reset_repeats_one() {
    at_a_desk(WiredBoard::default(), |desk| {
        desk.type_line("/len 5");
        desk.type_line("/rate max");
        desk.poll(40);
        let printed = desk.printed();
        for seed in 1..4 {
            assert!(printed.contains(&format!("# end: seed {seed}, 5 characters, ")));
            assert!(printed.contains(&format!("# start: seed {}, ", seed + 1)));
        }
        desk.type_line("/len 50");
        desk.type_line("hello");
        desk.poll(20);
        desk.type_line("/reset");
        desk.poll(60);
        let printed = desk.printed();
        let (_, again) = printed.split_once("# reset to seed ").unwrap();
        let seed: u64 = again.split_once('\n').unwrap().0.parse().unwrap();
        assert_eq!(passage(again), on_the_pc(seed, "hello", 50));
    });
}

#[test]
fn a_passage_ends_at_the_characters_that_were_asked_for() {
    at_a_desk(WiredBoard::default(), |desk| {
        for line in ["/pause", "/rate max", "/until aeio", "/seed 9", "x"] {
            desk.type_line(line);
        }
        assert!(desk.printed().contains("# until aeio\n"));
        desk.type_line("/resume");
        desk.poll(200);
        let printed = desk.printed();
        let whole = on_the_pc(9, "x", 200);
        let end = whole.find(|c| "aeio".contains(c)).expect("it has a vowel");
        assert_eq!(passage(&printed), &whole[..=end]);
        desk.type_line("/stats");
        assert!(desk.printed().contains(", rate max, until aeio\n"));
        desk.type_line("/until off");
        desk.printed();
        desk.poll(1_500);
        let printed = desk.printed();
        assert!(printed.contains(", 1000 characters, "), "{printed}");
    });
}

#[test]
fn the_text_pauses_behind_so_many_passages_and_the_next_prompt_goes_on() {
    at_a_desk(WiredBoard::default(), |desk| {
        for line in [
            "/pause",
            "/rate max",
            "/len 5",
            "/count 2",
            "/seed 9",
            "ab",
            "/resume",
        ] {
            desk.type_line(line);
        }
        desk.poll(50);
        let printed = desk.printed();
        for seed in [9, 10] {
            let text = on_the_pc(seed, "ab", 5);
            let said =
                format!("# start: seed {seed}, temperature 0.8\n{text}\n# end: seed {seed}, ");
            assert!(printed.contains(&said), "{printed}");
        }
        assert!(printed.ends_with("\n# paused\n"), "{printed}");
        desk.poll(50);
        assert_eq!(desk.printed(), "");

        // Whoever asks for more gets as many again, without having to lift the pause.
        desk.type_line("c");
        desk.poll(50);
        let printed = desk.printed();
        assert_eq!(printed.matches("# end: ").count(), 2, "{printed}");
        assert!(printed.contains(&on_the_pc(11, "c", 5)), "{printed}");
        desk.type_line("/resume");
        desk.poll(50);
        assert_eq!(desk.printed().matches("# end: ").count(), 2);

        // A pause that was asked for stays.
        for line in ["/count 0", "/pause", "d"] {
            desk.type_line(line);
        }
        desk.printed();
        desk.poll(50);
        assert_eq!(desk.printed(), "");
    });
}

#[test]
fn a_prompt_may_start_with_a_slash() {
    at_a_desk(WiredBoard::default(), |desk| {
        for line in ["/pause", "/rate max", "/len 5"] {
            desk.type_line(line);
        }
        for (line, prompt) in [
            ("//* x", "/* x"),
            ("//", "/"),
            ("///", "//"),
            ("/prompt /help", "/help"),
            ("/prompt  a ", " a "),
        ] {
            desk.type_line("/pause");
            desk.type_line("/seed 4");
            desk.type_line(line);
            desk.printed();
            desk.type_line("/resume");
            desk.poll(20);
            assert_eq!(passage(&desk.printed()), on_the_pc(4, prompt, 5));
        }
        desk.type_line("/pause");
        desk.printed();
        desk.type_line("/prompt");
        assert!(desk.printed().starts_with("# /prompt takes the text "));
    });
}

#[test]
fn a_prompt_may_have_characters_that_are_spelt_and_whole_ones_are_written() {
    let parts = quantize(
        &spelling_model(16, 7),
        Planes::uniform(3),
        InputForm::Folded,
    );
    let image = parts.unwrap().to_image().unwrap();
    let board = WiredBoard::default();
    let wires = Rc::clone(&board.wires);
    let mut memory = Memory::new();
    let mut session = Session::new(board, Choice::only(image.bytes()), &mut memory);
    let mut desk = Desk {
        session: &mut session,
        wires,
    };
    for line in ["/pause", "/rate max", "/len 300", "/seed 4", "漢字 é😀b"] {
        desk.type_line(line);
    }
    assert!(!desk.printed().contains("skipped"));
    desk.type_line("/resume");
    desk.poll(310);
    let printed = desk.printed();
    let mut generator =
        Generator::new(image.model().unwrap(), State::any(), Settings::default(), 4).unwrap();
    let mut expected = String::new();
    expected.extend("漢字 é😀b".chars().filter(|&c| generator.prompt_char(c)));
    assert!(expected.starts_with("漢字 é😀b"), "{expected}");
    expected.extend((0..300).map(|_| generator.next_char()));
    assert_eq!(passage(&printed), expected);
    assert!(!expected.contains('\u{fffd}'));
    let spelt = expected.chars().filter(|c| !c.is_ascii()).count();
    assert!(spelt > 60, "{spelt}");
}

#[test]
fn each_typed_line_is_acknowledged_behind_its_answer() {
    at_a_desk(WiredBoard::default(), |desk| {
        desk.type_line("/pause");
        desk.written();
        for line in ["/help", "/stats", "/nonsense", "/temp x", "abc", "\x1b[A"] {
            desk.type_line(line);
            let written = desk.written();
            assert_eq!(written.matches(DONE_TEXT).count(), 1, "{written}");
            assert!(written.ends_with(DONE_TEXT), "{written}");
        }
        desk.type_line("");
        assert_eq!(desk.written(), "");
        desk.type_line("abc");
        assert_eq!(
            desk.written(),
            format!("{OWN}paused\n{DONE_TEXT}"),
            "whoever prompts a board that is paused is told so"
        );
    });
}

#[test]
fn a_paused_board_is_silent_and_still_answers() {
    at_a_desk(WiredBoard::default(), |desk| {
        desk.type_line("/pause");
        desk.printed();
        desk.wait_milliseconds(500);
        assert_eq!(desk.printed(), "");
        desk.type_line("/stats");
        let printed = desk.printed();
        assert!(
            printed.lines().all(|line| line.starts_with("# ")),
            "{printed}"
        );
        assert!(printed.contains(", paused\n"));
    });
}

#[test]
fn the_pace_survives_the_wrap_of_the_clock() {
    let board = WiredBoard::default();
    board.wires.borrow_mut().ticks = u32::MAX - 500;
    at_a_desk(board, |desk| {
        desk.type_line("/rate 100");
        desk.printed();
        desk.wait_milliseconds(1_000);
        let count = desk.printed().chars().count();
        assert!(
            (99..=101).contains(&count),
            "{count} characters in a second"
        );
    });
}

#[test]
fn an_unplugged_port_stops_nothing() {
    at_a_desk(WiredBoard::default(), |desk| {
        desk.type_line("/rate max");
        desk.wires.borrow_mut().takes = Take::Nothing;
        desk.poll(100);
        desk.wires.borrow_mut().takes = Take::Whole;
        desk.printed();
        desk.poll(10);
        assert_eq!(desk.printed().chars().count(), 10);
    });
}

#[test]
fn a_reader_who_comes_later_is_greeted_and_told_why_the_board_restarted() {
    let board = WiredBoard {
        failure: failure(
            Cause::Ended("panic: src/x.rs:7: ouch".try_into().unwrap()),
            1,
        ),
        ..WiredBoard::default()
    };
    let greeting = format!(
        "# Inkling {} on wired\n# restarted after a panic: src/x.rs:7: ouch\n# model: ",
        env!("CARGO_PKG_VERSION")
    );
    at_a_desk(board, |desk| {
        desk.wait_milliseconds(100);
        assert!(desk.printed().starts_with(&greeting));
        desk.wait_milliseconds(100);
        assert!(!desk.printed().contains("# "));
        desk.wires.borrow_mut().has_new_reader = true;
        desk.wait_milliseconds(100);
        let printed = desk.printed();
        let (_, rest) = printed.split_once('\n').expect("the text is in mid-line");
        assert!(rest.starts_with(&greeting), "{printed}");
        assert!(!rest.ends_with("commands\n"), "the text goes on");
    });
    let board = WiredBoard {
        failure: failure(Cause::Watchdog, 1),
        ..WiredBoard::default()
    };
    at_a_desk(board, |desk| {
        desk.poll(1);
        assert!(desk.printed().contains("\n# restarted by the watchdog: "));
    });
}

#[test]
fn a_program_that_keeps_failing_stays_at_the_console_without_writing() {
    let failing = |in_a_row| WiredBoard {
        failure: failure(Cause::Watchdog, in_a_row),
        ..WiredBoard::default()
    };
    at_a_desk(failing(MANY - 1), |desk| {
        desk.wait_milliseconds(1_000);
        assert!(desk.printed().contains("# start: "));
    });
    at_a_desk(failing(MANY), |desk| {
        desk.wait_milliseconds(1_000);
        let printed = desk.printed();
        assert!(printed.contains(" (3 times in a row)\n"), "{printed}");
        assert!(!printed.contains("# start: "), "{printed}");
        assert!(
            printed.ends_with("# paused, for it keeps failing; /resume writes all the same\n"),
            "{printed}"
        );
        // Who comes later is greeted, and what was asked for by then stays so.
        desk.type_line("/resume");
        desk.wires.borrow_mut().has_new_reader = true;
        desk.wait_milliseconds(1_000);
        let printed = desk.printed();
        assert!(printed.contains("# start: "), "{printed}");
        assert!(!printed.contains("# paused"), "{printed}");
    });
}

#[test]
fn failures_are_in_a_row_until_the_program_has_run_well_for_a_minute() {
    at_a_desk(WiredBoard::default(), |desk| {
        desk.wait_milliseconds(59_999);
        assert_eq!(desk.wires.borrow().times_well, 0);
        desk.wait_milliseconds(60_000);
        assert_eq!(desk.wires.borrow().times_well, 1);
    });
}

#[test]
fn the_watchdog_is_fed_at_any_pace() {
    at_a_desk(WiredBoard::default(), |desk| {
        for command in ["/rate 1", "/pause", "/rate max", "/resume"] {
            desk.type_line(command);
            desk.wait_milliseconds(2_500);
        }
        assert!(desk.wires.borrow().hunger <= 1);
    });
}

#[test]
fn a_flashed_model_is_used_if_it_is_one_and_else_refused_in_a_line() {
    let linked = image();
    let parts = quantize(
        &float_model(65, 24, 1, 7),
        Planes::uniform(1),
        InputForm::Embedded,
    )
    .unwrap();
    let flashed = parts.to_image().unwrap();
    let mut broken = flashed.bytes().to_vec();
    broken[200] ^= 1;
    let greeting = |flashed: &AlignedImage| {
        let board = WiredBoard::default();
        let wires = Rc::clone(&board.wires);
        let mut memory = Memory::new();
        let models = Choice::new(flashed.bytes(), linked.bytes());
        Session::new(board, models, &mut memory).poll();
        let printed = wires.borrow().printed.clone();
        String::from_utf8(printed).unwrap()
    };
    let said = greeting(&flashed);
    assert!(said.contains("# model: synthetic-24, ") && !said.contains("not used"));
    for blank in [0, 0xff] {
        let said = greeting(&AlignedImage::new(&[blank; 4096]));
        assert!(said.contains("# model: synthetic-16, ") && !said.contains("not used"));
    }
    let said = greeting(&AlignedImage::new(&broken));
    assert!(
        said.contains("# model: synthetic-16, ")
            && said.contains(
                "# the flashed model is not used: the model image is damaged: its checksum does not \
                 match; the program's own follows\n"
            ),
        "{said}"
    );
}

#[test]
fn without_a_model_the_console_lives() {
    let board = WiredBoard::default();
    let mut memory = Memory::new();
    let mut broken = image().bytes().to_vec();
    broken[200] ^= 1;
    let broken = AlignedImage::new(&broken);
    let models = Choice::only(broken.bytes());
    let wires = Rc::clone(&board.wires);
    let mut session = Session::new(board, models, &mut memory);
    let mut desk = Desk {
        session: &mut session,
        wires,
    };
    desk.type_line("hello");
    desk.type_line("/seed 3");
    desk.type_line("/help");
    let printed = desk.printed();
    assert!(
        printed.lines().all(|line| line.starts_with("# ")),
        "{printed}"
    );
    assert!(printed.contains("# no model: the model image is damaged"));
}

/// Bytes as a careless, a malicious or a broken sender makes them.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        proptest::collection::vec(b' '..b'~', 0..300),
        "/(temp|topk|topp|seed|len|rate|pause|resume|reset|stats|model|bootloader|help) ?[0-9.x-]{0,6}\n"
            .prop_map(String::into_bytes),
        "\\PC{0,80}\n".prop_map(String::into_bytes),
    ];
    proptest::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

/// The text of the passage that ends in `written`, without anything that is the board's own.
fn text_of(written: &str, seed: u64) -> Vec<u8> {
    let mut parser = Parser::new();
    let mut text = Vec::new();
    for byte in written.bytes() {
        match parser.push(byte) {
            Heard::Text(byte) => text.push(byte),
            Heard::Line(line) => match Said::read(line) {
                Said::Start(start) if start.seed == seed => text.clear(),
                Said::End(end) if end.seed == seed => return text,
                _ => {}
            },
            _ => {}
        }
    }
    panic!("no passage with seed {seed} in {written}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_the_board_says_in_between_is_never_taken_for_text(
        lines in proptest::collection::vec("/(stats|help|model|nonsense|rate max|rate x)", 0..6),
        times in proptest::collection::vec(0..9_usize, 6),
    ) {
        at_a_desk(WiredBoard::default(), |desk| {
            for line in ["/pause", "/rate max", "/len 60", "/seed 3"] {
                desk.type_line(line);
            }
            desk.type_line("/resume");
            for (line, times) in lines.iter().zip(times) {
                desk.poll(times);
                // Few enough polls that the passage goes on behind it.
                desk.wires.borrow_mut().typed.extend(format!("{line}\n").bytes());
            }
            desk.poll(100);
            let text = text_of(&desk.written(), 3);
            assert_eq!(String::from_utf8(text).unwrap(), on_the_pc(3, "", 60));
        });
    }

    #[test]
    fn nothing_that_is_typed_stops_the_stream(noise in noise()) {
        at_a_desk(WiredBoard::default(), |desk| {
            desk.type_bytes(&noise);
            for line in ["", "/resume", "/rate max", "/len 40", "/seed 2"] {
                desk.type_line(line);
            }
            desk.type_line("/temp 0.8");
            desk.type_line("/topk 0");
            desk.type_line("/topp 1");
            desk.printed();
            desk.type_line("/reset");
            desk.poll(50);
            let text = desk.printed();
            let (_, text) = text.split_once("# reset to seed ").unwrap();
            let seed: u64 = text.split_once('\n').unwrap().0.parse().unwrap();
            assert_eq!(passage(text), on_the_pc(seed, "", 40));
        });
    }
}
