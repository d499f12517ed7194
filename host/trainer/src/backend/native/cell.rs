//! The LSTM cell at one step, forward and backward: all that lies between two matrix products.
//!
//! `c' = σ(f) c + σ(i) tanh(g)`, `h' = σ(o) tanh(c')`. Gates lie as libtorch has them: of each stream all
//! i, all f, all g, all o.

use pulp::{Simd, WithSimd};

use super::functions::{sigmoid, tanh};
use super::vectors::{load, store};

/// Takes the pre-activations of a step to its cell and hidden state.
#[derive(Debug)]
pub struct Forward<'a> {
    /// Units per stream.
    pub units: usize,
    /// Pre-activations, replaced by the gates' activations: four per unit.
    pub gates: &'a mut [f32],
    /// The cell state before the step.
    pub before: &'a [f32],
    /// The cell state after it.
    pub cell: &'a mut [f32],
    /// Its tanh.
    pub tanh_cell: &'a mut [f32],
    /// The hidden state after it.
    pub hidden: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let units = self.units;
        let streams = self.gates.chunks_exact_mut(4 * units);
        for (stream, gates) in streams.enumerate() {
            let own = stream * units..(stream + 1) * units;
            let before = &self.before[own.clone()];
            let cell = &mut self.cell[own.clone()];
            let tanh_cell = &mut self.tanh_cell[own.clone()];
            let hidden = &mut self.hidden[own];
            let [i, f, g, o] = quarters(gates);
            for begin in (0..units).step_by(S::F32_LANES) {
                let part = begin..units.min(begin + S::F32_LANES);
                let vi = sigmoid(simd, load(simd, &i[part.clone()]));
                let vf = sigmoid(simd, load(simd, &f[part.clone()]));
                let vg = tanh(simd, load(simd, &g[part.clone()]));
                let vo = sigmoid(simd, load(simd, &o[part.clone()]));
                let kept = simd.mul_f32s(vf, load(simd, &before[part.clone()]));
                let vc = simd.mul_add_e_f32s(vi, vg, kept);
                let vt = tanh(simd, vc);
                store(simd, &mut i[part.clone()], vi);
                store(simd, &mut f[part.clone()], vf);
                store(simd, &mut g[part.clone()], vg);
                store(simd, &mut o[part.clone()], vo);
                store(simd, &mut cell[part.clone()], vc);
                store(simd, &mut tanh_cell[part.clone()], vt);
                store(simd, &mut hidden[part], simd.mul_f32s(vo, vt));
            }
        }
    }
}

/// Takes the gradients of a step's hidden and cell state to those of its pre-activations and of the cell
/// state before it.
#[derive(Debug)]
pub struct Backward<'a> {
    /// Units per stream.
    pub units: usize,
    /// The gates' activations, replaced by the gradients of their pre-activations.
    pub gates: &'a mut [f32],
    /// The cell state before the step.
    pub before: &'a [f32],
    /// The tanh of the cell state after it.
    pub tanh_cell: &'a [f32],
    /// The gradient of the hidden state after it.
    pub hidden_gradient: &'a [f32],
    /// The gradient of the cell state: after the step, replaced by that before it.
    pub cell_gradient: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let units = self.units;
        let one = simd.splat_f32s(1.0);
        let times = |a, b| simd.mul_f32s(a, b);
        // Of the functions' values, not of their arguments.
        let sigmoid_derivative = |y| times(y, simd.sub_f32s(one, y));
        let tanh_derivative = |y| simd.sub_f32s(one, times(y, y));
        let streams = self.gates.chunks_exact_mut(4 * units);
        for (stream, gates) in streams.enumerate() {
            let own = stream * units..(stream + 1) * units;
            let before = &self.before[own.clone()];
            let tanh_cell = &self.tanh_cell[own.clone()];
            let hidden_gradient = &self.hidden_gradient[own.clone()];
            let cell_gradient = &mut self.cell_gradient[own];
            let [i, f, g, o] = quarters(gates);
            for begin in (0..units).step_by(S::F32_LANES) {
                let part = begin..units.min(begin + S::F32_LANES);
                let vi = load(simd, &i[part.clone()]);
                let vf = load(simd, &f[part.clone()]);
                let vg = load(simd, &g[part.clone()]);
                let vo = load(simd, &o[part.clone()]);
                let vt = load(simd, &tanh_cell[part.clone()]);
                let dh = load(simd, &hidden_gradient[part.clone()]);
                let through_hidden = times(times(dh, vo), tanh_derivative(vt));
                let later = load(simd, &cell_gradient[part.clone()]);
                let dc = simd.add_f32s(later, through_hidden);
                let di = times(times(dc, vg), sigmoid_derivative(vi));
                let vb = load(simd, &before[part.clone()]);
                let df = times(times(dc, vb), sigmoid_derivative(vf));
                let dg = times(times(dc, vi), tanh_derivative(vg));
                let d_o = times(times(dh, vt), sigmoid_derivative(vo));
                store(simd, &mut i[part.clone()], di);
                store(simd, &mut f[part.clone()], df);
                store(simd, &mut g[part.clone()], dg);
                store(simd, &mut o[part.clone()], d_o);
                store(simd, &mut cell_gradient[part], times(dc, vf));
            }
        }
    }
}

/// The four gates of a stream.
#[inline(always)]
fn quarters(gates: &mut [f32]) -> [&mut [f32]; 4] {
    let (first, second) = gates.split_at_mut(gates.len() / 2);
    let (i, f) = first.split_at_mut(first.len() / 2);
    let (g, o) = second.split_at_mut(second.len() / 2);
    [i, f, g, o]
}
