//! From float weights to the integers of an image: row scales, rounding, multipliers.
//!
//! The arithmetic that gives these integers their meaning is described in `firmware::lstm`; all that
//! can be decided ahead of time is decided here, so that the device only multiplies and shifts.

use firmware::fixed::{GATE_FRACTION_BITS, GATE_SHIFT, LOGIT_FRACTION_BITS, LOGIT_SHIFT};
use firmware::image::BLOCK;
use firmware::kernels::Bits;

use crate::image::{LayerParts, ModelParts, OutputParts, Weights};
use crate::name::Name;

mod calibration;
pub mod float;
mod rows;
pub mod trits;

use calibration::Moments;
pub use float::FloatModel;
use rows::{Inputs, Row, Target};

/// Widths of the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widths {
    /// Inputs, recurrent and inter-layer weights.
    pub recurrent: Bits,
    /// Output weights.
    pub output: Bits,
}

impl Widths {
    /// The narrowest that have as many levels.
    #[must_use]
    pub fn at_least(planes: trits::Planes) -> Self {
        let bits = |planes| if planes <= 2 { Bits::Four } else { Bits::Eight };
        Self {
            recurrent: bits(planes.recurrent),
            output: bits(planes.output),
        }
    }

    /// The same width everywhere.
    #[must_use]
    pub const fn uniform(bits: Bits) -> Self {
        Self {
            recurrent: bits,
            output: bits,
        }
    }
}

/// Why a model cannot be put into integers.
#[derive(Debug, thiserror::Error)]
pub enum QuantizeError {
    /// A weight is not finite.
    #[error(
        "the weights hold NaN or infinite values: the training diverged, start it again with a lower --lr"
    )]
    NotFinite,
    /// A row's sums could leave 32 bits.
    #[error(
        "the weights of a row are too uneven for {bits}-bit accumulators: train with more weight decay"
    )]
    Overflow {
        /// Width of the weights.
        bits: u8,
    },
}

/// Quantizes a whole model, every number to the nearest integer.
///
/// # Errors
/// When a weight is not finite or a row could overflow its accumulator.
pub fn quantize(model: &FloatModel, widths: Widths) -> Result<ModelParts, QuantizeError> {
    quantize_with(model, widths, &[])
}

/// The same as an export does it: weights of 4 bits that were not trained for that are chosen together,
/// for the least error of their sums while the model writes. That takes seconds for large models.
/// Weights that were trained while rounded are best as they were seen then.
///
/// # Errors
/// As for [`quantize`].
pub fn quantize_for_export(
    model: &FloatModel,
    widths: Widths,
) -> Result<ModelParts, QuantizeError> {
    if widths.recurrent == Bits::Eight || model.was_rounded() {
        quantize(model, widths)
    } else {
        quantize_with(model, widths, &calibration::moments(model))
    }
}

fn quantize_with(
    model: &FloatModel,
    widths: Widths,
    moments: &[Moments],
) -> Result<ModelParts, QuantizeError> {
    let layers = model
        .layers
        .iter()
        .enumerate()
        .map(|(index, layer)| quantize_layer(layer, model, widths.recurrent, moments.get(index)))
        .collect::<Result<_, _>>()?;
    Ok(ModelParts {
        name: model.name.clone().unwrap_or_else(|| Name::like("model")),
        alphabet: model.alphabet.clone(),
        hidden: model.hidden,
        layers,
        output: quantize_output(model, widths.output)?,
    })
}

fn quantize_layer(
    layer: &float::FloatLayer,
    model: &FloatModel,
    bits: Bits,
    moments: Option<&Moments>,
) -> Result<LayerParts, QuantizeError> {
    const GATES: usize = 4;
    let hidden = model.hidden;
    let rows_of_inputs = layer.inputs.len() / (GATES * hidden);
    let padded = hidden.next_multiple_of(BLOCK);
    let segments = if layer.from_below.is_empty() { 1 } else { 2 };
    let columns = segments * padded;

    // The square root: a rare symbol is wrong rarely, but then badly.
    let importance = model.frequencies.iter().map(|share| share.sqrt());
    let importance: Vec<f64> = importance.take(rows_of_inputs).collect();
    let mut rows = Vec::with_capacity(GATES * hidden);
    for unit in 0..hidden {
        for gate in 0..GATES {
            let source = gate * hidden + unit;
            let mut weights = vec![0.0; columns];
            let own = &layer.recurrent[source * hidden..][..hidden];
            weights[columns - padded..][..hidden].copy_from_slice(own);
            if segments == 2 {
                let below = &layer.from_below[source * hidden..][..hidden];
                weights[..hidden].copy_from_slice(below);
            }
            let inputs: Vec<f32> = (0..rows_of_inputs)
                .map(|row| layer.inputs[row * GATES * hidden + source])
                .collect();
            // tanh(g) is looked up as tanh(2g / 2): gate g's accumulator is scaled to 2g.
            let gain = if gate == 2 { 2.0 } else { 1.0 };
            let target = Target {
                one: gain * f64::from(1_u32 << GATE_FRACTION_BITS),
                shift: GATE_SHIFT,
            };
            let inputs = Inputs::around_mean(&inputs, &importance);
            rows.push(match moments {
                Some(moments) => Row::calibrated(&weights, &inputs, bits, target, moments),
                None => Row::new(&weights, &inputs, bits, target),
            }?);
        }
    }
    let units = rows.as_chunks::<GATES>().0;
    Ok(LayerParts {
        inputs: (0..rows_of_inputs)
            .flat_map(|row| {
                units
                    .iter()
                    .map(move |unit| unit.each_ref().map(|gate| gate.inputs[row]))
            })
            .collect(),
        bias: units
            .iter()
            .map(|unit| unit.each_ref().map(|gate| gate.bias))
            .collect(),
        input_multipliers: units
            .iter()
            .map(|unit| unit.each_ref().map(|gate| gate.input_multiplier))
            .collect(),
        weights: weights(&rows, bits, columns),
        multipliers: units
            .iter()
            .map(|unit| unit.each_ref().map(|gate| gate.multiplier))
            .collect(),
    })
}

fn weights(rows: &[Row], bits: Bits, columns: usize) -> Weights {
    Weights {
        bits,
        values: rows.iter().flat_map(|row| &row.weights).copied().collect(),
        columns,
    }
}

fn quantize_output(model: &FloatModel, bits: Bits) -> Result<OutputParts, QuantizeError> {
    let columns = model.hidden.next_multiple_of(BLOCK);
    let rows = model
        .output
        .chunks_exact(model.hidden)
        .zip(&model.output_bias)
        .map(|(row, &bias)| {
            let mut weights = row.to_vec();
            weights.resize(columns, 0.0);
            let target = Target {
                one: f64::from(1_u32 << LOGIT_FRACTION_BITS),
                shift: LOGIT_SHIFT,
            };
            Row::new(&weights, &Inputs::constant(bias), bits, target)
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(OutputParts {
        bias: rows.iter().map(|row| row.bias).collect(),
        weights: weights(&rows, bits, columns),
        multipliers: rows.iter().map(|row| row.multiplier).collect(),
    })
}
