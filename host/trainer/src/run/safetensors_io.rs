//! Tensors in and out of safetensors files, each written whole or not at all.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use tch::Tensor;

use crate::TrainError;
use crate::shape::{Entry, Shape};
use host::paths;

/// Named tensors and strings on their way to a file.
#[derive(Debug, Default)]
pub struct Archive {
    tensors: Vec<(String, Vec<usize>, Vec<u8>)>,
    metadata: BTreeMap<String, String>,
}

impl Archive {
    /// Adds f32 numbers of this size.
    pub fn numbers(&mut self, name: String, size: &[usize], numbers: &[f32]) {
        let bytes = numbers.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.tensors.push((name, size.to_vec(), bytes));
    }

    /// Adds the tensors of a flat one, each name after `prefix`.
    pub fn network(&mut self, prefix: &str, shape: &Shape, flat: &Tensor) {
        for (entry, view) in shape.views(flat) {
            let mut numbers = vec![0.0; entry.numel()];
            view.contiguous().copy_data(&mut numbers, entry.numel());
            self.numbers(format!("{prefix}{}", entry.name), &entry.size, &numbers);
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

/// The numbers of a tensor in a file that was read.
///
/// # Errors
/// A reason, when it is not there, not of f32 numbers or not of this size.
pub fn numbers(file: &SafeTensors<'_>, name: &str, size: &[usize]) -> Result<Vec<f32>, String> {
    let view = file.tensor(name).map_err(|error| error.to_string())?;
    if view.dtype() != Dtype::F32 {
        return Err(format!("{name} is not of 32-bit floats"));
    }
    if view.shape() != size {
        return Err(format!("{name} is of another size"));
    }
    let numbers = view.data().as_chunks::<4>().0.iter();
    Ok(numbers.map(|&bytes| f32::from_le_bytes(bytes)).collect())
}

/// The tensors of a network of this shape as a flat one.
///
/// # Errors
/// A reason, when one is missing or of another size.
pub fn network(file: &SafeTensors<'_>, prefix: &str, shape: &Shape) -> Result<Tensor, String> {
    let mut flat = Vec::with_capacity(shape.numel());
    for Entry { name, size } in shape.entries() {
        flat.extend(numbers(file, &format!("{prefix}{name}"), &size)?);
    }
    Ok(Tensor::from_slice(&flat))
}
