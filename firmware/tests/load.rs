//! A model goes over a line from the PC's half to the board's: over a bad one, a broken one, and from people who
//! mean no good. The board is made of buffers, its flash of RAM, and its clock is the loop.

#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::rc::Rc;

use firmware::board::wired::{WiredBoard, Wires};
use firmware::choice::Choice;
use firmware::protocol::{Heard, Parcel, Parser, Said};
use firmware::sender::{SendError, Sender, Step};
use firmware::session::{Memory, Session};
use inkling_engine::image::checksum;
use inkling_engine::writer::made_up;
use inkling_engine::{AlignedImage, Generator, Settings, State};
use inkling_store::ram::RamFlash;
use inkling_store::{Layout, Slot, Store};
use proptest::prelude::*;

const REGION: usize = 16 * 4096;

/// A board on a desk: its flash stays over restarts.
struct Desk {
    region: Vec<u128>,
    linked: AlignedImage,
    has_store: bool,
    wires: Rc<RefCell<Wires>>,
}

impl Desk {
    fn new() -> Desk {
        Desk::with_flash(&[0xFF; REGION])
    }

    fn with_flash(bytes: &[u8]) -> Desk {
        let mut region = vec![0_u128; bytes.len() / size_of::<u128>()];
        bytemuck::cast_slice_mut(&mut region).copy_from_slice(bytes);
        Desk {
            region,
            linked: made_up(20, 16, 1, 1),
            has_store: true,
            wires: Rc::default(),
        }
    }

    fn bytes(&self) -> &[u8] {
        bytemuck::cast_slice(&self.region)
    }

    /// Starts the board and polls it, each time after `each` for the milliseconds that have passed, until that
    /// says stop. Restarts as the board wants; `each` hears what it has said.
    fn run(&mut self, mut each: impl FnMut(&mut Desks<'_>) -> bool) {
        let mut milliseconds = 0;
        loop {
            self.wires.borrow_mut().is_restarting = false;
            // The board reads a copy, as some do.
            let copy = AlignedImage::new(self.bytes());
            let flash = RamFlash::new(bytemuck::cast_slice_mut(&mut self.region));
            let mut board = WiredBoard::at(&self.wires);
            if self.has_store {
                board.store = Some(Box::new(Store::new(flash)));
            }
            let mut memory = Memory::new();
            let models = Choice::new(copy.bytes(), self.linked.bytes());
            let mut session = Session::new(board, models, &mut memory);
            while !self.wires.borrow().is_restarting {
                milliseconds += 1;
                let printed = std::mem::take(&mut self.wires.borrow_mut().printed);
                let mut typed = Vec::new();
                let goes_on = each(&mut Desks {
                    printed: &printed,
                    typed: &mut typed,
                    milliseconds,
                });
                if !goes_on {
                    return;
                }
                let mut wires = self.wires.borrow_mut();
                wires.typed.extend(typed);
                wires.ticks = wires.ticks.wrapping_add(1);
                drop(wires);
                session.poll();
            }
            // What was typed meanwhile is lost.
            self.wires.borrow_mut().typed.clear();
        }
    }

    /// Sends a model over a line that does this to each byte; answers with how many bytes were typed.
    fn send(
        &mut self,
        image: &[u8],
        mut noise: impl FnMut(u8) -> Option<u8>,
    ) -> Result<usize, Box<SendError>> {
        let mut sender = Sender::new(image, 0).map_err(Box::new)?;
        let mut parser = Parser::new();
        let mut count = 0;
        let mut result = None;
        self.run(|desk| {
            let now = desk.milliseconds;
            assert!(now < 10_000_000, "it does not end");
            for byte in desk.printed.iter().copied().filter_map(&mut noise) {
                if let Heard::Line(line) = parser.push(byte) {
                    sender.hear(Said::read(line), now);
                }
            }
            loop {
                match sender.next(now) {
                    Ok(Step::Type(line)) => {
                        let line = format!("{line}\n").into_bytes();
                        count += line.len();
                        desk.typed.extend(line.into_iter().filter_map(&mut noise));
                    }
                    Ok(Step::Listen) => return true,
                    Ok(Step::Done) => result = Some(Ok(count)),
                    Err(error) => result = Some(Err(Box::new(error))),
                }
                if result.is_some() {
                    return false;
                }
            }
        });
        result.unwrap()
    }

    /// What a board that starts with this flash says and writes in so many milliseconds, with these lines typed
    /// at once.
    fn says(&mut self, lines: &[String], milliseconds: u64) -> String {
        let mut said = Vec::new();
        let mut lines = Some(lines.join("\n") + "\n");
        self.run(|desk| {
            said.extend_from_slice(desk.printed);
            desk.typed.extend(lines.take().unwrap_or_default().bytes());
            desk.milliseconds < milliseconds
        });
        String::from_utf8(said).unwrap()
    }

    fn used(&self) -> String {
        let copy = AlignedImage::new(self.bytes());
        let choice = Choice::new(copy.bytes(), self.linked.bytes());
        format!("{:08x}", choice.model.unwrap().checksum())
    }
}

/// What happens at a desk in a millisecond.
struct Desks<'d> {
    printed: &'d [u8],
    typed: &'d mut Vec<u8>,
    milliseconds: u64,
}

