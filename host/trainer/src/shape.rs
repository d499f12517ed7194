//! The weights of a network: one flat tensor, and the named matrices that are views of it.
//!
//! Flat, so that the optimizer, the average and a checkpoint each are a few operations on one
//! tensor, however many layers there are.

use tch::{Device, Kind, Tensor};

use crate::data::random::{Purpose, seed_torch};

/// The dimensions of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Symbols of the alphabet.
    pub symbols: i64,
    /// Components per embedded symbol.
    pub embedding: i64,
    /// Cells per layer.
    pub hidden: i64,
    /// LSTM layers.
    pub layers: i64,
}

/// One named tensor within the flat one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, as PyTorch would call it.
    pub name: String,
    /// Its dimensions.
    pub size: Vec<i64>,
}

impl Entry {
    /// How many numbers it holds.
    #[must_use]
    pub fn numel(&self) -> i64 {
        self.size.iter().product()
    }

    /// Whether it is a bias, which is not decayed.
    #[must_use]
    pub fn is_bias(&self) -> bool {
        self.size.len() == 1
    }
}

impl Shape {
    /// The tensors of a network of this shape, in the order in which they lie in the flat one.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        let Self {
            symbols,
            embedding,
            hidden,
            layers,
        } = *self;
        let entry = |name: String, size: &[i64]| Entry {
            name,
            size: size.to_vec(),
        };
        let mut entries = vec![entry("embedding.weight".into(), &[symbols, embedding])];
        for k in 0..layers {
            let input = if k == 0 { embedding } else { hidden };
            entries.push(entry(format!("lstm.weight_ih_l{k}"), &[4 * hidden, input]));
            entries.push(entry(format!("lstm.weight_hh_l{k}"), &[4 * hidden, hidden]));
            entries.push(entry(format!("lstm.bias_ih_l{k}"), &[4 * hidden]));
            entries.push(entry(format!("lstm.bias_hh_l{k}"), &[4 * hidden]));
        }
        entries.push(entry("output.weight".into(), &[symbols, hidden]));
        entries.push(entry("output.bias".into(), &[symbols]));
        entries
    }

    /// How many numbers a network of this shape has.
    #[must_use]
    pub fn numel(&self) -> i64 {
        self.entries().iter().map(Entry::numel).sum()
    }

    /// Random first weights, distributed as PyTorch's layers start out.
    pub fn first_weights(&self, seed: u64, device: Device) -> Tensor {
        seed_torch(seed, Purpose::Weights, 0);
        let bound = 1.0 / (self.hidden as f64).sqrt();
        let parts: Vec<Tensor> = self
            .entries()
            .iter()
            .map(|entry| {
                let mut part = Tensor::empty([entry.numel()], (Kind::Float, Device::Cpu));
                if entry.name.starts_with("embedding") {
                    part.normal_(0.0, 1.0)
                } else {
                    part.uniform_(-bound, bound)
                }
            })
            .collect();
        Tensor::cat(&parts, 0).to_device(device)
    }

    /// The named views of a flat tensor, in order.
    #[must_use]
    pub fn views(&self, flat: &Tensor) -> Vec<(Entry, Tensor)> {
        let mut offset = 0;
        self.entries()
            .into_iter()
            .map(|entry| {
                let view = flat.narrow(0, offset, entry.numel()).view(&entry.size[..]);
                offset += entry.numel();
                (entry, view)
            })
            .collect()
    }
}

/// The matrices of a network, for a forward pass.
#[derive(Debug)]
pub struct Weights {
    tensors: Vec<Tensor>,
}

impl Weights {
    /// Views of `flat`, which must be as long as `shape` says.
    #[must_use]
    pub fn of(shape: &Shape, flat: &Tensor) -> Self {
        Self {
            tensors: shape
                .views(flat)
                .into_iter()
                .map(|(_, view)| view)
                .collect(),
        }
    }

    /// Views of `flat` that gradients can be asked for. They share its memory: what the optimizer
    /// does to it shows in them.
    #[must_use]
    pub fn leaves(shape: &Shape, flat: &Tensor) -> Self {
        let leaf = |(_, view): (Entry, Tensor)| view.detach().set_requires_grad(true);
        Self {
            tensors: shape.views(flat).into_iter().map(leaf).collect(),
        }
    }

    /// `[V, E]`: a row per symbol.
    pub fn embedding(&self) -> &Tensor {
        &self.tensors[0]
    }

    /// Per layer: input and recurrent weights, then their biases, as libtorch's LSTM takes them.
    pub fn lstm(&self) -> &[Tensor] {
        &self.tensors[1..self.tensors.len() - 2]
    }

    /// `[V, H]`: from the last layer's state to a score per symbol.
    pub fn output(&self) -> &Tensor {
        &self.tensors[self.tensors.len() - 2]
    }

    /// `[V]`: what is added to those scores.
    pub fn output_bias(&self) -> &Tensor {
        &self.tensors[self.tensors.len() - 1]
    }

    /// The gradients of `loss`, flat. The graph behind `loss` is used up.
    ///
    /// # Errors
    /// When libtorch cannot differentiate it.
    pub fn gradient(&self, loss: &Tensor) -> Result<Tensor, tch::TchError> {
        let gradients = Tensor::f_run_backward(&[loss], &self.tensors, false, false)?;
        let flat: Vec<Tensor> = gradients.iter().map(|g| g.reshape([-1])).collect();
        Tensor::f_cat(&flat, 0)
    }
}
