//! From float weights to the integers of an image: row steps, rounding, multipliers.
//!
//! The arithmetic that gives these integers their meaning is described in `inkling_engine::lstm`; all that
//! can be decided ahead of time is decided here, so that the device only looks up, adds and shifts.

use std::fmt;

use inkling_engine::fixed::{
    BIAS_FRACTION_BITS, GATE_FRACTION_BITS, HIDDEN_ONE, INPUT_SHIFT, LOGIT_FRACTION_BITS,
    LOGIT_SHIFT, MAX_GATE_SHIFT, MIN_GATE_SHIFT,
};
use inkling_engine::format::{Dimensions, Planes, TILE_ROWS, Unit};
use serde::Serialize;

use crate::figures::Figures;
use crate::name::Name;
use inkling_engine::writer::{InputParts, LayerParts, ModelParts, OutputParts, Weights};

pub mod back;
pub mod float;
pub mod trits;

use float::FloatLayer;
pub use float::FloatModel;

/// Why a model cannot be put into integers.
#[derive(Debug, thiserror::Error)]
pub enum QuantizeError {
    /// A weight is not finite.
    #[error(
        "the weights hold NaN or infinite values: the training diverged, start it again with a lower --lr"
    )]
    NotFinite,
    /// A row's numbers could leave what they are kept in.
    #[error(
        "the weights of a row are too large for the engine's integers: train with more weight decay"
    )]
    Overflow,
}

/// What an image holds of the way from a symbol to the first layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum InputForm {
    /// Whichever of the others takes fewer bytes.
    #[default]
    Smallest,
    /// For each symbol what it adds to each gate: fast.
    Folded,
    /// An embedding and the matrix behind it: small where there are many symbols or units.
    Embedded,
}

impl InputForm {
    /// The form that an image of these dimensions has.
    #[must_use]
    pub fn of(dimensions: &Dimensions) -> Self {
        match dimensions.is_folded() {
            true => Self::Folded,
            false => Self::Embedded,
        }
    }
}

impl fmt::Display for InputForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smallest => "smallest",
            Self::Folded => "folded",
            Self::Embedded => "embedded",
        })
    }
}

/// The embedding size that an image has with inputs of a form: 0 where they are folded.
#[must_use]
pub fn embedding_in_image(form: InputForm, embedding: usize, dimensions: Dimensions) -> usize {
    let bytes = |embedding| {
        let with = Dimensions {
            embedding,
            ..dimensions
        };
        if with.fit() {
            with.image_bytes()
        } else {
            usize::MAX
        }
    };
    match form {
        InputForm::Folded => 0,
        InputForm::Embedded => embedding,
        InputForm::Smallest if bytes(embedding) < bytes(0) => embedding,
        InputForm::Smallest => 0,
    }
}

/// A logit's units for a real 1, before it is shifted.
const LOGIT_ONE: f64 = (1_u64 << (LOGIT_FRACTION_BITS + LOGIT_SHIFT)) as f64;

/// Quantizes a whole model.
///
/// # Errors
/// When a weight is not finite, or a row's numbers leave the integers that the engine has for them.
pub fn quantize(
    model: &FloatModel,
    planes: Planes,
    form: InputForm,
) -> Result<ModelParts, QuantizeError> {
    let numbers = model.layers.iter().flat_map(|layer| {
        let FloatLayer {
            input,
            recurrent,
            bias,
        } = layer;
        input.iter().chain(recurrent).chain(bias)
    });
    let mut numbers = numbers
        .chain(&model.embedding)
        .chain(&model.output)
        .chain(&model.output_bias);
    if !numbers.all(|number| number.is_finite()) {
        return Err(QuantizeError::NotFinite);
    }
    let dimensions = Dimensions {
        hidden: model.hidden,
        symbols: model.alphabet.len(),
        layers: model.layers.len(),
        embedding: 0,
        planes,
    };
    let embedding = embedding_in_image(form, model.embedding_size, dimensions);
    let (inputs, first) = match embedding {
        0 => folded(model),
        _ => embedded(model, planes.input),
    };
    let mut layers = Vec::new();
    for (index, layer) in model.layers.iter().enumerate() {
        let (recurrent, recurrent_rows) = matrix(
            &layer.recurrent,
            model.hidden,
            model.hidden,
            planes.recurrent,
        );
        let (from_below, input_rows) = match index {
            0 => (None, first.clone()),
            _ => from_below(layer, model.hidden, planes.recurrent),
        };
        layers.push(Layer {
            recurrent,
            recurrent_rows,
            from_below,
            input_rows,
            bias: &layer.bias,
        });
    }
    // The finest units that all rows fit.
    let shifts = (MIN_GATE_SHIFT..=MAX_GATE_SHIFT).rev();
    let mut fitting = shifts.filter_map(|gate_shift| {
        let units = layers.iter().map(|layer| layer.units(gate_shift));
        Some((gate_shift, units.collect::<Option<Vec<_>>>()?))
    });
    let (gate_shift, units) = fitting.next().ok_or(QuantizeError::Overflow)?;
    let layers = layers
        .into_iter()
        .zip(units)
        .map(|(layer, units)| LayerParts {
            units,
            recurrent: layer.recurrent,
            from_below: layer.from_below,
        });
    Ok(ModelParts {
        name: model.name.as_ref().map_or("model", Name::as_str).to_owned(),
        alphabet: model.alphabet.clone(),
        streaks: Figures::in_metadata(&model.metadata, model.alphabet.len())
            .map(|figures| figures.streak_parts()),
        hidden: model.hidden,
        gate_shift,
        inputs,
        layers: layers.collect(),
        output: quantize_output(model, planes.output)?,
    })
}

