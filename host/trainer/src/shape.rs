//! The shape of a network, and how its weights lie in one flat tensor: named matrices are views of it.
//!
//! Flat, so that the optimizer, the average and a checkpoint each are a few operations on one
//! tensor, however many layers there are.

use tch::{Device, Kind, Tensor};

use host::checkpoint;

use crate::data::random::{Purpose, seed_torch};

/// The dimensions of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Symbols of the alphabet.
    pub symbols: usize,
    /// Components per embedded symbol.
    pub embedding: usize,
    /// Hidden size: LSTM units per layer.
    pub hidden: usize,
    /// LSTM layers.
    pub layers: usize,
}

/// One named tensor within the flat one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name, as PyTorch would call it.
    pub name: String,
    /// Its dimensions.
    pub size: Vec<usize>,
}

impl Entry {
    /// How many numbers it holds.
    #[must_use]
    pub fn numel(&self) -> usize {
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
        let entry = |(name, size)| Entry { name, size };
        self.layout().into_iter().map(entry).collect()
    }

    /// The same as names and sizes.
    pub(crate) fn layout(&self) -> Vec<(String, Vec<usize>)> {
        checkpoint::layout(self.symbols, self.embedding, self.hidden, self.layers)
    }

    /// How many numbers a network of this shape has.
    #[must_use]
    pub fn numel(&self) -> usize {
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
                let mut part = Tensor::empty([entry.numel() as i64], (Kind::Float, Device::Cpu));
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
                let numel = entry.numel() as i64;
                let size: Vec<i64> = entry.size.iter().map(|&n| n as i64).collect();
                let view = flat.narrow(0, offset, numel).view(&size[..]);
                offset += numel;
                (entry, view)
            })
            .collect()
    }
}
