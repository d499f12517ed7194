//! The network, forward and backward by hand (truncated backpropagation through time).
//!
//! Where no component of an embedded symbol is dropped, embedding and input weights become one row per
//! symbol; each step is one product with weights that are packed once per window and one pass over its
//! units; and the gradient of all recurrent weights is one product over all steps.

use pulp::Arch;

use super::cross_entropy::CrossEntropy;
use super::layer::{Extent, Layer};
use super::product::{Matrix, Products};
use crate::backend::{StreamState, Task};
use crate::shape::Shape;

/// Computes losses and gradients; keeps the memory that this takes.
#[derive(Debug)]
pub struct Network {
    arch: Arch,
    products: Products,
    shape: Shape,
    layers: Vec<Layer>,
    /// Per symbol, the pre-activations of the first layer that it leads to; going back, their gradients.
    table: Vec<f32>,
    /// Embedded symbols, step by step, where their components are dropped.
    embedded: Vec<f32>,
    /// The last layer's hidden state after each step, with what is dropped.
    output: Vec<f32>,
    /// Logits, then their gradients.
    logits: Vec<f32>,
    /// The gradients of a layer's hidden state after each step.
    hidden_gradient: Vec<f32>,
    gradient: Vec<f32>,
}

/// The matrices and biases of a network within its flat weights or their gradient.
struct Parts<T> {
    embedding: T,
    layers: Vec<LayerParts<T>>,
    output: T,
    output_bias: T,
}

/// Those of a layer.
struct LayerParts<T> {
    input: T,
    recurrent: T,
    input_bias: T,
    recurrent_bias: T,
}

impl Network {
    /// A network of this shape.
    #[must_use]
    pub fn new(shape: &Shape) -> Self {
        let arch = Arch::new();
        Self {
            arch,
            products: Products::new(arch),
            shape: *shape,
            layers: (0..shape.layers).map(|_| Layer::default()).collect(),
            table: Vec::new(),
            embedded: Vec::new(),
            output: Vec::new(),
            logits: Vec::new(),
            hidden_gradient: Vec::new(),
            gradient: vec![0.0; shape.numel()],
        }
    }

    /// The gradient of the last task, flat.
    #[must_use]
    pub fn gradient(&self) -> &[f32] {
        &self.gradient
    }

    /// The state after the last task's window.
    #[must_use]
    pub fn state(&self) -> StreamState {
        let mut state = StreamState {
            hidden: Vec::new(),
            cell: Vec::new(),
        };
        for (hidden, cell) in self.layers.iter().map(Layer::last) {
            state.hidden.extend(hidden);
            state.cell.extend(cell);
        }
        state
    }

    /// The loss of `task` times its share, in nats per character; its gradient and the state after it are
    /// kept.
    pub fn compute(&mut self, weights: &[f32], task: &Task) -> f64 {
        let weights = self.shape.parts(weights, <[f32]>::split_at);
        self.forward(&weights, task);
        let count = task.targets.len() as f64;
        let loss = self.arch.dispatch(CrossEntropy {
            logits: &mut self.logits,
            targets: &task.targets,
            weight: (task.share / count) as f32,
        });
        self.backward(&weights, task);
        loss * task.share / count
    }

    fn forward(&mut self, weights: &Parts<&[f32]>, task: &Task) {
        let shape = self.shape;
        let extent = Extent {
            streams: task.streams,
            steps: task.inputs.len() / task.streams,
            units: shape.hidden,
        };
        let size = extent.streams * extent.units;
        let products = &mut self.products;
        for (index, parts) in weights.layers.iter().enumerate() {
            let (below, layer) = self.layers.split_at_mut(index);
            let layer = &mut layer[0];
            let own = index * size..(index + 1) * size;
            let StreamState { hidden, cell } = &task.state;
            layer.begin(extent, &hidden[own.clone()], &cell[own]);
            let bias = parts.bias();
            match (below.last(), &task.dropped.input) {
                (None, None) => {
                    self.table.clear();
                    for _ in 0..shape.symbols {
                        self.table.extend(&bias);
                    }
                    let embedding = Matrix::new(weights.embedding, shape.embedding);
                    let input = Matrix::new(parts.input, shape.embedding);
                    products.add(embedding, input.transposed(), &mut self.table);
                    layer.set_pre_activations_by_symbol(&self.table, &task.inputs);
                }
                (None, Some(factors)) => {
                    self.embedded.clear();
                    for &symbol in &task.inputs {
                        let begin = usize::from(symbol) * shape.embedding;
                        let row = &weights.embedding[begin..begin + shape.embedding];
                        self.embedded.extend(row);
                    }
                    scale(&mut self.embedded, factors);
                    let embedded = Matrix::new(&self.embedded, shape.embedding);
                    let input = Matrix::new(parts.input, shape.embedding);
                    layer.set_pre_activations(products, embedded, input, &bias);
                }
                (Some(below), _) => {
                    let outputs = Matrix::new(below.hidden(), shape.hidden);
                    let input = Matrix::new(parts.input, shape.hidden);
                    layer.set_pre_activations(products, outputs, input, &bias);
                }
            }
            let factors = task.dropped.recurrent.get(index);
            layer.forward(self.arch, products, parts.recurrent, factors);
        }
        self.output.clear();
        self.output.extend(last_hidden(&self.layers));
        if let Some(factors) = &task.dropped.output {
            scale(&mut self.output, factors);
        }
        self.logits.clear();
        for _ in &task.targets {
            self.logits.extend(weights.output_bias);
        }
        products.add(
            Matrix::new(&self.output, shape.hidden),
            Matrix::new(weights.output, shape.hidden).transposed(),
            &mut self.logits,
        );
    }

