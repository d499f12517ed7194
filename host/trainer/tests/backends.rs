//! Both backends: they learn the same, each keeps all promises by itself, and it is always said which one
//! computes.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::path::Path;

use host::recipe::{BackendKind, Length, Order, Recipe};
use host::report::Report;
use safetensors::SafeTensors;
use serde_json::Value;
use trainer::run::checkpoint::{self, Checkpoint};
use trainer::run::events::Event;

mod common;
use common::text;
use common::training::{BACKENDS, alone, bits, by, corpus, small, train, trainer};

/// A recipe that uses everything that a backend has to do.
fn everything(steps: u64) -> Recipe {
    let mut recipe = small(steps);
    recipe.model.layers = 2;
    recipe.regularization.input_dropout = 0.1;
    recipe.regularization.output_dropout = 0.2;
    recipe.regularization.drop_connect = 0.2;
    recipe.regularization.weight_decay = 0.01;
    recipe
}

/// The losses of all steps, and the weights at the end.
fn learned(text: &str, recipe: &Recipe, backend: BackendKind) -> (Vec<f64>, Vec<f32>) {
    let mut trainer = trainer(text, by(backend, recipe.clone()));
    assert_eq!(trainer.backend(), backend);
    let Length::Steps(steps) = recipe.length else {
        panic!("{:?}", recipe.length)
    };
    let losses = (0..steps).map(|_| trainer.step().unwrap()).collect();
    (losses, trainer.weights())
}

/// The largest distance between two lists of numbers.
fn gap<T: Copy + Into<f64>>(a: &[T], b: &[T]) -> f64 {
    let pairs = a.iter().zip(b);
    let gaps = pairs.map(|(&a, &b)| (a.into() - b.into()).abs());
    gaps.fold(0.0, f64::max)
}

#[test]
fn in_200_steps_both_backends_come_to_the_same_losses_and_weights() {
    let _alone = alone();
    let text = text(100);
    for order in [Order::Streams, Order::Chunks] {
        let mut recipe = everything(200);
        recipe.data.order = order;
        recipe.quantization.start = 1.0;
        let (ours, our_weights) = learned(&text, &recipe, BackendKind::Native);
        let (theirs, their_weights) = learned(&text, &recipe, BackendKind::Libtorch);
        assert!(ours[199] < 0.8 * ours[0], "nothing was learned: {ours:?}");
        // Both drop the same, so that all that lies between them is the order in which floats are added:
        // about 1e-7 of a loss in one step, which later steps make a little larger.
        let (losses, weights) = (gap(&ours, &theirs), gap(&our_weights, &their_weights));
        assert!(losses < 1e-5, "{order:?}: {losses}");
        assert!(weights < 1e-4, "{order:?}: {weights}");
    }
}

#[test]
fn with_rounded_weights_both_backends_come_to_nearly_the_same() {
    let _alone = alone();
    let text = text(100);
    for (order, planes) in [(Order::Streams, 1), (Order::Chunks, 3)] {
        let mut recipe = everything(200);
        recipe.data.order = order;
        recipe.model.planes = planes;
        recipe.quantization.start = 0.5;
        let (ours, our_weights) = learned(&text, &recipe, BackendKind::Native);
        let (theirs, their_weights) = learned(&text, &recipe, BackendKind::Libtorch);
        let before = gap(&ours[..100], &theirs[..100]);
        assert!(before < 1e-5, "{order:?}: {before}");
        // A float weight between two integers, of which the last bits decide, falls to one by one backend
        // and to the other by the other. From then on their networks differ by a whole step of a row: some
        // steps' losses by about 0.02, in both directions.
        let ours_then = ours[100..].iter().sum::<f64>() / 100.0;
        let theirs_then = theirs[100..].iter().sum::<f64>() / 100.0;
        let mean = (ours_then - theirs_then).abs();
        let (losses, weights) = (gap(&ours, &theirs), gap(&our_weights, &their_weights));
        assert!(mean < 0.01, "{order:?}: {mean}");
        assert!(losses < 0.15, "{order:?}: {losses}");
        assert!(weights < 0.02, "{order:?}: {weights}");
    }
}

#[test]
fn the_backend_decides_the_last_bits_so_a_resumed_run_keeps_its_own() {
    let _alone = alone();
    let text = text(60);
    let recipe = everything(30);
    let (_, native) = learned(&text, &recipe, BackendKind::Native);
    let (_, libtorch) = learned(&text, &recipe, BackendKind::Libtorch);
    assert_ne!(bits(&native), bits(&libtorch));
    for (backend, whole) in [
        (BackendKind::Native, native),
        (BackendKind::Libtorch, libtorch),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let mut first = trainer(&text, by(backend, recipe.clone()));
        train(&mut first, dir.path(), Some(11)).unwrap();
        let checkpoint = Checkpoint::read(dir.path()).unwrap();
        let mut second = checkpoint.resume(corpus(&text), tch::Device::Cpu).unwrap();
        assert_eq!(second.backend(), backend);
        let (_, events) = train(&mut second, dir.path(), None).unwrap();
        let Event::Start { backend: told, .. } = &events[0] else {
            panic!("{:?}", events[0])
        };
        assert_eq!(*told, backend);
        assert_eq!(bits(&second.weights()), bits(&whole));
        assert_eq!(Report::read(dir.path()).unwrap().backend, Some(backend));
    }
}

