#![doc = include_str!("README.md")]

use tch::{TchError, Tensor};

use super::{Backend, Part, Task};
use crate::shape::Shape;

mod cell;
mod cross_entropy;
mod functions;
mod layer;
mod network;
mod product;
mod vectors;

use network::Network;

/// The backend: a [`Network`] and its weights, out of libtorch's memory and back into it.
#[derive(Debug)]
pub struct Native {
    network: Network,
    flat: Tensor,
    /// A copy of `flat` for the network to read.
    weights: Vec<f32>,
}

impl Native {
    /// One that reads the weights in `flat`, which are on the CPU.
    #[must_use]
    pub fn new(shape: &Shape, flat: &Tensor) -> Self {
        Self {
            network: Network::new(shape),
            flat: flat.shallow_clone(),
            weights: vec![0.0; shape.numel()],
        }
    }
}

impl Backend for Native {
    fn compute(&mut self, task: &Task) -> Result<Part, TchError> {
        self.flat
            .f_copy_data(&mut self.weights, self.flat.numel())?;
        let loss = self.network.compute(&self.weights, task);
        Ok(Part {
            loss,
            gradient: Tensor::from_slice(self.network.gradient()),
            state: self.network.state(),
        })
    }
}
