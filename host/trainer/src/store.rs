//! Tensors in and out of safetensors files, each written whole or not at all.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use tch::{Kind, Tensor};

use crate::TrainError;
use crate::weights::{Entry, Shape};
use host::corpus::Alphabet;
use host::paths;

/// Named tensors and strings on their way to a file.
#[derive(Debug, Default)]
pub struct Archive {
    tensors: Vec<(String, Vec<usize>, Vec<u8>)>,
    metadata: BTreeMap<String, String>,
}

impl Archive {
    /// Adds one tensor of f32 numbers.
    pub fn tensor(&mut self, name: String, tensor: &Tensor) {
        let size = tensor.size().iter().map(|&n| n as usize).collect();
        let flat = tensor.to_kind(Kind::Float).flatten(0, -1).contiguous();
        let mut numbers = vec![0_f32; flat.numel()];
        flat.copy_data(&mut numbers, flat.numel());
        let bytes = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.tensors.push((name, size, bytes));
    }

    /// Adds the tensors of a flat one, each name after `prefix`.
    pub fn network(&mut self, prefix: &str, shape: &Shape, flat: &Tensor) {
        for (entry, view) in shape.views(flat) {
            self.tensor(format!("{prefix}{}", entry.name), &view);
        }
    }

    /// Adds one string.
    pub fn text(&mut self, key: &str, value: impl ToString) {
        self.metadata.insert(key.to_owned(), value.to_string());
    }

    /// Writes everything to `path`.
    ///
    /// # Errors
    /// When it cannot be written; what was there before is then untouched.
    pub fn write(self, path: &Path) -> Result<(), TrainError> {
        let unwritable = |reason| TrainError::Unwritable {
            path: path.to_owned(),
            reason,
        };
        let views = self
            .tensors
            .iter()
            .map(|(name, size, bytes)| {
                TensorView::new(Dtype::F32, size.clone(), bytes).map(|view| (name.clone(), view))
            })
            .collect::<Result<Vec<_>, _>>()
            .and_then(|views| host::tensors::serialize(views, self.metadata))
            .map_err(|error| unwritable(std::io::Error::other(error)))?;
        paths::write_atomic(path, &views).map_err(unwritable)
    }
}

/// A tensor of a file that was read.
///
/// # Errors
/// A reason, when it is not there or not of f32 numbers.
pub fn tensor(file: &SafeTensors<'_>, name: &str) -> Result<Tensor, String> {
    let view = file.tensor(name).map_err(|error| error.to_string())?;
    if view.dtype() != Dtype::F32 {
        return Err(format!("{name} is not of 32-bit floats"));
    }
    let size: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
    Ok(Tensor::from_data_size(view.data(), &size, Kind::Float))
}

/// The float weights that a run wrote, to start another one with.
///
/// # Errors
/// When they cannot be read, or are of another shape or alphabet.
pub fn start(path: &Path, shape: &Shape, alphabet: &Alphabet) -> Result<Tensor, TrainError> {
    let bad = |reason: String| TrainError::BadStart {
        path: path.to_owned(),
        reason,
    };
    let bytes = std::fs::read(path).map_err(|error| bad(error.to_string()))?;
    let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| bad(error.to_string()))?;
    let strings = header.metadata().clone().unwrap_or_default();
    let theirs = strings.get("alphabet").map(String::as_str);
    if theirs != Some(alphabet.to_string().as_str()) {
        return Err(bad(
            "its alphabet is not that of the text, or in another order".to_owned(),
        ));
    }
    let file = SafeTensors::deserialize(&bytes).map_err(|error| bad(error.to_string()))?;
    network(&file, "", shape).map_err(bad)
}

/// The tensors of a network of this shape as a flat one.
///
/// # Errors
/// A reason, when one is missing or of another size.
pub fn network(file: &SafeTensors<'_>, prefix: &str, shape: &Shape) -> Result<Tensor, String> {
    let part = |entry: Entry| {
        let part = tensor(file, &format!("{prefix}{}", entry.name))?;
        if part.size() == entry.size {
            Ok(part.flatten(0, -1))
        } else {
            Err(format!("{} is of another size", entry.name))
        }
    };
    let parts: Vec<Tensor> = shape
        .entries()
        .into_iter()
        .map(part)
        .collect::<Result<_, _>>()?;
    Ok(Tensor::cat(&parts, 0))
}