/// Changes the header of the checkpoint in `folder`, or its tensors' sizes.
fn rewrite(folder: &Path, change: impl Fn(&mut Value), state: impl Fn(Vec<usize>) -> Vec<usize>) {
    let path = checkpoint::path(folder);
    let bytes = std::fs::read(&path).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let mut strings: HashMap<String, String> = metadata.metadata().clone().unwrap();
    let mut header: Value = serde_json::from_str(&strings["header"]).unwrap();
    change(&mut header);
    strings.insert("header".into(), header.to_string());
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let views = file.iter().map(|(name, view)| {
        let mut size = view.shape().to_vec();
        if name.starts_with("state.") {
            size = state(size);
        }
        let view = safetensors::tensor::TensorView::new(view.dtype(), size, view.data());
        (name.to_owned(), view.unwrap())
    });
    safetensors::serialize_to_file(views, Some(strings), &path).unwrap();
}

#[test]
fn a_checkpoint_that_names_no_backend_goes_on_natively_as_it_began() {
    let _alone = alone();
    let text = text(60);
    let dir = tempfile::tempdir().unwrap();
    let mut first = trainer(&text, by(BackendKind::Native, everything(30)));
    train(&mut first, dir.path(), Some(11)).unwrap();
    let forget = |header: &mut Value| {
        let recipe = header["job"]["recipe"].as_object_mut().unwrap();
        assert_eq!(recipe.remove("backend").unwrap(), "native");
    };
    rewrite(dir.path(), forget, |size| size);
    let checkpoint = Checkpoint::read(dir.path()).unwrap();
    let mut second = checkpoint.resume(corpus(&text), tch::Device::Cpu).unwrap();
    assert_eq!(second.backend(), BackendKind::Native);
    train(&mut second, dir.path(), None).unwrap();
    let (_, whole) = learned(&text, &everything(30), BackendKind::Native);
    assert_eq!(bits(&second.weights()), bits(&whole));
}

#[test]
fn a_checkpoint_with_the_state_of_other_streams_is_refused() {
    let _alone = alone();
    let text = text(60);
    let dir = tempfile::tempdir().unwrap();
    train(&mut trainer(&text, small(30)), dir.path(), Some(11)).unwrap();
    rewrite(dir.path(), |_| (), |size| vec![size[0], size[2], size[1]]);
    let resumed = Checkpoint::read(dir.path())
        .unwrap()
        .resume(corpus(&text), tch::Device::Cpu);
    let refused = resumed.unwrap_err().to_string();
    assert!(
        refused.contains("state.hidden is of another size"),
        "{refused}"
    );
}

#[test]
fn every_backend_learns_the_order_in_a_text() {
    let _alone = alone();
    for backend in BACKENDS {
        let mut recipe = by(backend, small(300));
        recipe.model.hidden = 32;
        recipe.data.batch = 8;
        let mut trainer = trainer(&text(400), recipe);
        for _ in 0..300 {
            trainer.step().unwrap();
        }
        // Three choices of four per sentence of about 24 characters: 0.17 nats per character.
        let (loss, _) = trainer.validate().unwrap();
        assert!(loss < 0.4, "{backend:?}: {loss}");
    }
}

mod command_line {
    use predicates::str::contains;
    use serde_json::Value;

    use assert_cmd::prelude::*;

    use super::alone;
    use super::common::{SMALL, text, train};

    #[test]
    fn the_first_line_the_report_and_a_resumed_run_tell_the_backend() {
        let _alone = alone();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        std::fs::write(path.join("owls.txt"), text(60)).unwrap();
        std::fs::write(
            path.join("mine.toml"),
            "inherits = 'quick'\nbackend = 'native'\n",
        )
        .unwrap();
        let base = [&SMALL[..], &["--text", "owls.txt", "--no-export"]].concat();
        for (name, options, backend) in [
            ("plain", &[][..], "libtorch"),
            ("option", &["--backend", "native"], "native"),
            ("recipe", &["--recipe", "mine.toml"], "native"),
            (
                "both",
                &["--recipe", "mine.toml", "--backend", "libtorch"],
                "libtorch",
            ),
        ] {
            let new = ["--steps", "3", "--name", name];
            let mut command = train(path, &[&base[..], &new, options].concat());
            let output = command.unwrap();
            let output = String::from_utf8(output.stdout).unwrap();
            let first = output.lines().next().unwrap();
            let told = format!("; backend {backend} on cpu");
            assert!(first.ends_with(&told), "{first}");
            let resume = ["--resume", name, "--steps", "5", "--json", "--no-export"];
            let output = train(path, &resume).unwrap();
            let output = String::from_utf8(output.stdout).unwrap();
            let start: Value = serde_json::from_str(output.lines().next().unwrap()).unwrap();
            assert_eq!(start["backend"], backend, "{start}");
            assert_eq!(start["step"], 3, "{start}");
            let report = path.join("runs").join(name).join("report.json");
            let report: Value = serde_json::from_slice(&std::fs::read(report).unwrap()).unwrap();
            assert_eq!(report["backend"], backend);
        }
    }

    #[test]
    fn a_backend_that_cannot_be_had_is_said_in_one_sentence() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("owls.txt"), text(60)).unwrap();
        for (options, told) in [
            (
                &["--backend", "native", "--device", "cuda"][..],
                "error: the backend native computes on the CPU only: train with --device cpu, or a new run \
                 with --backend libtorch\n",
            ),
            (&["--backend", "torch"], "possible values: libtorch, native"),
            (
                &["--backend", "native", "--resume", "x"],
                "cannot be used with",
            ),
        ] {
            train(folder.path(), &[&["--text", "owls.txt"], options].concat())
                .assert()
                .failure()
                .stderr(contains(told));
        }
        assert!(!folder.path().join("runs").exists());
    }
}
