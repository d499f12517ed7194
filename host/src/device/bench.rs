//! Counts the instructions that a board needs for a character, and the memory it takes.
//!
//! QEMU lets one instruction take one nanosecond of virtual time, rp2040js counts cycles. The firmware's
//! program `bench` reads a hardware timer around each part, and a loop of known length checks the scale.
//! What is called instructions below is cycles on the Pico: [`BenchReport::unit`] says so.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use firmware::console::Command;
use firmware::protocol::MEMORY;
use inkling_engine::format::{Dimensions, Planes};
use serde::{Deserialize, Serialize};

use super::board::{Board, Unit};
use super::build::{Firmware, MODEL_ROOM, Program};
use super::emulate::{Emulator, Options, machine_of};
use super::error::DeviceError;
use super::passage::Request;
use crate::image;
use crate::quantize::InputForm;
use crate::words;
use inkling_load::Footprint;

/// The hidden size of the tutorial's model, which is what other libraries are measured with.
pub const TUTORIAL_HIDDEN: usize = 100;

/// The symbols of tinyshakespeare.
pub const TUTORIAL_SYMBOLS: usize = 65;

/// Trits per weight of made-up models: those of the recipes.
pub const SHAPE_PLANES: Planes = Planes {
    recurrent: 1,
    input: 2,
    output: 2,
};

/// How long the bench program may take in an emulator that counts instructions.
const BENCH_TIMEOUT: Duration = Duration::from_secs(600);

/// How long the console may take to answer.
const CONSOLE_TIMEOUT: Duration = Duration::from_secs(60);

/// How far the calibration loop may be off its known length.
const CALIBRATION_TOLERANCE: f64 = 0.001;

/// What a model costs on a board.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchReport {
    /// The board's name.
    pub board: &'static str,
    /// Its processor core.
    pub core: &'static str,
    /// The model's name.
    pub model: String,
    /// The model's hidden size.
    pub hidden: usize,
    /// Its number of LSTM layers.
    pub layers: usize,
    /// The size of its alphabet.
    pub symbols: usize,
    /// How its weights are kept.
    pub weights: String,
    /// How its inputs are kept.
    pub input_form: InputForm,
    /// What is counted.
    pub unit: Unit,
    /// Instructions for one character, everything from symbol to symbol.
    pub instructions_per_char: f64,
    /// What they go into; adds up to them.
    pub parts: Parts,
    /// How much work the two products are, and how efficiently it is done.
    pub products: Products,
    /// How many characters were generated for the figures.
    pub characters: u64,
    /// The length of the model image.
    pub image_bytes: usize,
    /// Flash of the whole firmware, model included.
    pub flash_bytes: u64,
    /// Flash of the program alone: code and constants.
    pub code_bytes: u64,
    /// RAM of the whole firmware: static variables and the deepest stack.
    pub ram_bytes: u64,
    /// Static variables alone; they hold the model's state.
    pub static_ram_bytes: u64,
    /// The deepest stack alone.
    pub stack_bytes: u64,
}

/// The two matrix products of a character.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Products {
    /// Recurrent weights (and in higher layers those from below) times hidden state.
    pub recurrent: Product,
    /// Output weights times hidden state.
    pub output: Product,
}

/// A matrix product.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Product {
    /// How many weights are multiplied and added up, padding not counted.
    pub multiply_accumulates: usize,
    /// How many instructions each of them takes.
    pub instructions_each: f64,
}

impl Product {
    fn new(multiply_accumulates: usize, instructions: f64) -> Self {
        Product {
            multiply_accumulates,
            instructions_each: instructions / multiply_accumulates as f64,
        }
    }
}

/// Instructions per character by what they do.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Parts {
    /// What the symbol adds to the gates, before it is scaled; nothing where it is read from a table.
    pub inputs: f64,
    /// Building the tables of sums, which all products with the hidden state share.
    pub tables: f64,
    /// Recurrent weights times hidden state (in higher layers also the weights from below).
    pub recurrent_product: f64,
    /// Gates and cells.
    pub activations: f64,
    /// Output weights times hidden state: the logits.
    pub output_product: f64,
    /// From logits to a character.
    pub sampling: f64,
}

/// One line of the bench program.
#[derive(Debug, Deserialize)]
struct Figure {
    figure: String,
    ticks: u64,
    count: u64,
}

