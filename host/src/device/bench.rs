//! Counts the instructions that a board needs for a character, and the memory it takes.
//!
//! QEMU lets one instruction take one nanosecond of virtual time, the firmware's program `bench`
//! reads a hardware timer around each part, and a loop of known length checks the scale.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use firmware::image::Dimensions;
use serde::{Deserialize, Serialize};

use super::board::Board;
use super::build::{Firmware, Program};
use super::emulate::{Emulator, Options};
use super::error::DeviceError;
use super::passage::Request;
use crate::image::AlignedImage;

/// How long the bench program may take in an emulator that counts instructions.
const BENCH_TIMEOUT: Duration = Duration::from_secs(300);

/// How long the console may take to answer.
const CONSOLE_TIMEOUT: Duration = Duration::from_secs(20);

/// Virtual nanoseconds, and so instructions, in a second.
const INSTRUCTIONS_PER_SECOND: f64 = 1e9;

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
    /// The bits of its recurrent weights.
    pub weight_bits: u8,
    /// Instructions for one character, everything from symbol to symbol.
    pub instructions_per_char: f64,
    /// What they go into; adds up to them.
    pub parts: Parts,
    /// How many characters were generated for the figures.
    pub characters: u64,
    /// The length of the model image.
    pub image_bytes: usize,
    /// Flash of the whole firmware, model included.
    pub flash_bytes: u64,
    /// RAM of the whole firmware: static variables and the deepest stack.
    pub ram_bytes: u64,
    /// Static variables alone.
    pub static_ram_bytes: u64,
    /// The deepest stack alone; it holds the model's state.
    pub stack_bytes: u64,
}

/// Instructions per character by what they do.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Parts {
    /// Fetching and scaling what the symbol contributes to the gates, as the reference does it.
    pub input_row: f64,
    /// Recurrent weights times hidden state (in higher layers also the weights from below).
    pub recurrent_product: f64,
    /// Gates, cells, and packing the new hidden state.
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
    let image = AlignedImage::open(model)?;
    let figures = measure(board, model)?;
    let (footprint, stack_bytes) = weigh(board, model)?;
    let model = image
        .model()
        .map_err(|source| crate::image::FileError::Image {
            path: model.into(),
            source,
        })?;
    let instructions = |name: &str| figures.per_count(name);
    let total = instructions("character")?;
    let step = instructions("step")?;
    let step_and_logits = instructions("step_and_logits")?;
    let half = instructions("layers")? - instructions("layers_of_half_the_columns")?;
    let recurrent_product = (half * columns_per_second_half(model.dimensions())).round();
    let input_row = instructions("input_rows")?;
    Ok(BenchReport {
        board: board.name,
        core: board.core,
        model: model.name().to_owned(),
        hidden: model.hidden(),
        layers: model.layers(),
        symbols: model.symbols(),
        weight_bits: model.weight_bits(),
        instructions_per_char: total,
        parts: Parts {
            input_row,
            recurrent_product,
            activations: step - recurrent_product - input_row,
            output_product: step_and_logits - step,
            sampling: total - step_and_logits,
        },
        characters: figures.count("character")?,
        image_bytes: model.image_bytes(),
        flash_bytes: footprint.flash_bytes,
        ram_bytes: footprint.static_ram_bytes + stack_bytes,
        static_ram_bytes: footprint.static_ram_bytes,
        stack_bytes,
    })
}

/// All columns of all layers over those that `layers_of_half_the_columns` leaves out.
fn columns_per_second_half(dimensions: Dimensions) -> f64 {
    let blocks = || (0..dimensions.layers).map(|layer| dimensions.blocks(layer));
    let all: usize = blocks().sum();
    let left_out: usize = blocks().map(|blocks| blocks - blocks / 2).sum();
    all as f64 / left_out as f64
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

/// Runs the bench program.
fn measure(board: &'static Board, model: &Path) -> Result<Figures, DeviceError> {
    let machine = board
        .emulator
        .ok_or_else(|| DeviceError::no_emulator(board))?;
    let firmware = Firmware::build(board, model, Program::Bench)?;
    let options = Options {
        count_instructions: true,
        ..Options::default()
    };
    let output = Emulator::start(&firmware, options)?.read_until("# done", BENCH_TIMEOUT)?;
    let mut by_name = HashMap::new();
    for line in output.lines().filter(|line| !line.starts_with('#')) {
        let figure: Figure = serde_json::from_str(line)
            .map_err(|error| DeviceError::Bench(format!("it printed '{line}': {error}")))?;
        by_name.insert(figure.figure.clone(), figure);
    }
    let figures = Figures {
        by_name,
        instructions_per_tick: INSTRUCTIONS_PER_SECOND / machine.ticks_per_second as f64,
    };
    let calibration = figures.get("calibration")?;
    let scale = calibration.ticks as f64 * figures.instructions_per_tick / calibration.count as f64;
    if (scale - 1.0).abs() > CALIBRATION_TOLERANCE {
        return Err(DeviceError::Bench(format!(
            "a loop of known length took {scale:.4} times as many instructions as it has"
        )));
    }
    Ok(figures)
}

/// The footprint of the console program and its deepest stack after some text.
fn weigh(board: &'static Board, model: &Path) -> Result<(super::elf::Footprint, u64), DeviceError> {
    let firmware = Firmware::build(board, model, Program::Console)?;
    let mut emulator = Emulator::start(&firmware, Options::default())?;
    emulator.passage(&Request {
        seed: 1,
        prompt: "a".to_owned(),
        length: 100,
        settings: firmware::sampler::Settings::default(),
    })?;
    emulator.send_line("/stats")?;
    emulator.read_until("# memory: ", CONSOLE_TIMEOUT)?;
    let line = emulator.read_until("\n", CONSOLE_TIMEOUT)?;
    let stack = line
        .split_once(' ')
        .and_then(|(number, _)| number.parse().ok())
        .ok_or_else(|| DeviceError::Bench(format!("the console printed '# memory: {line}'")))?;
    Ok((firmware.footprint, stack))
}
