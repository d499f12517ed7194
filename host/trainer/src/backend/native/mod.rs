//! The network in plain Rust, forward and backward by hand: what computes a window on the CPU.
//!
//! It computes what [`forward`](crate::backend::libtorch::network::forward) and libtorch's differentiation do, faster:
//! where no part of an embedded symbol is dropped, embedding and input weights become one row per
//! symbol; each step is one product with weights packed once per window and one pass over its
//! cells; and the gradient of all recurrent weights is one product over all steps.

use pulp::Arch;

use crate::shape::Shape;

mod cell;
mod cross_entropy;
mod functions;
mod layer;
mod product;
mod vectors;

use cross_entropy::CrossEntropy;
use layer::{Extent, Layer};
use product::{Matrix, Products};

/// A window, or the part of it that one worker computes.
#[derive(Debug, Default)]
pub struct Batch {
    /// Streams side by side.
    pub streams: usize,
    /// Symbols to read, step by step.
    pub inputs: Vec<usize>,
    /// Symbols to predict.
    pub targets: Vec<usize>,
    /// Outputs before the window, layer by layer; replaced by those after it.
    pub hidden: Vec<f32>,
    /// Cells before the window, replaced likewise.
    pub cells: Vec<f32>,
    /// Factors of each stream's embedded symbols; none: 1.
    pub input_factors: Option<Vec<f32>>,
    /// Factors of each stream's outputs; none: 1.
    pub output_factors: Option<Vec<f32>>,
    /// Factors of the recurrent weights, layer by layer; none: 1.
    pub recurrent_factors: Vec<Vec<f32>>,
    /// What the mean loss of this batch counts for.
    pub share: f64,
}

/// Computes losses and gradients; keeps the memory that this takes.
#[derive(Debug)]
pub struct Network {
    arch: Arch,
    products: Products,
    shape: Sizes,
    layers: Vec<Layer>,
    /// A row of input sums per symbol.
    table: Vec<f32>,
    /// Embedded symbols, step by step, where their components are dropped.
    embedded: Vec<f32>,
    /// The last layer's outputs, with what is dropped.
    outputs: Vec<f32>,
    scores: Vec<f32>,
    /// The gradients of a layer's outputs.
    hidden: Vec<f32>,
    gradient: Vec<f32>,
}

