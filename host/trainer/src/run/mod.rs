//! A run from its first (or next) step to its last: reports, samples, measurements, checkpoints.

pub mod checkpoint;
pub mod evaluate;
pub mod events;
pub mod optimizer;
pub mod safetensors_io;
mod start;
pub mod trainer;
mod verdict;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::TrainError;
use crate::run::events::{Event, Observer, Step};
use crate::run::trainer::Trainer;
use crate::run::verdict::{verdict, worse_in_a_row};
use host::figures::{self, Figures};
use host::quantize::float::FORMAT;
use host::recipe::Length;
use host::report::{Point, Report, Sample, State, TextStatistics};
use host::runs::{self, IDENTITY_KEY};
use host::tensors::Archive;
use host::words::count;

/// A training part shorter than so many characters per weight is learned by heart.
const CHARACTERS_PER_WEIGHT: f64 = 0.5;

/// Measurements on the validation part, and samples, of a training that takes so many minutes.
const LOOKS: f64 = 12.0;
const SAMPLES: f64 = 4.0;

/// Samples that the report shows.
const KEPT_SAMPLES: usize = 100;

/// How often, and after which pauses, finished weights that could not be written are tried again: long
/// enough for somebody to free some space.
const LAST_TRIES: u32 = 10;
const LAST_PAUSE: Duration = Duration::from_secs(3);

/// How a run ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// All steps are done and the weights are written.
    Finished {
        /// The loss on the validation part in nats per character, if it has one.
        validation_loss: Option<f64>,
        /// Where the weights are.
        weights: PathBuf,
    },
    /// It was asked to stop, and can be resumed.
    Interrupted,
}

/// Trains until the recipe's end or until `stop` is set, and writes everything to `run_dir`.
///
/// # Errors
/// When the loss explodes or a file cannot be written.
pub fn run(
    trainer: &mut Trainer,
    run_dir: &Path,
    observer: &mut dyn Observer,
    stop: &AtomicBool,
) -> Result<Outcome, TrainError> {
    let mut run = Run {
        before: trainer.progress.seconds,
        begin: Instant::now(),
        saved: (trainer.progress.step > 0).then_some(trainer.progress.step),
        last_try: Instant::now(),
        trouble: BTreeSet::new(),
        stop,
        sum: 0.0,
        count: 0,
        count_seconds: 0.0,
        done_before: trainer.done(),
        text: TextStatistics::of(trainer.corpus()),
        trainer,
        run_dir,
        observer,
    };
    run.introduce();
    while run.trainer.done() < 1.0 && !run.is_hopeless() {
        if run.is_stopped() {
            return run.interrupt();
        }
        if let Err(error) = run.step() {
            if matches!(error, TrainError::Diverged { .. }) {
                run.write_report(State::Diverged, None)?;
            }
            return Err(error);
        }
    }
    run.finish()
}

struct Run<'a> {
    trainer: &'a mut Trainer,
    run_dir: &'a Path,
    observer: &'a mut dyn Observer,
    /// Seconds spent before this sitting, and when it began.
    before: f64,
    begin: Instant,
    /// The step of the checkpoint on disk.
    saved: Option<u64>,
    /// When a checkpoint was written last, or could not be.
    last_try: Instant,
    /// What could not be written the last time.
    trouble: BTreeSet<&'static str>,
    /// Set when the user asks it to stop.
    stop: &'a AtomicBool,
    /// Losses and seconds since the last report.
    sum: f64,
    count: u64,
    count_seconds: f64,
    /// How much was done at the step before, from 0 to 1.
    done_before: f64,
    /// For the report.
    text: TextStatistics,
}