fn model(seed: u64) -> AlignedImage {
    made_up(30, 88, 1, seed)
}

fn name(image: &AlignedImage) -> String {
    format!("{:08x}", checksum(image.bytes()))
}

fn load(image: &[u8]) -> String {
    format!("/load {} {:08x}", image.len(), checksum(image))
}

fn data(image: &[u8], offset: usize) -> String {
    format!("/data {}", Parcel::of(image, offset).unwrap())
}

fn on_the_pc(image: &AlignedImage, length: usize) -> String {
    let model = image.model().unwrap();
    let mut generator = Generator::new(model, State::any(), Settings::default(), 1).unwrap();
    (0..length).map(|_| generator.next_char()).collect()
}

/// The text alone.
fn text_of(written: &str) -> String {
    let mut parser = Parser::new();
    let text = written.bytes().filter_map(|byte| match parser.push(byte) {
        Heard::Text(byte) => Some(byte),
        _ => None,
    });
    String::from_utf8(text.collect()).unwrap()
}

#[test]
fn a_model_that_is_sent_is_what_the_board_writes_with() {
    let mut desk = Desk::new();
    for seed in [2, 3, 4] {
        let image = model(seed);
        desk.send(image.bytes(), Some).unwrap();
        assert_eq!(desk.used(), name(&image));
        let written = text_of(&desk.says(&["/rate max".into()], 900));
        assert!(written.len() > 800, "{}", written.len());
        assert!(on_the_pc(&image, 1000).starts_with(&written), "{written}");
    }
    // The same once more is no work.
    let typed = desk.send(model(4).bytes(), Some).unwrap();
    assert!(typed < 100, "{typed}");
}

#[test]
fn noise_and_lost_bytes_are_sent_again() {
    for (seed, one_in) in [(2, 2_000), (3, 700), (4, 300)] {
        let mut desk = Desk::new();
        let image = model(seed);
        let mut state = 88_172_645_463_325_252_u64 ^ seed;
        let mut faults = 0;
        let noise = |byte| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            if !state.is_multiple_of(one_in) {
                return Some(byte);
            }
            faults += 1;
            match state >> 40 & 1 {
                0 => None,
                _ => Some((state >> 50) as u8),
            }
        };
        desk.send(image.bytes(), noise).unwrap();
        assert_eq!(desk.used(), name(&image));
        assert!(faults > 5, "{faults}");
    }
}

#[test]
fn a_broken_line_goes_on_where_it_was() {
    let mut desk = Desk::new();
    let image = model(2);
    let whole = Desk::new().send(image.bytes(), Some).unwrap();
    let mut left = whole * 2 / 3;
    let broken = |byte| {
        left = left.saturating_sub(1);
        (left > 0).then_some(byte)
    };
    let error = desk.send(image.bytes(), broken).unwrap_err();
    assert_eq!(*error, SendError::Silent);
    // The board has even restarted in between.
    let typed = desk.send(image.bytes(), Some).unwrap();
    assert_eq!(desk.used(), name(&image));
    assert!(typed < whole * 2 / 3, "{typed} of {whole}");
}

