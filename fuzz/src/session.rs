//! A board's session: whatever is typed, however slowly the port takes what is written, and wherever the
//! clock stands, the board goes on and then writes what the PC predicts.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::LazyLock;

use firmware::board::wired::{Take, WiredBoard, Wires};
use firmware::choice::Choice;
use firmware::protocol::{Heard, Parser, Said};
use firmware::session::{Memory, Session};
use inkling_engine::writer::made_up;
use inkling_engine::{AlignedImage, Generator, Settings, State};

/// The model of the board: small, so that many sessions are tried in a second.
static IMAGE: LazyLock<AlignedImage> = LazyLock::new(|| made_up(40, 8, 1, 7));

/// The passage that it writes in the end.
const SEED: u64 = 2;
const LENGTH: usize = 30;

/// Commands, the beginning of what is typed more often than noise would have it.
const COMMANDS: [&str; 17] = [
    "/temp ", "/topk ", "/topp ", "/guard ", "/until ", "/count ", "/seed ", "/len ", "/rate ",
    "/pause", "/resume", "/reset", "/stats", "/model", "/help", "/prompt ", "//",
];

/// What brings a board back from whatever was typed before.
const RECOVERY: [&str; 11] = [
    "",
    "/resume",
    "/rate max",
    "/until off",
    "/count 0",
    "/len 30",
    "/temp 0.8",
    "/topk 0",
    "/topp 1",
    "/guard text",
    "/seed 2",
];

/// Takes the bytes for what happens to a board: two for each event, and what is typed behind them.
pub fn session(mut bytes: &[u8]) {
    let wired: Rc<RefCell<Wires>> = Rc::default();
    let mut memory = Memory::new();
    let mut session = Session::new(
        WiredBoard::at(&wired),
        Choice::only(IMAGE.bytes()),
        &mut memory,
    );
    while let Some((&[event, number], rest)) = bytes.split_first_chunk() {
        bytes = rest;
        let count = usize::from(number);
        let mut wires = wired.borrow_mut();
        match event % 10 {
            0 => {
                let (typed, rest) = bytes.split_at(count.min(bytes.len()));
                wires.typed.extend(typed);
                bytes = rest;
            }
            1 => wires.typed.extend(COMMANDS[count % COMMANDS.len()].bytes()),
            2 => wires.typed.push_back(b'\n'),
            3 => wires.takes = Take::Parts(1 + count),
            4 => wires.takes = [Take::Whole, Take::Nothing, Take::Broken][count % 3],
            5 => wires.pace = u32::from(number) << (event / 10 % 25),
            6 => wires.ticks = u32::MAX.wrapping_sub(count as u32),
            7 => wires.has_new_reader = true,
            _ => {
                drop(wires);
                (0..count).for_each(|_| session.poll());
            }
        }
    }
    recover(&wired, &mut session);
}

/// Brings the board back, and compares the next passage with what the PC predicts.
fn recover(wired: &RefCell<Wires>, session: &mut Session<'_, WiredBoard<'_>>) {
    {
        let mut wires = wired.borrow_mut();
        wires.takes = match wires.takes {
            Take::Parts(count) => Take::Parts(count),
            _ => Take::Whole,
        };
        wires.pace = wires.pace.min(1);
        wires.printed.clear();
        wires
            .typed
            .extend(RECOVERY.join("\n").bytes().chain([b'\n']));
    }
    // It takes a handful of bytes in a poll, and then writes a character in each.
    let bytes = wired.borrow().typed.len();
    (0..bytes + 4 * LENGTH).for_each(|_| session.poll());
    assert!(wired.borrow().typed.is_empty(), "not all was read");
    let printed = std::mem::take(&mut wired.borrow_mut().printed);
    let mut parser = Parser::new();
    let mut text = Vec::new();
    let mut passage = None;
    for byte in printed {
        match parser.push(byte) {
            Heard::Text(byte) => text.push(byte),
            Heard::Line(line) => match Said::read(line) {
                Said::Start(_) => text.clear(),
                // One with the same seed may have been written before.
                Said::End(end) if end.seed == SEED => {
                    passage =
                        Some(String::from_utf8(text.clone()).expect("the board writes UTF-8"));
                }
                _ => {}
            },
            _ => {}
        }
    }
    assert_eq!(passage.expect("the passage ended"), predicted());
}

fn predicted() -> String {
    let model = IMAGE.model().expect("it is sound");
    let generator = Generator::new(model, State::any(), Settings::default(), SEED);
    let mut generator = generator.expect("enough for any model");
    (0..LENGTH).map(|_| generator.next_char()).collect()
}
