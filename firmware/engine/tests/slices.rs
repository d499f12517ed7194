//! A step in slices is a step: whatever is done at a time, state, logits and text are the same.

#![allow(clippy::unwrap_used)]

use inkling_engine::writer::made_up;
use inkling_engine::{Generator, Lstm, Settings, State};
use proptest::prelude::*;

/// The largest models, and characters of a text.
const HIDDEN: usize = if cfg!(miri) { 50 } else { 150 };
const CHARACTERS: usize = if cfg!(miri) { 12 } else { 30 };

proptest! {
    #[test]
    fn slices_of_any_size_make_the_same_step(
        hidden in 1..HIDDEN,
        layers in 1_usize..4,
        units in 1_usize..200,
        symbols in proptest::collection::vec(0..9_u8, 1..12),
    ) {
        let image = made_up(9, hidden, layers, 5);
        let model = image.model().unwrap();
        let mut whole = Lstm::new(model, State::any()).unwrap();
        let mut sliced = Lstm::new(model, State::any()).unwrap();
        for symbol in symbols {
            whole.step(symbol);
            sliced.begin(symbol);
            let mut slices = 1;
            while !sliced.advance(units) {
                slices += 1;
            }
            // Units by so many, then blocks of 40 columns by as many as fit.
            let blocks = hidden.div_ceil(40).div_ceil((units / 40).max(1));
            prop_assert_eq!(slices, layers * (hidden.div_ceil(units) + blocks));
            prop_assert_eq!(whole.logits(), sliced.logits());
            prop_assert_eq!(whole.hidden(), sliced.hidden());
            prop_assert!(whole.cells().eq(sliced.cells()));
        }
    }

    #[test]
    fn text_does_not_depend_on_slices(units in 1_usize..100, seed: u64) {
        let image = made_up(20, HIDDEN * 3 / 5, 2, 3);
        let model = image.model().unwrap();
        let generator = || Generator::new(model, State::any(), Settings::default(), seed).unwrap();
        let (mut whole, mut sliced) = (generator(), generator());
        for number in 0..CHARACTERS {
            if number == 10 {
                // A prompt in the middle of a character waits for nothing but its step.
                let _ = sliced.advance(units);
                let _ = whole.advance(usize::MAX);
                prop_assert_eq!(whole.prompt_char('b'), sliced.prompt_char('b'));
            }
            let character = loop {
                if let Some(character) = sliced.advance(units) {
                    break character;
                }
            };
            prop_assert_eq!(whole.next_char(), character);
        }
    }
}

#[test]
fn a_step_that_is_given_up_leaves_nothing_behind_after_a_reset() {
    let image = made_up(9, 100, 2, 5);
    let model = image.model().unwrap();
    let mut interrupted = Lstm::new(model, State::any()).unwrap();
    interrupted.begin(3);
    assert!(!interrupted.advance(7));
    interrupted.reset();
    let mut fresh = Lstm::new(model, State::any()).unwrap();
    for symbol in 0..9 {
        interrupted.step(symbol);
        fresh.step(symbol);
        assert_eq!(interrupted.logits(), fresh.logits());
    }
}

#[test]
fn a_symbol_outside_the_alphabet_changes_nothing() {
    let image = made_up(9, 30, 1, 5);
    let mut lstm = Lstm::new(image.model().unwrap(), State::any()).unwrap();
    lstm.step(3);
    let logits = lstm.logits().to_vec();
    lstm.step(9);
    assert_eq!(lstm.logits(), logits);
}
