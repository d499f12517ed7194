//! Workers: the parts of a batch, computed side by side, one thread each.
//!
//! libtorch would split every operation among threads that wait for each other hundreds of times a
//! step, and crawls as soon as another program wants a core. Here threads meet once a step. On the
//! CPU a worker computes in plain Rust, elsewhere by libtorch.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use tch::{TchError, Tensor};

use crate::backend::libtorch::network::{Dropped, State, forward};
use crate::backend::native::{Batch, Network};
use crate::shape::{Shape, Weights};

/// A part of a window.
#[derive(Debug)]
pub struct Task {
    /// Symbols to read: `[steps, part]`.
    pub input: Tensor,
    /// Symbols to predict: `[steps, part]`.
    pub target: Tensor,
    /// Where the part's streams are.
    pub state: State,
    /// What is dropped.
    pub dropped: Dropped,
    /// The part's share of the batch, from 0 to 1.
    pub share: f64,
}

/// What came of it.
#[derive(Debug)]
pub struct Part {
    /// Its share of the mean loss, in nats per character.
    pub loss: f64,
    /// Its share of the gradient, flat.
    pub gradient: Tensor,
    /// Where its streams are now.
    pub state: State,
}

/// What computes losses and gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Computation {
    /// Plain Rust, on the CPU.
    Native,
    /// libtorch with its differentiation, on any device.
    Libtorch,
}

/// Threads that share the memory of one flat tensor of weights.
#[derive(Debug)]
pub struct Workers {
    workers: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    /// None only while it is being dropped.
    tasks: Option<SyncSender<Task>>,
    parts: Receiver<Result<Part, TchError>>,
    thread: Option<JoinHandle<()>>,
}

impl Workers {
    /// Starts `count` threads that read the weights in `flat`. Between two calls of
    /// [`Workers::compute`] these may be changed in place.
    #[must_use]
    pub fn new(shape: &Shape, flat: &Tensor, count: usize, by: Computation) -> Self {
        let worker = |_| {
            let mut backend = Backend::new(shape, flat, by);
            let (tasks, inbox) = sync_channel::<Task>(1);
            let (outbox, parts) = sync_channel(1);
            let thread = thread::spawn(move || {
                tch::set_num_threads(1);
                for task in inbox {
                    if outbox.send(backend.compute(&task)).is_err() {
                        break;
                    }
                }
            });
            Worker {
                tasks: Some(tasks),
                parts,
                thread: Some(thread),
            }
        };
        Self {
            workers: (0..count).map(worker).collect(),
        }
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.workers.len()
    }

    /// Computes one task per worker and returns what came of them, in order.
    ///
    /// # Errors
    /// When libtorch refuses one of them.
    pub fn compute(&self, tasks: Vec<Task>) -> Result<Vec<Part>, TchError> {
        for (worker, task) in self.workers.iter().zip(tasks) {
            let sent = worker
                .tasks
                .as_ref()
                .is_some_and(|tasks| tasks.send(task).is_ok());
            if !sent {
                return Err(gone());
            }
        }
        let parts = self.workers.iter();
        parts
            .map(|worker| worker.parts.recv().map_err(|_| gone())?)
            .collect()
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            // A worker that panicked has said so already.
            let _ = thread.join();
        }
    }
}

/// A [`Computation`] with what it needs.
enum Backend {
    Native {
        network: Box<Network>,
        /// The weights as they are and as the network reads them.
        flat: Tensor,
        weights: Vec<f32>,
    },
    Libtorch(Weights),
}

impl Backend {
    /// One that reads the weights in `flat`.
    fn new(shape: &Shape, flat: &Tensor, by: Computation) -> Self {
        match by {
            Computation::Native => Self::Native {
                network: Box::new(Network::new(shape)),
                flat: flat.shallow_clone(),
                weights: vec![0.0; flat.numel()],
            },
            Computation::Libtorch => Self::Libtorch(Weights::leaves(shape, flat)),
        }
    }

