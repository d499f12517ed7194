//! The float model: loaded from what training wrote, folded, and run as the reference for the loss.
//!
//! Plain Rust without libtorch, so that evaluation works in every build.

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

use half::f16;
use inkling_engine::Symbol;
use inkling_engine::fixed::LOGIT_FRACTION_BITS;
use inkling_engine::format::Planes;
use safetensors::{Dtype, SafeTensors};

use super::trits;
use crate::corpus::{Alphabet, Validation};
use crate::evaluate::mean_loss;
use crate::identity::{IDENTITY_KEY, RunId};
use crate::name::Name;
use crate::predict::{Predictor, cross_entropy};
use crate::tensors::open;

/// Metadata value that marks a float model.
pub const FORMAT: &str = "inkling-float-1";

/// No layer that this program trains is larger.
const MOST_COMPONENTS: usize = 4096;

/// Planes of weights that were not trained for few: their 81 levels cost little.
const UNTRAINED_PLANES: u8 = 4;

/// No network that this program trains has more.
const MOST_LAYERS: usize = 8;

/// Why a float model could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read the weights {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is damaged or of another kind.
    #[error("{}: not the float weights of a run ({reason}): train again or name the run", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Quantized tensors that cannot be used.
    #[error("{}: not the tensors of a model that this version can use ({reason}): export the run again", path.display())]
    Stored {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// One LSTM layer in floats. Rows are in libtorch's order: all i, all f, all g, all o.
#[derive(Clone, Debug)]
pub struct FloatLayer {
    /// `W_ih`: `[4H × E]` in layer 0, `[4H × H]` above.
    pub input: Vec<f32>,
    /// `W_hh` `[4H × H]`.
    pub recurrent: Vec<f32>,
    /// Both biases together, `[4H]`.
    pub bias: Vec<f32>,
}

/// A float model.
#[derive(Clone, Debug)]
pub struct FloatModel {
    /// Name of the run, where the file tells one that can be used.
    pub name: Option<Name>,
    /// The training that the weights are of.
    pub run: RunId,
    /// Symbols in index order.
    pub alphabet: Vec<char>,
    /// All metadata of the file.
    pub metadata: HashMap<String, String>,
    /// Embedding size E.
    pub embedding_size: usize,
    /// `[V × E]`.
    pub embedding: Vec<f32>,
    /// Hidden size H.
    pub hidden: usize,
    /// Lowest first.
    pub layers: Vec<FloatLayer>,
    /// `[V × H]`.
    pub output: Vec<f32>,
    /// `[V]`.
    pub output_bias: Vec<f32>,
}

impl FloatModel {
    /// Loads the weights that a training wrote.
    ///
    /// # Errors
    /// When the file cannot be read, is damaged, or lacks a tensor.
    pub fn load(path: &Path) -> Result<Self, LoadError> {
        let bytes = std::fs::read(path).map_err(|source| LoadError::Read {
            path: path.into(),
            source,
        })?;
        Self::from_bytes(&bytes).map_err(|reason| LoadError::Format {
            path: path.into(),
            reason,
        })
    }

    /// The weights that these bytes of a file are.
    ///
    /// # Errors
    /// With the reason, when they are damaged or lack a tensor.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let (tensors, metadata) = open(bytes, FORMAT)?;
        let alphabet = metadata.get("alphabet").ok_or("it names no alphabet")?;
        let alphabet = Alphabet::from_symbols(alphabet).map_err(|e| e.to_string())?;
        let alphabet = alphabet.symbols().to_vec();
        let symbols = alphabet.len();

        let (embedding, embedding_shape) = tensor(&tensors, "embedding.weight")?;
        let [rows, width] = embedding_shape[..] else {
            return Err("embedding.weight is not a matrix".into());
        };
        if rows != symbols {
            return Err(format!("{rows} embeddings for {symbols} symbols"));
        }
        let (output, output_shape) = tensor(&tensors, "output.weight")?;
        let [_, hidden] = output_shape[..] else {
            return Err("output.weight is not a matrix".into());
        };
        for (what, size) in [("embedding", width), ("hidden", hidden)] {
            if !(1..=MOST_COMPONENTS).contains(&size) {
                return Err(format!("its {what} size is {size}"));
            }
        }
        let (output_bias, _) = tensor(&tensors, "output.bias")?;
        if output.len() != symbols * hidden || output_bias.len() != symbols {
            return Err("the output layer does not match the alphabet".into());
        }

        let mut layers = Vec::new();
        while layers.len() < MOST_LAYERS
            && tensors
                .tensor(&format!("lstm.weight_hh_l{}", layers.len()))
                .is_ok()
        {
            let index = layers.len();
            let named = |part: &str| tensor(&tensors, &format!("lstm.{part}_l{index}"));
            let (recurrent, _) = named("weight_hh")?;
            let (input, _) = named("weight_ih")?;
            let (mut bias, _) = named("bias_ih")?;
            let (other, _) = named("bias_hh")?;
            let columns = if index == 0 { width } else { hidden };
            if recurrent.len() != 4 * hidden * hidden
                || input.len() != 4 * hidden * columns
                || bias.len() != 4 * hidden
                || other.len() != 4 * hidden
            {
                return Err(format!(
                    "layer {index} has another shape than hidden size {hidden}"
                ));
            }
            bias.iter_mut().zip(other).for_each(|(a, b)| *a += b);
            layers.push(FloatLayer {
                input,
                recurrent,
                bias,
            });
        }
        if layers.is_empty() {
            return Err("it has no LSTM layer".into());
        }
        Ok(Self {
            name: metadata.get("name").and_then(|name| name.parse().ok()),
            run: RunId::of_metadata(metadata.get(IDENTITY_KEY)),
            alphabet,
            metadata,
            embedding_size: width,
            embedding,
            hidden,
            layers,
            output,
            output_bias,
        })
    }

    /// The planes that the run's recipe asks for; four each where it does not say.
    #[must_use]
    pub fn planes(&self) -> Planes {
        let recipe = self.recipe();
        let planes = |key: &str| {
            let count = recipe.get("model")?.get(key)?.as_integer()?;
            let count = u8::try_from(count).ok()?;
            trits::PLANES.contains(&count).then_some(count)
        };
        Planes {
            recurrent: planes("planes").unwrap_or(UNTRAINED_PLANES),
            input: planes("input_planes").unwrap_or(UNTRAINED_PLANES),
            output: planes("output_planes").unwrap_or(UNTRAINED_PLANES),
        }
    }

    /// Whether the training computed with weights rounded to these planes, at its end at least.
    #[must_use]
    pub fn was_rounded_to(&self, planes: Planes) -> bool {
        let recipe = self.recipe();
        let start = recipe.get("quantization").and_then(|q| q.get("start"));
        let is_rounded = start
            .and_then(toml::Value::as_float)
            .is_some_and(|start| start < 1.0);
        is_rounded && self.planes() == planes
    }

    /// The model as its training computed with it in the end: rounded, if that was so.
    #[must_use]
    pub fn as_trained(&self) -> Cow<'_, Self> {
        let planes = self.planes();
        match self.was_rounded_to(planes) {
            true => Cow::Owned(self.rounded(planes)),
            false => Cow::Borrowed(self),
        }
    }

    /// The model with every weight rounded as [`trits::round`] says, and the embedding to 8 bits.
    #[must_use]
    pub fn rounded(&self, planes: Planes) -> Self {
        let matrix = |weights: &[f32], columns: usize, planes| -> Vec<f32> {
            let rows = weights.chunks_exact(columns);
            rows.flat_map(|row| {
                let trits::Rounded { step, integers } = trits::round(row, planes);
                integers
                    .into_iter()
                    .map(move |integer| (step * f64::from(integer)) as f32)
            })
            .collect()
        };
        let (step, embedding) = trits::round_bytes(&self.embedding);
        let layers = self.layers.iter().enumerate();
        let layers = layers.map(|(index, layer)| {
            let (columns, input_planes) = match index {
                0 => (self.embedding_size, planes.input),
                _ => (self.hidden, planes.recurrent),
            };
            FloatLayer {
                input: matrix(&layer.input, columns, input_planes),
                recurrent: matrix(&layer.recurrent, self.hidden, planes.recurrent),
                bias: layer.bias.clone(),
            }
        });
        Self {
            embedding: embedding
                .into_iter()
                .map(|integer| (step * f64::from(integer)) as f32)
                .collect(),
            layers: layers.collect(),
            output: matrix(&self.output, self.hidden, planes.output),
            ..self.clone()
        }
    }

    /// What each symbol adds to the gates of the first layer, without the bias: `[V × 4H]`.
    #[must_use]
    pub fn folded_inputs(&self) -> Vec<f32> {
        let width = self.embedding_size;
        let rows = || self.layers[0].input.chunks_exact(width);
        let symbols = self.embedding.chunks_exact(width);
        symbols
            .flat_map(|symbol| {
                rows().map(move |row| {
                    let products = row.iter().zip(symbol);
                    let sum: f64 = products.map(|(&w, &x)| f64::from(w) * f64::from(x)).sum();
                    sum as f32
                })
            })
            .collect()
    }

    /// The run's recipe; empty if the weights come without one.
    fn recipe(&self) -> toml::Table {
        let recipe = self.metadata.get("recipe");
        recipe
            .and_then(|text| text.parse().ok())
            .unwrap_or_default()
    }

    /// Mean natural-log cross-entropy per character, measured as [`crate::evaluate::engine_loss`] does.
    #[must_use]
    pub fn loss(&self, validation: &Validation, progress: impl FnMut(u64)) -> f64 {
        mean_loss(&mut FloatState::new(self), validation, progress)
    }
}

