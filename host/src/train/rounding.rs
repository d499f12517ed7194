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

use super::weights::{Entry, Shape, Weights};
use crate::quantize::float::{FloatLayer, FloatModel};
use crate::quantize::{QuantizeError, Widths, quantize};

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

/// The steps that exporting `flat` would round to: one number per row of each rounded matrix, in
/// the order of [`Shape::entries`].
///
/// # Errors
/// When these weights could not be exported.
pub fn scales(shape: &Shape, flat: &Tensor, widths: Widths) -> Result<Tensor, QuantizeError> {
    let parts = quantize(&float_model(shape, flat), widths)?;
    let unit = |bits: Bits, fraction_bits: u32, shift: u32| {
        let one = f64::from(1_u32 << fraction_bits) * f64::from(1_u32 << (16 + shift));
        f64::from(HIDDEN_ONE) * f64::from(1_u32 << bits.scale_log2()) / one
    };
    let gate_unit = unit(widths.recurrent, GATE_FRACTION_BITS, GATE_SHIFT);
    let logit_unit = unit(widths.output, LOGIT_FRACTION_BITS, LOGIT_SHIFT);
    let mut scales: Vec<f32> = Vec::new();
    for (index, layer) in parts.layers.iter().enumerate() {
        // From the layer below (but for the first) and from the layer itself: with the same steps.
        for _ in 0..1 + index.min(1) {
            for gate in 0..4 {
                // The accumulator of gate g is scaled to 2g.
                let unit = gate_unit / if gate == 2 { 2.0 } else { 1.0 };
                let multipliers = layer.multipliers.iter().map(|gates| gates[gate]);
                scales.extend(multipliers.map(|m| (f64::from(m) * unit) as f32));
            }
        }
    }
    let multipliers = parts.output.multipliers.iter();
    scales.extend(multipliers.map(|&m| (f64::from(m) * logit_unit) as f32));
    Ok(Tensor::from_slice(&scales).to_device(flat.device()))
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
        let most = f64::from(bits.max_weight());
        let whole = (&view / &scale).round().clamp(-most, most);
        view.copy_(&(whole * scale));
    }
    rounded
}

/// The network as the export knows it.
fn float_model(shape: &Shape, flat: &Tensor) -> FloatModel {
    let weights = Weights::of(shape, flat);
    let layers = weights.lstm().as_chunks::<4>().0.iter().enumerate();
    let layer = |(index, layer): (usize, &[Tensor; 4])| {
        let [input, recurrent, input_bias, recurrent_bias] = layer;
        let bias = input_bias + recurrent_bias;
        let (inputs, from_below) = if index == 0 {
            let table = weights.embedding().linear(input, Some(&bias));
            (numbers(&table), Vec::new())
        } else {
            (numbers(&bias), numbers(input))
        };
        FloatLayer {
            inputs,
            from_below,
            recurrent: numbers(recurrent),
        }
    };
    FloatModel {
        name: String::new(),
        alphabet: vec![' '; shape.symbols as usize],
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

    #[test]
    fn rounded_weights_are_what_an_export_holds() {
        let shape = Shape {
            symbols: 9,
            embedding: 5,
            hidden: 12,
            layers: 2,
        };
        let flat = shape.first_weights(1, Device::Cpu);
        for bits in [Bits::Four, Bits::Eight] {
            let widths = Widths::uniform(bits);
            let scales = scales(&shape, &flat, widths).expect("scales");
            let rounded = round(&shape, &flat, &scales, widths);
            let parts = quantize(&float_model(&shape, &flat), widths).expect("parts");
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
        }
    }
}
