//! Recipes: every setting of a training as data, with inheritance.
//!
//! The built-in ones are the TOML files in `recipes/`; a path names the user's own.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use crate::corpus::Split;
use crate::quantize::trits::{PLANES, Planes};

pub mod budget;
mod error;
pub mod suit;

pub use error::RecipeError;

/// The recipe that is used when none is named.
pub const DEFAULT_RECIPE: &str = "quick";

const BUILT_IN: [(&str, &str); 9] = [
    ("base", include_str!("../../recipes/base.toml")),
    ("quick", include_str!("../../recipes/quick.toml")),
    ("tutorial", include_str!("../../recipes/tutorial.toml")),
    ("32k", include_str!("../../recipes/32k.toml")),
    ("40k", include_str!("../../recipes/40k.toml")),
    ("64k", include_str!("../../recipes/64k.toml")),
    ("128k", include_str!("../../recipes/128k.toml")),
    ("256k", include_str!("../../recipes/256k.toml")),
    ("512k", include_str!("../../recipes/512k.toml")),
];

/// The longest sample on the way: each is kept in memory and in the report.
const MAX_SAMPLE_LENGTH: usize = 100_000;

/// The most characters that a step reads: all that is computed for each stays in memory until its end.
const MAX_STEP_CHARACTERS: i64 = 1 << 22;

/// How deep `inherits` may go; more can only be a circle.
const MAX_ANCESTORS: usize = 16;

/// Every setting of a training. `recipes/base.toml` says what each one means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// What makes a run repeatable.
    pub seed: u64,
    /// What computes losses and gradients.
    #[serde(default = "BackendKind::unnamed")]
    pub backend: BackendKind,
    /// What is trained.
    pub model: Model,
    /// How the text is read.
    pub data: Data,
    /// When training ends.
    pub length: Length,
    /// How weights are changed.
    pub optimizer: Optimizer,
    /// What keeps the model from learning by heart.
    pub regularization: Regularization,
    /// What prepares weights for few trits.
    pub quantization: Quantization,
    /// What is shown and saved on the way.
    pub report: Report,
}

/// What computes losses and gradients. Weights depend on it in their last bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// libtorch, on any device
    Libtorch,
    /// Plain Rust, on the CPU
    Native,
}

impl BackendKind {
    /// That of a checkpoint which names none: earlier versions had no other on the CPU.
    fn unnamed() -> Self {
        Self::Native
    }

    /// What recipes and reports call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Libtorch => "libtorch",
        }
    }
}

/// The shape of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// Which symbols there are.
    pub alphabet: AlphabetKind,
    /// Components per embedded symbol.
    pub embedding: i64,
    /// Hidden size: LSTM units per layer.
    pub hidden: i64,
    /// LSTM layers.
    pub layers: i64,
    /// Trits per weight of the recurrent matrices, and of those from the layer below.
    pub planes: u8,
    /// Trits per weight of the matrix from the embedded symbol.
    pub input_planes: u8,
    /// Trits per weight of the output matrix.
    pub output_planes: u8,
}

impl Model {
    /// Trits per weight of each kind of matrix.
    #[must_use]
    pub fn planes(&self) -> Planes {
        Planes {
            recurrent: self.planes,
            input: self.input_planes,
            output: self.output_planes,
        }
    }
}

/// Which symbols a model has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlphabetKind {
    /// Those that occur in the text.
    Own,
    /// Those and all of `string.printable`.
    Printable,
}

/// How the text is cut into batches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Data {
    /// Where windows begin.
    pub order: Order,
    /// Windows side by side.
    pub batch: i64,
    /// Predictions per window.
    pub seq_len: i64,
    /// Parts of a batch that are computed side by side.
    pub workers: i64,
    /// Which part of the text is kept to measure on.
    #[serde(default)]
    pub validation: Split,
}

