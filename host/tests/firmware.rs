//! The firmware's own promises, checked where it runs: kernels on every emulated core, no way to a
//! panic, and the budgets of time and memory.

#![allow(clippy::unwrap_used)]

use host::device::budget::{self, BUDGET_BOARDS, Budget};
use host::device::build::link_without_panics;
use host::device::{Emulator, Firmware, Options, Program, find};

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