/// Measures a model on a board.
///
/// # Errors
/// When the model is not a sound image, or the firmware cannot be built or booted.
pub fn run(board: &'static Board, model: &Path) -> Result<BenchReport, DeviceError> {
    let image = image::open(model)?;
    let source = (model, image.bytes());
    let figures = measure(&link(board, source, Program::Bench)?, "# done")?;
    let console = link(board, source, Program::Console)?;
    let stack_bytes = deepest_stack(&console)?;
    let Footprint {
        flash_bytes,
        model_bytes,
        static_ram_bytes,
        ..
    } = console.footprint;
    let code_bytes = flash_bytes - model_bytes;
    let model = image
        .model()
        .map_err(|source| crate::image::FileError::Image {
            path: model.into(),
            source,
        })?;
    let instructions = |name: &str| figures.per_count(name);
    let total = instructions("character")?;
    let step = instructions("step")?;
    let tables = instructions("tables")?;
    let recurrent_product = instructions("recurrent_and_tables")? - tables;
    let output_product = instructions("output_and_tables")? - tables;
    let inputs = instructions("inputs")?;
    let Dimensions {
        hidden,
        layers,
        symbols,
        ..
    } = model.dimensions();
    let recurrent_weights = 4 * hidden * hidden * (2 * layers - 1);
    Ok(BenchReport {
        board: board.name,
        core: board.core,
        model: model.name().to_owned(),
        hidden,
        layers,
        symbols,
        weights: words::weights(&model.dimensions()),
        input_form: InputForm::of(&model.dimensions()),
        unit: unit_of(board)?,
        instructions_per_char: total,
        parts: Parts {
            inputs,
            tables,
            recurrent_product,
            activations: step - inputs - tables - recurrent_product - output_product,
            output_product,
            sampling: total - step,
        },
        products: Products {
            recurrent: Product::new(recurrent_weights, recurrent_product),
            output: Product::new(symbols * hidden, output_product),
        },
        characters: figures.count("character")?,
        image_bytes: model.image_bytes(),
        flash_bytes: code_bytes + model.image_bytes() as u64,
        code_bytes,
        ram_bytes: static_ram_bytes + stack_bytes,
        static_ram_bytes,
        stack_bytes,
    })
}

/// What the bench program found.
struct Figures {
    by_name: HashMap<String, Figure>,
    instructions_per_tick: f64,
}

impl Figures {
    fn get(&self, name: &str) -> Result<&Figure, DeviceError> {
        self.by_name
            .get(name)
            .ok_or_else(|| DeviceError::Bench(format!("it did not measure '{name}'")))
    }

    fn count(&self, name: &str) -> Result<u64, DeviceError> {
        Ok(self.get(name)?.count)
    }

    /// Whole instructions for one of what the figure counts.
    fn per_count(&self, name: &str) -> Result<f64, DeviceError> {
        let figure = self.get(name)?;
        let instructions = figure.ticks as f64 * self.instructions_per_tick;
        Ok((instructions / figure.count as f64).round())
    }
}

/// Instructions for one character, everything from symbol to symbol; `firmware` is the bench program.
///
/// # Errors
/// When the firmware cannot be booted.
pub fn instructions_per_char(firmware: &Firmware) -> Result<f64, DeviceError> {
    measure(firmware, "\"character\"")?.per_count("character")
}

/// What the board's emulator counts.
fn unit_of(board: &'static Board) -> Result<Unit, DeviceError> {
    let unit = machine_of(board)?.unit;
    unit.ok_or(DeviceError::NoUnit { board: board.name })
}

/// Runs the bench program until the end of the line with this text.
fn measure(firmware: &Firmware, last: &str) -> Result<Figures, DeviceError> {
    let machine = machine_of(firmware.board)?;
    let unit = unit_of(firmware.board)?;
    let options = Options {
        count_instructions: true,
        ..Options::default()
    };
    let mut emulator = Emulator::start(firmware, options)?;
    let mut output = emulator.read_until(last, BENCH_TIMEOUT)?;
    output += &emulator.read_until("\n", BENCH_TIMEOUT)?;
    let mut by_name = HashMap::new();
    for line in output.lines().filter(|line| !line.starts_with('#')) {
        let figure: Figure = serde_json::from_str(line)
            .map_err(|error| DeviceError::Bench(format!("it printed '{line}': {error}")))?;
        by_name.insert(figure.figure.clone(), figure);
    }
    let figures = Figures {
        by_name,
        instructions_per_tick: unit.per_second() / machine.ticks_per_second as f64,
    };
    let calibration = figures.get("calibration")?;
    let length = calibration.count as f64 * unit.per_loop_instruction();
    let scale = calibration.ticks as f64 * figures.instructions_per_tick / length;
    if (scale - 1.0).abs() > CALIBRATION_TOLERANCE {
        return Err(DeviceError::Bench(format!(
            "a loop of known length took {scale:.4} times as many instructions as it has"
        )));
    }
    Ok(figures)
}

/// A program around a model; one build serves all models that fit the room it leaves.
fn link(
    board: &'static Board,
    (path, image): (&Path, &[u8]),
    program: Program,
) -> Result<Firmware, DeviceError> {
    if image.len() > MODEL_ROOM {
        return Firmware::build(board, path, program);
    }
    let mut firmware = Firmware::with_room(board, program)?;
    firmware.replace_model(image)?;
    Ok(firmware)
}

/// The deepest stack after some text; `firmware` is the console program.
///
/// # Errors
/// When it cannot be booted or does not answer.
pub fn deepest_stack(firmware: &Firmware) -> Result<u64, DeviceError> {
    let mut emulator = Emulator::start(firmware, Options::default())?;
    emulator.passage(&Request {
        seed: 1,
        prompt: "a".to_owned(),
        length: 100,
        settings: inkling_engine::Settings::default(),
        until: firmware::until::Until::OFF,
        count: 1,
    })?;
    emulator.send_line(&Command::Stats.to_string())?;
    emulator.read_until(MEMORY, CONSOLE_TIMEOUT)?;
    let line = emulator.read_until("\n", CONSOLE_TIMEOUT)?;
    line.split_once(' ')
        .and_then(|(number, _)| number.parse().ok())
        .ok_or_else(|| DeviceError::Bench(format!("the console printed '{MEMORY}{line}'")))
}