/// Where windows begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Each goes on where the one before it ended, with its state.
    Streams,
    /// Anywhere, from the zero state.
    Chunks,
}

/// When training ends.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Length {
    /// After so many steps: repeatable.
    Steps(u64),
    /// After so much time: what was learned depends on the machine.
    Minutes(f64),
}

/// AdamW and its schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Optimizer {
    /// The highest learning rate.
    pub learning_rate: f64,
    /// How it changes over the run.
    pub schedule: Schedule,
    /// Steps over which it rises from zero.
    pub warmup_steps: u64,
    /// Where the cosine ends, as a fraction of the learning rate.
    pub final_rate: f64,
    /// Memory of the mean gradient.
    pub beta1: f64,
    /// Memory of the squared gradient.
    pub beta2: f64,
    /// Keeps the quotient of both finite.
    pub epsilon: f64,
    /// The longest gradient; 0 for any.
    pub clip_norm: f64,
    /// Memory of the averaged weights; 0 for none.
    pub average: f64,
}

/// How the learning rate changes over a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// It falls along half a cosine.
    Cosine,
    /// It stays.
    Constant,
}

/// What keeps the model from learning by heart.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regularization {
    /// Probability that an embedding component is dropped for a window.
    pub input_dropout: f64,
    /// Probability that an output component is dropped for a window.
    pub output_dropout: f64,
    /// Probability that a recurrent weight is dropped for a window.
    pub drop_connect: f64,
    /// Pull of weights towards zero.
    pub weight_decay: f64,
}

/// What prepares weights for few trits: quantization-aware training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quantization {
    /// The part of a run after which the network computes with rounded weights: 0 from the first step,
    /// 1 never.
    pub start: f64,
}

/// What is shown and saved on the way, in steps; 0 for never. And what is kept at the end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// The loss.
    pub every: u64,
    /// The loss on the validation part.
    pub validate_every: u64,
    /// A sample.
    pub sample_every: u64,
    /// Its length in characters.
    pub sample_length: usize,
    /// Its temperature.
    pub sample_temperature: f64,
    /// A checkpoint.
    pub checkpoint_every: u64,
    /// A checkpoint as well, when so many seconds have passed since the last one.
    pub checkpoint_seconds: f64,
    /// Which weights the end of the run writes.
    pub keep: Keep,
    /// So many losses in a row on the validation part that are clearly worse than the lowest end the
    /// training; 0: none do.
    #[serde(default)]
    pub patience: usize,
}

/// Which of the averaged weights are the result of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Keep {
    /// Those with the lowest validation loss on the way.
    Best,
    /// The last.
    Last,
}

impl Length {
    /// How much of a run is done after so many steps and seconds, from 0 to 1.
    #[must_use]
    pub fn done(self, steps: u64, seconds: f64) -> f64 {
        let done = match self {
            Self::Steps(all) => steps as f64 / all as f64,
            Self::Minutes(minutes) => seconds / (60.0 * minutes),
        };
        done.min(1.0)
    }
}

impl Recipe {
    /// The built-in recipe called `name`, or the one in the file of that path, with all that it
    /// inherits.
    ///
    /// # Errors
    /// When there is none, or when it is no valid recipe.
    pub fn find(name: &str) -> Result<Self, RecipeError> {
        let (text, folder) = read(name, None)?;
        Self::of_text(name, &text, folder.as_deref())
    }

    /// The recipe that a file of this name would hold with this text, with all that it inherits: built-in
    /// recipes, or files of its folder.
    ///
    /// # Errors
    /// When it is no valid recipe.
    pub fn of_text(name: &str, text: &str, folder: Option<&Path>) -> Result<Self, RecipeError> {
        let bad = |reason: String| RecipeError::Bad {
            name: name.to_owned(),
            reason,
        };
        let table = resolve(name, text, folder, MAX_ANCESTORS)?;
        // Through text, so that the message quotes the line that is wrong.
        let recipe: Self =
            toml::from_str(&table.to_string()).map_err(|error| bad(one_line(error.message())))?;
        recipe.check()?;
        Ok(recipe)
    }

