//! The trainer: everything that changes from step to step, and what one step does to it.

use std::time::Instant;

use tch::{Device, Kind, Tensor};

use crate::TrainError;
use crate::backend::workers::Workers;
use crate::backend::{Part, StreamState, Task};
use crate::data::batches::{Batches, Cut};
use crate::data::dropout::Dropped;
use crate::data::random::{Purpose, draw, seed_torch};
use crate::rounding;
use crate::run::evaluate;
use crate::run::optimizer::{self, Adam};
use crate::run::start;
use crate::shape::Shape;
use host::checkpoint::{Job, Progress};
use host::corpus::Corpus;
use host::quantize::FloatModel;
use host::recipe::{BackendKind, Keep};
use host::report::{Point, Sample};
use host::starts;

/// Parallel streams for the measurements on the way.
const VALIDATION_STREAMS: usize = 64;

/// A training between two steps.
#[derive(Debug)]
pub struct Trainer {
    /// What is trained.
    pub job: Job,
    pub(crate) shape: Shape,
    pub(crate) corpus: Corpus,
    pub(crate) device: Device,
    pub(crate) progress: Progress,
    pub(crate) tensors: Tensors,
    batches: Batches,
    workers: Workers,
    /// The weights that workers compute with: the same memory, or fake-quantized copies.
    seen: Tensor,
}

/// The numbers of a training. What is as long as the weights is a flat tensor on the device.
#[derive(Debug)]
pub struct Tensors {
    /// The weights.
    pub weights: Tensor,
    /// Their exponential moving average (EMA).
    pub average: Tensor,
    /// The average with the lowest validation loss.
    pub best: Tensor,
    /// What the optimizer remembers.
    pub adam: Adam,
    /// The state of the streams after the last window.
    pub state: StreamState,
}

impl Trainer {
    /// A training before its first step.
    ///
    /// # Errors
    /// When a setting makes no sense, the text is too short, or the weights to start with do not fit.
    pub fn new(job: Job, corpus: Corpus, device: Device) -> Result<Self, TrainError> {
        let model = job.from.as_deref().map(starts::load).transpose()?;
        Self::start(job, corpus, device, model.as_ref())
    }

    /// The same where the model that the job starts from has been loaded already.
    ///
    /// # Errors
    /// As [`Trainer::new`].
    pub fn start(
        job: Job,
        corpus: Corpus,
        device: Device,
        model: Option<&FloatModel>,
    ) -> Result<Self, TrainError> {
        let cut = Self::cut(&job, &corpus)?;
        let shape = Self::shape_of(&job, &corpus);
        let weights = match model {
            Some(model) => {
                let weights = start::weights(model, &shape, &corpus.alphabet);
                let unfit = |reason| TrainError::BadStart {
                    path: job.from.clone().unwrap_or_default(),
                    reason,
                };
                weights.map_err(unfit)?.to_device(device)
            }
            None => shape.first_weights(job.recipe.seed, device),
        };
        let tensors = Tensors {
            average: weights.copy(),
            best: weights.copy(),
            weights,
            adam: Adam::new(&shape, device),
            state: StreamState::zero(&shape, cut.batch as usize),
        };
        Self::assemble(job, corpus, device, tensors, Progress::default())
    }

    /// A training in the middle.
    ///
    /// # Errors
    /// When the backend cannot compute on the device.
    pub(crate) fn assemble(
        job: Job,
        corpus: Corpus,
        device: Device,
        tensors: Tensors,
        progress: Progress,
    ) -> Result<Self, TrainError> {
        let backend = job.recipe.backend;
        if backend == BackendKind::Native && device != Device::Cpu {
            return Err(TrainError::NativeOnGpu);
        }
        let shape = Self::shape_of(&job, &corpus);
        let data = &job.recipe.data;
        let batches = Batches::new(corpus.training().len(), data, job.recipe.seed);
        let most = if device == Device::Cpu {
            data.workers
        } else {
            1
        };
        let workers = most.min(batches.cut().batch) as usize;
        if device == Device::Cpu {
            // The workers are the threads.
            tch::set_num_threads(1);
        }
        let seen = if job.recipe.quantization.start < 1.0 {
            tensors.weights.copy()
        } else {
            tensors.weights.shallow_clone()
        };
        Ok(Self {
            workers: Workers::new(backend, &shape, &seen, workers),
            seen,
            batches,
            shape,
            job,
            corpus,
            device,
            progress,
            tensors,
        })
    }

