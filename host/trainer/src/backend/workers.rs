//! Workers: threads that compute the parts of a batch side by side, each by a backend of its own.
//!
//! libtorch would split every operation among threads that wait for each other hundreds of times a
//! step, and crawls as soon as another program wants a core. Here threads meet once a step.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use tch::{TchError, Tensor};

use super::{Part, Task};
use crate::TrainError;
use crate::shape::Shape;
use host::recipe::BackendKind;

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
    pub fn new(kind: BackendKind, shape: &Shape, flat: &Tensor, count: usize) -> Self {
        let worker = |_| {
            let mut backend = super::new(kind, shape, flat);
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
    /// When libtorch refuses one of them or a thread has ended.
    pub fn compute(&self, tasks: Vec<Task>) -> Result<Vec<Part>, TrainError> {
        for (worker, task) in self.workers.iter().zip(tasks) {
            let sent = worker
                .tasks
                .as_ref()
                .is_some_and(|tasks| tasks.send(task).is_ok());
            if !sent {
                return Err(TrainError::WorkerEnded);
            }
        }
        let parts = self.workers.iter();
        parts
            .map(|worker| match worker.parts.recv() {
                Ok(part) => Ok(part?),
                Err(_) => Err(TrainError::WorkerEnded),
            })
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
