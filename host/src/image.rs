//! Loads image files for the PC. What is in them is [`inkling_engine::format`]'s.

use std::io;
use std::path::{Path, PathBuf};

use inkling_engine::{AlignedImage, ImageError};

use crate::words::count;

/// Why an image file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file cannot be read.
    #[error("cannot read the model image {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// The file is not a sound image.
    #[error("cannot use {}", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// What the engine says of it.
        source: ImageError,
    },
    /// The file goes on behind the image.
    #[error("{}: {} behind the model image: export the model again", path.display(), count(*surplus, "byte"))]
    Surplus {
        /// The file.
        path: PathBuf,
        /// How many.
        surplus: usize,
    },
}

/// Reads and checks a file.
///
/// # Errors
/// When it cannot be read or is not exactly one sound image.
pub fn open(path: &Path) -> Result<AlignedImage, FileError> {
    let bytes = std::fs::read(path).map_err(|source| FileError::Read {
        path: path.into(),
        source,
    })?;
    let image = AlignedImage::new(&bytes);
    let model = image.model().map_err(|source| FileError::Image {
        path: path.into(),
        source,
    })?;
    match bytes.len() - model.image_bytes() {
        0 => Ok(image),
        surplus => Err(FileError::Surplus {
            path: path.into(),
            surplus,
        }),
    }
}