/// What a row of the gates gets from its inputs, in libtorch's order of rows.
#[derive(Clone, Copy, Debug)]
struct InputRow {
    /// What an input of 1 is worth.
    step: f64,
    /// What is added whatever the input.
    constant: f64,
    /// The most that an input can be.
    reach: f64,
}

/// The inputs as bytes per symbol and row, on both sides of their middle.
fn folded(model: &FloatModel) -> (InputParts, Vec<InputRow>) {
    let inputs = model.as_trained().folded_inputs();
    let rows = TILE_ROWS * model.hidden;
    let row = |row: usize| inputs.iter().skip(row).step_by(rows).map(|&x| f64::from(x));
    let mut bytes = vec![[0; TILE_ROWS]; inputs.len() / TILE_ROWS];
    let table = (0..rows).map(|source| {
        let least = row(source).fold(f64::INFINITY, f64::min);
        let most = row(source).fold(f64::NEG_INFINITY, f64::max);
        let middle = (least + most) / 2.0;
        let half = (most - least) / 2.0;
        let step = half / 127.0;
        let (gate, unit) = (source / model.hidden, source % model.hidden);
        for (symbol, input) in row(source).enumerate() {
            // A step of zero comes with inputs in the middle; the conversion takes their NaN to zero.
            bytes[symbol * model.hidden + unit][gate] = ((input - middle) / step).round() as i8;
        }
        InputRow {
            step,
            constant: middle,
            reach: 127.0,
        }
    });
    let table = table.collect();
    (InputParts::Folded(bytes), table)
}

/// The embedding as bytes and the input matrix as trits.
fn embedded(model: &FloatModel, planes: u8) -> (InputParts, Vec<InputRow>) {
    let size = model.embedding_size;
    let (byte, embedding) = trits::round_bytes(&model.embedding);
    let (weights, rows) = matrix(&model.layers[0].input, size, model.hidden, planes);
    let rows = rows.into_iter().map(|(step, reach)| InputRow {
        step: step * byte,
        constant: 0.0,
        reach: 127.0 * reach,
    });
    let parts = InputParts::Embedded {
        embedding,
        size,
        weights,
    };
    (parts, rows.collect())
}

/// The matrix from the layer below.
fn from_below(layer: &FloatLayer, hidden: usize, planes: u8) -> (Option<Weights>, Vec<InputRow>) {
    let (weights, rows) = matrix(&layer.input, hidden, hidden, planes);
    let one = f64::from(HIDDEN_ONE);
    let rows = rows.into_iter().map(|(step, reach)| InputRow {
        step: step / one,
        constant: 0.0,
        reach: one * reach,
    });
    (Some(weights), rows.collect())
}

/// A matrix of 4H rows in trits, its rows unit by unit; and in libtorch's order each row's step and the
/// sum of its integers' magnitudes.
fn matrix(
    weights: &[f32],
    columns: usize,
    hidden: usize,
    planes: u8,
) -> (Weights, Vec<(f64, f64)>) {
    let rounded = weights.chunks_exact(columns);
    let rounded: Vec<trits::Rounded> = rounded.map(|row| trits::round(row, planes)).collect();
    let order = (0..hidden).flat_map(|unit| (0..TILE_ROWS).map(move |gate| gate * hidden + unit));
    let values = order.flat_map(|source| rounded[source].integers.iter().copied());
    let weights = Weights {
        planes,
        values: values.collect(),
        columns,
    };
    let rows = rounded.iter();
    let rows = rows.map(|row| match magnitude(&row.integers) {
        0.0 => (0.0, 0.0),
        reach => (row.step, reach),
    });
    (weights, rows.collect())
}