    fn backward(&mut self, weights: &Parts<&[f32]>, task: &Task) {
        let shape = self.shape;
        self.gradient.fill(0.0);
        let mut gradient = shape.parts(&mut self.gradient[..], <[f32]>::split_at_mut);
        let products = &mut self.products;
        let logits = Matrix::new(&self.logits, shape.symbols);
        let outputs = Matrix::new(&self.output, shape.hidden);
        products.add(logits.transposed(), outputs, gradient.output);
        add_rows(&self.logits, gradient.output_bias);
        // From the last layer to the first.
        let hidden = &mut self.hidden_gradient;
        hidden.clear();
        hidden.resize(self.output.len(), 0.0);
        products.add(logits, Matrix::new(weights.output, shape.hidden), hidden);
        if let Some(factors) = &task.dropped.output {
            scale(hidden, factors);
        }

        for (index, parts) in weights.layers.iter().enumerate().rev() {
            let to = &mut gradient.layers[index];
            let (below, layer) = self.layers.split_at_mut(index);
            let layer = &mut layer[0];
            let factors = task.dropped.recurrent.get(index);
            layer.backward(self.arch, products, hidden);
            layer.add_recurrent_gradient(products, factors, to.recurrent);
            match (below.last(), &task.dropped.input) {
                (None, None) => {
                    self.table.fill(0.0);
                    layer.add_gradients_by_symbol(&task.inputs, &mut self.table);
                    let rows = Matrix::new(&self.table, 4 * shape.hidden);
                    let embedding = Matrix::new(weights.embedding, shape.embedding);
                    let input = Matrix::new(parts.input, shape.embedding);
                    products.add(rows.transposed(), embedding, to.input);
                    products.add(rows, input, gradient.embedding);
                    add_rows(&self.table, to.input_bias);
                }
                (None, Some(factors)) => {
                    let embedded = Matrix::new(&self.embedded, shape.embedding);
                    let input = Matrix::new(parts.input, shape.embedding);
                    products.add(
                        layer.pre_activation_gradients().transposed(),
                        embedded,
                        to.input,
                    );
                    hidden.clear();
                    hidden.resize(self.embedded.len(), 0.0);
                    products.add(layer.pre_activation_gradients(), input, hidden);
                    scale(hidden, factors);
                    let rows = hidden.chunks_exact(shape.embedding);
                    for (row, &symbol) in rows.zip(&task.inputs) {
                        let begin = usize::from(symbol) * shape.embedding;
                        add_rows(row, &mut gradient.embedding[begin..begin + shape.embedding]);
                    }
                    add_rows(layer.pre_activation_gradients().values(), to.input_bias);
                }
                (Some(below), _) => {
                    let outputs = Matrix::new(below.hidden(), shape.hidden);
                    let input = Matrix::new(parts.input, shape.hidden);
                    products.add(
                        layer.pre_activation_gradients().transposed(),
                        outputs,
                        to.input,
                    );
                    hidden.fill(0.0);
                    products.add(layer.pre_activation_gradients(), input, hidden);
                    add_rows(layer.pre_activation_gradients().values(), to.input_bias);
                }
            }
            to.recurrent_bias.copy_from_slice(to.input_bias);
        }
    }
}

impl Shape {
    /// The parts of `flat`, which `split` cuts, in the order of [`Shape::entries`].
    fn parts<T: Default>(self, flat: T, split: impl Fn(T, usize) -> (T, T)) -> Parts<T> {
        let Self {
            symbols,
            embedding,
            hidden,
            layers,
        } = self;
        let mut rest = flat;
        let mut next = |size| {
            let (part, behind) = split(std::mem::take(&mut rest), size);
            rest = behind;
            part
        };
        Parts {
            embedding: next(symbols * embedding),
            layers: (0..layers)
                .map(|index| LayerParts {
                    input: next(4 * hidden * if index == 0 { embedding } else { hidden }),
                    recurrent: next(4 * hidden * hidden),
                    input_bias: next(4 * hidden),
                    recurrent_bias: next(4 * hidden),
                })
                .collect(),
            output: next(symbols * hidden),
            output_bias: next(symbols),
        }
    }
}

impl LayerParts<&[f32]> {
    /// Both biases together.
    fn bias(&self) -> Vec<f32> {
        let both = self.input_bias.iter().zip(self.recurrent_bias);
        both.map(|(a, b)| a + b).collect()
    }
}

fn last_hidden(layers: &[Layer]) -> &[f32] {
    layers.last().map(Layer::hidden).unwrap_or_default()
}

/// Multiplies every step's rows by `factors`, which are those of one step.
fn scale(rows: &mut [f32], factors: &[f32]) {
    for step in rows.chunks_exact_mut(factors.len()) {
        step.iter_mut().zip(factors).for_each(|(x, f)| *x *= f);
    }
}

/// Adds every row of `rows` to `sums`.
fn add_rows(rows: &[f32], sums: &mut [f32]) {
    for row in rows.chunks_exact(sums.len()) {
        sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
    }
}