fn tensor(tensors: &SafeTensors<'_>, name: &str) -> Result<(Vec<f32>, Vec<usize>), String> {
    let view = tensors
        .tensor(name)
        .map_err(|_| format!("it has no tensor {name}"))?;
    let data = view.data();
    let values = match view.dtype() {
        Dtype::F32 => data
            .as_chunks()
            .0
            .iter()
            .map(|&bytes| f32::from_le_bytes(bytes))
            .collect(),
        Dtype::F16 => data
            .as_chunks()
            .0
            .iter()
            .map(|&bytes| f16::from_le_bytes(bytes).to_f32())
            .collect(),
        _ => return Err(format!("{name} is neither f32 nor f16")),
    };
    Ok((values, view.shape().to_vec()))
}

/// The running float model. Matrices are kept column-major, so that a step is a chain of
/// multiply-adds over long rows.
pub struct FloatState<'m> {
    model: &'m FloatModel,
    /// `[V × 4H]`.
    inputs: Vec<f32>,
    /// Of the layers above the first.
    from_below: Vec<Vec<f32>>,
    recurrent: Vec<Vec<f32>>,
    output: Vec<f32>,
    hidden: Vec<Vec<f32>>,
    cells: Vec<Vec<f32>>,
    sums: Vec<f32>,
    logits: Vec<f32>,
    /// The same in the engine's fixed point.
    fixed: Vec<i16>,
}

