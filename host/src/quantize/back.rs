//! From the integers of an image back to float weights, for a training to start with.

use std::collections::HashMap;

use inkling_engine::fixed::{BIAS_FRACTION_BITS, GATE_FRACTION_BITS, HIDDEN_ONE, INPUT_SHIFT};
use inkling_engine::format::{TILE_ROWS, Unit};

use super::LOGIT_ONE;
use super::float::{FloatLayer, FloatModel};
use crate::identity::RunId;
use crate::name::Name;
use inkling_engine::writer::{InputParts, ModelParts, Weights};

/// What a byte of the embedding stands for is lost in an image; with this its numbers are as large as
/// those of a trained one.
const EMBEDDING_BYTE: f64 = 1.0 / 64.0;

/// The float model that has these integers.
///
/// # Errors
/// When the inputs are folded: the embedding that they came from is not in them.
pub fn float(parts: &ModelParts) -> Result<FloatModel, String> {
    let InputParts::Embedded {
        embedding,
        size,
        weights: inputs,
    } = &parts.inputs
    else {
        return Err(
            "its inputs are folded into bytes, which a training cannot start with; name its run"
                .to_owned(),
        );
    };
    let hidden = parts.hidden;
    let gate_unit = f64::from(1_u32 << (GATE_FRACTION_BITS + parts.gate_shift));
    let one = f64::from(HIDDEN_ONE);
    let bias_unit = f64::from(1_u32 << BIAS_FRACTION_BITS);
    let input_unit = f64::from(1_u32 << INPUT_SHIFT) / EMBEDDING_BYTE / gate_unit;
    let layers = parts.layers.iter().map(|layer| {
        let multiplier = |unit: &Unit, part: usize, gate: usize| {
            f64::from(unit[part * TILE_ROWS + gate].cast_unsigned()) / gain(gate)
        };
        let rows = |weights: &Weights, part: usize, unit: f64| {
            gates(hidden, |gate, cell| {
                let step = multiplier(&layer.units[cell], part, gate) * unit;
                scaled(weights, cell * TILE_ROWS + gate, step)
            })
        };
        FloatLayer {
            input: match &layer.from_below {
                None => rows(inputs, 1, input_unit),
                Some(weights) => rows(weights, 1, one / gate_unit),
            },
            recurrent: rows(&layer.recurrent, 2, one / gate_unit),
            bias: gates(hidden, |gate, cell| {
                let bias = f64::from(layer.units[cell][gate]) / (gain(gate) * bias_unit);
                vec![bias as f32]
            }),
        }
    });
    let layers = layers.collect();
    let multipliers = parts.output.multipliers.iter().enumerate();
    let output = multipliers.flat_map(|(row, &multiplier)| {
        scaled(
            &parts.output.weights,
            row,
            f64::from(multiplier) * one / LOGIT_ONE,
        )
    });
    let embedded = embedding
        .iter()
        .map(|&byte| (f64::from(byte) * EMBEDDING_BYTE) as f32);
    let bias = parts
        .output
        .bias
        .iter()
        .map(|&bias| (f64::from(bias) / LOGIT_ONE) as f32);
    let planes = parts.planes();
    let recipe = format!(
        "[model]\nplanes = {}\ninput_planes = {}\noutput_planes = {}\n[quantization]\nstart = 0.0\n",
        planes.recurrent, planes.input, planes.output
    );
    Ok(FloatModel {
        name: Some(Name::like(&parts.name)),
        run: RunId::default(),
        alphabet: parts.alphabet.clone(),
        metadata: HashMap::from([("recipe".to_owned(), recipe)]),
        embedding_size: *size,
        embedding: embedded.collect(),
        hidden,
        layers,
        output: output.collect(),
        output_bias: bias.collect(),
    })
}

/// The engine's sums for gate g are those of 2g.
fn gain(gate: usize) -> f64 {
    if gate == 2 { 2.0 } else { 1.0 }
}

/// What `row` gives for each gate and cell, in libtorch's order.
fn gates(hidden: usize, row: impl Fn(usize, usize) -> Vec<f32>) -> Vec<f32> {
    (0..TILE_ROWS)
        .flat_map(|gate| (0..hidden).map(move |cell| (gate, cell)))
        .flat_map(|(gate, cell)| row(gate, cell))
        .collect()
}

/// A row of integers times its step.
fn scaled(weights: &Weights, row: usize, step: f64) -> Vec<f32> {
    let integers = &weights.values[row * weights.columns..(row + 1) * weights.columns];
    integers
        .iter()
        .map(|&q| (f64::from(q) * step) as f32)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::corpus::Validation;
    use crate::quantize::{InputForm, quantize};
    use crate::synthetic::float_model;

    #[test]
    fn what_comes_back_is_the_rounded_model() {
        for layers in [1, 2] {
            let model = float_model(40, 24, layers, 7);
            let planes = inkling_engine::format::Planes {
                recurrent: 1,
                input: 2,
                output: 2,
            };
            let parts = quantize(&model, planes, InputForm::Embedded).expect("integers");
            let back = float(&parts).expect("an embedded model");
            assert_eq!(back.planes(), planes);
            let symbols: Vec<u8> = (0..200_u32).map(|i| (i * i % 39) as u8).collect();
            let symbols = Validation::stream(symbols);
            let expected = model.rounded(planes).loss(&symbols, |_| ());
            let got = back.loss(&symbols, |_| ());
            assert!((got - expected).abs() < 1e-3, "{got}, not {expected}");
            // And has the same integers again.
            let again = quantize(&back, planes, InputForm::Embedded).expect("integers");
            let same = |a: &Weights, b: &Weights| {
                let equal = a
                    .values
                    .iter()
                    .zip(&b.values)
                    .filter(|(a, b)| a == b)
                    .count();
                equal * 100 > a.values.len() * 98
            };
            assert!(same(&again.layers[0].recurrent, &parts.layers[0].recurrent));
            assert!(same(&again.output.weights, &parts.output.weights));
        }
    }

    #[test]
    fn folded_inputs_do_not_come_back() {
        let model = float_model(40, 24, 1, 7);
        let parts = quantize(&model, model.planes(), InputForm::Folded).expect("integers");
        assert!(float(&parts).is_err());
    }
}
