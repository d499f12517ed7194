//! Quantization-aware training: what is computed with, measured and kept, by either backend.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::Path;

use host::quantize::float::FloatModel;
use host::quantize::trits::{self, Planes};
use host::recipe::{Keep, Length, Recipe, Schedule};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use trainer::run::Outcome;
use trainer::run::checkpoint::Checkpoint;

mod common;
use common::text;
use common::training::{BACKENDS, alone, bits, by, corpus, small, train, trainer};

/// The validation loss of the weights in `folder`, rounded by the rule of the export.
fn rounded_loss(folder: &Path, text: &str, planes: Planes) -> f64 {
    let bytes = std::fs::read(folder.join("weights.safetensors")).unwrap();
    let (_, metadata) = SafeTensors::read_metadata(&bytes).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let round = |name: &str, view: &TensorView<'_>| -> Vec<u8> {
        let floats = view.data().as_chunks::<4>().0.iter();
        let floats: Vec<f32> = floats.map(|&bytes| f32::from_le_bytes(bytes)).collect();
        let planes = match name {
            "lstm.weight_ih_l0" => planes.input,
            "output.weight" => planes.output,
            _ if name.starts_with("lstm.weight") => planes.recurrent,
            "embedding.weight" => {
                let step = floats.iter().fold(0.0_f32, |most, x| most.max(x.abs())) / 127.0;
                let round = |x: &f32| (x / step).round_ties_even() * step;
                return floats.iter().flat_map(|x| round(x).to_le_bytes()).collect();
            }
            _ => return view.data().to_vec(),
        };
        let rows = floats.chunks_exact(view.shape()[1]);
        let rounded = rows.flat_map(|row| {
            let trits::Rounded { step, integers } = trits::round(row, planes);
            let weights = integers.into_iter().map(f64::from);
            weights
                .map(|integer| (step * integer) as f32)
                .collect::<Vec<_>>()
        });
        rounded.flat_map(f32::to_le_bytes).collect()
    };
    let rounded: BTreeMap<String, _> = file
        .iter()
        .map(|(name, view)| {
            let data = round(name, &view);
            (name.to_owned(), (view.dtype(), view.shape().to_vec(), data))
        })
        .collect();
    let views = rounded.iter().map(|(name, (dtype, shape, data))| {
        let view = TensorView::new(*dtype, shape.clone(), data).unwrap();
        (name.as_str(), view)
    });
    let path = folder.join("rounded.safetensors");
    safetensors::serialize_to_file(views, metadata.metadata().clone(), &path).unwrap();
    let model = FloatModel::load(&path).unwrap();
    model.loss(corpus(text).validation(), |_| ())
}

/// Trains in `folder` and returns the loss that is reported.
fn reported_loss(folder: &Path, text: &str, recipe: Recipe) -> f64 {
    let (outcome, _) = train(&mut trainer(text, recipe), folder, None).unwrap();
    match outcome {
        Outcome::Finished {
            validation_loss, ..
        } => validation_loss.unwrap(),
        Outcome::Interrupted => panic!("nobody interrupted it"),
    }
}

#[test]
fn the_reported_loss_is_that_of_weights_rounded_as_the_export_does_it() {
    let _alone = alone();
    let text = text(100);
    for (planes, layers) in [(1_u8, 1_i64), (2, 2)] {
        let dir = tempfile::tempdir().unwrap();
        let mut recipe = small(200);
        recipe.model.layers = layers;
        recipe.model.planes = planes;
        let planes = recipe.model.planes();
        let reported = reported_loss(dir.path(), &text, recipe);
        let rounded = rounded_loss(dir.path(), &text, planes);
        assert!((reported - rounded).abs() < 1e-4, "{reported} {rounded}");
        let kept = FloatModel::load(&dir.path().join("weights.safetensors")).unwrap();
        let float = kept.loss(corpus(&text).validation(), |_| ());
        assert!((float - rounded).abs() > 2e-3, "{float} {rounded}");
    }
}

