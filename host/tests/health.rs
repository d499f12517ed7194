//! What a model promises that writes for ever, and that looking at it changes nothing.

#![allow(clippy::unwrap_used)]

use host::corpus::Validation;
use host::evaluate::{Saturation, engine_block_loss, engine_loss};
use host::figures::WINDOW;
use host::health::{Known, examine};
use host::image;
use host::paths;
use host::quantize::{InputForm, quantize};
use host::synthetic::float_model;
use inkling_engine::AlignedImage;
use inkling_engine::format::Planes;
use inkling_engine::{Lstm, Settings, State, Thousandths};

fn image(hidden: usize, layers: usize, form: InputForm) -> AlignedImage {
    let model = float_model(30, hidden, layers, 5);
    let parts = quantize(&model, Planes::uniform(2), form).unwrap();
    parts.to_image().unwrap()
}

/// A model that ships, and what is on record of it.
fn shipped() -> (AlignedImage, Known) {
    let path = paths::weights_dir().join("shakespeare-64k.img");
    let image = image::open(&path).unwrap();
    let known = Known::on_record(&path, image.model().unwrap().symbols());
    (image, known)
}

fn at_temperature(thousandths: u16) -> Settings {
    Settings {
        temperature: Thousandths(thousandths),
        ..Settings::default()
    }
}

#[test]
fn watching_an_engine_changes_nothing_and_sees_every_unit() {
    for (hidden, layers, form) in [(24, 1, InputForm::Folded), (13, 2, InputForm::Embedded)] {
        let image = image(hidden, layers, form);
        let model = image.model().unwrap();
        let (mut plain, mut watched) = (
            Lstm::new(model, State::any()).unwrap(),
            Lstm::new(model, State::any()).unwrap(),
        );
        for step in 0..200_u32 {
            let symbol = (step * step % 30) as u8;
            let mut seen = 0;
            plain.step(symbol);
            watched.step_watched(symbol, |_| seen += 1);
            assert_eq!(seen, hidden * layers);
            assert!(plain.cells().eq(watched.cells()));
            assert_eq!(plain.hidden(), watched.hidden());
            assert_eq!(plain.logits(), watched.logits());
        }
    }
}

#[test]
fn saturation_counts_what_is_at_its_end() {
    let mut model = float_model(30, 16, 1, 5);
    // Gate f of every unit far up, gate g far down: the cells sink to their end and stay there.
    {
        let row = &mut model.layers[0].bias;
        row[16..32].fill(15.0);
        row[32..48].fill(-15.0);
        row[..16].fill(15.0);
    }
    let image = quantize(&model, Planes::uniform(3), InputForm::Folded);
    let image = image.unwrap().to_image().unwrap();
    let symbols: Vec<u8> = (0..200).map(|n| n % 30).collect();
    let found = Saturation::measure(image.model().unwrap(), &symbols);
    assert_eq!(
        (found.input_gate, found.forget_gate, found.candidate),
        (1.0, 1.0, 1.0)
    );
    assert!(found.output_gate < 0.5, "{found:?}");
    assert!(found.cells > 0.8 && found.cells < 1.0, "{found:?}");
    let calm = image_of_small_weights();
    assert_eq!(
        Saturation::measure(calm.model().unwrap(), &symbols),
        Saturation::default()
    );
}

fn image_of_small_weights() -> AlignedImage {
    let mut model = float_model(30, 16, 1, 5);
    let layer = &mut model.layers[0];
    let weights = layer.input.iter_mut().chain(&mut layer.recurrent);
    weights.for_each(|weight| *weight *= 0.3);
    let parts = quantize(&model, Planes::uniform(3), InputForm::Folded).unwrap();
    parts.to_image().unwrap()
}

#[test]
fn a_block_as_long_as_the_text_is_the_stream_and_each_block_starts_afresh() {
    let image = image(24, 1, InputForm::Folded);
    let model = image.model().unwrap();
    let symbols: Vec<u8> = (0..201_u32).map(|n| (n * n % 30) as u8).collect();
    let all = Validation::stream(&symbols[..]);
    let stream = engine_loss(model, &all, |_| ());
    let in_blocks = |length| engine_block_loss(model, &all, length);
    assert!((in_blocks(200).unwrap() - stream).abs() < 1e-9);
    let halves = [&symbols[..101], &symbols[100..]];
    let halves = halves.map(|half| engine_loss(model, &Validation::stream(half), |_| ()));
    assert!((in_blocks(100).unwrap() - (halves[0] + halves[1]) / 2.0).abs() < 1e-9);
    assert_eq!(in_blocks(201), None);
}

#[test]
fn the_shipped_model_stays_sound_over_a_million_characters() {
    let (image, known) = shipped();
    let loss = known.loss.expect("its loss is on record");
    let model = image.model().unwrap();
    let health = examine(model, at_temperature(1_000), 1, 1_000_000, &known, |_| ());
    assert!(health.healthy, "{health}");
    assert_eq!(health.characters, 1_000_000);
    assert!(
        (health.surprisal_nats - loss).abs() < 0.1 * loss,
        "{health}"
    );
    assert!(health.longest_at_end < 1_000, "{health}");
}

#[test]
fn a_model_that_runs_in_a_circle_is_found_out() {
    let (image, _) = shipped();
    let health = examine(
        image.model().unwrap(),
        at_temperature(0),
        1,
        WINDOW,
        &Known::default(),
        |_| (),
    );
    assert!(!health.healthy, "{health}");
    assert!(
        health
            .to_string()
            .contains("verdict      not healthy: it runs in a circle"),
        "{health}"
    );
}
