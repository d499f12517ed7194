//! The engine against independent arithmetic: its kernel for PCs, and whole models in floats.

#![allow(clippy::unwrap_used)]

use host::engine::{Wide, engine};
use host::quantize::float::FloatState;
use host::quantize::{InputForm, quantize};
use host::synthetic::float_model;
use inkling_engine::anything;
use inkling_engine::format::{MAX_PLANES, Planes};
use inkling_engine::kernels::exact::Exact;
use inkling_engine::sampler::Rng;
use inkling_engine::state::state_words;
use inkling_engine::writer::made_up;
use inkling_engine::{AlignedImage, Generator, ImageError, Lstm, Settings, State, Thousandths};
use proptest::prelude::*;

/// One image in each form of inputs.
fn images(symbols: usize, hidden: usize, layers: usize, planes: u8) -> [AlignedImage; 2] {
    let model = float_model(symbols, hidden, layers, 5);
    let planes = Planes::uniform(planes);
    [InputForm::Folded, InputForm::Embedded]
        .map(|form| quantize(&model, planes, form).unwrap().to_image().unwrap())
}

#[test]
fn an_image_is_read_back_as_written() {
    for image in images(65, 44, 2, 3) {
        let model = image.model().unwrap();
        assert_eq!(model.name(), "synthetic-44");
        assert_eq!(
            (model.symbols(), model.hidden(), model.layers()),
            (65, 44, 2)
        );
        assert_eq!(model.dimensions().planes.recurrent, 3);
        assert_eq!(model.image_bytes(), image.bytes().len());
        assert_eq!(model.alphabet().char(0), '\n');
        assert_eq!(model.alphabet().index_of('b'), Some(2));
        assert_eq!(model.alphabet().index_of('é'), None);
    }
}

/// The bytes of an image with its checksum made right again.
fn with_checksum(mut bytes: Vec<u8>) -> AlignedImage {
    let crc = inkling_engine::image::checksum(&bytes).to_le_bytes();
    bytes[12..16].copy_from_slice(&crc);
    AlignedImage::new(&bytes)
}

#[test]
fn too_little_memory_is_told_and_any_more_changes_nothing() {
    for image in images(40, 52, 2, 1) {
        let model = image.model().unwrap();
        let needed = state_words(&model.dimensions());
        let error = Lstm::new(model, vec![0; needed - 1]).unwrap_err();
        let (needed_bytes, available) = (4 * needed, 4 * needed - 4);
        assert_eq!(
            error,
            ImageError::Memory {
                needed: needed_bytes,
                available
            }
        );
        let mut exact = Lstm::new(model, vec![9; needed]).unwrap();
        let mut roomy = Lstm::new(model, State::any()).unwrap();
        for symbol in 0..40 {
            exact.step(symbol);
            roomy.step(symbol);
            assert_eq!(exact.logits(), roomy.logits());
        }
    }
}

proptest! {
    /// Whatever numbers an image holds, if only its bytes stand for trits, the engine runs it.
    #[test]
    fn any_numbers_in_a_sound_image_run(seed: u64, form in 0..2_usize, planes in 1..=MAX_PLANES) {
        let sound = &images(7, 11, 2, planes)[form];
        let model = sound.model().unwrap();
        let mut bytes = sound.bytes().to_vec();
        let mut random = inkling_engine::sampler::Rng::new(seed);
        let mut at = 64;
        for (section, length) in model.dimensions().sections() {
            let is_matrix = section.name().ends_with("matrix");
            if section.name() != "alphabet" {
                for byte in &mut bytes[at..at + length] {
                    let any = random.next_u32() as u8;
                    *byte = if is_matrix { any % 9 * 28 + any % 27 } else { any };
                }
            }
            at += length.next_multiple_of(16);
        }
        let image = with_checksum(bytes);
        let mut lstm = Lstm::new(image.model().unwrap(), State::any()).unwrap();
        for step in 0..100_u32 {
            lstm.step((step * step % 7) as u8);
        }
    }
}

#[test]
fn the_kernel_for_pcs_gives_the_same_numbers() {
    for (hidden, layers, planes) in [(1, 1, 1), (52, 2, 3), (127, 1, 2), (129, 1, 1), (200, 3, 5)] {
        for image in images(40, hidden, layers, planes) {
            let model = image.model().unwrap();
            let (mut boards, mut pcs) = (Lstm::new(model, State::any()).unwrap(), engine(model));
            for step in 0..200_u32 {
                let symbol = (step * step % 40) as u8;
                boards.step(symbol);
                pcs.step(symbol);
                assert_eq!(boards.logits(), pcs.logits());
                assert_eq!(boards.hidden(), pcs.hidden());
                assert!(boards.cells().eq(pcs.cells()));
            }
        }
    }
}