    /// The names of the built-in recipes.
    pub fn names() -> impl Iterator<Item = &'static str> {
        BUILT_IN.iter().map(|(name, _)| *name)
    }

    /// All settings as TOML, which [`Recipe::find`] would read again.
    #[must_use]
    pub fn to_toml(&self) -> String {
        toml::to_string(self).unwrap_or_default()
    }

    /// Reads what [`Recipe::to_toml`] wrote.
    ///
    /// # Errors
    /// When it is something else.
    pub fn from_toml(text: &str) -> Result<Self, RecipeError> {
        toml::from_str(text).map_err(|error| RecipeError::Bad {
            name: "of the run".to_owned(),
            reason: one_line(error.message()),
        })
    }

    /// Refuses settings that cannot work.
    ///
    /// # Errors
    /// Names the first such setting and what it may be.
    pub fn check(&self) -> Result<(), RecipeError> {
        let whole = |setting, value: i64, most: i64, wanted| {
            ensure((1..=most).contains(&value), setting, value, wanted)
        };
        whole("embedding", self.model.embedding, 4096, "from 1 to 4096")?;
        whole("hidden", self.model.hidden, 4096, "from 1 to 4096")?;
        whole("layers", self.model.layers, 8, "from 1 to 8")?;
        whole("batch", self.data.batch, 4096, "from 1 to 4096")?;
        whole("workers", self.data.workers, 256, "from 1 to 256")?;
        whole("seq_len", self.data.seq_len, 65536, "from 1 to 65536")?;
        let step = self.data.batch * self.data.seq_len;
        ensure(
            step <= MAX_STEP_CHARACTERS,
            "batch times seq_len",
            step,
            "at most 4194304",
        )?;
        let length = self.report.sample_length;
        ensure(
            length <= MAX_SAMPLE_LENGTH,
            "sample_length",
            length,
            "from 0 to 100000",
        )?;
        for (setting, planes) in [
            ("planes", self.model.planes),
            ("input_planes", self.model.input_planes),
            ("output_planes", self.model.output_planes),
        ] {
            ensure(PLANES.contains(&planes), setting, planes, "from 1 to 5")?;
        }
        let start = self.quantization.start;
        ensure((0.0..=1.0).contains(&start), "start", start, "from 0 to 1")?;
        match self.length {
            Length::Steps(steps) => ensure(steps > 0, "steps", steps, "at least 1")?,
            Length::Minutes(minutes) => ensure(
                minutes.is_finite() && minutes > 0.0,
                "minutes",
                minutes,
                "more than 0",
            )?,
        }
        let rate = self.optimizer.learning_rate;
        let sensible = rate.is_finite() && rate > 0.0;
        ensure(sensible, "learning_rate", rate, "more than 0")?;
        for (setting, value) in [
            ("epsilon", self.optimizer.epsilon),
            ("sample_temperature", self.report.sample_temperature),
        ] {
            ensure(
                value.is_finite() && value > 0.0,
                setting,
                value,
                "more than 0",
            )?;
        }
        for (setting, value) in [
            ("weight_decay", self.regularization.weight_decay),
            ("clip_norm", self.optimizer.clip_norm),
            ("final_rate", self.optimizer.final_rate),
            ("checkpoint_seconds", self.report.checkpoint_seconds),
        ] {
            ensure(
                value.is_finite() && value >= 0.0,
                setting,
                value,
                "0 or more",
            )?;
        }
        for (setting, value) in [
            ("input_dropout", self.regularization.input_dropout),
            ("output_dropout", self.regularization.output_dropout),
            ("drop_connect", self.regularization.drop_connect),
            ("beta1", self.optimizer.beta1),
            ("beta2", self.optimizer.beta2),
            ("average", self.optimizer.average),
        ] {
            ensure(
                (0.0..1.0).contains(&value),
                setting,
                value,
                "from 0 to below 1",
            )?;
        }
        Ok(())
    }
}

