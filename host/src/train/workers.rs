//! Workers: the parts of a batch, computed side by side, one thread each.
//!
//! libtorch would split every operation among threads that wait for each other hundreds of times a
//! step, and crawls as soon as another program wants a core. Here threads meet once a step.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use tch::{TchError, Tensor};

use super::network::{Dropped, State, forward};
use super::weights::{Shape, Weights};

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
    pub fn new(shape: &Shape, flat: &Tensor, count: usize) -> Self {
        let worker = |_| {
            let leaves = Weights::leaves(shape, flat);
            let (tasks, inbox) = sync_channel::<Task>(1);
            let (outbox, parts) = sync_channel(1);
            let thread = thread::spawn(move || {
                tch::set_num_threads(1);
                for task in inbox {
                    if outbox.send(compute(&leaves, &task)).is_err() {
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

fn compute(leaves: &Weights, task: &Task) -> Result<Part, TchError> {
    let (scores, state) = forward(leaves, &task.input, &task.state, &task.dropped);
    let loss = scores.cross_entropy_for_logits(&task.target.reshape([-1])) * task.share;
    Ok(Part {
        gradient: leaves.gradient(&loss)?,
        loss: loss.double_value(&[]),
        state: State {
            hidden: state.hidden.detach(),
            cell: state.cell.detach(),
        },
    })
}

fn gone() -> TchError {
    TchError::Torch("a training thread has ended".to_owned())
}