#[test]
fn text_stops_for_a_model_and_goes_on_by_itself_when_no_more_of_it_comes() {
    let mut desk = Desk::new();
    let image = model(2);
    let bytes = image.bytes();
    let lines = ["/rate 50".into(), load(bytes), data(bytes, 0)];
    let held = desk.says(&lines, 9_000);
    assert_eq!(text_of(&held).len(), 0, "{held}");
    assert!(held.contains("load: header of") && held.contains("load: next 0 of"));
    let all = desk.says(&lines, 20_000);
    assert!(all.contains("# load: given up\n"), "{all}");
    let text = text_of(&all);
    assert!((300..600).contains(&text.len()), "{}", text.len());
    assert!(on_the_pc(&desk.linked, 1000).starts_with(&text));
    // Or when that is said.
    let lines = ["/rate 50".into(), load(bytes), "/load off".into()];
    assert!(text_of(&desk.says(&lines, 2_000)).len() > 90);
}

#[test]
fn what_a_board_cannot_use_is_refused_in_a_sentence_and_the_text_goes_on() {
    let small = model(2);
    let small = small.bytes();
    let changed = |at: usize, value: u8| {
        let mut image = small.to_vec();
        image[at] = value;
        let sum = checksum(&image).to_le_bytes();
        image[12..16].copy_from_slice(&sum);
        AlignedImage::new(&image).bytes().to_vec()
    };
    let announced = |image: &[u8]| vec![load(image), data(image, 0)];
    let newer = changed(4, 99);
    let no_image = changed(0, b'?');
    let other = vec![load(small), data(&changed(30, 1), 0)];
    let too_large = vec![format!("/load {} 1", 1 << 30)];
    // Its symbols are none.
    let unsound = changed(66, 0xFF);
    let all_of_it: Vec<_> = (0..unsound.len())
        .step_by(128)
        .map(|at| data(&unsound, at))
        .collect();
    for (lines, later, sentence) in [
        (announced(&newer), vec![], "format version 99"),
        (announced(&no_image), vec![], "not a model image"),
        (other, vec![], "another model than what was announced"),
        (too_large, vec![], "train a smaller one"),
        (announced(&unsound), all_of_it, "the model image is damaged"),
    ] {
        let mut desk = Desk::new();
        let before = desk.used();
        let mut bytes = Vec::new();
        desk.run(|desk| {
            bytes.extend_from_slice(desk.printed);
            match desk.milliseconds {
                1 => desk.typed.extend((lines.join("\n") + "\n").bytes()),
                // When it has made room.
                500 => desk.typed.extend((later.join("\n") + "\n").bytes()),
                6_000 => return false,
                _ => {}
            }
            true
        });
        let said = String::from_utf8(bytes).unwrap();
        assert!(said.contains("# load: refused: "), "{said}");
        assert!(said.contains(sentence), "{said}");
        assert_eq!(desk.used(), before);
        assert!(text_of(&said).len() > 50, "{said}");
    }
    let mut desk = Desk::new();
    desk.has_store = false;
    let error = desk.send(small, Some).unwrap_err().to_string();
    assert!(error.contains("`inkling flash`"), "{error}");
    let error = desk.send(b"no image", Some).unwrap_err();
    assert!(matches!(*error, SendError::Image(_)));
}

#[test]
fn a_board_that_says_nothing_and_one_that_is_too_old_are_told_apart() {
    let image = model(2);
    let silent = Desk::new().send(image.bytes(), |_| None).unwrap_err();
    assert_eq!(*silent, SendError::Silent);
    let mut sender = Sender::new(image.bytes(), 0).unwrap();
    assert!(matches!(sender.next(0), Ok(Step::Type(_))));
    let said = "unknown command /load: /help lists the commands";
    sender.hear(Said::read(said), 1);
    assert_eq!(sender.next(1), Err(SendError::TooOld));
}

#[test]
fn a_model_that_takes_all_of_the_room_replaces_the_one_in_use() {
    let mut desk = Desk::new();
    desk.send(model(2).bytes(), Some).unwrap();
    desk.send(model(3).bytes(), Some).unwrap();
    let large = made_up(60, 160, 1, 9);
    let layout = Layout::new(REGION);
    assert!(large.bytes().len() > layout.room(Slot::First));
    desk.send(large.bytes(), Some).unwrap();
    assert_eq!(desk.used(), name(&large));
    // Of the next one only a part comes: the program's own is left, and the board writes with it.
    let other = made_up(60, 160, 1, 10);
    let lines = vec![load(other.bytes()), data(other.bytes(), 0)];
    let said = desk.says(&lines, 20_000);
    let linked = desk.linked.model().unwrap().checksum();
    assert!(said.contains(&format!("checksum {linked:08x}")), "{said}");
    assert!(text_of(&said).len() > 50, "{said}");
}

