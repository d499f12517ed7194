//! Why settings could not be used; the messages are what users read.

use crate::words::count;
use inkling_engine::format::{MAX_LAYERS, MAX_UNITS};

/// Why a recipe cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// No built-in recipe and no file has this name.
    #[error("there is no recipe '{name}'; choose one of {known}, or the path of a TOML file")]
    Unknown {
        /// What was asked for.
        name: String,
        /// The built-in ones.
        known: String,
    },
    /// A recipe cannot be read or understood.
    #[error("the recipe '{name}' cannot be used: {reason}")]
    Bad {
        /// Its name or path.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting is outside what makes sense.
    #[error("{setting} is {value}, but it must be {wanted}")]
    Setting {
        /// The setting as recipes call it.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What is accepted.
        wanted: &'static str,
    },
    /// No board could hold the model.
    #[error(
        "a model of {layers} × {hidden} units and {} is larger than what runs on boards (all \
         layers together have at most {MAX_UNITS} units, \
         in at most {MAX_LAYERS} layers); take a smaller --hidden, or --no-export for float weights alone",
        count(*symbols, "symbol")
    )]
    TooLargeForEngine {
        /// Hidden size.
        hidden: i64,
        /// Layers.
        layers: i64,
        /// Symbols.
        symbols: usize,
    },
    /// Not even the smallest model fits a budget.
    #[error(
        "no model of {} fits {}; the smallest takes {least}, so give at least --budget {least}",
        count(*symbols, "symbol"), count(*budget, "byte")
    )]
    BudgetTooSmall {
        /// Bytes there are.
        budget: usize,
        /// Symbols of the text.
        symbols: usize,
        /// Bytes there must be.
        least: usize,
    },
}
