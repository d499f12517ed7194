//! Backends: what computes the loss of a batch and its gradient.
//!
//! There are two, which learn the same but for the last bits: [`libtorch`] by its differentiation, on any
//! device, and [`native`] in plain Rust, on the CPU. Text, state and what is dropped come and go as
//! slices. Weights and gradients are flat tensors, because the optimizer, the average and a checkpoint,
//! which are the same for both, are libtorch's.

use std::ops::Range;

use tch::{Cuda, Device, TchError, Tensor};

use crate::TrainError;
use crate::data::dropout::Dropped;
use crate::shape::Shape;
use host::cli::train::DeviceChoice;
use host::recipe::BackendKind;

pub mod libtorch;
pub mod native;
pub mod workers;

/// What computes losses and gradients, on a thread of its own.
pub trait Backend: Send {
    /// Computes the loss of `task` and its gradient by the weights as they are now.
    ///
    /// # Errors
    /// When libtorch refuses an operation.
    fn compute(&mut self, task: &Task) -> Result<Part, TchError>;
}

/// The device that a training by this backend computes on where it asks for one.
///
/// # Errors
/// When there is no GPU, or when the backend cannot use one.
pub fn device(choice: DeviceChoice, backend: BackendKind) -> Result<Device, TrainError> {
    device_where(choice, backend, Cuda::is_available)
}

fn device_where(
    choice: DeviceChoice,
    backend: BackendKind,
    has_gpu: impl Fn() -> bool,
) -> Result<Device, TrainError> {
    match (choice, backend) {
        (DeviceChoice::Cuda, BackendKind::Native) => Err(TrainError::NativeOnGpu),
        (DeviceChoice::Cuda, _) if !has_gpu() => Err(TrainError::NoCuda),
        (DeviceChoice::Cuda, _) => Ok(Device::Cuda(0)),
        (DeviceChoice::Cpu, _) | (DeviceChoice::Auto, BackendKind::Native) => Ok(Device::Cpu),
        (DeviceChoice::Auto, _) if has_gpu() => Ok(Device::Cuda(0)),
        (DeviceChoice::Auto, _) => Ok(Device::Cpu),
    }
}

/// A backend that reads the weights in `flat`, which may be changed in place between two tasks.
#[must_use]
pub fn new(kind: BackendKind, shape: &Shape, flat: &Tensor) -> Box<dyn Backend> {
    match kind {
        BackendKind::Native => Box::new(native::Native::new(shape, flat)),
        BackendKind::Libtorch => Box::new(libtorch::Libtorch::new(shape, flat)),
    }
}

/// Some streams of a window (truncated backpropagation through time goes back to its beginning).
#[derive(Debug)]
pub struct Task {
    /// Streams side by side.
    pub streams: usize,
    /// Symbols to read, step by step: `[steps, streams]`.
    pub inputs: Vec<u8>,
    /// Symbols to predict, likewise.
    pub targets: Vec<u8>,
    /// The state before the window.
    pub state: StreamState,
    /// What is dropped.
    pub dropped: Dropped,
    /// The share of these streams in the batch, from 0 to 1.
    pub share: f64,
}

/// What came of a task.
#[derive(Debug)]
pub struct Part {
    /// Its share of the mean loss, in nats per character.
    pub loss: f64,
    /// Its share of the gradient, flat, where the weights are.
    pub gradient: Tensor,
    /// The state after the window.
    pub state: StreamState,
}

/// Hidden and cell state of streams between two windows: `[layers, streams, hidden]` each.
#[derive(Debug, Clone, PartialEq)]
pub struct StreamState {
    /// The hidden state.
    pub hidden: Vec<f32>,
    /// The cell state.
    pub cell: Vec<f32>,
}

impl StreamState {
    /// The state of so many streams before their first symbol.
    #[must_use]
    pub fn zero(shape: &Shape, streams: usize) -> Self {
        let zeros = vec![0.0; shape.layers * streams * shape.hidden];
        Self {
            hidden: zeros.clone(),
            cell: zeros,
        }
    }

    /// The state of some of the streams.
    #[must_use]
    pub fn part(&self, shape: &Shape, streams: &Range<usize>) -> Self {
        let own = streams.start * shape.hidden..streams.end * shape.hidden;
        let part = |numbers: &[f32]| {
            let layers = numbers.chunks_exact(numbers.len() / shape.layers);
            layers
                .flat_map(|layer| &layer[own.clone()])
                .copied()
                .collect()
        };
        Self {
            hidden: part(&self.hidden),
            cell: part(&self.cell),
        }
    }