#[test]
fn a_model_that_rots_while_it_is_used_is_told_of_and_the_one_before_it_is_used() {
    let mut desk = Desk::new();
    let [older, newer] = [2, 3].map(model);
    desk.send(older.bytes(), Some).unwrap();
    desk.send(newer.bytes(), Some).unwrap();
    // What the board reads changes while it writes: a session of its own over memory that is not the flash's.
    let image = Box::leak(Box::new(AlignedImage::new(newer.bytes())));
    let wires: Rc<RefCell<Wires>> = Rc::default();
    let board = WiredBoard::at(&wires);
    let mut rotten = newer.bytes().to_vec();
    rotten[newer.bytes().len() - 40] ^= 4;
    let rotten = AlignedImage::new(&rotten);
    // The checksum of the sound one over the bytes of the other is what such a board has.
    let models = Choice {
        image: rotten.bytes(),
        ..Choice::only(image.bytes())
    };
    let mut memory = Memory::new();
    let mut session = Session::new(board, models, &mut memory);
    for byte in *b"/rate max\n" {
        wires.borrow_mut().typed.push_back(byte);
    }
    for _ in 0..3_000 {
        wires.borrow_mut().ticks += 1;
        session.poll();
    }
    let said = String::from_utf8(wires.borrow().printed.clone()).unwrap();
    assert!(said.contains("damaged"), "{said}");
    assert!(said.contains("the board restarts and uses the next sound one"));
    assert!(wires.borrow().is_restarting);
    // A sound one is left alone.
    desk.says(&["/rate max".into()], 9_000);
    assert!(!desk.wires.borrow().is_restarting);
    // And a start passes over the rotten one.
    let mut flash = desk.bytes().to_vec();
    let at = flash
        .windows(64)
        .position(|window| window == &newer.bytes()[..64]);
    flash[at.unwrap() + 100] ^= 1;
    let mut desk = Desk::with_flash(&flash);
    assert_eq!(desk.used(), name(&older));
    let said = desk.says(&[], 100);
    assert!(said.contains("the flashed model is not used: "), "{said}");
    assert!(said.contains("; the one before it follows\n"), "{said}");
}

/// Lines that a careless or a malicious sender types.
fn hostile() -> impl Strategy<Value = Vec<String>> {
    let image = model(5).bytes().to_vec();
    let length = image.len();
    let announced = load(&image);
    let line = prop_oneof![
        Just(announced),
        (0..length).prop_map(move |at| data(&image, at - at % 16)),
        any::<(u32, u32)>().prop_map(|(bytes, sum)| format!("/load {bytes} {sum:x}")),
        (0..70_000_u32, any::<u32>()).prop_map(|(bytes, sum)| format!("/load {bytes} {sum:x}")),
        proptest::collection::vec(any::<u8>(), 0..128).prop_map(|bytes| {
            match Parcel::of(&bytes, 0) {
                Some(parcel) => format!("/data {parcel}"),
                None => "/data".into(),
            }
        }),
        "/data [0-9a-f]{1,4} [0-9a-f]{1,8} [A-Za-z0-9+/=]{0,180}",
        Just("/load off".into()),
        "[ -~]{0,60}",
    ];
    proptest::collection::vec(line, 0..40)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_hostile_line_loses_the_model_or_stops_the_text_for_good(lines in hostile()) {
        let mut desk = Desk::new();
        let image = model(2);
        desk.send(image.bytes(), Some).unwrap();
        let mut all = lines;
        all.retain(|line| !line.starts_with("/pause"));
        all.extend(["/load off".into(), "/resume".into(), "/len 0".into()]);
        let said = desk.says(&all, 2_000);
        prop_assert_eq!(desk.used(), name(&image));
        prop_assert!(!text_of(&said).is_empty());
    }
}
