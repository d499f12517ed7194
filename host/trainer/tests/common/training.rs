//! Small trainings within the test's own process.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use host::corpus::{Corpus, Reading, Source};
use host::name::Name;
use host::recipe::{BackendKind, Length, Recipe};
use trainer::run::events::Event;
use trainer::run::{Outcome, run};
use trainer::{Job, Observer, TrainError, Trainer};

/// libtorch's random generator belongs to the whole process, so only one test may train at a time.
pub fn alone() -> MutexGuard<'static, ()> {
    static TRAINING: Mutex<()> = Mutex::new(());
    TRAINING.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn small(steps: u64) -> Recipe {
    let mut recipe = Recipe::find("quick").unwrap();
    recipe.model.embedding = 6;
    recipe.model.hidden = 12;
    recipe.data.batch = 4;
    recipe.data.seq_len = 16;
    recipe.length = Length::Steps(steps);
    recipe.optimizer.warmup_steps = 5;
    recipe.report.every = 1;
    recipe.report.validate_every = 7;
    recipe.report.sample_every = 10;
    recipe.report.checkpoint_every = 10;
    recipe
}

/// All backends.
pub const BACKENDS: [BackendKind; 2] = [BackendKind::Libtorch, BackendKind::Native];

/// The same recipe by this backend.
pub fn by(backend: BackendKind, mut recipe: Recipe) -> Recipe {
    recipe.backend = backend;
    recipe
}

pub fn job(recipe: Recipe) -> Job {
    Job::new(
        Name::like("test"),
        Source::File("x".into()),
        Reading::default(),
        recipe,
    )
}

pub fn corpus(text: &str) -> Corpus {
    Corpus::from_bytes("x", text.as_bytes().to_vec(), Reading::default()).unwrap()
}

pub fn trainer(text: &str, recipe: Recipe) -> Trainer {
    Trainer::new(job(recipe), corpus(text), tch::Device::Cpu).unwrap()
}

/// Remembers everything, and asks to stop after a step.
struct Listener<'a> {
    events: Vec<Event>,
    stop_at: Option<u64>,
    stop: &'a AtomicBool,
}

impl Observer for Listener<'_> {
    fn observe(&mut self, event: &Event) {
        if let Event::Step(step) = event {
            self.stop
                .store(self.stop_at == Some(step.step), Ordering::Relaxed);
        }
        self.events.push(event.clone());
    }
}

/// Trains until `stop_at` (or the end) and returns what happened.
pub fn train(
    trainer: &mut Trainer,
    folder: &Path,
    stop_at: Option<u64>,
) -> Result<(Outcome, Vec<Event>), TrainError> {
    let stop = AtomicBool::new(false);
    let mut listener = Listener {
        events: Vec::new(),
        stop_at,
        stop: &stop,
    };
    let outcome = run(trainer, folder, &mut listener, &stop)?;
    Ok((outcome, listener.events))
}

/// Numbers that are equal only bit for bit.
pub fn bits(weights: &[f32]) -> Vec<u32> {
    weights.iter().map(|x| x.to_bits()).collect()
}
