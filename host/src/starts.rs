//! Models to start a training from: runs, and what ships in `weights/`.
//!
//! `weights/NAME.float.safetensors` are the float weights of a model that is made for this, in half
//! precision; from the quantized tensors of any other model its rounded weights come back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use half::f16;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError};

use crate::corpus::Source;
use crate::export::ExportError;
use crate::name::Name;
use crate::paths;
use crate::quantize::float::LoadError;
use crate::quantize::{FloatModel, back};
use crate::runs::{self, RunError};
use crate::stored;
use crate::tensors;

/// How the names of float weights in `weights/` end.
pub const SUFFIX: &str = ".float.safetensors";

/// Where the weights of a model to start from are: `what` is the name of a run or of a model, or a file.
///
/// # Errors
/// When there is no such model, or a run of that name that cannot be used.
pub fn find(what: &Path) -> Result<PathBuf, RunError> {
    if what.is_file() {
        return Ok(what.to_owned());
    }
    let shipped = what.to_str().and_then(|name| name.parse::<Name>().ok());
    let shipped = shipped.and_then(|name| of_model(&paths::weights_dir(), &name));
    match (runs::load_weights(what), shipped) {
        (Ok((path, _)), _) | (Err(RunError::Missing(_)), Some(path)) => Ok(path),
        (Err(error), _) => Err(error),
    }
}

/// The file that a training can start from of a model in `weights`.
fn of_model(weights: &Path, name: &Name) -> Option<PathBuf> {
    [
        weights.join(format!("{name}{SUFFIX}")),
        weights.join(format!("{name}.safetensors")),
    ]
    .into_iter()
    .find(|path| path.is_file())
}

/// The float model in a file that [`find`] has found.
///
/// # Errors
/// When the file cannot be read or is damaged, and for a quantized model whose inputs are folded.
pub fn load(path: &Path) -> Result<FloatModel, LoadError> {
    if !stored::is_stored(path) {
        return FloatModel::load(path);
    }
    back::float(&stored::load(path)?).map_err(|reason| LoadError::Stored {
        path: path.to_owned(),
        reason,
    })
}

/// The models in `weights/` that are made to start from, by name.
#[must_use]
pub fn bases() -> Vec<PathBuf> {
    let files = std::fs::read_dir(paths::weights_dir())
        .into_iter()
        .flatten();
    let mut found: Vec<PathBuf> = files
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().ends_with(SUFFIX))
        .collect();
    found.sort();
    found
}

/// Writes a model to start from, in half precision, beside the image of that name.
///
/// # Errors
/// When the file cannot be written.
pub fn save(float: &FloatModel, name: &Name, folder: &Path) -> Result<PathBuf, ExportError> {
    let half = |numbers: &[f32]| -> Vec<u8> {
        let halves = numbers.iter().map(|&x| f16::from_f32(x).to_le_bytes());
        halves.flatten().collect()
    };
    let (symbols, hidden, embedding) = (float.alphabet.len(), float.hidden, float.embedding_size);
    let mut tensors = vec![
        (
            "embedding.weight".to_owned(),
            vec![symbols, embedding],
            half(&float.embedding),
        ),
        (
            "output.weight".to_owned(),
            vec![symbols, hidden],
            half(&float.output),
        ),
        (
            "output.bias".to_owned(),
            vec![symbols],
            half(&float.output_bias),
        ),
    ];
    for (index, layer) in float.layers.iter().enumerate() {
        let columns = if index == 0 { embedding } else { hidden };
        let rows = 4 * hidden;
        // A layer's two biases are always added, so that one of them may hold both.
        let parts: [(&str, Vec<usize>, &[f32]); 4] = [
            ("weight_ih", vec![rows, columns], &layer.input),
            ("weight_hh", vec![rows, hidden], &layer.recurrent),
            ("bias_ih", vec![rows], &layer.bias),
            ("bias_hh", vec![rows], &vec![0.0; rows]),
        ];
        for (part, shape, numbers) in parts {
            tensors.push((format!("lstm.{part}_l{index}"), shape, half(numbers)));
        }
    }
    let views = tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(Dtype::F16, shape.clone(), bytes)?;
        Ok((name.clone(), view))
    });
    let mut strings: BTreeMap<String, String> = float.metadata.clone().into_iter().collect();
    strings.insert("name".to_owned(), name.to_string());
    // Whoever gets the file need not know where its maker keeps texts.
    let source = strings.remove("source");
    let source = source.and_then(|text| serde_json::from_str::<Source>(&text).ok());
    if let Some(Ok(source)) = source.map(|source| serde_json::to_string(&source.public())) {
        strings.insert("source".to_owned(), source);
    }
    let bytes = tensors::serialize(views.collect::<Result<_, SafeTensorError>>()?, strings)?;
    let path = folder.join(format!("{name}{SUFFIX}"));
    paths::write_atomic(&path, &bytes).map_err(|source| ExportError::Write {
        path: path.clone(),
        source,
    })?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::Validation;
    use crate::quantize::float::FORMAT;
    use crate::synthetic::float_model;

    #[test]
    fn what_is_saved_in_half_precision_is_nearly_the_same_model() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut model = float_model(30, 16, 2, 3);
        model
            .metadata
            .insert("format".to_owned(), FORMAT.to_owned());
        let alphabet = model.alphabet.iter().collect();
        model.metadata.insert("alphabet".to_owned(), alphabet);
        let path = save(&model, &Name::like("base"), folder.path()).expect("a file");
        let back = load(&path).expect("a model");
        assert_eq!(back.alphabet, model.alphabet);
        let symbols: Vec<u8> = (0..100_u32).map(|i| (i * i % 29) as u8).collect();
        let symbols = Validation::stream(symbols);
        let (got, expected) = (back.loss(&symbols, |_| ()), model.loss(&symbols, |_| ()));
        assert!((got - expected).abs() < 1e-3, "{got}, not {expected}");
    }
}
