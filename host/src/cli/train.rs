//! `inkling train`: the options of a training, and the start of the program that trains.
//!
//! Training is the one thing that needs libtorch, so it is a program of its own, `trainer`: all other
//! commands work where libtorch is missing or broken. In a checkout the first `train` builds it;
//! elsewhere it lies beside this program.

use std::path::PathBuf;

use anyhow::Result;

use super::reading::Treatment;
use crate::corpus::{Charset, Reading, Split, Standard};
use crate::device;
use crate::name::Name;
use crate::recipe::{
    AlphabetKind, BackendKind, DEFAULT_RECIPE, Length, Model, Recipe, RecipeError, budget,
};
use crate::toolchain::trainer;

/// Options of `train`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Your own text: files, folders with all the texts in them, or - for standard input; several are
    /// read as one, with blank lines between them. With --resume, where the text is now [default: the
    /// standard corpus]
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub text: Vec<PathBuf>,
    /// Which standard corpus
    #[arg(long, value_enum, default_value_t, conflicts_with_all = ["text", "resume"])]
    pub corpus: Standard,
    /// All settings: tutorial, quick, 32k, 64k, 128k, 256k, 512k (for images of that size), or a TOML file
    /// of your own [default: quick]
    #[arg(long, value_name = "NAME", conflicts_with = "resume")]
    pub recipe: Option<String>,
    /// Start with the weights of a model that knows the language: a run, a model in weights/, or a file;
    /// its size comes along. none: random weights [default: for a small text whichever is ahead after a
    /// short while, random weights or a shipped model of its language]
    #[arg(long, value_name = "MODEL", conflicts_with = "resume")]
    pub from: Option<PathBuf>,
    /// Choose all settings for a model of at most this much flash, like 64k
    #[arg(long, value_name = "SIZE", value_parser = budget::parse_bytes,
        conflicts_with_all = ["recipe", "resume"])]
    pub budget: Option<usize>,
    /// Choose all settings for the flash of a board; `inkling boards` lists them
    #[arg(long, value_name = "NAME", conflicts_with_all = ["recipe", "resume", "budget"])]
    pub board: Option<String>,
    /// Name of the run and of the model; if there is one of that name already, a number is added
    /// [default: that of the text or the recipe]
    #[arg(long, conflicts_with = "resume")]
    pub name: Option<Name>,
    /// Replace the run and the model of that name instead
    #[arg(long, conflicts_with = "resume")]
    pub overwrite: bool,
    /// What is done to the text.
    #[command(flatten)]
    pub treatment: Treatment,
    /// What takes the place of single settings.
    #[command(flatten)]
    pub settings: Settings,
    /// Go on with an interrupted run [default: the latest]
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    pub resume: Option<String>,
    /// Where to compute
    #[arg(long, value_enum, default_value_t)]
    pub device: DeviceChoice,
    /// Keep the text's own characters instead of transliterating to ASCII; where there are more than 255,
    /// the rarest are spelt in three symbols each
    #[arg(long, conflicts_with = "resume")]
    pub unicode: bool,
    /// The encoding of the text, such as windows-1251, shift_jis or macintosh [default: found out]
    #[arg(long, value_name = "NAME", conflicts_with = "resume")]
    pub encoding: Option<Charset>,
    /// Drop bytes that cannot be decoded, if they are few, instead of refusing the text
    #[arg(long, conflicts_with = "resume")]
    pub lossy: bool,
    /// Print one line of JSON per event
    #[arg(long)]
    pub json: bool,
    /// Print all settings as a recipe, and do not train
    #[arg(long)]
    pub print_recipe: bool,
    /// Leave it at float weights
    #[arg(long)]
    pub no_export: bool,
}

/// Settings that take the place of the recipe's.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Instead of the recipe's")]
pub struct Settings {
    /// Units per LSTM layer
    #[arg(long, value_name = "N", conflicts_with_all = ["resume", "budget", "board"])]
    pub hidden: Option<i64>,
    /// LSTM layers
    #[arg(long, value_name = "N", conflicts_with_all = ["resume", "budget", "board"])]
    pub layers: Option<i64>,
    /// Trits per weight of the recurrent matrices, 1 to 5: as the model will have them, and as training
    /// rounds them
    #[arg(long, value_name = "N")]
    pub planes: Option<u8>,
    /// Trits per weight of the matrix from the embedded symbol
    #[arg(long, value_name = "N")]
    pub input_planes: Option<u8>,
    /// Trits per weight of the output matrix
    #[arg(long, value_name = "N")]
    pub output_planes: Option<u8>,
    /// The part of the run after which it computes with rounded weights (quantization-aware training):
    /// 0 from the first step, 1 never
    #[arg(long, value_name = "PART")]
    pub round_from: Option<f64>,
    /// Windows of text per step
    #[arg(long, value_name = "N", conflicts_with = "resume")]
    pub batch: Option<i64>,
    /// Characters per window
    #[arg(long, value_name = "N", conflicts_with = "resume")]
    pub seq_len: Option<i64>,
    /// Which 10 % of the text are kept to measure on [default: that of a recipe that is named; else spread
    /// for your own text, last for a standard corpus]
    #[arg(long, value_enum, conflicts_with = "resume")]
    pub validation: Option<Split>,
    /// Learning rate
    #[arg(long, value_name = "RATE")]
    pub lr: Option<f64>,
    /// Probability of dropping an output component
    #[arg(long, value_name = "P")]
    pub dropout: Option<f64>,
    /// Train for so many steps
    #[arg(long, value_name = "N", conflicts_with = "minutes")]
    pub steps: Option<u64>,
    /// Train for so much time
    #[arg(long, value_name = "M")]
    pub minutes: Option<f64>,
    /// Read the text so many times, such as 0.5 or 20
    #[arg(long, value_name = "N", value_parser = parse_passes,
        conflicts_with_all = ["steps", "minutes", "resume"])]
    pub passes: Option<f64>,
    /// Same seed, same weights (on the CPU)
    #[arg(long, conflicts_with = "resume")]
    pub seed: Option<u64>,
    /// What computes losses and gradients; a run keeps its own [default: the recipe's, libtorch]
    #[arg(long, value_enum, value_name = "NAME", conflicts_with = "resume")]
    pub backend: Option<BackendKind>,
}