/// [`Shape`] for indexing.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    symbols: usize,
    embedding: usize,
    units: usize,
    layers: usize,
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
        let sizes = Sizes {
            symbols: shape.symbols as usize,
            embedding: shape.embedding as usize,
            units: shape.hidden as usize,
            layers: shape.layers as usize,
        };
        Self {
            arch,
            products: Products::new(arch),
            shape: sizes,
            layers: (0..sizes.layers).map(|_| Layer::default()).collect(),
            table: Vec::new(),
            embedded: Vec::new(),
            outputs: Vec::new(),
            scores: Vec::new(),
            hidden: Vec::new(),
            gradient: vec![0.0; shape.numel() as usize],
        }
    }

    /// The gradient of the last batch, flat.
    #[must_use]
    pub fn gradient(&self) -> &[f32] {
        &self.gradient
    }

    /// The loss of `batch` times its share, in nats per character; its gradient is kept, and the
    /// batch goes on to the state after it.
    pub fn compute(&mut self, weights: &[f32], batch: &mut Batch) -> f64 {
        let shape = self.shape;
        let weights = shape.parts(weights, <[f32]>::split_at);
        self.forward(&weights, batch);
        let loss = self.arch.dispatch(CrossEntropy {
            scores: &mut self.scores,
            targets: &batch.targets,
            weight: (batch.share / batch.targets.len() as f64) as f32,
        });
        self.backward(&weights, batch);
        loss * batch.share / batch.targets.len() as f64
    }

    fn forward(&mut self, weights: &Parts<&[f32]>, batch: &mut Batch) {
        let shape = self.shape;
        let extent = Extent {
            streams: batch.streams,
            steps: batch.inputs.len() / batch.streams,
            units: shape.units,
        };
        let products = &mut self.products;
        for (index, parts) in weights.layers.iter().enumerate() {
            let (below, layer) = self.layers.split_at_mut(index);
            let layer = &mut layer[0];
            let (hidden, cells) = batch.state(index, extent.streams * extent.units);
            layer.begin(extent, hidden, cells);
            let bias = parts.bias();
            match (below.last(), &batch.input_factors) {
                (None, None) => {
                    self.table.clear();
                    for _ in 0..shape.symbols {
                        self.table.extend(&bias);
                    }
                    let embedding = Matrix::new(weights.embedding, shape.embedding);
                    let input = Matrix::new(parts.input, shape.embedding);
                    products.add(embedding, input.transposed(), &mut self.table);
                    layer.set_sums_by_symbol(&self.table, &batch.inputs);
                }
                (None, Some(factors)) => {
                    self.embedded.clear();
                    for &symbol in &batch.inputs {
                        let begin = symbol * shape.embedding;
                        let row = &weights.embedding[begin..begin + shape.embedding];
                        self.embedded.extend(row);
                    }
                    scale(&mut self.embedded, factors);
                    let embedded = Matrix::new(&self.embedded, shape.embedding);
                    let input = Matrix::new(parts.input, shape.embedding);
                    layer.set_sums(products, embedded, input, &bias);
                }
                (Some(below), _) => {
                    let outputs = Matrix::new(below.outputs(), shape.units);
                    let input = Matrix::new(parts.input, shape.units);
                    layer.set_sums(products, outputs, input, &bias);
                }
            }
            let factors = batch.recurrent_factors.get(index);
            layer.forward(self.arch, products, parts.recurrent, factors);
            let (hidden, cells) = batch.state(index, extent.streams * extent.units);
            let (last_hidden, last_cells) = layer.last();
            hidden.copy_from_slice(last_hidden);
            cells.copy_from_slice(last_cells);
        }
        self.outputs.clear();
        self.outputs.extend(last_outputs(&self.layers));
        if let Some(factors) = &batch.output_factors {
            scale(&mut self.outputs, factors);
        }
        self.scores.clear();
        for _ in &batch.targets {
            self.scores.extend(weights.output_bias);
        }
        products.add(
            Matrix::new(&self.outputs, shape.units),
            Matrix::new(weights.output, shape.units).transposed(),
            &mut self.scores,
        );
    }

    fn backward(&mut self, weights: &Parts<&[f32]>, batch: &Batch) {
        let shape = self.shape;
        self.gradient.fill(0.0);
        let mut gradient = shape.parts(&mut self.gradient[..], <[f32]>::split_at_mut);
        let products = &mut self.products;
        let scores = Matrix::new(&self.scores, shape.symbols);
        let outputs = Matrix::new(&self.outputs, shape.units);
        products.add(scores.transposed(), outputs, gradient.output);
        add_rows(&self.scores, gradient.output_bias);
        // The gradient of the outputs of a layer, from the last to the first.
        let hidden = &mut self.hidden;
        hidden.clear();
        hidden.resize(self.outputs.len(), 0.0);
        products.add(scores, Matrix::new(weights.output, shape.units), hidden);
        if let Some(factors) = &batch.output_factors {
            scale(hidden, factors);
        }

        for (index, parts) in weights.layers.iter().enumerate().rev() {
            let to = &mut gradient.layers[index];
            let (below, layer) = self.layers.split_at_mut(index);
            let layer = &mut layer[0];
            let factors = batch.recurrent_factors.get(index);
            layer.backward(self.arch, products, hidden);
            layer.add_recurrent_gradient(products, factors, to.recurrent);
            match (below.last(), &batch.input_factors) {
                (None, None) => {
                    self.table.fill(0.0);
                    layer.add_sums_by_symbol(&batch.inputs, &mut self.table);
                    let rows = Matrix::new(&self.table, 4 * shape.units);
                    let embedding = Matrix::new(weights.embedding, shape.embedding);
                    let input = Matrix::new(parts.input, shape.embedding);
                    products.add(rows.transposed(), embedding, to.input);
                    products.add(rows, input, gradient.embedding);
                    add_rows(&self.table, to.input_bias);
                }
                (None, Some(factors)) => {
                    let embedded = Matrix::new(&self.embedded, shape.embedding);
                    let input = Matrix::new(parts.input, shape.embedding);
                    products.add(layer.sums().transposed(), embedded, to.input);
                    hidden.clear();
                    hidden.resize(self.embedded.len(), 0.0);
                    products.add(layer.sums(), input, hidden);
                    scale(hidden, factors);
                    let rows = hidden.chunks_exact(shape.embedding);
                    for (row, &symbol) in rows.zip(&batch.inputs) {
                        let begin = symbol * shape.embedding;
                        add_rows(row, &mut gradient.embedding[begin..begin + shape.embedding]);
                    }
                    add_rows(layer.sums().values(), to.input_bias);
                }
                (Some(below), _) => {
                    let outputs = Matrix::new(below.outputs(), shape.units);
                    let input = Matrix::new(parts.input, shape.units);
                    products.add(layer.sums().transposed(), outputs, to.input);
                    hidden.fill(0.0);
                    products.add(layer.sums(), input, hidden);
                    add_rows(layer.sums().values(), to.input_bias);
                }
            }
            to.recurrent_bias.copy_from_slice(to.input_bias);
        }
    }
}

impl Batch {
    /// Outputs and cells of a layer, `size` of each.
    fn state(&mut self, layer: usize, size: usize) -> (&mut [f32], &mut [f32]) {
        let own = layer * size..(layer + 1) * size;
        (&mut self.hidden[own.clone()], &mut self.cells[own])
    }
}

impl Sizes {
    /// The parts of `flat`, which `split` cuts, in the order of [`Shape::entries`].
    fn parts<T: Default>(self, flat: T, split: impl Fn(T, usize) -> (T, T)) -> Parts<T> {
        let Self {
            symbols,
            embedding,
            units,
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
                    input: next(4 * units * if index == 0 { embedding } else { units }),
                    recurrent: next(4 * units * units),
                    input_bias: next(4 * units),
                    recurrent_bias: next(4 * units),
                })
                .collect(),
            output: next(symbols * units),
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

fn last_outputs(layers: &[Layer]) -> &[f32] {
    layers.last().map(Layer::outputs).unwrap_or_default()
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
