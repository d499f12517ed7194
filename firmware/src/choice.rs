//! Which model a board writes with: the one that was flashed by itself, or the one linked with the program.

use inkling_engine::format::HEADER_BYTES;
use inkling_engine::{ImageError, Model};

/// Which of two images a program uses: one that was flashed by itself, or the linked one.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// The model.
    pub model: Result<Model<'a>, ImageError>,
    /// Whether it is the flashed one.
    pub is_flashed: bool,
    /// Why it is not, although there is something in its place.
    pub refused: Option<ImageError>,
}

impl<'a> Choice<'a> {
    /// Takes the flashed image if it is one. Erased flash is none and no reason to complain.
    #[must_use]
    pub fn new(flashed: &'a [u8], linked: &'a [u8]) -> Self {
        let header = flashed.get(..HEADER_BYTES).unwrap_or(flashed);
        let is_blank = |blank| header.iter().all(|&byte| byte == blank);
        let flashed = match is_blank(0xff) || is_blank(0) {
            true => None,
            false => Some(Model::parse(flashed)),
        };
        match flashed {
            Some(Ok(model)) => Choice {
                is_flashed: true,
                ..Ok(model).into()
            },
            _ => Choice {
                model: Model::parse(linked),
                is_flashed: false,
                refused: flashed.and_then(Result::err),
            },
        }
    }
}

impl<'a> From<Result<Model<'a>, ImageError>> for Choice<'a> {
    /// No choice.
    fn from(model: Result<Model<'a>, ImageError>) -> Self {
        Choice {
            model,
            is_flashed: false,
            refused: None,
        }
    }
}