    fn compute(&mut self, task: &Task) -> Result<Part, TchError> {
        match self {
            Self::Native {
                network,
                flat,
                weights,
            } => {
                flat.f_copy_data(weights, flat.numel())?;
                let mut batch = batch(task)?;
                let loss = network.compute(weights, &mut batch);
                let size = task.state.hidden.size();
                let state = |numbers: &[f32]| Tensor::from_slice(numbers).view(&size[..]);
                Ok(Part {
                    loss,
                    gradient: Tensor::from_slice(network.gradient()),
                    state: State {
                        hidden: state(&batch.hidden),
                        cell: state(&batch.cells),
                    },
                })
            }
            Self::Libtorch(leaves) => {
                let (scores, state) = forward(leaves, &task.input, &task.state, &task.dropped);
                let target = task.target.reshape([-1]);
                let loss = scores.cross_entropy_for_logits(&target) * task.share;
                Ok(Part {
                    gradient: leaves.gradient(&loss)?,
                    loss: loss.double_value(&[]),
                    state: State {
                        hidden: state.hidden.detach(),
                        cell: state.cell.detach(),
                    },
                })
            }
        }
    }
}

/// A task as the network in plain Rust takes it.
fn batch(task: &Task) -> Result<Batch, TchError> {
    let symbols = |tensor: &Tensor| -> Result<Vec<usize>, TchError> {
        let symbols = Vec::<i64>::try_from(tensor.reshape([-1]))?;
        Ok(symbols.into_iter().map(|symbol| symbol as usize).collect())
    };
    let numbers = |tensor: &Tensor| Vec::<f32>::try_from(tensor.reshape([-1]));
    let Dropped {
        input,
        output,
        recurrent,
    } = &task.dropped;
    Ok(Batch {
        streams: task.input.size()[1] as usize,
        inputs: symbols(&task.input)?,
        targets: symbols(&task.target)?,
        hidden: numbers(&task.state.hidden)?,
        cells: numbers(&task.state.cell)?,
        input_factors: input.as_ref().map(numbers).transpose()?,
        output_factors: output.as_ref().map(numbers).transpose()?,
        recurrent_factors: recurrent.iter().map(numbers).collect::<Result<_, _>>()?,
        share: task.share,
    })
}

fn gone() -> TchError {
    TchError::Torch("a training thread has ended".to_owned())
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use host::recipe::Regularization;

    /// The largest difference between two tensors, measured in the larger numbers of the second.
    fn gap(ours: &Tensor, theirs: &Tensor) -> f64 {
        let largest = |tensor: Tensor| tensor.abs().max().double_value(&[]);
        largest(ours - theirs) / largest(theirs.shallow_clone()).max(1e-3)
    }

    #[test]
    fn losses_gradients_and_states_agree_with_libtorchs() {
        let everything = Regularization {
            input_dropout: 0.2,
            output_dropout: 0.2,
            drop_connect: 0.2,
            weight_decay: 0.0,
        };
        for (layers, hidden, batch, settings) in [
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
            let random = |size: &[i64]| Tensor::randn(size, (Kind::Float, Device::Cpu)).tanh();
            let symbols = || Tensor::randint(19, [40, batch], (Kind::Int64, Device::Cpu));
            let task = Task {
                input: symbols(),
                target: symbols(),
                state: State {
                    hidden: random(&[layers, batch, hidden]),
                    cell: random(&[layers, batch, hidden]) * 2.0,
                },
                dropped: Dropped::draw(&shape, batch, &settings, Device::Cpu),
                share: 0.7,
            };
            let mut native = Backend::new(&shape, &flat, Computation::Native);
            // Twice, because memory is used again.
            let _ = native.compute(&task).expect("a first time");
            let ours = native.compute(&task).expect("our computation");
            let theirs = Backend::new(&shape, &flat, Computation::Libtorch)
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
                let gap = gap(ours, &theirs);
                assert!(gap < 1e-5, "{} of {layers} layers: {gap}", entry.name);
            }
        }
    }
}