fn ensure(
    holds: bool,
    setting: &'static str,
    value: impl ToString,
    wanted: &'static str,
) -> Result<(), RecipeError> {
    let value = value.to_string();
    holds.then_some(()).ok_or(RecipeError::Setting {
        setting,
        value,
        wanted,
    })
}

/// The table of a recipe, on top of those that it inherits.
fn resolve(
    name: &str,
    text: &str,
    folder: Option<&Path>,
    depth: usize,
) -> Result<Table, RecipeError> {
    let bad = |reason: String| RecipeError::Bad {
        name: name.to_owned(),
        reason,
    };
    if depth == 0 {
        return Err(bad("it inherits itself".to_owned()));
    }
    let mut table: Table = text
        .parse()
        .map_err(|error: toml::de::Error| bad(one_line(error.message())))?;
    match table.remove("inherits") {
        None => Ok(table),
        Some(Value::String(parent)) => {
            let (text, folder) = read(&parent, folder)?;
            let mut whole = resolve(&parent, &text, folder.as_deref(), depth - 1)?;
            overlay(&mut whole, table);
            Ok(whole)
        }
        Some(_) => Err(bad("'inherits' must be the name of a recipe".to_owned())),
    }
}

/// The text of a recipe and, if it is a file, the folder that its relatives are looked for in.
fn read(name: &str, beside: Option<&Path>) -> Result<(String, Option<PathBuf>), RecipeError> {
    if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
        return Ok(((*text).to_owned(), None));
    }
    let path = beside.map_or_else(|| PathBuf::from(name), |folder| folder.join(name));
    if !path.is_file() {
        return Err(RecipeError::Unknown {
            name: name.to_owned(),
            known: Recipe::names().collect::<Vec<_>>().join(", "),
        });
    }
    let text = std::fs::read_to_string(&path).map_err(|error| RecipeError::Bad {
        name: name.to_owned(),
        reason: error.to_string(),
    })?;
    Ok((text, path.parent().map(Path::to_owned)))
}

/// Puts `changes` over `table`, table by table; `length` is replaced as a whole.
fn overlay(table: &mut Table, changes: Table) {
    for (key, change) in changes {
        match (table.get_mut(&key), change) {
            (Some(Value::Table(old)), Value::Table(new)) if key != "length" => overlay(old, new),
            (_, change) => {
                table.insert(key, change);
            }
        }
    }
}

