//! The first weights of a training that starts from a model which knows the language already.

use tch::Tensor;

use crate::shape::Shape;
use host::corpus::Alphabet;
use host::quantize::FloatModel;

/// The weights that a training starts with from those of a finished one: its LSTM as it is, its
/// embedding and output row by row for the characters that both alphabets have. Others start as the mean
/// of all rows and as the least likely of them.
///
/// # Errors
/// A reason, when its network is of another shape.
pub fn weights(model: &FloatModel, shape: &Shape, alphabet: &Alphabet) -> Result<Tensor, String> {
    for (what, theirs, ours) in [
        ("units", model.hidden, shape.hidden),
        ("layers", model.layers.len(), shape.layers),
        (
            "embedding components",
            model.embedding_size,
            shape.embedding,
        ),
    ] {
        if theirs != ours {
            return Err(format!("it has {theirs} {what} and the new model {ours}"));
        }
    }
    let rows: Vec<Option<usize>> = alphabet
        .symbols()
        .iter()
        .map(|symbol| model.alphabet.iter().position(|known| known == symbol))
        .collect();
    let matched = |numbers: &[f32], columns: usize| -> Vec<f32> {
        let mean = mean_row(numbers, columns);
        rows.iter()
            .flat_map(|row| match row {
                Some(row) => &numbers[row * columns..(row + 1) * columns],
                None => &mean[..],
            })
            .copied()
            .collect()
    };
    let rarest = model
        .output_bias
        .iter()
        .copied()
        .fold(f32::INFINITY, f32::min);
    let bias = rows
        .iter()
        .map(|row| row.map_or(rarest, |row| model.output_bias[row]));
    let mut flat = matched(&model.embedding, model.embedding_size);
    for layer in &model.layers {
        flat.extend(&layer.input);
        flat.extend(&layer.recurrent);
        // Both biases are added, so that one of them may hold all.
        flat.extend(&layer.bias);
        flat.extend(layer.bias.iter().map(|_| 0.0));
    }
    flat.extend(matched(&model.output, model.hidden));
    flat.extend(bias);
    Ok(Tensor::from_slice(&flat))
}

/// `[columns]`: the mean over all rows of a matrix.
fn mean_row(numbers: &[f32], columns: usize) -> Vec<f32> {
    let rows = numbers.len() / columns;
    let mut mean = vec![0.0; columns];
    for row in numbers.chunks_exact(columns) {
        mean.iter_mut()
            .zip(row)
            .for_each(|(sum, x)| *sum += x / rows as f32);
    }
    mean
}

#[cfg(test)]
mod tests {
    use super::*;
    use host::synthetic::float_model;

    fn shape(symbols: usize, model: &FloatModel) -> Shape {
        Shape {
            symbols,
            embedding: model.embedding_size,
            hidden: model.hidden,
            layers: model.layers.len(),
        }
    }

    #[test]
    fn rows_are_matched_by_character_and_new_ones_start_as_the_mean() {
        let model = float_model(20, 8, 1, 5);
        let known = model.alphabet[7];
        let alphabet = Alphabet::from_symbols(&format!("é{known}")).expect("an alphabet");
        let shape = shape(2, &model);
        let flat = weights(&model, &shape, &alphabet).expect("weights");
        let row = |name: &str, row: i64| -> Vec<f32> {
            let (_, view) = shape
                .views(&flat)
                .into_iter()
                .find(|(entry, _)| entry.name == name)
                .expect("a tensor");
            Vec::try_from(view.get(row).flatten(0, -1)).expect("numbers")
        };
        let size = model.embedding_size;
        assert_eq!(
            row("embedding.weight", 1),
            model.embedding[7 * size..8 * size]
        );
        assert_eq!(row("output.weight", 1), model.output[7 * 8..8 * 8]);
        assert_eq!(row("output.bias", 1), model.output_bias[7..8]);
        assert_eq!(row("embedding.weight", 0), mean_row(&model.embedding, size));
        let least = model
            .output_bias
            .iter()
            .copied()
            .fold(f32::INFINITY, f32::min);
        assert_eq!(row("output.bias", 0), [least]);
        let (_, recurrent) = &shape.views(&flat)[2];
        let recurrent = Vec::<f32>::try_from(recurrent.flatten(0, -1)).expect("numbers");
        assert_eq!(recurrent, model.layers[0].recurrent);
    }

    #[test]
    fn a_start_with_another_shape_is_refused() {
        let model = float_model(20, 8, 1, 5);
        let alphabet = Alphabet::from_symbols("ab").expect("an alphabet");
        let wider = Shape {
            hidden: 12,
            ..shape(2, &model)
        };
        let refused = weights(&model, &wider, &alphabet).expect_err("a refusal");
        assert!(
            refused.contains("it has 8 units and the new model 12"),
            "{refused}"
        );
    }
}
