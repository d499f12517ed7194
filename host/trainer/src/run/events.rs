//! What a training tells its surroundings. Serialized, these are the lines of `--json`.

use host::recipe::BackendKind;
use serde::Serialize;

/// Something that happened in a training.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// It begins, or goes on.
    Start {
        /// Its name.
        name: String,
        /// The text.
        corpus: String,
        /// Characters to learn from.
        training_characters: usize,
        /// Characters to measure on.
        validation_characters: usize,
        /// Symbols of the alphabet.
        symbols: usize,
        /// Hidden size: LSTM units per layer.
        hidden: usize,
        /// LSTM layers.
        layers: usize,
        /// Weights to be learned.
        parameters: usize,
        /// Where it is computed.
        device: String,
        /// By what: `native` or `libtorch`.
        backend: BackendKind,
        /// Steps done before.
        step: u64,
        /// Steps in all, where that is known.
        steps: Option<u64>,
    },
    /// Something that the user should know.
    Note {
        /// One sentence.
        text: String,
    },
    /// Some steps were made.
    Step(Step),
    /// The averaged weights were measured on the validation part, as parallel streams.
    Validation {
        /// After this step.
        step: u64,
        /// Nats per character.
        loss_nats: f64,
        /// Whether no earlier measurement was lower.
        best: bool,
    },
    /// The averaged weights wrote something.
    Sample {
        /// After this step.
        step: u64,
        /// What they wrote.
        text: String,
    },
    /// Everything needed to go on was saved.
    Checkpoint {
        /// After this step.
        step: u64,
        /// Where.
        path: String,
    },
    /// It ended, by itself or by the user.
    End {
        /// After this step.
        step: u64,
        /// Seconds of training in all, measuring included.
        seconds: f64,
        /// Characters learned from per second, measuring not included.
        characters_per_second: f64,
        /// Whether it can be resumed to do more.
        interrupted: bool,
        /// The loss of the saved weights on the validation part in nats per
        /// character, rounded if training ended with rounded weights; none for a text without such a
        /// part, or when interrupted.
        validation_loss_nats: Option<f64>,
        /// Where the weights were written; none when interrupted.
        weights: Option<String>,
        /// Where the report was written, for people to open.
        report: String,
    },
}

/// The figures of some steps.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Step {
    /// The last of them.
    pub step: u64,
    /// How far the run is, from 0 to 1.
    pub progress: f64,
    /// Their mean loss in nats per character, with parts dropped as the recipe says.
    pub loss_nats: f64,
    /// The learning rate of the last one.
    pub learning_rate: f64,
    /// Characters learned from per second.
    pub characters_per_second: f64,
    /// Seconds that the rest will take.
    pub seconds_left: f64,
}

/// What is told about a training: a terminal, a log, a test.
pub trait Observer {
    /// Hears about one event.
    fn observe(&mut self, event: &Event);
}