#[test]
fn training_with_rounded_weights_leaves_little_to_lose_by_rounding() {
    let _alone = alone();
    let text = text(400);
    for backend in BACKENDS {
        let loss = |start| {
            let dir = tempfile::tempdir().unwrap();
            let mut recipe = by(backend, small(300));
            recipe.model.hidden = 32;
            recipe.data.batch = 8;
            recipe.quantization.start = start;
            let planes = recipe.model.planes();
            reported_loss(dir.path(), &text, recipe);
            rounded_loss(dir.path(), &text, planes)
        };
        let (after, half, whole) = (loss(1.0), loss(0.5), loss(0.0));
        assert!(
            half < 0.7 * after && whole < 0.7 * after,
            "{backend:?}: {after} {half} {whole}"
        );
    }
}

#[test]
fn rounding_begins_where_the_recipe_says() {
    let _alone = alone();
    let text = text(60);
    for backend in BACKENDS {
        let losses = |start| -> Vec<f64> {
            let mut recipe = by(backend, small(40));
            recipe.quantization.start = start;
            let mut trainer = trainer(&text, recipe);
            (0..40).map(|_| trainer.step().unwrap()).collect()
        };
        let (never, middle, always) = (losses(1.0), losses(0.5), losses(0.0));
        assert_eq!(never[..20], middle[..20]);
        assert!((20..40).all(|step| never[step] != middle[step]));
        assert!((0..40).all(|step| never[step] != always[step]));
    }
}

#[test]
fn the_best_weights_are_kept_or_the_last_as_the_recipe_says() {
    let _alone = alone();
    // Nothing to learn but by heart: after the first steps every other makes it worse.
    let mut state = 1_u32;
    let mut letter = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'a' + (state >> 24) as u8 % 20)
    };
    let text: String = (0..800).map(|_| letter()).collect();
    let kept = |keep| {
        let dir = tempfile::tempdir().unwrap();
        let mut recipe = small(300);
        recipe.model.hidden = 32;
        recipe.optimizer.schedule = Schedule::Constant;
        recipe.report.keep = keep;
        let mut trainer = trainer(&text, recipe);
        train(&mut trainer, dir.path(), None).unwrap();
        let measured = trainer.curve().iter();
        let measured: Vec<f64> = measured.filter_map(|p| p.validation_loss_nats).collect();
        let weights = FloatModel::load(&dir.path().join("weights.safetensors")).unwrap();
        (
            trainer.final_loss().unwrap(),
            measured,
            bits(&weights.output),
        )
    };
    let (best, measured, best_weights) = kept(Keep::Best);
    let (last, _, last_weights) = kept(Keep::Last);
    let lowest = measured.iter().copied().fold(f64::INFINITY, f64::min);
    assert!((best - lowest).abs() < 1e-6, "{best} {lowest}");
    assert!((last - measured.last().unwrap()).abs() < 1e-6, "{last}");
    assert!(last > lowest + 0.1, "{last} {lowest}");
    assert_ne!(best_weights, last_weights);
}

#[test]
fn what_was_best_before_rounding_is_not_kept_once_it_has_begun() {
    let _alone = alone();
    let text = text(60);
    let dir = tempfile::tempdir().unwrap();
    let mut recipe = small(40);
    recipe.quantization.start = 0.5;
    // Measured at step 18, rounded from step 20 on, ended at step 22 without another measurement.
    recipe.report.validate_every = 18;
    train(&mut trainer(&text, recipe), dir.path(), Some(22)).unwrap();
    let mut checkpoint = Checkpoint::read(dir.path()).unwrap();
    checkpoint.job.recipe.length = Length::Steps(22);
    let mut resumed = checkpoint.resume(corpus(&text), tch::Device::Cpu).unwrap();
    train(&mut resumed, dir.path(), None).unwrap();
    let ended = resumed.final_loss().unwrap();
    let (average, is_best) = resumed.validate().unwrap();
    assert!(is_best);
    assert!((ended - average).abs() < 1e-6, "{ended} {average}");
}