    /// The state of all streams, from that of parts of them in order.
    #[must_use]
    pub fn join(shape: &Shape, parts: &[Self]) -> Self {
        let join = |of: fn(&Self) -> &[f32]| {
            let layer = |index| {
                parts.iter().flat_map(move |part| {
                    let size = of(part).len() / shape.layers;
                    &of(part)[index * size..(index + 1) * size]
                })
            };
            (0..shape.layers).flat_map(layer).copied().collect()
        };
        Self {
            hidden: join(|part| &part.hidden),
            cell: join(|part| &part.cell),
        }
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use host::recipe::Regularization;

    /// The largest difference between two lists of numbers, measured in the larger ones of the second.
    fn gap(ours: &[f32], theirs: &[f32]) -> f32 {
        let largest = theirs.iter().fold(1e-3_f32, |most, x| most.max(x.abs()));
        let gaps = ours.iter().zip(theirs).map(|(a, b)| (a - b).abs());
        gaps.fold(0.0, f32::max) / largest
    }

    fn numbers(tensor: &Tensor) -> Vec<f32> {
        Vec::try_from(tensor.reshape([-1])).expect("numbers")
    }

    #[test]
    fn losses_gradients_and_states_of_both_backends_agree() {
        let everything = Regularization {
            input_dropout: 0.2,
            output_dropout: 0.2,
            drop_connect: 0.2,
            weight_decay: 0.0,
        };
        for (layers, hidden, streams, settings) in [
            (1, 32, 4, Regularization::default()),
            (1, 37, 5, everything.clone()),
            (2, 20, 3, Regularization::default()),
            (3, 5, 1, everything),
        ] {
            let shape = Shape {
                symbols: 19,
                embedding: 11,
                hidden,
                layers,
            };
            let flat = shape.first_weights(3, Device::Cpu) * 2.0;
            let random = |factor: f64| {
                let size = [(layers * streams * hidden) as i64];
                let drawn = Tensor::randn(size, (Kind::Float, Device::Cpu));
                numbers(&(drawn.tanh() * factor))
            };
            let symbols = || -> Vec<u8> {
                let size = [(40 * streams) as i64];
                let drawn = Tensor::randint(19, size, (Kind::Uint8, Device::Cpu));
                Vec::try_from(drawn).expect("symbols")
            };
            let task = Task {
                streams,
                inputs: symbols(),
                targets: symbols(),
                state: StreamState {
                    hidden: random(1.0),
                    cell: random(2.0),
                },
                dropped: Dropped::draw(&shape, streams, &settings, Device::Cpu),
                share: 0.7,
            };
            let mut native = new(BackendKind::Native, &shape, &flat);
            // Twice, because memory is used again.
            let _ = native.compute(&task).expect("a first time");
            let ours = native.compute(&task).expect("our computation");
            let theirs = new(BackendKind::Libtorch, &shape, &flat)
                .compute(&task)
                .expect("libtorch's computation");
            assert!((ours.loss - theirs.loss).abs() < 1e-5);
            assert!(gap(&ours.state.hidden, &theirs.state.hidden) < 1e-5);
            assert!(gap(&ours.state.cell, &theirs.state.cell) < 1e-5);
            for ((entry, ours), (_, theirs)) in shape
                .views(&ours.gradient)
                .iter()
                .zip(shape.views(&theirs.gradient))
            {
                let gap = gap(&numbers(ours), &numbers(&theirs));
                assert!(gap < 1e-5, "{} of {layers} layers: {gap}", entry.name);
            }
        }
    }

    #[test]
    fn nothing_falls_into_another_backend_or_device_by_itself() {
        use BackendKind::{Libtorch, Native};
        use DeviceChoice::{Auto, Cpu, Cuda};

        let device = |choice, backend, has_gpu: bool| {
            device_where(choice, backend, || has_gpu).map_err(|error| error.to_string())
        };
        for has_gpu in [false, true] {
            for asked in [Native, Libtorch] {
                assert_eq!(device(Cpu, asked, has_gpu), Ok(Device::Cpu));
            }
            assert_eq!(device(Auto, Native, has_gpu), Ok(Device::Cpu));
            let refused = device(Cuda, Native, has_gpu).expect_err("a refusal");
            assert!(
                refused.contains("native computes on the CPU only"),
                "{refused}"
            );
        }
        for choice in [Auto, Cuda] {
            assert_eq!(device(choice, Libtorch, true), Ok(Device::Cuda(0)));
        }
        let refused = device(Cuda, Libtorch, false).expect_err("a refusal");
        assert!(refused.contains("no CUDA device"), "{refused}");
        assert_eq!(device(Auto, Libtorch, false), Ok(Device::Cpu));
    }

    #[test]
    fn the_state_of_parts_joins_to_that_of_all() {
        let shape = Shape {
            symbols: 3,
            embedding: 2,
            hidden: 4,
            layers: 2,
        };
        let count = (shape.layers * 5 * shape.hidden) as u8;
        let state = StreamState {
            hidden: (0..count).map(f32::from).collect(),
            cell: (0..count).rev().map(f32::from).collect(),
        };
        let parts = [0..2, 2..3, 3..5].map(|streams| state.part(&shape, &streams));
        assert_eq!(
            parts[1].hidden,
            [8.0, 9.0, 10.0, 11.0, 28.0, 29.0, 30.0, 31.0]
        );
        assert_eq!(StreamState::join(&shape, &parts), state);
    }
}
