//! The short form of `cargo xtask engine miri`: every way through the engine once. Elsewhere these are
//! tests like others.

#![allow(clippy::unwrap_used)]

use inkling_engine::anything::{image, settings, trace};
use inkling_engine::format::{BLOCK_GROUPS, GROUP, MAX_PLANES, TILE_ROWS, pack, unpack};
use inkling_engine::image::Matrix;
use inkling_engine::kernels::exact::Exact;
use inkling_engine::kernels::{self, Kernel, TABLE_WORDS, Tables, portable};
use inkling_engine::sampler::Rng;
use inkling_engine::{AlignedImage, Generator, Lstm, Settings, State};

/// What [`a_shipped_model_writes_twenty_characters_as_ever`] sums up.
const TWENTY_CHARACTERS: u32 = 0x2EB9_D464;

#[test]
fn a_shipped_model_writes_twenty_characters_as_ever() {
    let image = AlignedImage::new(include_bytes!("../../../weights/shakespeare-32k.img"));
    let model = image.model().unwrap();
    let generator = Generator::new(model, State::any(), Settings::default(), 1);
    assert_eq!(trace(&mut generator.unwrap(), 20), TWENTY_CHARACTERS);
}

#[test]
fn kernels_read_and_write_what_they_are_given_and_nothing_else() {
    let mut random = Rng::new(1);
    let mut below = |count: u32| random.next_u32() % count;
    for (groups, tiles) in [(1, 1), (3, 2), (BLOCK_GROUPS, 3)] {
        let columns: Vec<[i8; GROUP]> = (0..groups)
            .map(|_| core::array::from_fn(|_| below(256) as i8))
            .collect();
        let mut tables = vec![[0; TABLE_WORDS]; groups];
        for (table, columns) in tables.iter_mut().zip(&columns) {
            let mut expected = [0; TABLE_WORDS];
            kernels::build(table, columns);
            portable::build(&mut expected, columns);
            let sums = |table: &[u32; TABLE_WORDS]| {
                let halves = table.iter().flat_map(|word| [word & 0xFFFF, word >> 16]);
                let known = (0..=u8::MAX).zip(halves);
                let known = known.filter(|(byte, _)| unpack(*byte).is_some());
                known.collect::<Vec<_>>()
            };
            assert_eq!(sums(table), sums(&expected));
        }
        for planes in [1, 2, MAX_PLANES] {
            // Each of them exactly as long as it must be, so that a byte more is seen.
            let count = tiles * usize::from(planes) * groups * TILE_ROWS;
            let weights: Vec<u8> = (0..count)
                .map(|_| pack(core::array::from_fn(|_| below(3) as i8 - 1)))
                .collect();
            let matrix = Matrix {
                weights: &weights,
                planes,
            };
            let mut sums = vec![[7; TILE_ROWS]; tiles];
            let mut expected = sums.clone();
            kernels::sweep(&tables, matrix, &mut sums);
            portable::sweep(&tables, matrix, &mut expected);
            assert_eq!(sums, expected);
            // One tile too many: nothing is read behind the weights.
            kernels::sweep(&tables, matrix, &mut vec![[0; TILE_ROWS]; tiles + 1]);
        }
    }
}

#[test]
fn images_of_every_form_are_parsed_and_run() {
    for seed in 0..if cfg!(miri) { 4 } else { 40 } {
        let image = image(seed, 1_500);
        let settings = settings(&mut Rng::new(seed));
        let tables = traced(&image, Tables, settings);
        assert_eq!(tables, traced(&image, Exact, settings), "{seed}");
    }
}

fn traced<K: Kernel>(image: &AlignedImage, kernel: K, settings: Settings) -> u32 {
    let lstm = Lstm::with_kernel(image.model().unwrap(), State::any(), kernel).unwrap();
    trace(&mut Generator::of(lstm, settings, 7), 2)
}
