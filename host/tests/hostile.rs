//! Files of float weights that others made, broken by accident or on purpose: each is refused with one
//! sentence, none ends the program in a panic or takes all memory.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use host::corpus::Validation;
use host::export::export;
use host::name::Name;
use host::quantize::{FloatModel, InputForm, back, quantize};
use host::stored;
use host::synthetic::float_model;
use inkling_engine::format::Planes;
use proptest::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

/// The tensors of a network: names and shapes.
fn shapes(symbols: usize, embedding: usize, hidden: usize) -> Vec<(&'static str, Vec<usize>)> {
    vec![
        ("embedding.weight", vec![symbols, embedding]),
        ("lstm.weight_ih_l0", vec![4 * hidden, embedding]),
        ("lstm.weight_hh_l0", vec![4 * hidden, hidden]),
        ("lstm.bias_ih_l0", vec![4 * hidden]),
        ("lstm.bias_hh_l0", vec![4 * hidden]),
        ("output.weight", vec![symbols, hidden]),
        ("output.bias", vec![symbols]),
    ]
}

/// A file with tensors of these shapes.
fn file(shapes: &[(&str, Vec<usize>)], alphabet: &str) -> Vec<u8> {
    let numbers: Vec<Vec<u8>> = shapes
        .iter()
        .map(|(_, shape)| {
            let count: usize = shape.iter().product();
            (0..count)
                .flat_map(|n| (0.01 * (n % 17) as f32).to_le_bytes())
                .collect()
        })
        .collect();
    let views = shapes.iter().zip(&numbers).map(|((name, shape), numbers)| {
        (
            *name,
            TensorView::new(Dtype::F32, shape.clone(), numbers).unwrap(),
        )
    });
    let strings: HashMap<String, String> = [
        ("format", "inkling-float-1"),
        ("name", "x"),
        ("alphabet", alphabet),
    ]
    .map(|(key, value)| (key.to_owned(), value.to_owned()))
    .into();
    safetensors::serialize(views, Some(strings)).unwrap()
}

/// Loads bytes as a file and, where that works, exports them.
fn use_them(bytes: &[u8]) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    let path: PathBuf = folder.path().join("weights.safetensors");
    fs::write(&path, bytes).unwrap();
    let model = FloatModel::load(&path).map_err(|error| error.to_string())?;
    let name = Name::like("x");
    let symbols = [0_u8; 3].map(|symbol| symbol.min(model.alphabet.len() as u8 - 1));
    export(
        &model,
        &name,
        (model.planes(), InputForm::Smallest),
        folder.path(),
        Some(&Validation::stream(symbols)),
        |_| (),
    )
    .map(drop)
    .map_err(|error| error.to_string())
}

#[test]
fn weights_of_impossible_shapes_are_refused() {
    assert_eq!(use_them(&file(&shapes(3, 2, 4), "abc")), Ok(()));
    for (symbols, embedding, hidden, alphabet) in [
        (3, 2, 0, "abc"),
        (3, 0, 4, "abc"),
        (0, 2, 4, ""),
        (3, 2, 4, ""),
        (3, 2, 4, "aab"),
        (3, 2, 4, "ab"),
        (3, 2, 1100, "abc"),
        (3, 5000, 4, "abc"),
    ] {
        let error = use_them(&file(&shapes(symbols, embedding, hidden), alphabet));
        let error = error.unwrap_err();
        assert!(!error.contains('\n') && !error.is_empty(), "{error}");
    }
}

