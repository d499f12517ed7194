//! What a character may cost on the boards: recorded in `firmware/budgets.toml`, compared by a test.
//!
//! The model is made up and has the tutorial's shape; one board stands for each set of kernels.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::bench::{
    SHAPE_PLANES, TUTORIAL_HIDDEN, TUTORIAL_SYMBOLS, deepest_stack, instructions_per_char,
};
use super::board::Board;
use super::build::{Firmware, Program};
use super::error::DeviceError;
use crate::paths;
use crate::quantize::{InputForm, quantize};
use crate::synthetic::float_model;
use inkling_engine::AlignedImage;

/// The boards that have budgets.
pub const BUDGET_BOARDS: [&str; 5] = [
    "microbit",
    "mps2-an385",
    "mps2-an386",
    "mps2-an505",
    "riscv-virt",
];

/// How to record what is measured now.
pub const UPDATE: &str = "cargo xtask bench device --update-budgets";

/// How far a figure may exceed its budget.
const TOLERANCE: f64 = 0.02;

/// What is written at the top of the file.
const HEADER: &str = "\
# What the model of the tutorial's shape (hidden 100, 65 symbols) may cost on each board, within 2 %.
# Instructions are per character, bytes are those of the console program without the model.
# A test compares; this records: cargo xtask bench device --update-budgets
";

/// What a board may take.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// Instructions for a character with inputs behind an embedding.
    pub embedded_instructions: u64,
    /// Instructions for a character with folded inputs.
    pub folded_instructions: u64,
    /// Flash of the program alone.
    pub code_bytes: u64,
    /// Static variables, the model's state among them.
    pub static_ram_bytes: u64,
    /// The deepest stack.
    pub stack_bytes: u64,
}

impl Budget {
    /// Measures what a board takes now.
    ///
    /// # Errors
    /// When the firmware cannot be built or booted.
    pub fn measure(board: &'static Board) -> Result<Budget, DeviceError> {
        let embedded = image(InputForm::Embedded)?;
        let mut program = Firmware::with_room(board, Program::Bench)?;
        program.replace_model(embedded.bytes())?;
        let embedded_instructions = instructions_per_char(&program)? as u64;
        program.replace_model(image(InputForm::Folded)?.bytes())?;
        let folded_instructions = instructions_per_char(&program)? as u64;
        let mut console = Firmware::with_room(board, Program::Console)?;
        console.replace_model(embedded.bytes())?;
        let stack_bytes = deepest_stack(&console)?;
        let footprint = console.footprint;
        Ok(Budget {
            embedded_instructions,
            folded_instructions,
            code_bytes: footprint.flash_bytes - footprint.model_bytes,
            static_ram_bytes: footprint.static_ram_bytes,
            stack_bytes,
        })
    }

    /// One sentence for each figure of `measured` that exceeds this budget.
    #[must_use]
    pub fn exceeded_by(&self, measured: &Budget) -> Vec<String> {
        let sentence = |(what, budget, found): (&str, u64, u64)| {
            (found as f64 > budget as f64 * (1.0 + TOLERANCE)).then(|| {
                format!("{found} {what} instead of {budget}: mend it, or record it with `{UPDATE}`")
            })
        };
        let pair = |what, figure: fn(&Budget) -> u64| (what, figure(self), figure(measured));
        [
            pair("instructions per character (embedded)", |budget| {
                budget.embedded_instructions
            }),
            pair("instructions per character (folded)", |budget| {
                budget.folded_instructions
            }),
            pair("bytes of program", |budget| budget.code_bytes),
            pair("bytes of static RAM", |budget| budget.static_ram_bytes),
            pair("bytes of stack", |budget| budget.stack_bytes),
        ]
        .into_iter()
        .filter_map(sentence)
        .collect()
    }
}

/// A model of the tutorial's shape.
fn image(form: InputForm) -> Result<AlignedImage, DeviceError> {
    let model = float_model(TUTORIAL_SYMBOLS, TUTORIAL_HIDDEN, 1, 1);
    let error = |reason: String| DeviceError::Bench(reason);
    quantize(&model, SHAPE_PLANES, form)
        .map_err(|reason| error(reason.to_string()))?
        .to_image()
        .map_err(|reason| error(reason.to_string()))
}

/// The budgets by board.
pub type Budgets = BTreeMap<String, Budget>;

/// Where they are recorded.
#[must_use]
pub fn path() -> PathBuf {
    paths::project_dir().join("firmware/budgets.toml")
}

/// Reads them.
///
/// # Errors
/// When the file is missing or is not a table of budgets.
pub fn load() -> Result<Budgets, DeviceError> {
    let error = |reason: String| DeviceError::Budgets {
        path: path(),
        reason,
    };
    let text = std::fs::read_to_string(path()).map_err(|reason| error(reason.to_string()))?;
    toml::from_str(&text).map_err(|reason| error(reason.to_string()))
}

/// Records them.
///
/// # Errors
/// When the file cannot be written.
pub fn save(budgets: &Budgets) -> Result<(), DeviceError> {
    let error = |reason: String| DeviceError::Budgets {
        path: path(),
        reason,
    };
    let text = toml::to_string(budgets).map_err(|reason| error(reason.to_string()))?;
    std::fs::write(path(), format!("{HEADER}\n{text}")).map_err(|reason| error(reason.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_exceeds_its_budget_by_more_than_the_tolerance_is_named() {
        let budget = Budget {
            embedded_instructions: 10_000,
            folded_instructions: 10_000,
            code_bytes: 10_000,
            static_ram_bytes: 10_000,
            stack_bytes: 10_000,
        };
        let measured = Budget {
            embedded_instructions: 10_200,
            folded_instructions: 10_201,
            code_bytes: 9_000,
            ..budget.clone()
        };
        assert_eq!(
            budget.exceeded_by(&measured),
            [format!(
                "10201 instructions per character (folded) instead of 10000: mend it, or record it \
                 with `{UPDATE}`"
            )]
        );
    }
}
