//! Rounding for quantization-aware training: weights as the image will have them.
//!
//! The network computes with fake-quantized weights: floats that are whole multiples of the steps of an
//! image. The gradient by them goes to the float weights behind them unchanged, as if rounding had a slope
//! of 1 (straight-through estimator). This happens before the weights reach a backend, so that it is the
//! same for all of them. Which integers and steps there are is decided by
//! [`host::quantize::trits`]; `tensors` applies that to whole matrices, wherever the weights are.

use tch::Tensor;

use crate::shape::{Entry, Shape};
use host::quantize::trits::Planes;

mod tensors;

/// How a matrix or bias is rounded.
enum Rule {
    /// Row by row to so many trits per weight.
    Trits(u8),
    /// To a byte per number, with one step for all of them.
    Bytes,
    /// Not at all.
    Exact,
}

impl Rule {
    fn of(entry: &Entry, planes: Planes) -> Self {
        match entry.name.as_str() {
            "embedding.weight" => Self::Bytes,
            "output.weight" => Self::Trits(planes.output),
            "lstm.weight_ih_l0" => Self::Trits(planes.input),
            name if name.starts_with("lstm.weight") => Self::Trits(planes.recurrent),
            _ => Self::Exact,
        }
    }
}

/// A copy of the weights in `flat` that is rounded: the matrices of the layers and of the output row by row
/// to trits, the embedding to bytes. Biases stay as they are.
pub fn rounded(shape: &Shape, flat: &Tensor, planes: Planes) -> Tensor {
    let rounded = flat.copy();
    for ((entry, weights), (_, mut to)) in shape.views(flat).into_iter().zip(shape.views(&rounded))
    {
        match Rule::of(&entry, planes) {
            Rule::Trits(planes) => tensors::to_trits(&weights, &mut to, planes),
            Rule::Bytes => tensors::to_bytes(&weights, &mut to),
            Rule::Exact => {}
        }
    }
    rounded
}

#[cfg(test)]
mod tests {
    use host::quantize::trits;
    use tch::{Device, Kind};

    use super::*;

    const SHAPE: Shape = Shape {
        symbols: 9,
        embedding: 30,
        hidden: 77,
        layers: 2,
    };

    fn numbers(tensor: &Tensor) -> Vec<f32> {
        Vec::try_from(tensor.reshape([-1])).expect("numbers")
    }

    /// Whether f32 and f64 may take a weight of this row to two different integers.
    fn is_near_a_tie(row: &[f32], planes: u8) -> bool {
        let sum: f64 = row.iter().map(|weight| f64::from(weight.abs())).sum();
        let guess = sum / row.len() as f64 * trits::first_step(planes);
        row.iter().any(|&weight| {
            let steps = f64::from(weight) / guess;
            (steps - steps.floor() - 0.5).abs() < 1e-4
        })
    }

    #[test]
    fn training_rounds_every_matrix_as_the_export_does() {
        for count in trits::PLANES {
            let planes = Planes {
                recurrent: count,
                input: count % 5 + 1,
                output: (count + 1) % 5 + 1,
            };
            let flat = SHAPE.first_weights(count.into(), Device::Cpu);
            // As weights lie after training: most are small, few are large; some rows are zero.
            let flat = &flat * flat.abs() * 3.0;
            for (_, view) in SHAPE.views(&flat) {
                let _ = view.narrow(0, 1, 1).zero_();
            }
            let rounded = rounded(&SHAPE, &flat, planes);
            let mut compared = 0;
            for ((entry, float), (_, ours)) in SHAPE.views(&flat).iter().zip(SHAPE.views(&rounded))
            {
                let planes = match entry.name.as_str() {
                    "lstm.weight_hh_l0" | "lstm.weight_ih_l1" | "lstm.weight_hh_l1" => {
                        planes.recurrent
                    }
                    "lstm.weight_ih_l0" => planes.input,
                    "output.weight" => planes.output,
                    _ => continue,
                };
                let columns = entry.size[1];
                let (float, ours) = (numbers(float), numbers(&ours));
                let rows = float.chunks_exact(columns).zip(ours.chunks_exact(columns));
                for (row, (float, ours)) in rows.enumerate() {
                    if is_near_a_tie(float, planes) {
                        continue;
                    }
                    compared += 1;
                    let trits::Rounded { step, integers } = trits::round(float, planes);
                    for (&integer, &ours) in integers.iter().zip(ours) {
                        let theirs = step * f64::from(integer);
                        let gap = (f64::from(ours) - theirs).abs();
                        let name = &entry.name;
                        assert!(
                            gap <= 1e-5 * theirs.abs(),
                            "{name} row {row}: {ours} {theirs}"
                        );
                    }
                }
            }
            assert!(compared > 1000, "{compared} rows were compared");
        }
    }

    #[test]
    fn the_embedding_is_rounded_to_8_bits_with_one_step_and_biases_are_not() {
        let flat = SHAPE.first_weights(7, Device::Cpu);
        let rounded = rounded(&SHAPE, &flat, Planes::uniform(1));
        for ((entry, float), (_, ours)) in SHAPE.views(&flat).iter().zip(SHAPE.views(&rounded)) {
            let (float, ours) = (numbers(float), numbers(&ours));
            if entry.is_bias() {
                assert_eq!(float, ours, "{}", entry.name);
            } else if entry.name == "embedding.weight" {
                let (step, bytes) = trits::round_bytes(&float);
                for ((float, ours), byte) in float.iter().zip(ours).zip(bytes) {
                    // Where f32 and f64 fall to two sides of a tie, both are as near.
                    let steps = f64::from(*float) / step;
                    if (steps - steps.floor() - 0.5).abs() > 1e-4 {
                        let theirs = step * f64::from(byte);
                        assert!((f64::from(ours) - theirs).abs() < 1e-6, "{ours} {theirs}");
                    }
                }
            }
        }
    }

    #[test]
    fn weights_of_zero_stay_zero_and_what_is_no_number_is_not_hidden() {
        let zeros = Tensor::zeros([SHAPE.numel() as i64], (Kind::Float, Device::Cpu));
        let planes = Planes::uniform(2);
        assert_eq!(numbers(&rounded(&SHAPE, &zeros, planes)), numbers(&zeros));
        let nans = &zeros + f64::NAN;
        assert!(
            numbers(&rounded(&SHAPE, &nans, planes))
                .iter()
                .all(|x| x.is_nan())
        );
    }
}
