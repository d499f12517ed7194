//! Losses and gradients by libtorch's differentiation, on any device.
//!
//! The tests of training run it on the CPU, so that the code a GPU runs is checked.

use tch::{Device, Kind, TchError, Tensor};

use super::{Backend, Part, StreamState, Task};
use crate::shape::Shape;

pub mod network;

use network::{Factors, State, Weights, forward};

/// The backend.
#[derive(Debug)]
pub struct Libtorch {
    shape: Shape,
    weights: Weights,
    device: Device,
}

impl Libtorch {
    /// One that reads the weights in `flat` and computes where they are.
    #[must_use]
    pub fn new(shape: &Shape, flat: &Tensor) -> Self {
        Self {
            shape: *shape,
            weights: Weights::leaves(shape, flat),
            device: flat.device(),
        }
    }

    /// Symbols of a task: `[steps, streams]`.
    fn symbols(&self, symbols: &[u8], streams: usize) -> Tensor {
        let symbols = Tensor::from_slice(symbols).to_device(self.device);
        symbols.to_kind(Kind::Int64).view([-1, streams as i64])
    }

    fn numbers(&self, numbers: &[f32], size: &[usize]) -> Tensor {
        let size: Vec<i64> = size.iter().map(|&n| n as i64).collect();
        Tensor::from_slice(numbers)
            .to_device(self.device)
            .view(&size[..])
    }

    fn factors(&self, task: &Task) -> Factors {
        let Shape {
            embedding, hidden, ..
        } = self.shape;
        let of_streams = |factors: &Option<Vec<f32>>, size| {
            let factors = factors.as_ref()?;
            Some(self.numbers(factors, &[1, task.streams, size]))
        };
        let size = [4 * hidden, hidden];
        let recurrent = match task.dropped.undrawn {
            0.0 => {
                let drawn = task.dropped.recurrent.iter();
                drawn.map(|factors| self.numbers(factors, &size)).collect()
            }
            dropped => {
                let draw = |_| self.draw(1.0 - dropped, &size);
                (0..self.shape.layers).map(draw).collect()
            }
        };
        Factors {
            input: of_streams(&task.dropped.input, embedding),
            output: of_streams(&task.dropped.output, hidden),
            recurrent,
        }
    }

    /// Factors that keep a number with this probability, drawn where this computes.
    fn draw(&self, keep: f64, size: &[usize]) -> Tensor {
        let size: Vec<i64> = size.iter().map(|&n| n as i64).collect();
        let mut factors = Tensor::empty(&size[..], (Kind::Float, self.device));
        factors.bernoulli_float_(keep).divide_scalar_(keep)
    }
}

impl Backend for Libtorch {
    fn compute(&mut self, task: &Task) -> Result<Part, TchError> {
        let size = [self.shape.layers, task.streams, self.shape.hidden];
        let state = State {
            hidden: self.numbers(&task.state.hidden, &size),
            cell: self.numbers(&task.state.cell, &size),
        };
        let input = self.symbols(&task.inputs, task.streams);
        let target = self.symbols(&task.targets, task.streams).reshape([-1]);
        let (logits, state) = forward(&self.weights, &input, &state, &self.factors(task));
        let loss = logits.cross_entropy_for_logits(&target) * task.share;
        let numbers = |tensor: &Tensor| Vec::try_from(tensor.detach().reshape([-1]));
        Ok(Part {
            gradient: self.weights.gradient(&loss)?,
            loss: loss.double_value(&[]),
            state: StreamState {
                hidden: numbers(&state.hidden)?,
                cell: numbers(&state.cell)?,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_it_draws_itself_drops_that_share_and_keeps_the_mean() {
        let shape = Shape {
            symbols: 3,
            embedding: 2,
            hidden: 4,
            layers: 1,
        };
        let backend = Libtorch::new(&shape, &shape.first_weights(1, Device::Cpu));
        let drawn = backend.draw(0.75, &[100, 200]);
        assert_eq!(drawn.size(), [100, 200]);
        let factors: Vec<f32> = Vec::try_from(drawn.reshape([-1])).expect("numbers");
        let kept = factors.iter().filter(|&&factor| factor > 0.0);
        assert!(kept.clone().all(|factor| (factor - 4.0 / 3.0).abs() < 1e-6));
        assert!((14_500..15_500).contains(&kept.count()));
    }
}
