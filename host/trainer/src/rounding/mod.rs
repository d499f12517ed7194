//! Quantization-aware training: weights as the image will have them.
//!
//! The network computes with rounded weights, while the gradient goes to the float weights behind them,
//! as if rounding had a slope of 1 (straight-through estimator). The rule is that of
//! [`trits`](host::quantize::trits), in tensor operations, so that it runs wherever the weights are.

use tch::{Kind, Tensor};

use crate::shape::{Entry, Shape};
use host::quantize::trits::{Planes, first_step, largest};

/// The largest integer that an embedded symbol's component is rounded to.
const EMBEDDING_MOST: f64 = 127.0;

/// Trits per weight of a matrix; none for those that are not rounded to trits.
fn planes_of(entry: &Entry, planes: Planes) -> Option<u8> {
    match entry.name.as_str() {
        "output.weight" => Some(planes.output),
        "lstm.weight_ih_l0" => Some(planes.input),
        name => name.starts_with("lstm.weight").then_some(planes.recurrent),
    }
}

/// A copy of `flat` with its matrices rounded: those of the layers and of the output row by row to
/// trits, the embedding to 8 bits with one step for all of it. Biases stay as they are.
pub fn rounded(shape: &Shape, flat: &Tensor, planes: Planes) -> Tensor {
    let rounded = flat.copy();
    for ((entry, weights), (_, mut to)) in shape.views(flat).into_iter().zip(shape.views(&rounded))
    {
        if let Some(planes) = planes_of(&entry, planes) {
            to_trits(&weights, &mut to, planes);
        } else if entry.name == "embedding.weight" {
            let step = above_zero(weights.abs().max() / EMBEDDING_MOST);
            let _ = to.divide_(&step).round_().multiply_(&step);
        }
    }
    rounded
}

/// Rounds the rows of `to`, a copy of `weights`, which is [`host::quantize::trits::round`] for tensors.
fn to_trits(weights: &Tensor, to: &mut Tensor, planes: u8) {
    let along = &[1_i64][..];
    let most = f64::from(largest(planes));
    let mean = weights.norm_scalaropt_dim(1.0, along, true) / weights.size()[1] as f64;
    let guess = above_zero(mean * first_step(planes));
    let _ = to.divide_(&guess).round_().clamp_(-most, most);
    let products = (weights * &*to).sum_dim_intlist(along, true, Kind::Float);
    let squares = to.square().sum_dim_intlist(along, true, Kind::Float);
    // Rows of zeros stay zeros.
    let _ = to.multiply_(&(products / squares.clamp_min(1.0)));
}

/// Steps that can be divided by: those of weights that are all zero are zero.
fn above_zero(step: Tensor) -> Tensor {
    step.clamp_min(f64::from(f32::MIN_POSITIVE))
}

#[cfg(test)]
mod tests {
    use host::quantize::trits;
    use tch::Device;

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
                let step = float.iter().fold(0.0_f32, |most, x| most.max(x.abs())) / 127.0;
                for (float, ours) in float.iter().zip(ours) {
                    let theirs = (float / step).round_ties_even() * step;
                    assert!((ours - theirs).abs() < 1e-6, "{ours} {theirs}");
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