fn one_line(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &Path, name: &str, text: &str) -> String {
        let path = folder.join(name);
        std::fs::write(&path, text).expect("a file");
        path.display().to_string()
    }

    fn refusal(text: &str) -> String {
        let folder = tempfile::tempdir().expect("a folder");
        let name = file(folder.path(), "r.toml", text);
        let message = Recipe::find(&name).expect_err("a refusal").to_string();
        assert!(!message.contains('\n'), "{message}");
        message
    }

    #[test]
    fn every_built_in_recipe_survives_printing() {
        for name in Recipe::names() {
            let recipe = Recipe::find(name).expect(name);
            assert_eq!(Recipe::from_toml(&recipe.to_toml()).expect(name), recipe);
        }
    }

    #[test]
    fn recipes_named_by_a_size_keep_to_it() {
        let sized = |name: &str| name.strip_suffix('k')?.parse::<usize>().ok();
        let sizes = Recipe::names().filter_map(|name| Some((name, sized(name)?)));
        for (name, kibibytes) in sizes {
            let model = Recipe::find(name).expect(name).model;
            let bytes = budget::image_bytes(&model, 65).expect(name);
            let most = 1024 * kibibytes;
            assert!(bytes <= most, "{name}: {bytes}");
            assert!(bytes > most * 9 / 10, "{name} wastes flash: {bytes}");
        }
    }

    #[test]
    fn the_tutorial_is_as_it_was_written() {
        let recipe = Recipe::find("tutorial").expect("a recipe");
        assert_eq!(recipe.model.alphabet, AlphabetKind::Printable);
        assert_eq!((recipe.model.embedding, recipe.model.hidden), (70, 100));
        assert_eq!((recipe.model.layers, recipe.data.batch), (1, 1));
        assert_eq!(
            (recipe.data.order, recipe.data.seq_len),
            (Order::Chunks, 200 - 1)
        );
        assert_eq!(recipe.length, Length::Steps(2000));
        assert_eq!(recipe.optimizer.learning_rate, 0.002);
        assert_eq!(
            (recipe.optimizer.beta1, recipe.optimizer.beta2),
            (0.9, 0.999)
        );
        assert_eq!(
            (recipe.optimizer.clip_norm, recipe.optimizer.average),
            (0.0, 0.0)
        );
        assert_eq!(recipe.regularization, Regularization::default());
        assert_eq!(
            (recipe.report.every, recipe.report.sample_every),
            (100, 100)
        );
        assert_eq!(recipe.report.sample_temperature, 0.8);
        assert_eq!(recipe.quantization, Quantization { start: 1.0 });
    }

    #[test]
    fn a_users_recipe_inherits_from_built_in_ones_and_from_files_beside_it() {
        let folder = tempfile::tempdir().expect("a folder");
        file(
            folder.path(),
            "mine.toml",
            "inherits = 'quick'\n[length]\nminutes = 2.5\n[model]\nhidden = 64\n",
        );
        let name = file(
            folder.path(),
            "yours.toml",
            "inherits = 'mine.toml'\nseed = 9\n",
        );
        let recipe = Recipe::find(&name).expect("a recipe");
        let quick = Recipe::find("quick").expect("a recipe");
        assert_eq!((recipe.seed, recipe.model.hidden), (9, 64));
        assert_eq!(recipe.length, Length::Minutes(2.5));
        assert_eq!(recipe.optimizer, quick.optimizer);
    }

    #[test]
    fn what_is_no_recipe_is_refused_in_one_sentence() {
        assert!(refusal("inherits = 'quick'\nsede = 1").contains("unknown field `sede`"));
        assert!(refusal("seed = ").contains("cannot be used"));
        assert!(refusal("seed = 1").contains("missing field"));
        assert!(refusal("inherits = 'r.toml'").contains("inherits itself"));
        assert!(refusal("inherits = 3").contains("name of a recipe"));
        assert!(refusal("inherits = 'quick'\n[model]\nhidden = 0").contains("from 1 to 4096"));
        for planes in ["planes", "input_planes", "output_planes"] {
            for count in [0, 6] {
                let refused = refusal(&format!("inherits = 'quick'\n[model]\n{planes} = {count}"));
                let told = format!("{planes} is {count}");
                assert!(refused.contains(&told) && refused.contains("from 1 to 5"));
            }
        }
        for start in ["-0.1", "1.5", "nan"] {
            let refused = refusal(&format!(
                "inherits = 'quick'\n[quantization]\nstart = {start}"
            ));
            assert!(refused.contains("from 0 to 1"), "{refused}");
        }
        let keep = "inherits = 'quick'\n[report]\nkeep = 'first'";
        assert!(refusal(keep).contains("expected `best` or `last`"));
        let of_before = "inherits = 'quick'\n[model]\nbits = 4";
        assert!(refusal(of_before).contains("unknown field `bits`"));
        let rate = "inherits = 'quick'\n[optimizer]\nlearning_rate = nan";
        assert!(refusal(rate).contains("learning_rate is NaN"));
        let unknown = Recipe::find("quik").expect_err("a refusal").to_string();
        assert!(
            unknown.contains("quick") && unknown.contains("tutorial"),
            "{unknown}"
        );
    }
}
