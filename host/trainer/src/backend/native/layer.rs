//! One LSTM layer over a window: its steps forward, then backward through time.

use pulp::Arch;

use super::cell::{Backward, Forward};
use super::product::{Matrix, Panels, Products};

/// The extent of a window in a layer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Extent {
    /// Streams side by side.
    pub streams: usize,
    /// Steps of each.
    pub steps: usize,
    /// Cells per stream.
    pub units: usize,
}

/// A layer with all that it remembers of a window.
#[derive(Debug, Default)]
pub struct Layer {
    extent: Extent,
    /// The recurrent weights with some dropped, where some are.
    thinned: Vec<f32>,
    panels: Panels,
    /// Per step, stream and gate: sums, then activations, then the gradients of the sums.
    gates: Vec<f32>,
    /// Cells before each step, and after the last.
    cells: Vec<f32>,
    /// Outputs before each step, and after the last.
    hidden: Vec<f32>,
    /// Tangents of the cells after each step.
    tangents: Vec<f32>,
    /// The gradients of the cells.
    carried: Vec<f32>,
}

impl Layer {
    /// Begins a window with the outputs and cells before it.
    pub fn begin(&mut self, extent: Extent, hidden: &[f32], cells: &[f32]) {
        self.extent = extent;
        let size = extent.streams * extent.units;
        self.gates.resize(extent.steps * size * 4, 0.0);
        self.tangents.resize(extent.steps * size, 0.0);
        for (all, first) in [(&mut self.hidden, hidden), (&mut self.cells, cells)] {
            all.resize((extent.steps + 1) * size, 0.0);
            all[..size].copy_from_slice(first);
        }
    }

    /// Sets each sum to that of its symbol: `table` has a row for each.
    pub fn set_sums_by_symbol(&mut self, table: &[f32], symbols: &[usize]) {
        let size = 4 * self.extent.units;
        for (sums, &symbol) in self.gates.chunks_exact_mut(size).zip(symbols) {
            sums.copy_from_slice(&table[symbol * size..(symbol + 1) * size]);
        }
    }

    /// Sets the sums to `inputs` times the input weights and the bias.
    pub fn set_sums(
        &mut self,
        products: &mut Products,
        inputs: Matrix<'_>,
        weights: Matrix<'_>,
        bias: &[f32],
    ) {
        for sums in self.gates.chunks_exact_mut(bias.len()) {
            sums.copy_from_slice(bias);
        }
        products.add(inputs, weights.transposed(), &mut self.gates);
    }

    /// Computes all steps from their sums. `factors` are those of the recurrent `weights`.
    pub fn forward(
        &mut self,
        arch: Arch,
        products: &mut Products,
        weights: &[f32],
        factors: Option<&Vec<f32>>,
    ) {
        let Extent { streams, units, .. } = self.extent;
        self.thinned.clear();
        self.thinned.extend(weights);
        if let Some(factors) = factors {
            multiply(&mut self.thinned, factors);
        }
        let weights = Matrix::new(&self.thinned, units);
        self.panels.pack(arch, weights.transposed());
        let size = streams * units;
        let steps = self.gates.chunks_exact_mut(4 * size);
        let tangents = self.tangents.chunks_exact_mut(size);
        for (step, (gates, tangents)) in steps.zip(tangents).enumerate() {
            let (before, cells) = self.cells.split_at_mut((step + 1) * size);
            let (read, hidden) = self.hidden.split_at_mut((step + 1) * size);
            let read = Matrix::new(&read[step * size..], units);
            products.add_packed(read, &self.panels, gates);
            arch.dispatch(Forward {
                units,
                gates,
                before: &before[step * size..],
                cells: &mut cells[..size],
                tangents,
                hidden: &mut hidden[..size],
            });
        }
    }

    /// Its outputs after each step.
    pub fn outputs(&self) -> &[f32] {
        &self.hidden[self.extent.streams * self.extent.units..]
    }

    /// Its outputs and cells after the last step.
    pub fn last(&self) -> (&[f32], &[f32]) {
        let begin = self.tangents.len();
        (&self.hidden[begin..], &self.cells[begin..])
    }

    /// Goes back through all steps: from the gradients of the outputs, which it changes, to those
    /// of the sums.
    pub fn backward(&mut self, arch: Arch, products: &mut Products, hidden: &mut [f32]) {
        let Extent { streams, units, .. } = self.extent;
        self.panels.pack(arch, Matrix::new(&self.thinned, units));
        let size = streams * units;
        self.carried.clear();
        self.carried.resize(size, 0.0);
        for step in (0..self.extent.steps).rev() {
            let own = step * size..(step + 1) * size;
            let gates = &mut self.gates[step * 4 * size..(step + 1) * 4 * size];
            let (earlier, hidden) = hidden.split_at_mut(own.start);
            arch.dispatch(Backward {
                units,
                gates,
                before: &self.cells[own.clone()],
                tangents: &self.tangents[own],
                hidden: &hidden[..size],
                cells: &mut self.carried,
            });
            if step > 0 {
                let sums = Matrix::new(gates, 4 * units);
                let before = &mut earlier[(step - 1) * size..];
                products.add_packed(sums, &self.panels, before);
            }
        }
    }

    /// Per step and stream, after [`Layer::backward`]: the gradients of the sums.
    pub fn sums(&self) -> Matrix<'_> {
        Matrix::new(&self.gates, 4 * self.extent.units)
    }

    /// The same added up per symbol.
    pub fn add_sums_by_symbol(&self, symbols: &[usize], table: &mut [f32]) {
        let size = 4 * self.extent.units;
        for (sums, &symbol) in self.gates.chunks_exact(size).zip(symbols) {
            let row = &mut table[symbol * size..(symbol + 1) * size];
            row.iter_mut().zip(sums).for_each(|(all, x)| *all += x);
        }
    }

    /// Adds the gradient of the recurrent weights.
    pub fn add_recurrent_gradient(
        &self,
        products: &mut Products,
        factors: Option<&Vec<f32>>,
        gradient: &mut [f32],
    ) {
        let read = Matrix::new(&self.hidden[..self.tangents.len()], self.extent.units);
        products.add(self.sums().transposed(), read, gradient);
        if let Some(factors) = factors {
            multiply(gradient, factors);
        }
    }
}

fn multiply(values: &mut [f32], factors: &[f32]) {
    values.iter_mut().zip(factors).for_each(|(x, f)| *x *= f);
}
