//! Model images: whatever is no image is refused, and whatever is one runs alike on every kernel.

use host::engine::Wide;
use inkling_engine::anything::{mended, settings, trace};
use inkling_engine::kernels::exact::Exact;
use inkling_engine::kernels::{Kernel, Tables};
use inkling_engine::sampler::Rng;
use inkling_engine::{AlignedImage, Generator, Lstm, Model, Settings, State};

/// Characters that each kernel writes.
const CHARACTERS: usize = 50;

/// A larger image is made smaller, so that many of them are tried in a second.
const MOST_BYTES: usize = 24 * 1024;

/// Where the hidden size lies in an image.
const HIDDEN_OFFSET: usize = 16;

/// Any bytes are either refused or run.
pub fn raw(bytes: &[u8]) {
    let image = AlignedImage::new(bytes);
    if let Ok(model) = image.model()
        && model.image_bytes() <= MOST_BYTES
    {
        run(model, Rng::new(0));
    }
}

/// The sound image that is closest to some bytes runs alike on every kernel, whatever its numbers. The
/// first eight bytes choose how symbols are drawn.
pub fn sound(bytes: &[u8]) {
    let Some((seed, bytes)) = bytes.split_first_chunk() else {
        return;
    };
    let mut image = mended(bytes);
    while image.bytes().len() > MOST_BYTES {
        let mut smaller = image.bytes().to_vec();
        let hidden = u16::from_le_bytes([smaller[HIDDEN_OFFSET], smaller[HIDDEN_OFFSET + 1]]);
        let half = hidden / 2;
        smaller[HIDDEN_OFFSET..HIDDEN_OFFSET + 2].copy_from_slice(&half.to_le_bytes());
        image = mended(&smaller);
    }
    let model = image.model().expect("what is mended is sound");
    assert_eq!(mended(image.bytes()), image);
    run(model, Rng::new(u64::from_le_bytes(*seed)));
}

fn run(model: Model<'_>, mut random: Rng) {
    let settings = settings(&mut random);
    let seed = random.next_u32().into();
    let exact = traced(model, Exact, settings, seed);
    assert_eq!(traced(model, Tables, settings, seed), exact);
    for kernel in Wide::all(model) {
        assert_eq!(traced(model, kernel, settings, seed), exact);
    }
}

fn traced<K: Kernel>(model: Model<'_>, kernel: K, settings: Settings, seed: u64) -> u32 {
    let lstm = Lstm::with_kernel(model, State::any(), kernel).expect("enough for any model");
    trace(&mut Generator::of(lstm, settings, seed), CHARACTERS)
}