fn magnitude(integers: &[i8]) -> f64 {
    integers.iter().map(|&q| f64::from(q).abs()).sum()
}

/// A layer on its way to integers; rows are in libtorch's order.
struct Layer<'m> {
    recurrent: Weights,
    /// Each row's step and the sum of its integers' magnitudes.
    recurrent_rows: Vec<(f64, f64)>,
    from_below: Option<Weights>,
    input_rows: Vec<InputRow>,
    bias: &'m [f32],
}

impl Layer<'_> {
    /// The numbers of all units for this gate shift; none where one would leave its integer.
    fn units(&self, gate_shift: u32) -> Option<Vec<Unit>> {
        let hidden = self.bias.len() / TILE_ROWS;
        let one = f64::from(HIDDEN_ONE);
        let gate_unit = f64::from(1_u32 << (GATE_FRACTION_BITS + gate_shift));
        let bias_unit = f64::from(1_u32 << BIAS_FRACTION_BITS);
        let input_units = match self.from_below {
            None => f64::from(1_u32 << INPUT_SHIFT),
            Some(_) => 1.0,
        };
        let mut units = vec![[0; 3 * TILE_ROWS]; hidden];
        let rows = self.recurrent_rows.iter().zip(&self.input_rows);
        for (source, ((&(step, reach), input), &bias)) in rows.zip(self.bias).enumerate() {
            let (gate, unit) = (source / hidden, source % hidden);
            // tanh(g) is looked up as tanh(2g / 2): gate g's sums are those of 2g.
            let gain = if gate == 2 { 2.0 } else { 1.0 };
            let bias = gain * (f64::from(bias) + input.constant);
            let bias: i16 = whole(bias_unit * bias, i16::MIN, i16::MAX)?;
            let input_multiplier: u16 =
                whole(gain * gate_unit * input.step / input_units, 0, u16::MAX)?;
            let multiplier: u16 = whole(gain * gate_unit * step / one, 0, u16::MAX)?;
            let most = f64::from(multiplier) * one * reach
                + f64::from(input_multiplier) * input_units * input.reach
                + f64::from(bias).abs() * gate_unit / bias_unit;
            if most > f64::from(i32::MAX) {
                return None;
            }
            units[unit][gate] = bias;
            units[unit][TILE_ROWS + gate] = input_multiplier.cast_signed();
            units[unit][2 * TILE_ROWS + gate] = multiplier.cast_signed();
        }
        Some(units)
    }
}

fn quantize_output(model: &FloatModel, planes: u8) -> Result<OutputParts, QuantizeError> {
    let one = f64::from(HIDDEN_ONE);
    let mut parts = OutputParts {
        bias: Vec::new(),
        multipliers: Vec::new(),
        weights: Weights {
            planes,
            values: Vec::new(),
            columns: model.hidden,
        },
    };
    let rows = model.output.chunks_exact(model.hidden);
    for (row, &bias) in rows.zip(&model.output_bias) {
        let trits::Rounded { step, integers } = trits::round(row, planes);
        let number =
            |number| whole::<i32>(number, i32::MIN, i32::MAX).ok_or(QuantizeError::Overflow);
        let multiplier = number(LOGIT_ONE * step / one)?;
        let bias = number(LOGIT_ONE * f64::from(bias))?;
        let most = f64::from(multiplier) * one * magnitude(&integers) + f64::from(bias).abs();
        if most > f64::from(i32::MAX) {
            return Err(QuantizeError::Overflow);
        }
        parts.bias.push(bias);
        parts.multipliers.push(multiplier);
        parts.weights.values.extend(integers);
    }
    Ok(parts)
}

/// A number to the nearest whole one, if that lies between two others.
fn whole<T: TryFrom<i64> + Into<i64>>(number: f64, least: T, most: T) -> Option<T> {
    let rounded = number.round() as i64;
    let fits = (least.into()..=most.into()).contains(&rounded);
    T::try_from(rounded).ok().filter(|_| fits)
}
