//! A network's tensors in safetensors files, each written whole or not at all.

use std::path::Path;

use host::paths;
use host::tensors::Archive;
use tch::Tensor;

use crate::TrainError;
use crate::shape::Shape;

/// Adds the tensors of a flat one, each name after `prefix`.
pub fn add_network(archive: &mut Archive, prefix: &str, shape: &Shape, flat: &Tensor) {
    for (entry, view) in shape.views(flat) {
        let mut numbers = vec![0.0; entry.numel()];
        view.contiguous().copy_data(&mut numbers, entry.numel());
        archive.numbers(format!("{prefix}{}", entry.name), &entry.size, &numbers);
    }
}

/// Writes a file.
///
/// # Errors
/// When it cannot be written; what was there before is then untouched.
pub fn write(archive: Archive, path: &Path) -> Result<(), TrainError> {
    let bytes = archive.to_bytes().map_err(std::io::Error::other);
    let written = bytes.and_then(|bytes| paths::write_atomic(path, &bytes));
    written.map_err(|reason| TrainError::Unwritable {
        path: path.to_owned(),
        reason,
    })
}
