//! The rules of [`host::quantize::trits`] as tensor operations. Tests compare them with the originals.

use host::quantize::trits::{LARGEST_BYTE, first_step, largest};
use tch::{Kind, Tensor};

/// Rounds the rows of `to`, a copy of `weights`: [`round`](host::quantize::trits::round).
pub fn to_trits(weights: &Tensor, to: &mut Tensor, planes: u8) {
    let along = &[1_i64][..];
    let most = f64::from(largest(planes));
    let mean = weights.norm_scalaropt_dim(1.0, along, true) / weights.size()[1] as f64;
    let guess = above_zero(mean * first_step(planes));
    let _ = to.divide_(&guess).round_().clamp_(-most, most);
    let products = (weights * &*to).sum_dim_intlist(along, true, Kind::Float);
    let squares = to.square().sum_dim_intlist(along, true, Kind::Float);
    // Rows of zeros stay zeros.
    let _ = to.multiply_(&(products / squares.clamp_min(1.0)));
}

/// Rounds all of `to`, a copy of `weights`: [`round_bytes`](host::quantize::trits::round_bytes).
pub fn to_bytes(weights: &Tensor, to: &mut Tensor) {
    let step = above_zero(weights.abs().max() / LARGEST_BYTE);
    let _ = to.divide_(&step).round_().multiply_(&step);
}

/// Steps that can be divided by: those of weights that are all zero are zero.
fn above_zero(step: Tensor) -> Tensor {
    step.clamp_min(f64::from(f32::MIN_POSITIVE))
}
