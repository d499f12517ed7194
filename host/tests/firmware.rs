//! The firmware's own promises, checked where it runs: kernels on every emulated core, no way to a
//! panic, and the budgets of time and memory.

#![allow(clippy::unwrap_used)]

use host::device::budget::{self, BUDGET_BOARDS, Budget};
use host::device::build::{MODEL_ROOM, link_without_panics};
use host::device::{Emulator, Firmware, Options, Program, find};
use inkling_engine::anything;
use inkling_engine::kernels::exact::Exact;
use inkling_engine::sampler::Rng;
use inkling_engine::state::{MAX_STATE_WORDS, state_words};
use inkling_engine::{AlignedImage, Generator, Lstm, State};

mod common;
use common::wait::PATIENCE;

#[test]
fn every_core_computes_what_the_reference_computes() {
    for board in BUDGET_BOARDS {
        let firmware = Firmware::with_room(find(board).unwrap(), Program::Kernels)
            .unwrap_or_else(|error| panic!("{error}"));
        let mut emulator = Emulator::start(&firmware, Options::default()).unwrap();
        let said = emulator.read_until("# done", PATIENCE).unwrap();
        assert!(said.starts_with("# ok: "), "{board}: {said}");
    }
}

/// As many images as fit, one behind the other, of models that a board has the memory for.
fn images(first_seed: u64, words: usize) -> Vec<AlignedImage> {
    const MOST: [usize; 4] = [1_500, 4_000, 12_000, 40_000];
    let mut images: Vec<AlignedImage> = Vec::new();
    let mut room = MODEL_ROOM;
    for seed in first_seed.. {
        let image = anything::image(seed, MOST[seed as usize % MOST.len()]);
        if state_words(&image.model().unwrap().dimensions()) > words {
            continue;
        }
        let Some(rest) = room.checked_sub(image.bytes().len()) else {
            break;
        };
        room = rest;
        images.push(image);
    }
    images
}

/// What can be seen of a model that writes, by plain multiplication.
fn traced(image: &AlignedImage) -> u32 {
    let model = image.model().unwrap();
    let seed = model.checksum().into();
    let settings = anything::settings(&mut Rng::new(seed));
    let lstm = Lstm::with_kernel(model, State::any(), Exact).unwrap();
    anything::trace(&mut Generator::of(lstm, settings, seed), anything::TRACED)
}

#[test]
fn whatever_parses_is_equal_on_every_core() {
    for (number, name) in BUDGET_BOARDS.into_iter().enumerate() {
        let board = find(name).unwrap();
        let words = board.model_words.unwrap_or(MAX_STATE_WORDS);
        let images = images(1_000 * number as u64, words);
        assert!(images.len() > 10, "{name}: {}", images.len());
        let mut firmware =
            Firmware::with_room(board, Program::Kernels).unwrap_or_else(|error| panic!("{error}"));
        let bytes: Vec<_> = images.iter().map(AlignedImage::bytes).collect();
        firmware.replace_model(&bytes.concat()).unwrap();
        let mut emulator = Emulator::start(&firmware, Options::default()).unwrap();
        let said = emulator.read_until("# done", PATIENCE).unwrap();
        let found: Vec<_> = said
            .lines()
            .filter_map(|line| line.strip_prefix("# image: "))
            .collect();
        let expected = images.iter().map(|image| format!("{:08x}", traced(image)));
        assert_eq!(found, expected.collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn nothing_in_the_engine_can_panic() {
    for board in ["mps2-an385", "mps2-an386", "microbit"] {
        link_without_panics(find(board).unwrap()).unwrap_or_else(|error| {
            panic!("the engine can reach a panic, see the linker's message above: {error}")
        });
    }
}

/// A small stack, and so little memory that the smallest board has it, and any board the largest model's.
const STACK_LIMIT: u64 = 10 * 256;
const RAM_LIMIT: u64 = 32 * 1024;
const SMALLEST_RAM: u64 = 16 * 1024;

#[test]
fn no_board_exceeds_its_budget() {
    let budgets = budget::load().unwrap_or_else(|error| panic!("{error}"));
    let mut exceeded = Vec::new();
    for board in BUDGET_BOARDS {
        let measured =
            Budget::measure(find(board).unwrap()).unwrap_or_else(|error| panic!("{error}"));
        assert!(measured.stack_bytes <= STACK_LIMIT, "{board}: {measured:?}");
        let ram = measured.static_ram_bytes + measured.stack_bytes;
        let limit = if board == "microbit" {
            SMALLEST_RAM
        } else {
            RAM_LIMIT
        };
        assert!(ram <= limit, "{board}: {measured:?}");
        let sentences = budgets[board].exceeded_by(&measured);
        exceeded.extend(
            sentences
                .iter()
                .map(|sentence| format!("{board}: {sentence}")),
        );
    }
    assert!(exceeded.is_empty(), "{}", exceeded.join("\n"));
}
