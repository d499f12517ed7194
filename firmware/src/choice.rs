//! Which model a board writes with: the newest sound one in the flash that is set aside for models, or the
//! one linked with the program.

use core::ops::Range;

use inkling_engine::{ImageError, Model};
use inkling_store::places;

/// Which of several images a program uses: one of those in flash by themselves, or the linked one.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// The model.
    pub model: Result<Model<'a>, ImageError>,
    /// Its image, where the program reads it.
    pub image: &'a [u8],
    /// Where it starts in the flash for models, if it is from there.
    pub start: Option<usize>,
    /// Why the one that should be used is not, although there is something in its place.
    pub refused: Option<ImageError>,
}

impl<'a> Choice<'a> {
    /// Takes the newest sound image in the flash for models, if there is one. Erased flash holds none and is no
    /// reason to complain.
    #[must_use]
    pub fn new(region: &'a [u8], linked: &'a [u8]) -> Self {
        let mut refused = None;
        let mut used = (linked, None);
        for place in places(region).into_iter().flatten() {
            let image = region.get(place.range.clone()).unwrap_or_default();
            match Model::parse(image) {
                Ok(_) => {
                    used = (image, Some(place.range.start));
                    break;
                }
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        let (image, start) = used;
        Choice {
            start,
            refused,
            ..Choice::only(image)
        }
    }

    /// The model in this image, which is all there is.
    #[inline(never)]
    #[must_use]
    pub fn only(image: &'a [u8]) -> Self {
        let model = Model::parse(image);
        let bytes = model.as_ref().map_or(0, Model::image_bytes);
        Choice {
            model,
            image: image.get(..bytes).unwrap_or_default(),
            start: None,
            refused: None,
        }
    }

    /// The same model, read from a copy of its image.
    #[must_use]
    pub fn copied(self, image: &'a [u8]) -> Self {
        Choice {
            start: self.start,
            refused: self.refused,
            ..Choice::only(image)
        }
    }

    /// The bytes of the flash for models that hold it: none where it is the linked one.
    #[must_use]
    pub fn in_use(&self) -> Range<usize> {
        match self.start {
            Some(start) => start..start + self.image.len(),
            None => 0..0,
        }
    }
}
