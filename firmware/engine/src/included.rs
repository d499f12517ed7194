//! Images that are part of a program: aligned and checked when it is compiled.

use crate::check::{Header, check};
use crate::image::Model;
use crate::state::state_words;

/// A checked image of `N` bytes, see [`include_model!`](crate::include_model!).
#[derive(Clone, Debug)]
#[repr(C, align(16))]
pub struct Included<const N: usize> {
    bytes: [u8; N],
    header: Header,
}

impl<const N: usize> Included<N> {
    /// Checks an image.
    ///
    /// # Panics
    /// When it is no sound image: when compiling, where this is the value of a static variable or a constant.
    #[must_use]
    pub const fn new(bytes: [u8; N]) -> Self {
        match check(&bytes) {
            Ok(header) => Self { bytes, header },
            Err(error) => panic!("{}", error.reason()),
        }
    }

    /// The model in it.
    #[must_use]
    pub fn model(&self) -> Model<'_> {
        Model::view(&self.bytes, &self.header)
    }
}

/// Words that the model of an image works in.
///
/// # Panics
/// When it is no sound image.
#[must_use]
pub const fn state_words_of(image: &[u8]) -> usize {
    match check(image) {
        Ok(header) => state_words(&header.dimensions),
        Err(error) => panic!("{}", error.reason()),
    }
}

/// The [`Model`](crate::Model) in an image file, which becomes part of the program. The path is relative to
/// the file of source code that it stands in.
///
/// The image is aligned and checked by the compiler: one that is cut short, damaged or of another version is an
/// error of compilation, and nothing is left to check when the program runs.
///
/// ```
/// use inkling_engine::{Generator, Settings, State, include_model, state_words};
///
/// let model = include_model!("../../../weights/shakespeare-32k.img");
/// let state = State::<{ state_words!("../../../weights/shakespeare-32k.img") }>::new();
/// let mut generator = Generator::new(model, state, Settings::default(), 1)?;
/// let letter: char = generator.next_char();
/// # Ok::<(), inkling_engine::ImageError>(())
/// ```
///
/// ```compile_fail
/// inkling_engine::include_model!("lib.rs"); // this is not a model image
/// ```
#[macro_export]
macro_rules! include_model {
    ($path:expr $(,)?) => {{
        const LENGTH: usize = ::core::include_bytes!($path).len();
        // A large image takes the compiler a moment.
        #[allow(long_running_const_eval)]
        static IMAGE: $crate::included::Included<LENGTH> =
            $crate::included::Included::new(*::core::include_bytes!($path));
        IMAGE.model()
    }};
}

/// The size of a [`State`](crate::State) for the model in an image file, see
/// [`include_model!`](crate::include_model!).
#[macro_export]
macro_rules! state_words {
    ($path:expr $(,)?) => {{
        #[allow(long_running_const_eval)]
        const WORDS: usize = $crate::included::state_words_of(::core::include_bytes!($path));
        WORDS
    }};
}
