//! An image on the heap, where it must be brought to its alignment.

use alloc::vec::Vec;

use crate::image::{ImageError, Model};

/// An image in memory at the alignment the engine asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlignedImage {
    storage: Vec<u128>,
    length: usize,
}

impl AlignedImage {
    /// Copies bytes to an aligned place.
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        let mut storage = alloc::vec![0_u128; bytes.len().div_ceil(size_of::<u128>())];
        bytemuck::cast_slice_mut(&mut storage)[..bytes.len()].copy_from_slice(bytes);
        Self {
            storage,
            length: bytes.len(),
        }
    }

    /// The bytes.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &bytemuck::cast_slice(&self.storage)[..self.length]
    }

    /// The checked view.
    ///
    /// # Errors
    /// Whatever the engine finds wrong with it; never for one that
    /// [`ModelParts::to_image`](crate::writer::ModelParts::to_image) gave out.
    pub fn model(&self) -> Result<Model<'_>, ImageError> {
        Model::parse(self.bytes())
    }
}
