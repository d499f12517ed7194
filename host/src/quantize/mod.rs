//! From float weights to the integers of an image: row scales, rounding, multipliers.
//!
//! The arithmetic that gives these integers their meaning is described in `firmware::lstm`; all that
//! can be decided ahead of time is decided here, so that the device only multiplies and shifts.

use firmware::fixed::{GATE_FRACTION_BITS, HIDDEN_ONE, LOGIT_FRACTION_BITS};
use firmware::image::{BLOCK, GateScales, MAX_SHIFT};
use firmware::kernels::Bits;

use crate::image::{LayerParts, ModelParts, OutputParts, Weights};

pub mod float;
mod rows;

pub use float::FloatModel;
use rows::Row;

/// Widths of the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Widths {
    /// Recurrent and inter-layer weights.
    pub recurrent: Bits,
    /// Output weights.
    pub output: Bits,
}

impl Widths {
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

/// Quantizes a whole model.
///
/// # Errors
/// When a weight is not finite or a row could overflow its accumulator.
pub fn quantize(model: &FloatModel, widths: Widths) -> Result<ModelParts, QuantizeError> {
    let layers = model
        .layers
        .iter()
        .map(|layer| quantize_layer(layer, model.hidden, widths.recurrent))
        .collect::<Result<_, _>>()?;
    Ok(ModelParts {
        name: model.name.clone(),
        alphabet: model.alphabet.clone(),
        hidden: model.hidden,
        layers,
        output: quantize_output(model, widths.output)?,
    })
}

fn quantize_layer(
    layer: &float::FloatLayer,
    hidden: usize,
    bits: Bits,
) -> Result<LayerParts, QuantizeError> {
    const GATES: usize = 4;
    let rows_of_inputs = layer.inputs.len() / (GATES * hidden);
    let padded = hidden.next_multiple_of(BLOCK);
    let segments = if layer.from_below.is_empty() { 1 } else { 2 };
    let columns = segments * padded;

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
            rows.push(Row::new(&weights, &inputs, gain, bits)?);
        }
    }
    let gate_units = f64::from(1_u32 << GATE_FRACTION_BITS);
    let (multipliers, shift) =
        multipliers(rows.iter().map(|row| row.scale * row.gain * gate_units));

    let (unit_rows, unit_multipliers) = (
        rows.as_chunks::<GATES>().0,
        multipliers.as_chunks::<GATES>().0,
    );
    Ok(LayerParts {
        inputs: (0..rows_of_inputs)
            .flat_map(|row| {
                unit_rows
                    .iter()
                    .map(move |unit| unit.each_ref().map(|r| r.inputs[row]))
            })
            .collect(),
        gates: unit_rows
            .iter()
            .zip(unit_multipliers)
            .map(|(unit, &accumulator)| GateScales {
                input: unit.each_ref().map(|row| row.input_multiplier),
                accumulator,
            })
            .collect(),
        weights: Weights {
            bits,
            values: rows
                .iter()
                .flat_map(|row| row.weights.iter().copied())
                .collect(),
            columns,
        },
        shift,
    })
}

fn quantize_output(model: &FloatModel, bits: Bits) -> Result<OutputParts, QuantizeError> {
    let columns = model.hidden.next_multiple_of(BLOCK);
    let rows = model
        .output
        .chunks_exact(model.hidden)
        .map(|row| {
            let mut weights = row.to_vec();
            weights.resize(columns, 0.0);
            Row::new(&weights, &[], 1.0, bits)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let logit_units = f64::from(1_u32 << LOGIT_FRACTION_BITS);
    let (multipliers, shift) = multipliers(rows.iter().map(|row| row.scale * logit_units));
    let bias = rows.iter().zip(&model.output_bias).map(|(row, &bias)| {
        let bias = (f64::from(bias) / row.scale).round();
        let room = f64::from(i32::MAX) - row.reach;
        if bias.abs() <= room {
            Ok(bias as i32)
        } else {
            Err(QuantizeError::Overflow { bits: bits.count() })
        }
    });
    Ok(OutputParts {
        bias: bias.collect::<Result<_, _>>()?,
        multipliers,
        weights: Weights {
            bits,
            values: rows
                .iter()
                .flat_map(|row| row.weights.iter().copied())
                .collect(),
            columns,
        },
        shift,
    })
}

/// Ratios as `multiplier / 2^(16 + shift)` with one shift for all and the largest multipliers that
/// fit 15 bits.
fn multipliers(ratios: impl Iterator<Item = f64> + Clone) -> (Vec<i16>, u8) {
    let largest = ratios.clone().fold(0.0, f64::max);
    let scaled = |ratio: f64, shift: u8| (ratio * f64::from(1_u32 << (16 + shift))).round();
    let shift = (0..=MAX_SHIFT)
        .rev()
        .find(|&shift| scaled(largest, shift) <= f64::from(i16::MAX))
        .unwrap_or(0);
    let multipliers = ratios.map(|ratio| scaled(ratio, shift) as i16).collect();
    (multipliers, shift)
}

/// The real value of one unit of an accumulator, for a weight scale: `scale / (127 * K)`.
fn accumulator_unit(weight_scale: f64, bits: Bits) -> f64 {
    weight_scale / f64::from(HIDDEN_ONE) / f64::from(1_u32 << bits.scale_log2())
}
