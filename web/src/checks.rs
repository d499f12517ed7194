//! What tests that run in node need: the kernel with vectors is compared with plain arithmetic, and models are
//! made up.

use inkling_engine::format::{GROUP, TILE_ROWS, largest};
use inkling_engine::image::Matrix;
use inkling_engine::kernels::wasm::{Columns, Spread};
use inkling_engine::sampler::Rng;
use inkling_engine::writer::{Weights, made_up};

use super::with;

/// Compares products of this many random matrices; the result is how many differ.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn kernels_differ(rounds: u32, seed: u64) -> u32 {
    let mut rng = Rng::new(seed);
    (0..rounds).filter(|_| !is_exact(&mut rng)).count() as u32
}

/// Makes a model up; the output is its image.
#[cfg_attr(target_arch = "wasm32", unsafe(no_mangle))]
pub extern "C" fn make_up(symbols: usize, hidden: usize) {
    with(|instance| instance.output = made_up(symbols, hidden, 1, 1).bytes().to_vec());
}

fn is_exact(rng: &mut Rng) -> bool {
    let mut below = |count: u32| rng.next_u32() % count;
    let planes = 1 + below(5) as u8;
    let most = if below(4) == 0 { 1024 } else { 70 };
    let columns = 1 + below(most) as usize;
    let tiles = 1 + below(20) as usize;
    let max = largest(planes);
    // Half of the matrices are as large as can be, so that sums are at their limits.
    let is_extreme = below(2) == 0;
    let sign = below(2) as i32 * 2 - 1;
    let mut number = |max: i32| -> i8 {
        let number = match is_extreme {
            true => sign * max,
            false => below(2 * max as u32 + 1) as i32 - max,
        };
        number.clamp(i8::MIN.into(), i8::MAX.into()) as i8
    };
    let h: Vec<i8> = (0..columns).map(|_| number(128)).collect();
    let values: Vec<i8> = (0..TILE_ROWS * tiles * columns)
        .map(|_| number(max))
        .collect();
    let exact: Vec<i32> = values
        .chunks_exact(columns)
        .map(|row| {
            let products = row.iter().zip(&h);
            products.map(|(&w, &h)| i32::from(w) * i32::from(h)).sum()
        })
        .collect();
    let packed = Weights {
        planes,
        columns,
        values,
    }
    .packed();
    let matrix = Matrix {
        weights: &packed,
        planes,
    };
    let mut padded = h;
    padded.resize(columns.next_multiple_of(GROUP), 0);
    let mut sums = vec![[7; TILE_ROWS]; tiles];
    Spread::new(matrix, tiles, columns).multiply(&Columns::new(&padded), &mut sums);
    sums.as_flattened() == exact
}
