//! What happens in the cells of an LSTM layer at one step, forward and backward: all that lies
//! between two products.
//!
//! Gates lie as libtorch has them: of each stream all i, all f, all g, all o.

use pulp::{Simd, WithSimd};

use super::functions::{sigmoid, tanh};
use super::vectors::{load, store};

/// Takes the sums of a step to its cells and outputs.
#[derive(Debug)]
pub struct Forward<'a> {
    /// Cells per stream.
    pub units: usize,
    /// Sums, replaced by the gates' activations: four per cell.
    pub gates: &'a mut [f32],
    /// Cells before the step.
    pub before: &'a [f32],
    /// Cells after it.
    pub cells: &'a mut [f32],
    /// Their tangents.
    pub tangents: &'a mut [f32],
    /// Outputs.
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
            let cells = &mut self.cells[own.clone()];
            let tangents = &mut self.tangents[own.clone()];
            let hidden = &mut self.hidden[own];
            let [i, f, g, o] = quarters(gates);
            for begin in (0..units).step_by(S::F32_LANES) {
                let part = begin..units.min(begin + S::F32_LANES);
                let vi = sigmoid(simd, load(simd, &i[part.clone()]));
                let vf = sigmoid(simd, load(simd, &f[part.clone()]));
                let vg = tanh(simd, load(simd, &g[part.clone()]));
                let vo = sigmoid(simd, load(simd, &o[part.clone()]));
                let kept = simd.mul_f32s(vf, load(simd, &before[part.clone()]));
                let cell = simd.mul_add_e_f32s(vi, vg, kept);
                let tangent = tanh(simd, cell);
                store(simd, &mut i[part.clone()], vi);
                store(simd, &mut f[part.clone()], vf);
                store(simd, &mut g[part.clone()], vg);
                store(simd, &mut o[part.clone()], vo);
                store(simd, &mut cells[part.clone()], cell);
                store(simd, &mut tangents[part.clone()], tangent);
                store(simd, &mut hidden[part], simd.mul_f32s(vo, tangent));
            }
        }
    }
}

/// Takes the gradients of a step's outputs and cells to those of its sums and of the cells before.
#[derive(Debug)]
pub struct Backward<'a> {
    /// Cells per stream.
    pub units: usize,
    /// The gates' activations, replaced by the gradients of the sums.
    pub gates: &'a mut [f32],
    /// Cells before the step.
    pub before: &'a [f32],
    /// Tangents of the cells after it.
    pub tangents: &'a [f32],
    /// Gradients of the outputs.
    pub hidden: &'a [f32],
    /// Gradients of the cells: after the step, replaced by those before it.
    pub cells: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let units = self.units;
        let one = simd.splat_f32s(1.0);
        let times = |a, b| simd.mul_f32s(a, b);
        // The slopes of the logistic function and of the tangent, from their values.
        let slope = |y| times(y, simd.sub_f32s(one, y));
        let slope_of_tangent = |y| simd.sub_f32s(one, times(y, y));
        let streams = self.gates.chunks_exact_mut(4 * units);
        for (stream, gates) in streams.enumerate() {
            let own = stream * units..(stream + 1) * units;
            let before = &self.before[own.clone()];
            let tangents = &self.tangents[own.clone()];
            let hidden = &self.hidden[own.clone()];
            let cells = &mut self.cells[own];
            let [i, f, g, o] = quarters(gates);
            for begin in (0..units).step_by(S::F32_LANES) {
                let part = begin..units.min(begin + S::F32_LANES);
                let vi = load(simd, &i[part.clone()]);
                let vf = load(simd, &f[part.clone()]);
                let vg = load(simd, &g[part.clone()]);
                let vo = load(simd, &o[part.clone()]);
                let tangent = load(simd, &tangents[part.clone()]);
                let output = load(simd, &hidden[part.clone()]);
                let through = times(times(output, vo), slope_of_tangent(tangent));
                let cell = simd.add_f32s(load(simd, &cells[part.clone()]), through);
                let di = times(times(cell, vg), slope(vi));
                let df = times(times(cell, load(simd, &before[part.clone()])), slope(vf));
                let dg = times(times(cell, vi), slope_of_tangent(vg));
                let d_o = times(times(output, tangent), slope(vo));
                store(simd, &mut i[part.clone()], di);
                store(simd, &mut f[part.clone()], df);
                store(simd, &mut g[part.clone()], dg);
                store(simd, &mut o[part.clone()], d_o);
                store(simd, &mut cells[part], times(cell, vf));
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