impl Run<'_> {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether the validation loss has been rising for so long that training ends early (early stopping).
    fn is_hopeless(&self) -> bool {
        let patience = self.trainer.job.recipe.report.patience;
        patience > 0 && worse_in_a_row(&self.trainer.progress.curve) >= patience
    }

    fn introduce(&mut self) {
        let trainer = &*self.trainer;
        let (shape, corpus) = (trainer.shape, &trainer.corpus);
        self.observer.observe(&Event::Start {
            name: trainer.job.name.to_string(),
            corpus: corpus.description.clone(),
            training_characters: corpus.training_characters(),
            validation_characters: corpus.validation().characters(),
            symbols: shape.symbols,
            hidden: shape.hidden,
            layers: shape.layers,
            parameters: shape.numel(),
            device: self.device(),
            backend: trainer.backend(),
            step: trainer.progress.step,
            steps: match trainer.job.recipe.length {
                Length::Steps(steps) => Some(steps),
                Length::Minutes(_) => None,
            },
        });
        for note in self.notes() {
            self.observer.observe(&Event::Note { text: note });
        }
    }

    fn device(&self) -> String {
        match self.trainer.device {
            tch::Device::Cpu => "cpu".to_owned(),
            other => format!("{other:?}").to_lowercase(),
        }
    }

    fn notes(&self) -> Vec<String> {
        let trainer = &*self.trainer;
        let mut notes = trainer.corpus.notes.clone();
        let (batch, seq_len) = trainer.batch_and_seq_len();
        let data = &trainer.job.recipe.data;
        if (batch, seq_len) != (data.batch, data.seq_len) {
            notes.push(format!(
                "the text is short: each step reads {batch} × {seq_len} characters instead of {} × {}",
                data.batch, data.seq_len
            ));
        }
        let characters = trainer.corpus.training_characters();
        if (characters as f64) < CHARACTERS_PER_WEIGHT * trainer.shape.numel() as f64 {
            notes.push(format!(
                "{} {} few for {} weights: the model will memorise the text \
                 rather than learn to write like it; more text, or a smaller --hidden, helps",
                count(characters, "character"),
                if characters == 1 { "is" } else { "are" },
                trainer.shape.numel()
            ));
        }
        if trainer.shape.symbols == 1 {
            notes.push("the text has only one symbol, so there is nothing to predict".to_owned());
        }
        if trainer.corpus.validation().predictions() == 0 {
            notes.push(
                "the text is too short to keep a part of it to measure the loss on".to_owned(),
            );
        }
        notes
    }

    /// One step and whatever is due after it.
    fn step(&mut self) -> Result<(), TrainError> {
        let begin = Instant::now();
        let rate = self.trainer.learning_rate();
        let loss = self.trainer.step().map_err(|error| self.explain(error))?;
        let seconds = begin.elapsed().as_secs_f64();
        // Far worse than guessing: it will not come back from there.
        let guessing = (self.trainer.shape.symbols as f64).ln();
        if loss > 3.0 * guessing + 10.0 {
            return Err(self.explain(self.trainer.diverged(loss)));
        }
        self.sum += loss * self.trainer.corpus.symbols_per_character();
        self.count += 1;
        self.count_seconds += seconds;
        let progress = &mut self.trainer.progress;
        progress.step_seconds += seconds;
        progress.seconds = self.before + self.begin.elapsed().as_secs_f64();

        let step = progress.step;
        let done = self.trainer.done();
        let last = done >= 1.0;
        let report = self.trainer.job.recipe.report.clone();
        let due = |every: u64| last || (every > 0 && step.is_multiple_of(every));
        // How many steps fit into minutes nobody knows before, so their parts are counted instead.
        let due_in_parts = |every: u64, parts: f64| match self.trainer.job.recipe.length {
            Length::Steps(_) => due(every),
            Length::Minutes(_) => {
                every > 0 && (done * parts).floor() > (self.done_before * parts).floor()
            }
        };
        let looks = due_in_parts(report.validate_every, LOOKS);
        let writes = due_in_parts(report.sample_every, SAMPLES);
        self.done_before = done;
        if due(report.every) {
            self.report(rate);
        }
        if looks {
            self.validate();
        }
        if writes {
            let text = self.trainer.sample();
            let sample = Sample {
                step,
                text: text.clone(),
            };
            let samples = &mut self.trainer.progress.samples;
            samples.push(sample);
            let surplus = samples.len().saturating_sub(KEPT_SAMPLES);
            samples.drain(..surplus);
            self.observer.observe(&Event::Sample { step, text });
        }
        if looks {
            let written = self.write_report(State::Training, None);
            self.tolerate("report", written)?;
        }
        let wanted = due(report.checkpoint_every) || {
            let seconds = report.checkpoint_seconds;
            seconds > 0.0 && self.last_try.elapsed().as_secs_f64() >= seconds
        };
        if !last && wanted {
            let saved = self.save();
            self.tolerate("checkpoint", saved)?;
        }
        Ok(())
    }

    fn report(&mut self, learning_rate: f64) {
        let loss = self.sum / self.count as f64;
        let (batch, seq_len) = self.trainer.batch_and_seq_len();
        let symbols = (batch * seq_len) as f64 * self.count as f64;
        let characters = symbols / self.trainer.corpus.symbols_per_character();
        let done = self.trainer.done();
        let progress = &mut self.trainer.progress;
        progress.curve.push(Point {
            step: progress.step,
            seconds: progress.seconds,
            loss_nats: Some(loss),
            validation_loss_nats: None,
        });
        self.observer.observe(&Event::Step(Step {
            step: progress.step,
            progress: done,
            loss_nats: loss,
            learning_rate,
            characters_per_second: characters / self.count_seconds,
            seconds_left: progress.seconds * (1.0 - done) / done,
        }));
        (self.sum, self.count, self.count_seconds) = (0.0, 0, 0.0);
    }

    fn validate(&mut self) {
        let Some((loss, best)) = self.trainer.validate() else {
            return;
        };
        let progress = &mut self.trainer.progress;
        progress.seconds = self.before + self.begin.elapsed().as_secs_f64();
        progress.curve.push(Point {
            step: progress.step,
            seconds: progress.seconds,
            loss_nats: None,
            validation_loss_nats: Some(loss),
        });
        self.observer.observe(&Event::Validation {
            step: progress.step,
            loss_nats: loss,
            best,
        });
    }

    /// A file that cannot be written now is no reason to stop learning: it is said once, and tried
    /// again when it is due.
    fn tolerate(
        &mut self,
        what: &'static str,
        written: Result<(), TrainError>,
    ) -> Result<(), TrainError> {
        let text = match written {
            Ok(()) if self.trouble.remove(what) => format!("the {what} can be written again"),
            Err(error @ TrainError::Unwritable { .. }) if self.trouble.insert(what) => {
                format!("{error}; training goes on and tries again")
            }
            Ok(()) | Err(TrainError::Unwritable { .. }) => return Ok(()),
            error => return error,
        };
        self.observer.observe(&Event::Note { text });
        Ok(())
    }

    fn save(&mut self) -> Result<(), TrainError> {
        self.last_try = Instant::now();
        runs::confirm(self.run_dir, &self.trainer.job.run)?;
        let path = checkpoint::save(self.trainer, self.run_dir)?;
        self.saved = Some(self.trainer.progress.step);
        self.observer.observe(&Event::Checkpoint {
            step: self.trainer.progress.step,
            path: path.display().to_string(),
        });
        Ok(())
    }

    /// Adds to the error of a loss that exploded which checkpoint is left.
    fn explain(&self, error: TrainError) -> TrainError {
        match (error, self.saved) {
            (
                TrainError::Diverged {
                    step,
                    loss,
                    learning_rate,
                    ..
                },
                Some(saved),
            ) => TrainError::Diverged {
                step,
                loss,
                learning_rate,
                kept: format!(
                    "the checkpoint of step {saved} is kept (--resume {})",
                    self.trainer.job.name
                ),
            },
            (error, _) => error,
        }
    }

    /// Writes what is known by now for people to read.
    fn write_report(&self, state: State, float_loss_nats: Option<f64>) -> Result<(), TrainError> {
        let trainer = &*self.trainer;
        let progress = &trainer.progress;
        let report = Report {
            name: trainer.job.name.to_string(),
            state,
            step: progress.step,
            done: trainer.done(),
            seconds: progress.seconds,
            parameters: trainer.shape.numel() as i64,
            device: self.device(),
            backend: Some(trainer.backend()),
            recipe: trainer.job.recipe.to_toml(),
            text: self.text.clone(),
            notes: self.notes(),
            curve: progress.curve.clone(),
            samples: progress.samples.clone(),
            float_loss_nats,
            exports: Vec::new(),
            comparison: None,
        };
        Ok(report.write(self.run_dir)?)
    }

    fn interrupt(mut self) -> Result<Outcome, TrainError> {
        self.save()?;
        let written = self.write_report(State::Interrupted, None);
        self.tolerate("report", written)?;
        self.end(true, None, None);
        Ok(Outcome::Interrupted)
    }

    fn finish(mut self) -> Result<Outcome, TrainError> {
        let loss = self.trainer.final_loss();
        let weights = self.run_dir.join(runs::WEIGHTS);
        self.insist(|run| run.write_weights(&weights, loss))?;
        // Now nothing is lost that could not be made again from the weights.
        let saved = self.save();
        self.tolerate("checkpoint", saved)?;
        if let Some(verdict) = verdict(&self.trainer.progress.curve) {
            let text = verdict.to_string();
            self.observer.observe(&Event::Note { text });
        }
        let written = self.write_report(State::Finished, loss);
        self.tolerate("report", written)?;
        self.end(false, loss, Some(&weights));
        Ok(Outcome::Finished {
            validation_loss: loss,
            weights,
        })
    }

    /// Writes the result of all the work. Where the disk is full, waits for room.
    fn insist(
        &mut self,
        write: impl Fn(&Self) -> Result<(), TrainError>,
    ) -> Result<(), TrainError> {
        for _ in 1..LAST_TRIES {
            match write(self) {
                error @ Err(TrainError::Unwritable { .. }) if !self.is_stopped() => {
                    self.tolerate("weights", error)?;
                    thread::sleep(LAST_PAUSE);
                }
                result => return result,
            }
        }
        write(self)
    }

    /// Writes the float weights that quantization starts from.
    fn write_weights(&self, path: &Path, loss: Option<f64>) -> Result<(), TrainError> {
        runs::confirm(self.run_dir, &self.trainer.job.run)?;
        let trainer = &*self.trainer;
        let corpus = &trainer.corpus;
        let mut archive = Archive::default();
        safetensors_io::add_network(&mut archive, "", &trainer.shape, trainer.result());
        archive.text("format", FORMAT);
        archive.text("name", &trainer.job.name);
        archive.text(IDENTITY_KEY, trainer.job.run.as_str());
        archive.text("alphabet", &corpus.alphabet);
        let counts: Vec<String> = corpus.counts().iter().map(u64::to_string).collect();
        archive.text("counts", counts.join(" "));
        let figures = Figures::of(corpus.training(), &corpus.alphabet);
        archive.text(figures::KEY, figures.to_json());
        let losses = trainer.progress.curve.iter().rev();
        let mut losses = losses.filter_map(|point| point.loss_nats);
        if let Some(loss) = losses.next() {
            archive.text(figures::TRAINING_LOSS_KEY, loss);
        }
        if corpus.alphabet.spells() {
            archive.text(figures::SYMBOLS_KEY, corpus.symbols_per_character());
        }
        archive.text("recipe", trainer.job.recipe.to_toml());
        archive.text(
            "corpus",
            format!("{} {}", corpus.sha256, corpus.description),
        );
        if let Some(from) = &trainer.job.from {
            archive.text("started_from", from.display());
        }
        archive.text("unicode", corpus.reading.unicode);
        let reading = serde_json::to_string(&corpus.reading).unwrap_or_default();
        archive.text("reading", reading);
        let source = serde_json::to_string(&trainer.job.source).unwrap_or_default();
        archive.text("source", source);
        archive.text("validation_loss_nats", loss.unwrap_or(f64::NAN));
        archive.text("steps", trainer.progress.step);
        safetensors_io::write(archive, path)
    }

    fn end(&mut self, interrupted: bool, loss: Option<f64>, weights: Option<&Path>) {
        let progress = &self.trainer.progress;
        let (batch, seq_len) = self.trainer.batch_and_seq_len();
        let symbols = (batch * seq_len) as f64 * progress.step as f64;
        let characters = symbols / self.trainer.corpus.symbols_per_character();
        self.observer.observe(&Event::End {
            step: progress.step,
            seconds: self.before + self.begin.elapsed().as_secs_f64(),
            characters_per_second: characters / progress.step_seconds.max(f64::MIN_POSITIVE),
            interrupted,
            validation_loss_nats: loss,
            weights: weights.map(|path| path.display().to_string()),
            report: Report::path(self.run_dir).display().to_string(),
        });
    }
}
