//! A board's session: whatever is typed, however slowly the port takes what is written, and wherever the
//! clock stands, the board goes on and then writes what the PC predicts.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::LazyLock;

use embedded_hal::digital::{self, OutputPin};
use embedded_io::{ErrorKind, ErrorType, Read, ReadReady, Write};
use firmware::board::Board;
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

/// How the port takes what is written.
#[derive(Clone, Copy, Default)]
enum Port {
    /// All at once.
    #[default]
    Whole,
    /// So many bytes at a time.
    Parts(usize),
    /// Not at all.
    Unplugged,
    /// It fails.
    Broken,
}

#[derive(Default)]
struct Wires {
    typed: VecDeque<u8>,
    printed: Vec<u8>,
    ticks: u32,
    /// How far the clock goes on whenever it is looked at.
    pace: u32,
    port: Port,
    has_new_reader: bool,
}

#[derive(Clone, Default)]
struct WiredBoard(Rc<RefCell<Wires>>);

impl Board for WiredBoard {
    const NAME: &'static str = "fuzzed";
    const TICKS_PER_SECOND: u32 = 1_000_000;
    type Serial = Self;
    type Led = Self;

    fn serial(&mut self) -> &mut Self {
        self
    }

    fn led(&mut self) -> &mut Self {
        self
    }

    fn ticks(&mut self) -> u32 {
        let mut wires = self.0.borrow_mut();
        wires.ticks = wires.ticks.wrapping_add(wires.pace);
        wires.ticks
    }

    fn entropy(&mut self) -> Option<u64> {
        None
    }

    fn has_new_reader(&mut self) -> bool {
        std::mem::take(&mut self.0.borrow_mut().has_new_reader)
    }
}

impl ErrorType for WiredBoard {
    type Error = ErrorKind;
}

impl digital::ErrorType for WiredBoard {
    type Error = Infallible;
}

impl OutputPin for WiredBoard {
    fn set_low(&mut self) -> Result<(), Infallible> {
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        Ok(())
    }
}

impl ReadReady for WiredBoard {
    fn read_ready(&mut self) -> Result<bool, Self::Error> {
        match self.0.borrow().port {
            Port::Broken => Err(ErrorKind::BrokenPipe),
            _ => Ok(!self.0.borrow().typed.is_empty()),
        }
    }
}

impl Read for WiredBoard {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, Self::Error> {
        let byte = self.0.borrow_mut().typed.pop_front();
        buffer[0] = byte.expect("a session must not wait for input");
        Ok(1)
    }
}

impl Write for WiredBoard {
    fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        let mut wires = self.0.borrow_mut();
        let count = match wires.port {
            Port::Whole => bytes.len(),
            Port::Parts(count) => count.min(bytes.len()),
            Port::Unplugged => 0,
            Port::Broken => return Err(ErrorKind::BrokenPipe),
        };
        wires.printed.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

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
    let board = WiredBoard::default();
    let mut memory = Memory::new();
    let mut session = Session::new(board.clone(), Choice::only(IMAGE.bytes()), &mut memory);
    while let Some((&[event, number], rest)) = bytes.split_first_chunk() {
        bytes = rest;
        let count = usize::from(number);
        let mut wires = board.0.borrow_mut();
        match event % 10 {
            0 => {
                let (typed, rest) = bytes.split_at(count.min(bytes.len()));
                wires.typed.extend(typed);
                bytes = rest;
            }
            1 => wires.typed.extend(COMMANDS[count % COMMANDS.len()].bytes()),
            2 => wires.typed.push_back(b'\n'),
            3 => wires.port = Port::Parts(1 + count),
            4 => wires.port = [Port::Whole, Port::Unplugged, Port::Broken][count % 3],
            5 => wires.pace = u32::from(number) << (event / 10 % 25),
            6 => wires.ticks = u32::MAX.wrapping_sub(count as u32),
            7 => wires.has_new_reader = true,
            _ => {
                drop(wires);
                (0..count).for_each(|_| session.poll());
            }
        }
    }
    recover(&board, &mut session);
}

/// Brings the board back, and compares the next passage with what the PC predicts.
fn recover(board: &WiredBoard, session: &mut Session<'_, WiredBoard>) {
    {
        let mut wires = board.0.borrow_mut();
        wires.port = match wires.port {
            Port::Parts(count) => Port::Parts(count),
            _ => Port::Whole,
        };
        wires.pace = wires.pace.min(1_000);
        wires.printed.clear();
        wires
            .typed
            .extend(RECOVERY.join("\n").bytes().chain([b'\n']));
    }
    // It takes a handful of bytes in a poll, and then writes a character in each.
    let bytes = board.0.borrow().typed.len();
    (0..bytes + 4 * LENGTH).for_each(|_| session.poll());
    assert!(board.0.borrow().typed.is_empty(), "not all was read");
    let printed = std::mem::take(&mut board.0.borrow_mut().printed);
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