impl<'m> FloatState<'m> {
    /// The model in its zero state.
    #[must_use]
    pub fn new(model: &'m FloatModel) -> Self {
        let units = model.hidden;
        let by_columns = |matrix: &[f32]| transpose(matrix, units);
        let zeros = || vec![vec![0.0; units]; model.layers.len()];
        Self {
            model,
            inputs: model.folded_inputs(),
            from_below: model
                .layers
                .iter()
                .skip(1)
                .map(|l| by_columns(&l.input))
                .collect(),
            recurrent: model
                .layers
                .iter()
                .map(|l| by_columns(&l.recurrent))
                .collect(),
            output: by_columns(&model.output),
            hidden: zeros(),
            cells: zeros(),
            sums: vec![0.0; 4 * units],
            logits: vec![0.0; model.alphabet.len()],
            fixed: Vec::new(),
        }
    }

    /// Back to the zero state.
    pub fn reset(&mut self) {
        let layers = self.hidden.iter_mut().chain(&mut self.cells);
        layers.for_each(|layer| layer.fill(0.0));
    }

    /// Reads one symbol.
    pub fn step(&mut self, symbol: usize) {
        let units = self.model.hidden;
        for (index, layer) in self.model.layers.iter().enumerate() {
            self.sums.copy_from_slice(&layer.bias);
            let (below, own) = self.hidden.split_at_mut(index);
            let own = &mut own[0];
            match below.last() {
                None => {
                    let row = &self.inputs[symbol * 4 * units..(symbol + 1) * 4 * units];
                    self.sums.iter_mut().zip(row).for_each(|(sum, x)| *sum += x);
                }
                Some(below) => multiply_add(&mut self.sums, &self.from_below[index - 1], below),
            }
            multiply_add(&mut self.sums, &self.recurrent[index], own);
            let cells = &mut self.cells[index];
            for unit in 0..units {
                let gate = |gate: usize| self.sums[gate * units + unit];
                let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
                cells[unit] = sigmoid(gate(1)) * cells[unit] + sigmoid(gate(0)) * gate(2).tanh();
                own[unit] = sigmoid(gate(3)) * cells[unit].tanh();
            }
        }
    }

    /// The outputs of every layer after the last step, lowest first.
    #[must_use]
    pub fn hidden(&self) -> &[Vec<f32>] {
        &self.hidden
    }

    /// The logits after the last step.
    pub fn logits(&mut self) -> &[f32] {
        self.logits.copy_from_slice(&self.model.output_bias);
        if let Some(top) = self.hidden.last() {
            multiply_add(&mut self.logits, &self.output, top);
        }
        &self.logits
    }
}

impl Predictor for FloatState<'_> {
    fn reset(&mut self) {
        FloatState::reset(self);
    }

    fn step(&mut self, symbol: Symbol) {
        FloatState::step(self, symbol.into());
    }

    fn logits(&mut self) -> &[i16] {
        let unit = f32::from(1_u16 << LOGIT_FRACTION_BITS);
        FloatState::logits(self);
        self.fixed.clear();
        // Float-to-integer conversion saturates, as the engine's logits do.
        let fixed = self.logits.iter().map(|logit| (logit * unit) as i16);
        self.fixed.extend(fixed);
        &self.fixed
    }

    fn surprise(&mut self, symbol: Symbol) -> f64 {
        let logits = FloatState::logits(self)
            .iter()
            .map(|&logit| f64::from(logit));
        cross_entropy(logits, symbol.into())
    }
}

/// `[rows × columns]` to `[columns × rows]`.
fn transpose(matrix: &[f32], columns: usize) -> Vec<f32> {
    (0..columns)
        .flat_map(|column| matrix.iter().skip(column).step_by(columns).copied())
        .collect()
}

/// `sums += matrix · x` for a column-major matrix.
fn multiply_add(sums: &mut [f32], matrix: &[f32], x: &[f32]) {
    for (column, &x) in matrix.chunks_exact(sums.len()).zip(x) {
        for (sum, &weight) in sums.iter_mut().zip(column) {
            *sum += weight * x;
        }
    }
}