/// Where to compute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum DeviceChoice {
    /// The first GPU if libtorch can use one and the backend is not native, else the CPU
    Auto,
    /// The CPU
    #[default]
    Cpu,
    /// The first GPU, by the backend libtorch, if libtorch is one for CUDA
    Cuda,
}

/// Puts a value in the place of a setting, where there is one.
fn set<T: Copy>(setting: &mut T, value: Option<T>) {
    *setting = value.unwrap_or(*setting);
}

impl Settings {
    /// Puts what was given of the network's shape over `model`.
    pub fn shape(&self, model: &mut Model) {
        set(&mut model.hidden, self.hidden);
        set(&mut model.layers, self.layers);
        set(&mut model.planes, self.planes);
        set(&mut model.input_planes, self.input_planes);
        set(&mut model.output_planes, self.output_planes);
    }

    /// Puts what was given over `recipe`.
    pub fn apply(&self, recipe: &mut Recipe) {
        self.shape(&mut recipe.model);
        set(&mut recipe.quantization.start, self.round_from);
        set(&mut recipe.data.batch, self.batch);
        set(&mut recipe.data.seq_len, self.seq_len);
        set(&mut recipe.data.validation, self.validation);
        set(&mut recipe.optimizer.learning_rate, self.lr);
        set(&mut recipe.regularization.output_dropout, self.dropout);
        set(&mut recipe.length, self.steps.map(Length::Steps));
        set(&mut recipe.length, self.minutes.map(Length::Minutes));
        set(&mut recipe.seed, self.seed);
        set(&mut recipe.backend, self.backend);
    }
}

impl Args {
    /// The recipe that is named, with the settings that take the place of its own, or the default one.
    ///
    /// # Errors
    /// When there is none of that name, or when it is no valid recipe.
    pub fn recipe(&self) -> Result<Recipe, RecipeError> {
        let mut recipe = Recipe::find(self.recipe.as_deref().unwrap_or(DEFAULT_RECIPE))?;
        self.apply(&mut recipe);
        Ok(recipe)
    }

    /// Puts what was given over `recipe`.
    pub fn apply(&self, recipe: &mut Recipe) {
        if self.recipe.is_none() {
            recipe.data.validation = self.validation();
        }
        self.settings.apply(recipe);
    }

    /// What is measured on where no recipe is named that says it.
    fn validation(&self) -> Split {
        let is_standard = self.text.is_empty();
        let default = if is_standard {
            Split::Last
        } else {
            Split::Spread
        };
        self.settings.validation.unwrap_or(default)
    }

    /// How the text is to be read, by its recipe where there is one already.
    #[must_use]
    pub fn reading(&self, recipe: Option<&Recipe>) -> Reading {
        let mut reading = Reading {
            unicode: self.unicode,
            lossy: self.lossy,
            encoding: self.encoding,
            validation: recipe.map_or(self.validation(), |recipe| recipe.data.validation),
            printable: recipe
                .is_some_and(|recipe| recipe.model.alphabet == AlphabetKind::Printable),
            ..Reading::default()
        };
        self.treatment.apply(&mut reading, !self.text.is_empty());
        reading
    }

    /// The flash that settings are to be chosen for, with a name for it.
    ///
    /// # Errors
    /// When there is no such board.
    pub fn flash(&self) -> Result<Option<(String, usize)>> {
        match (self.budget, &self.board) {
            (Some(bytes), _) if bytes % 1024 == 0 => {
                Ok(Some((format!("{}k", bytes / 1024), bytes)))
            }
            (Some(bytes), _) => Ok(Some((bytes.to_string(), bytes))),
            (None, Some(board)) => {
                let bytes = budget::of_board(device::find(board)?);
                Ok(Some((board.clone(), bytes)))
            }
            (None, None) => Ok(None),
        }
    }
}

/// Reads how often a text is to be read.
fn parse_passes(text: &str) -> Result<f64, String> {
    let passes = text
        .parse()
        .ok()
        .filter(|passes| (1e-6..=1e6).contains(passes));
    passes.ok_or_else(|| "expected a number of times, such as 0.5 or 20".to_owned())
}

/// Hands over to the program that trains, with the same options.
///
/// # Errors
/// When libtorch is missing or that program cannot be built or started.
pub fn run(_checked: &Args) -> Result<()> {
    let options = std::env::args_os()
        .skip_while(|word| word != "train")
        .skip(1);
    Ok(trainer::become_it(options)?)
}
