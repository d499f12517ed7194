//! Weights as the engine will have them: rounded to few bits, with the scales of the export.
//!
//! The last part of a run may be trained with these, so that the weights settle where rounding them
//! costs little. Gradients go through the rounding as if it were not there.

use std::collections::HashMap;

use firmware::fixed::{
    GATE_FRACTION_BITS, GATE_SHIFT, HIDDEN_ONE, LOGIT_FRACTION_BITS, LOGIT_SHIFT,
};
use firmware::kernels::Bits;
use tch::{Kind, Tensor};

use crate::weights::{Entry, Shape, Weights};
use host::quantize::float::{FloatLayer, FloatModel};
use host::quantize::{QuantizeError, Widths, quantize};
use host::runs::RunId;

/// Whether a matrix is kept in few bits, and in how many.
fn bits(entry: &Entry, widths: Widths) -> Option<Bits> {
    let name = entry.name.as_str();
    if name == "output.weight" {
        Some(widths.output)
    } else if name.starts_with("lstm.weight") && name != "lstm.weight_ih_l0" {
        Some(widths.recurrent)
    } else {
        None
    }
}

/// What exporting `flat` would round to: one step per row of each rounded matrix, in the order of
/// [`Shape::entries`], and behind them the [`table`] of the first layer's inputs.
///
/// # Errors
/// When these weights could not be exported.
pub fn scales(
    shape: &Shape,
    flat: &Tensor,
    frequencies: &[f64],
    widths: Widths,
) -> Result<Tensor, QuantizeError> {
    let parts = quantize(&float_model(shape, flat, frequencies), widths)?;
    // What one unit of an accumulator is worth for each step of its multiplier.
    let unit = |fraction_bits: u32, shift: u32| {
        1.0 / (f64::from(1_u32 << fraction_bits) * f64::from(1_u32 << (16 + shift)))
    };
    let weight = |bits: Bits| f64::from(HIDDEN_ONE) * f64::from(1_u32 << bits.scale_log2());
    let gate_unit = |gate: usize| {
        // The accumulator of gate g is scaled to 2g.
        unit(GATE_FRACTION_BITS, GATE_SHIFT) / if gate == 2 { 2.0 } else { 1.0 }
    };
    let mut scales: Vec<f64> = Vec::new();
    for (index, layer) in parts.layers.iter().enumerate() {
        // From the layer below (but for the first) and from the layer itself: with the same steps.
        for _ in 0..1 + index.min(1) {
            for gate in 0..4 {
                let unit = gate_unit(gate) * weight(widths.recurrent);
                let multipliers = layer.multipliers.iter().map(|gates| gates[gate]);
                scales.extend(multipliers.map(|m| f64::from(m) * unit));
            }
        }
    }
    let logit_unit = unit(LOGIT_FRACTION_BITS, LOGIT_SHIFT) * weight(widths.output);
    let multipliers = parts.output.multipliers.iter();
    scales.extend(multipliers.map(|&m| f64::from(m) * logit_unit));

    let input_one = f64::from(1_u32 << (16 - widths.recurrent.count()));
    let layer = &parts.layers[0];
    let rows = |numbers: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
        let units = 0..shape.hidden as usize;
        let row = |gate, unit: usize| {
            let multiplier = f64::from(layer.multipliers[unit][gate]);
            numbers(gate, unit) * multiplier * gate_unit(gate)
        };
        (0..4)
            .flat_map(|gate| units.clone().map(move |unit| row(gate, unit)))
            .collect()
    };
    scales.extend(rows(&|gate, unit| f64::from(layer.bias[unit][gate])));
    scales.extend(rows(&|gate, unit| {
        f64::from(layer.input_multipliers[unit][gate]) * input_one
    }));
    let scales: Vec<f32> = scales.into_iter().map(|scale| scale as f32).collect();
    Ok(Tensor::from_slice(&scales).to_device(flat.device()))
}

