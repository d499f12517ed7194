//! One LSTM layer over a window: its steps forward, then back through time.

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
    /// Units per stream.
    pub units: usize,
}

/// A layer with all that it remembers of a window.
#[derive(Debug, Default)]
pub struct Layer {
    extent: Extent,
    /// The recurrent weights after DropConnect.
    recurrent: Vec<f32>,
    panels: Panels,
    /// Per step, stream and gate: pre-activations, then activations, then the gradients of the
    /// pre-activations.
    gates: Vec<f32>,
    /// The cell state before each step, and after the last.
    cell: Vec<f32>,
    /// The hidden state before each step, and after the last.
    hidden: Vec<f32>,
    /// The tanh of the cell state after each step.
    tanh_cell: Vec<f32>,
    /// The gradient of the cell state, which is carried back from step to step.
    cell_gradient: Vec<f32>,
}

impl Layer {
    /// Begins a window with the hidden and cell state before it.
    pub fn begin(&mut self, extent: Extent, hidden: &[f32], cell: &[f32]) {
        self.extent = extent;
        let size = extent.streams * extent.units;
        self.gates.resize(extent.steps * size * 4, 0.0);
        self.tanh_cell.resize(extent.steps * size, 0.0);
        for (all, first) in [(&mut self.hidden, hidden), (&mut self.cell, cell)] {
            all.resize((extent.steps + 1) * size, 0.0);
            all[..size].copy_from_slice(first);
        }
    }

    /// Sets the pre-activations of each step to those of its symbol: `table` has a row for each.
    pub fn set_pre_activations_by_symbol(&mut self, table: &[f32], symbols: &[u8]) {
        let size = 4 * self.extent.units;
        for (gates, &symbol) in self.gates.chunks_exact_mut(size).zip(symbols) {
            gates.copy_from_slice(&table[usize::from(symbol) * size..][..size]);
        }
    }

    /// Sets the pre-activations to `inputs` times the input weights plus the bias.
    pub fn set_pre_activations(
        &mut self,
        products: &mut Products,
        inputs: Matrix<'_>,
        weights: Matrix<'_>,
        bias: &[f32],
    ) {
        for gates in self.gates.chunks_exact_mut(bias.len()) {
            gates.copy_from_slice(bias);
        }
        products.add(inputs, weights.transposed(), &mut self.gates);
    }

    /// Computes all steps; their pre-activations hold the part of the input, without the recurrent one.
    /// DropConnect multiplies the recurrent `weights` by `factors`.
    pub fn forward(
        &mut self,
        arch: Arch,
        products: &mut Products,
        weights: &[f32],
        factors: Option<&Vec<f32>>,
    ) {
        let Extent { streams, units, .. } = self.extent;
        self.recurrent.clear();
        self.recurrent.extend(weights);
        if let Some(factors) = factors {
            multiply(&mut self.recurrent, factors);
        }
        let weights = Matrix::new(&self.recurrent, units);
        self.panels.pack(arch, weights.transposed());
        let size = streams * units;
        let steps = self.gates.chunks_exact_mut(4 * size);
        let tanh_cell = self.tanh_cell.chunks_exact_mut(size);
        for (step, (gates, tanh_cell)) in steps.zip(tanh_cell).enumerate() {
            let (before, cell) = self.cell.split_at_mut((step + 1) * size);
            let (read, hidden) = self.hidden.split_at_mut((step + 1) * size);
            let read = Matrix::new(&read[step * size..], units);
            products.add_packed(read, &self.panels, gates);
            arch.dispatch(Forward {
                units,
                gates,
                before: &before[step * size..],
                cell: &mut cell[..size],
                tanh_cell,
                hidden: &mut hidden[..size],
            });
        }
    }

    /// Its hidden state after each step.
    pub fn hidden(&self) -> &[f32] {
        &self.hidden[self.extent.streams * self.extent.units..]
    }

    /// Its hidden and cell state after the last step.
    pub fn last(&self) -> (&[f32], &[f32]) {
        let begin = self.tanh_cell.len();
        (&self.hidden[begin..], &self.cell[begin..])
    }

    /// Backpropagation through time: takes the gradients of the hidden state after each step, as the layers
    /// above have them, to those of the pre-activations. What the next step adds to them is added here.
    pub fn backward(&mut self, arch: Arch, products: &mut Products, hidden_gradient: &mut [f32]) {
        let Extent { streams, units, .. } = self.extent;
        self.panels.pack(arch, Matrix::new(&self.recurrent, units));
        let size = streams * units;
        self.cell_gradient.clear();
        self.cell_gradient.resize(size, 0.0);
        for step in (0..self.extent.steps).rev() {
            let own = step * size..(step + 1) * size;
            let gates = &mut self.gates[step * 4 * size..(step + 1) * 4 * size];
            let (earlier, hidden_gradient) = hidden_gradient.split_at_mut(own.start);
            arch.dispatch(Backward {
                units,
                gates,
                before: &self.cell[own.clone()],
                tanh_cell: &self.tanh_cell[own],
                hidden_gradient: &hidden_gradient[..size],
                cell_gradient: &mut self.cell_gradient,
            });
            if step > 0 {
                let gates = Matrix::new(gates, 4 * units);
                let before = &mut earlier[(step - 1) * size..];
                products.add_packed(gates, &self.panels, before);
            }
        }
    }

    /// Per step and stream, after [`Layer::backward`]: the gradients of the pre-activations.
    pub fn pre_activation_gradients(&self) -> Matrix<'_> {
        Matrix::new(&self.gates, 4 * self.extent.units)
    }

    /// Adds the gradients of the pre-activations to the rows of their symbols in `table`.
    pub fn add_gradients_by_symbol(&self, symbols: &[u8], table: &mut [f32]) {
        let size = 4 * self.extent.units;
        for (gates, &symbol) in self.gates.chunks_exact(size).zip(symbols) {
            let row = &mut table[usize::from(symbol) * size..][..size];
            row.iter_mut().zip(gates).for_each(|(all, x)| *all += x);
        }
    }

    /// Adds the gradient of the recurrent weights.
    pub fn add_recurrent_gradient(
        &self,
        products: &mut Products,
        factors: Option<&Vec<f32>>,
        gradient: &mut [f32],
    ) {
        let read = Matrix::new(&self.hidden[..self.tanh_cell.len()], self.extent.units);
        products.add(self.pre_activation_gradients().transposed(), read, gradient);
        if let Some(factors) = factors {
            multiply(gradient, factors);
        }
    }
}

fn multiply(values: &mut [f32], factors: &[f32]) {
    values.iter_mut().zip(factors).for_each(|(x, f)| *x *= f);
}