#[test]
fn shapes_too_large_for_any_memory_are_refused() {
    let bytes = file(&shapes(3, 2, 4), "abc");
    let header = String::from_utf8_lossy(&bytes[8..]).into_owned();
    for (old, new) in [
        ("\"shape\":[3,4]", "\"shape\":[0,4611686018427387904]"),
        ("\"shape\":[3,4]", "\"shape\":[4611686018427387904,4]"),
        ("\"shape\":[3,2]", "\"shape\":[18446744073709551615,2]"),
        ("\"shape\":[16]", "\"shape\":[-16]"),
    ] {
        assert!(header.contains(old), "{header}");
        let end = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        let text = String::from_utf8(bytes[8..end].to_vec())
            .unwrap()
            .replacen(old, new, 1);
        let mut hostile = (text.len() as u64).to_le_bytes().to_vec();
        hostile.extend(text.as_bytes());
        hostile.extend(&bytes[end..]);
        use_them(&hostile).unwrap_err();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn damaged_weights_are_used_or_refused_but_never_panic(
        at in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        is_cut: bool,
        is_in_header: bool,
    ) {
        let mut bytes = file(&shapes(3, 2, 4), "abc");
        let reach = if is_in_header { 600.min(bytes.len()) } else { bytes.len() };
        for (index, byte) in at {
            bytes[index.index(reach)] = byte;
        }
        if is_cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let _ = use_them(&bytes);
    }

    #[test]
    fn digits_in_the_header_may_be_any(digits in "[0-9]{1,3}", at in any::<prop::sample::Index>()) {
        let mut bytes = file(&shapes(3, 2, 4), "abc");
        let places: Vec<usize> = (8..700.min(bytes.len())).filter(|&i| bytes[i].is_ascii_digit()).collect();
        let start = places[at.index(places.len())];
        for (offset, digit) in digits.bytes().enumerate() {
            if bytes[start + offset].is_ascii_digit() {
                bytes[start + offset] = digit;
            }
        }
        let _ = use_them(&bytes);
    }
}

#[test]
fn stored_tensors_make_the_same_image_again_and_damaged_ones_never_panic() {
    for form in [InputForm::Folded, InputForm::Embedded] {
        let model = float_model(12, 7, 2, 3);
        let folder = tempfile::tempdir().unwrap();
        let name = Name::like("again");
        let kept = (model.planes(), form);
        let exported = export(&model, &name, kept, folder.path(), None, |_| ()).unwrap();
        let mut parts = quantize(&model, model.planes(), form).unwrap();
        parts.name = name.to_string();
        assert_eq!(stored::load(&exported.tensors).unwrap(), parts);

        let sound = fs::read(&exported.tensors).unwrap();
        let damaged = folder.path().join("damaged.safetensors");
        for position in (0..sound.len()).step_by(3) {
            let mut bytes = sound.clone();
            bytes[position] = bytes[position].wrapping_add(1);
            fs::write(&damaged, &bytes).unwrap();
            // Whatever can still be read is an image or refused.
            if let Ok(parts) = stored::load(&damaged) {
                let _ = parts.to_image();
                let _ = back::float(&parts);
            }
            fs::write(&damaged, &bytes[..position]).unwrap();
            assert!(stored::load(&damaged).is_err());
        }
    }
}

#[test]
fn stored_tensors_of_planes_or_shifts_that_there_are_not_are_refused() {
    let model = float_model(12, 7, 2, 3);
    let folder = tempfile::tempdir().unwrap();
    let kept = (Planes::uniform(4), InputForm::Embedded);
    let exported = export(
        &model,
        &Name::like("odd"),
        kept,
        folder.path(),
        None,
        |_| (),
    )
    .unwrap();
    let sound = fs::read(&exported.tensors).unwrap();
    let shift = stored::from_bytes(&sound).unwrap().gate_shift;
    let shift = format!("\"gate_shift\":\"{shift}\"");
    for (said, instead) in [
        ("\"planes\":\"4\"", "\"planes\":\"0\""),
        ("\"input_planes\":\"4\"", "\"input_planes\":\"6\""),
        ("\"output_planes\":\"4\"", "\"output_planes\":\"9\""),
        (&shift, "\"gate_shift\":\"99\""),
    ] {
        assert_eq!(said.len(), instead.len());
        let at = sound
            .windows(said.len())
            .position(|bytes| bytes == said.as_bytes())
            .unwrap();
        let mut odd = sound.clone();
        odd[at..at + instead.len()].copy_from_slice(instead.as_bytes());
        let refused = stored::from_bytes(&odd).unwrap_err();
        assert_eq!(
            refused, "its planes or its gate shift are none that there are",
            "{instead}"
        );
    }
}