/// The end of `scales`, `[2, 4H]`: the middle and the step of each row of the first layer's inputs.
pub fn table(shape: &Shape, scales: &Tensor) -> Tensor {
    let rows = 4 * shape.hidden;
    let begin = scales.numel() as i64 - 2 * rows;
    scales.narrow(0, begin, 2 * rows).view([2, rows])
}

/// A copy of `flat` in which matrices are rounded to `scales`.
pub fn round(shape: &Shape, flat: &Tensor, scales: &Tensor, widths: Widths) -> Tensor {
    let rounded = flat.copy();
    let mut begin = 0;
    for (entry, mut view) in shape.views(&rounded) {
        let Some(bits) = bits(&entry, widths) else {
            continue;
        };
        let rows = entry.size[0];
        let scale = scales.narrow(0, begin, rows).view([rows, 1]);
        begin += rows;
        view.copy_(&round_to(&view, &scale, bits));
    }
    rounded
}

/// The network with everything rounded that the engine rounds, the first layer's inputs as well: these
/// take the place of its input weights, with one embedding component for each symbol.
pub fn folded(shape: &Shape, flat: &Tensor, scales: &Tensor, widths: Widths) -> (Shape, Tensor) {
    let rounded = round(shape, flat, scales, widths);
    let inputs = inputs(&Weights::of(shape, flat)).transpose(0, 1);
    let table = table(shape, scales).unsqueeze(-1);
    let (middle, step) = (table.get(0), table.get(1));
    let inputs = round_to(&(inputs - &middle), &step, widths.recurrent) + middle;
    let parts = shape.views(&rounded).into_iter();
    let parts: Vec<Tensor> = parts
        .map(|(entry, view)| match entry.name.as_str() {
            "embedding.weight" => Tensor::eye(shape.symbols, (Kind::Float, flat.device())),
            "lstm.weight_ih_l0" => inputs.shallow_clone(),
            "lstm.bias_ih_l0" | "lstm.bias_hh_l0" => view.zeros_like(),
            _ => view,
        })
        .map(|part| part.reshape([-1]))
        .collect();
    let shape = Shape {
        embedding: shape.symbols,
        ..*shape
    };
    (shape, Tensor::cat(&parts, 0))
}

fn round_to(values: &Tensor, step: &Tensor, bits: Bits) -> Tensor {
    let most = f64::from(bits.max_weight());
    (values / step).round().clamp(-most, most) * step
}

/// `[V, 4H]`: what each symbol adds to the gates of the first layer.
fn inputs(weights: &Weights) -> Tensor {
    let [input, _, input_bias, recurrent_bias] = &weights.lstm()[..4] else {
        unreachable!("a network has a first layer")
    };
    let bias = input_bias + recurrent_bias;
    weights.embedding().linear(input, Some(&bias))
}

/// The network as the export knows it.
fn float_model(shape: &Shape, flat: &Tensor, frequencies: &[f64]) -> FloatModel {
    let weights = Weights::of(shape, flat);
    let layers = weights.lstm().as_chunks::<4>().0.iter().enumerate();
    let layer = |(index, layer): (usize, &[Tensor; 4])| {
        let [input, recurrent, input_bias, recurrent_bias] = layer;
        let (inputs, from_below) = if index == 0 {
            (numbers(&inputs(&weights)), Vec::new())
        } else {
            (numbers(&(input_bias + recurrent_bias)), numbers(input))
        };
        FloatLayer {
            inputs,
            from_below,
            recurrent: numbers(recurrent),
        }
    };
    FloatModel {
        name: None,
        run: RunId::default(),
        alphabet: vec![' '; shape.symbols as usize],
        frequencies: frequencies.to_vec(),
        metadata: HashMap::new(),
        hidden: shape.hidden as usize,
        layers: layers.map(layer).collect(),
        output: numbers(weights.output()),
        output_bias: numbers(weights.output_bias()),
    }
}