    /// The dimensions that follow from the recipe and the text.
    pub(crate) fn shape_of(job: &Job, corpus: &Corpus) -> Shape {
        Shape {
            symbols: corpus.alphabet.len(),
            embedding: job.recipe.model.embedding as usize,
            hidden: job.recipe.model.hidden as usize,
            layers: job.recipe.model.layers as usize,
        }
    }

    /// How the text is cut for the recipe.
    ///
    /// # Errors
    /// When a setting makes no sense or the text is too short.
    pub(crate) fn cut(job: &Job, corpus: &Corpus) -> Result<Cut, TrainError> {
        job.recipe.check()?;
        let symbols = corpus.training().len();
        if symbols < 2 {
            return Err(TrainError::TooShort {
                characters: corpus.training_characters() + corpus.validation().characters(),
            });
        }
        Ok(Cut::fit(&job.recipe.data, symbols as i64 - 1))
    }

    /// The dimensions of the network.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// Streams and steps of a window: the recipe's, or what fits the text.
    #[must_use]
    pub fn batch_and_seq_len(&self) -> (i64, i64) {
        let cut = self.batches.cut();
        (cut.batch, cut.seq_len)
    }

    /// What is learned from.
    #[must_use]
    pub fn corpus(&self) -> &Corpus {
        &self.corpus
    }

    /// Steps done.
    #[must_use]
    pub fn steps_done(&self) -> u64 {
        self.progress.step
    }

    /// The learning curve so far.
    #[must_use]
    pub fn curve(&self) -> &[Point] {
        &self.progress.curve
    }

    /// What was written so far.
    #[must_use]
    pub fn samples(&self) -> &[Sample] {
        &self.progress.samples
    }

    /// The current weights as plain numbers.
    #[must_use]
    pub fn weights(&self) -> Vec<f32> {
        let flat = &self.tensors.weights;
        let mut numbers = vec![0.0; flat.numel()];
        flat.copy_data(&mut numbers, flat.numel());
        numbers
    }

    /// What computes losses and gradients.
    #[must_use]
    pub fn backend(&self) -> BackendKind {
        self.job.recipe.backend
    }

    /// How much of the run is done, from 0 to 1.
    #[must_use]
    pub fn done(&self) -> f64 {
        let progress = &self.progress;
        self.job.recipe.length.done(progress.step, progress.seconds)
    }

    /// The learning rate of the next step.
    #[must_use]
    pub fn learning_rate(&self) -> f64 {
        optimizer::learning_rate(&self.job.recipe.optimizer, self.progress.step, self.done())
    }

    /// Learns from the next window and returns its mean loss in nats per symbol.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] when the loss, its gradient or a weight is no finite number; there is
    /// then no way on but from a checkpoint.
    pub fn step(&mut self) -> Result<f64, TrainError> {
        let rate = self.learning_rate();
        self.show();
        let parts = self.workers.compute(self.tasks())?;
        let loss = parts.iter().map(|part| part.loss).sum();
        let (states, mut gradients): (Vec<_>, Vec<_>) = parts
            .into_iter()
            .map(
                |Part {
                     state, gradient, ..
                 }| (state, gradient),
            )
            .unzip();
        let mut gradient = gradients.remove(0);
        for other in gradients {
            gradient += other;
        }
        let norm = optimizer::clip(&mut gradient, self.job.recipe.optimizer.clip_norm);
        if !(f64::is_finite(loss) && norm.is_finite()) {
            return Err(self.diverged(loss));
        }
        self.tensors.state = StreamState::join(&self.shape, &states);
        self.change(&gradient, rate);
        if !self
            .tensors
            .weights
            .sum(Kind::Double)
            .double_value(&[])
            .is_finite()
        {
            return Err(self.diverged(f64::INFINITY));
        }
        self.progress.step += 1;
        Ok(loss)
    }

    /// Seconds that a step takes here. Nothing is learned from it.
    ///
    /// # Errors
    /// When a worker fails.
    pub fn seconds_per_step(&mut self) -> Result<f64, TrainError> {
        self.show();
        // The first one also allocates memory that later ones use again.
        self.workers.compute(self.tasks())?;
        let begin = Instant::now();
        self.workers.compute(self.tasks())?;
        Ok(begin.elapsed().as_secs_f64())
    }

    /// Shows the workers the weights: float, or fake-quantized once that has begun.
    fn show(&mut self) {
        let start = self.job.recipe.quantization.start;
        if start >= 1.0 {
            self.progress.rounded_since = None;
            return;
        }
        if self.done() >= start {
            let step = self.progress.step;
            self.progress.rounded_since.get_or_insert(step);
        }
        let seen = self.as_computed(&self.tensors.weights);
        self.seen.copy_(&seen);
    }