proptest! {
    /// Of weights, multipliers and biases that no exporter writes, too.
    #[test]
    fn whatever_parses_is_equal_on_every_kernel_of_this_pc(seed: u64) {
        let image = anything::image(seed, 40_000);
        let model = image.model().unwrap();
        let settings = anything::settings(&mut Rng::new(seed));
        let traces = Wide::all(model).map(|kernel| {
            let lstm = Lstm::with_kernel(model, State::any(), kernel).unwrap();
            anything::trace(&mut Generator::of(lstm, settings, seed), 40)
        });
        let lstm = Lstm::with_kernel(model, State::any(), Exact).unwrap();
        let exact = anything::trace(&mut Generator::of(lstm, settings, seed), 40);
        for trace in traces {
            prop_assert_eq!(trace, exact, "{:?}", model.dimensions());
        }
    }
}

#[test]
fn the_kernel_for_pcs_reads_an_embedding_of_the_lowest_numbers() {
    let image = made_up(9, 20, 1, 3);
    let mut bytes = image.bytes().to_vec();
    bytes[64 + 48..][..9 * 10].fill(0x80); // the embedding, behind header and alphabet
    let image = with_checksum(bytes);
    let model = image.model().unwrap();
    let (mut boards, mut pcs) = (Lstm::new(model, State::any()).unwrap(), engine(model));
    for symbol in 0..9 {
        boards.step(symbol);
        pcs.step(symbol);
        assert_eq!(boards.logits(), pcs.logits());
    }
}

#[test]
fn the_kernel_for_pcs_holds_the_largest_sums() {
    let mut float = float_model(40, 1024, 1, 5);
    let model = &mut float.layers[0];
    model.recurrent.fill(0.1);
    // All units at their end: every gate wide open.
    model.bias.fill(8.0);
    for planes in [1, 2] {
        let form = InputForm::Folded;
        let parts = quantize(&float, Planes::uniform(planes), form).unwrap();
        let image = parts.to_image().unwrap();
        let model = image.model().unwrap();
        let (mut boards, mut pcs) = (Lstm::new(model, State::any()).unwrap(), engine(model));
        for symbol in 0..30 {
            boards.step(symbol);
            pcs.step(symbol);
            assert_eq!(boards.logits(), pcs.logits());
        }
        assert!(boards.hidden().iter().all(|&unit| unit > 120));
    }
}

/// Largest difference of a logit between engine and float model over some steps.
fn worst_logit_error(hidden: usize, layers: usize, planes: Planes, form: InputForm) -> f64 {
    let float = float_model(40, hidden, layers, 11);
    let image = quantize(&float, planes, form).unwrap().to_image().unwrap();
    let rounded = float.rounded(planes);
    let mut engine = Lstm::new(image.model().unwrap(), State::any()).unwrap();
    let mut reference = FloatState::new(&rounded);
    let mut worst = 0.0_f64;
    for step in 0..60_usize {
        let symbol = step * step % 40;
        engine.step(symbol as u8);
        reference.step(symbol);
        let pairs = engine.logits().iter().zip(reference.logits());
        for (&found, &exact) in pairs {
            worst = worst.max((f64::from(found) / 1024.0 - f64::from(exact)).abs());
        }
    }
    worst
}

#[test]
fn the_engine_follows_the_rounded_float_model() {
    for layers in [1, 2] {
        for planes in 1..=MAX_PLANES {
            let planes = Planes::uniform(planes);
            let error = worst_logit_error(52, layers, planes, InputForm::Embedded);
            assert!(error < 0.05, "{layers} layers, {planes:?}: {error}");
        }
    }
}

#[test]
fn many_planes_and_folded_inputs_follow_the_float_model_itself() {
    let float = float_model(40, 52, 1, 11);
    let image = quantize(&float, Planes::uniform(5), InputForm::Folded);
    let image = image.unwrap().to_image().unwrap();
    let mut engine = Lstm::new(image.model().unwrap(), State::any()).unwrap();
    let mut reference = FloatState::new(&float);
    for step in 0..60_usize {
        let symbol = step * step % 40;
        engine.step(symbol as u8);
        reference.step(symbol);
        for (&found, &exact) in engine.logits().iter().zip(reference.logits()) {
            let error = f64::from(found) / 1024.0 - f64::from(exact);
            assert!(error.abs() < 0.1, "{error}");
        }
    }
}

#[test]
fn an_alphabet_of_nothing_but_the_replacement_neither_hangs_nor_panics() {
    let mut model = float_model(1, 8, 1, 1);
    model.alphabet = vec![char::REPLACEMENT_CHARACTER];
    let parts = quantize(&model, Planes::uniform(3), InputForm::Folded).unwrap();
    let image = parts.to_image().unwrap();
    for temperature in [0, 800] {
        let settings = Settings {
            temperature: Thousandths(temperature),
            ..Settings::default()
        };
        let mut generator =
            Generator::new(image.model().unwrap(), State::any(), settings, 1).unwrap();
        let text: String = (0..100).map(|_| generator.next_char()).collect();
        assert_eq!(text, "\u{fffd}".repeat(100));
    }
}