fn numbers(tensor: &Tensor) -> Vec<f32> {
    let mut numbers = vec![0.0; tensor.numel()];
    let flat = tensor.detach().to_kind(Kind::Float).contiguous();
    flat.copy_data(&mut numbers, tensor.numel());
    numbers
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::native::{Batch, Network, Rounding};

    #[test]
    fn rounded_weights_are_what_an_export_holds() {
        let shape = Shape {
            symbols: 9,
            embedding: 5,
            hidden: 12,
            layers: 2,
        };
        let flat = shape.first_weights(1, Device::Cpu);
        let frequencies = [1.0 / 9.0; 9];
        for bits in [Bits::Four, Bits::Eight] {
            let widths = Widths::uniform(bits);
            let scales = scales(&shape, &flat, &frequencies, widths).expect("scales");
            let rounded = round(&shape, &flat, &scales, widths);
            let parts = quantize(&float_model(&shape, &flat, &frequencies), widths).expect("parts");
            let weights = Weights::of(&shape, &rounded);
            // Unit 3, gate g, of the upper layer: its row's integers times its step.
            let row = 2 * shape.hidden + 3;
            let scale = scales.double_value(&[(4 + 4) * shape.hidden + row]);
            let exported = &parts.layers[1].weights;
            let exported = exported
                .values
                .chunks_exact(exported.columns)
                .nth(3 * 4 + 2);
            let exported = exported.expect("a row");
            let padded = exported.len() / 2;
            for (matrix, exported) in [
                (&weights.lstm()[4], &exported[..padded]),
                (&weights.lstm()[5], &exported[padded..]),
            ] {
                for column in 0..shape.hidden {
                    let ours = matrix.double_value(&[row, column]);
                    let theirs = f64::from(exported[column as usize]) * scale;
                    assert!((ours - theirs).abs() < 1e-6, "{ours} {theirs}");
                }
            }
            // The inputs of the lower layer: as the engine adds them, on both sides of their middle.
            let (folded_shape, folded) = folded(&shape, &flat, &scales, widths);
            let weights = Weights::of(&folded_shape, &folded);
            let table = table(&shape, &scales);
            for symbol in 0..shape.symbols {
                let ours = weights.lstm()[0].double_value(&[row, symbol]);
                let steps = parts.layers[0].inputs[(symbol * shape.hidden + 3) as usize][2];
                let (middle, step) = (table.double_value(&[0, row]), table.double_value(&[1, row]));
                assert!((ours - middle - f64::from(steps) * step).abs() < 1e-5);
            }
        }
    }

    #[test]
    fn training_sees_the_inputs_that_validation_sees() {
        let shape = Shape {
            symbols: 9,
            embedding: 5,
            hidden: 12,
            layers: 1,
        };
        let flat = shape.first_weights(2, Device::Cpu);
        let widths = Widths::uniform(Bits::Four);
        let scales = scales(&shape, &flat, &[1.0 / 9.0; 9], widths).expect("scales");
        let loss = |shape: &Shape, flat: &Tensor, rounding| {
            let symbols: Vec<usize> = (0..80).map(|step| step * step % 9).collect();
            let mut batch = Batch {
                streams: 2,
                targets: symbols.iter().map(|symbol| (symbol + 1) % 9).collect(),
                inputs: symbols,
                hidden: vec![0.0; 24],
                cells: vec![0.0; 24],
                share: 1.0,
                rounding,
                ..Batch::default()
            };
            Network::new(shape).compute(&numbers(flat), &mut batch)
        };
        let rounded = round(&shape, &flat, &scales, widths);
        let rounding = Rounding {
            outputs: 0.0,
            most: Bits::Four.max_weight() as f32,
            table: numbers(&table(&shape, &scales).reshape([-1])),
        };
        let trained = loss(&shape, &rounded, Some(rounding));
        let (folded_shape, folded) = folded(&shape, &flat, &scales, widths);
        let validated = loss(&folded_shape, &folded, None);
        assert!((trained - validated).abs() < 1e-5, "{trained} {validated}");
        let unrounded = loss(&shape, &rounded, None);
        assert!((trained - unrounded).abs() > 1e-4, "nothing was rounded");
    }
}