    /// These weights as the network computes with them: fake-quantized, once that has begun.
    fn as_computed(&self, flat: &Tensor) -> Tensor {
        match self.progress.rounded_since {
            Some(_) => rounding::rounded(&self.shape, flat, self.job.recipe.model.planes()),
            None => flat.shallow_clone(),
        }
    }

    /// The next window, in one part per worker.
    fn tasks(&self) -> Vec<Task> {
        let (step, shape) = (self.progress.step, &self.shape);
        let window = self.batches.window(self.corpus.training(), step);
        let batch = window.streams;
        let zero;
        let start = if window.fresh {
            zero = StreamState::zero(shape, batch);
            &zero
        } else {
            &self.tensors.state
        };
        seed_torch(self.job.recipe.seed, Purpose::Dropout, step);
        let dropped = Dropped::draw(shape, batch, &self.job.recipe.regularization, self.device);
        let count = self.workers.count();
        (0..count)
            .map(|part| {
                let streams = part * batch / count..(part + 1) * batch / count;
                let (inputs, targets) = window.part(&streams);
                Task {
                    streams: streams.len(),
                    inputs,
                    targets,
                    state: start.part(shape, &streams),
                    share: streams.len() as f64 / batch as f64,
                    dropped: dropped.part(shape, streams),
                }
            })
            .collect()
    }

    /// Changes the weights and their average.
    fn change(&mut self, gradient: &Tensor, rate: f64) {
        let settings = &self.job.recipe.optimizer;
        let step = self.progress.step;
        let Tensors {
            weights,
            average,
            adam,
            ..
        } = &mut self.tensors;
        let decay = self.job.recipe.regularization.weight_decay;
        if decay > 0.0 {
            optimizer::decay(&self.shape, weights, decay * rate);
        }
        adam.update(weights, gradient, step + 1, rate, settings);
        // An EMA of few steps forgets faster, or it would remember the first, random weights.
        let memory = settings
            .average
            .min((1.0 + step as f64) / (10.0 + step as f64));
        let _ = average.lerp_(weights, 1.0 - memory);
    }

    pub(crate) fn diverged(&self, loss: f64) -> TrainError {
        TrainError::Diverged {
            step: self.progress.step + 1,
            loss,
            learning_rate: self.job.recipe.optimizer.learning_rate,
            kept: "nothing had been saved yet".to_owned(),
        }
    }

    /// Measures the averaged weights, fast; remembers them if they are the best so far. Returns the
    /// loss and whether it is, or `None` where there is nothing to measure on.
    pub fn validate(&mut self) -> Option<(f64, bool)> {
        let average = self.as_computed(&self.tensors.average);
        let validation = self.corpus.validation();
        let loss = evaluate::loss(&self.shape, &average, validation, VALIDATION_STREAMS)?;
        let best = self.best().is_none_or(|lowest| loss < lowest);
        if best {
            self.progress.best = Some((loss, self.progress.step));
            self.tensors.best.copy_(&self.tensors.average);
        }
        Some((loss, best))
    }

    /// The lowest validation loss so far. Those of float weights are left out once weights are rounded.
    fn best(&self) -> Option<f64> {
        let since = self.progress.rounded_since.unwrap_or(0);
        let best = self.progress.best.filter(|&(_, step)| step > since);
        best.map(|(loss, _)| loss)
    }

    /// The weights to keep, not rounded: the best average where one is wanted and was measured, else the
    /// last.
    pub(crate) fn result(&self) -> &Tensor {
        match (self.job.recipe.report.keep, self.best()) {
            (Keep::Best, Some(_)) => &self.tensors.best,
            _ => &self.tensors.average,
        }
    }

    /// The loss of the weights to keep on the validation part, rounded as in the last step.
    #[must_use]
    pub fn final_loss(&self) -> Option<f64> {
        let weights = self.as_computed(self.result());
        evaluate::loss(&self.shape, &weights, self.corpus.validation(), 1)
    }

    /// Text by the averaged weights, rounded as in the last step.
    #[must_use]
    pub fn sample(&self) -> String {
        let report = &self.job.recipe.report;
        evaluate::sample(
            &self.shape,
            &self.as_computed(&self.tensors.average),
            &self.corpus.alphabet,
            report.sample_length,
            report.sample_temperature,
            draw(self.job.recipe.seed, Purpose::Samples, self.progress.step),
        )
    }
}
