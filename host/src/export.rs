//! From a run's float weights to the files that ship: image, quantized tensors, card.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError};
use serde::Serialize;

use crate::evaluate::{bits, engine_loss};
use crate::image::{AlignedImage, ModelParts};
use crate::paths;
use crate::quantize::float::LoadError;
use crate::quantize::{FloatModel, QuantizeError, Widths, quantize_for_export};

/// Metadata value that marks quantized tensors.
pub const FORMAT: &str = "inkling-quantized-2";

/// Why an export failed.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The float weights cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// They do not fit integers.
    #[error(transparent)]
    Quantize(#[from] QuantizeError),
    /// They do not fit the engine.
    #[error(transparent)]
    Image(#[from] firmware::image::ImageError),
    /// A file cannot be written.
    #[error("cannot write {}; nothing was changed there", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The tensors cannot be serialized.
    #[error("cannot store the quantized tensors: {0}")]
    Tensors(#[from] SafeTensorError),
}

/// What an export gave, for people and scripts.
#[derive(Clone, Debug, Serialize)]
pub struct Exported {
    /// The model image.
    pub image: PathBuf,
    /// The quantized tensors.
    pub tensors: PathBuf,
    /// The model card.
    pub card: PathBuf,
    /// Figures; none where the validation text is not at hand.
    pub losses: Option<Losses>,
    /// All the flash the model needs.
    pub image_bytes: usize,
}

/// Losses of one model over one text, in nats per character.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Losses {
    /// With the engine's integers.
    pub engine_loss_nats: f64,
    /// With the run's floats.
    pub float_loss_nats: f64,
    /// Engine minus float.
    pub gap_nats: f64,
    /// Predictions counted.
    pub characters: usize,
}

impl Losses {
    /// Runs both models over `symbols` as one stream.
    #[must_use]
    pub fn measure(
        image: &AlignedImage,
        float: &FloatModel,
        symbols: &[u8],
        progress: impl FnMut(u64) + Clone,
    ) -> Option<Self> {
        let engine_loss_nats = engine_loss(image.model().ok()?, symbols, progress.clone());
        let float_loss_nats = float.loss(symbols, progress);
        Some(Self {
            engine_loss_nats,
            float_loss_nats,
            gap_nats: engine_loss_nats - float_loss_nats,
            characters: symbols.len().saturating_sub(1),
        })
    }
}

/// Quantizes `float` and writes `NAME.img`, `NAME.safetensors` and `NAME.md` into `folder`.
///
/// # Errors
/// When the model cannot be quantized or a file cannot be written.
pub fn export(
    float: &FloatModel,
    name: &str,
    widths: Widths,
    folder: &Path,
    validation: Option<&[u8]>,
    progress: impl FnMut(u64) + Clone,
) -> Result<Exported, ExportError> {
    let mut parts = quantize_for_export(float, widths)?;
    parts.name = name.to_owned();
    let image = parts.to_image()?;
    let losses = validation.and_then(|symbols| Losses::measure(&image, float, symbols, progress));

    let file = |extension: &str| folder.join(format!("{name}.{extension}"));
    let exported = Exported {
        image: file("img"),
        tensors: file("safetensors"),
        card: file("md"),
        losses,
        image_bytes: image.bytes().len(),
    };
    let write = |path: &PathBuf, bytes: &[u8]| {
        paths::write_atomic(path, bytes).map_err(|source| ExportError::Write {
            path: path.clone(),
            source,
        })
    };
    write(&exported.tensors, &tensors(&parts, float, losses)?)?;
    write(&exported.card, card(&parts, float, &exported).as_bytes())?;
    write(&exported.image, image.bytes())?;
    Ok(exported)
}

/// Whether quantizing `float` gives this very image.
#[must_use]
pub fn comes_from(image: &AlignedImage, float: &FloatModel) -> bool {
    let Ok(model) = image.model() else {
        return false;
    };
    let dimensions = model.dimensions();
    let widths = Widths {
        recurrent: dimensions.recurrent_bits,
        output: dimensions.output_bits,
    };
    let Ok(mut parts) = quantize_for_export(float, widths) else {
        return false;
    };
    parts.name = model.name().to_owned();
    parts
        .to_image()
        .is_ok_and(|made| made.bytes() == image.bytes())
}

/// Tensors to be written, by name.
#[derive(Default)]
struct Tensors<'a>(Vec<(String, TensorView<'a>)>);

impl<'a> Tensors<'a> {
    fn add<T: bytemuck::Pod>(
        &mut self,
        name: String,
        dtype: Dtype,
        shape: &[usize],
        values: &'a [T],
    ) -> Result<(), SafeTensorError> {
        let view = TensorView::new(dtype, shape.to_vec(), bytemuck::cast_slice(values))?;
        self.0.push((name, view));
        Ok(())
    }
}

/// The integers of the image as plain, unpacked tensors.
fn tensors(
    parts: &ModelParts,
    float: &FloatModel,
    losses: Option<Losses>,
) -> Result<Vec<u8>, ExportError> {
    let mut tensors = Tensors::default();
    let (hidden, symbols) = (parts.hidden, parts.alphabet.len());
    for (index, layer) in parts.layers.iter().enumerate() {
        let name = |part: &str| format!("lstm.{index}.{part}");
        let rows = layer.inputs.len() / hidden;
        let columns = layer.weights.columns;
        let weights = &layer.weights.values;
        let gates = &[hidden, 4];
        tensors.add(name("inputs"), Dtype::I8, &[rows, hidden, 4], &layer.inputs)?;
        tensors.add(name("bias"), Dtype::I32, gates, &layer.bias)?;
        let scales = &layer.input_multipliers;
        tensors.add(name("input_multipliers"), Dtype::I16, gates, scales)?;
        tensors.add(name("weights"), Dtype::I8, &[hidden, 4, columns], weights)?;
        tensors.add(name("multipliers"), Dtype::I16, gates, &layer.multipliers)?;
    }
    let output = &parts.output;
    let name = |part: &str| format!("output.{part}");
    let shape = &[symbols, output.weights.columns];
    tensors.add(name("bias"), Dtype::I32, &[symbols], &output.bias)?;
    tensors.add(name("weights"), Dtype::I8, shape, &output.weights.values)?;
    tensors.add(
        name("multipliers"),
        Dtype::I16,
        &[symbols],
        &output.multipliers,
    )?;
    let metadata = Some(metadata(parts, float, losses));
    Ok(safetensors::serialize(tensors.0, metadata)?)
}

/// What the tensors mean and where they come from.
fn metadata(
    parts: &ModelParts,
    float: &FloatModel,
    losses: Option<Losses>,
) -> HashMap<String, String> {
    let dimensions = parts.dimensions();
    let mut entries = vec![
        ("format", FORMAT.to_owned()),
        ("name", parts.name.clone()),
        ("alphabet", parts.alphabet.iter().collect()),
        ("weight_bits", dimensions.recurrent_bits.count().to_string()),
        ("output_bits", dimensions.output_bits.count().to_string()),
    ];
    for key in ["recipe", "corpus", "source", "unicode", "steps"] {
        entries.extend(float.metadata.get(key).map(|value| (key, value.clone())));
    }
    if let Some(losses) = losses {
        entries.push(("engine_loss_nats", losses.engine_loss_nats.to_string()));
        entries.push(("float_loss_nats", losses.float_loss_nats.to_string()));
    }
    entries
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// The model card: what the model is, how it was trained, what was measured.
fn card(parts: &ModelParts, float: &FloatModel, exported: &Exported) -> String {
    let dimensions = parts.dimensions();
    let mut rows = vec![
        ("image", format!("{} bytes", exported.image_bytes)),
        ("hidden size", parts.hidden.to_string()),
        ("layers", parts.layers.len().to_string()),
        ("symbols", parts.alphabet.len().to_string()),
        (
            "weights",
            format!(
                "int{}, output int{}",
                dimensions.recurrent_bits.count(),
                dimensions.output_bits.count()
            ),
        ),
    ];
    if let Some(losses) = exported.losses {
        rows.extend([
            (
                "engine loss",
                format!(
                    "{:.4} nats/char, {:.4} bits/char",
                    losses.engine_loss_nats,
                    bits(losses.engine_loss_nats)
                ),
            ),
            (
                "float loss",
                format!("{:.4} nats/char", losses.float_loss_nats),
            ),
            ("gap", format!("{:+.4} nats/char", losses.gap_nats)),
            (
                "measured on",
                format!("{} characters, as one stream", losses.characters),
            ),
        ]);
    }
    for (title, key) in [("corpus", "corpus"), ("steps", "steps")] {
        if let Some(value) = float.metadata.get(key) {
            rows.push((title, value.clone()));
        }
    }
    let mut text = format!(
        "# {}\n\nA character LSTM for Inkling.\n\n| | |\n| --- | --- |\n",
        parts.name
    );
    for (title, value) in rows {
        text.push_str(&format!("| {title} | {value} |\n"));
    }
    if let Some(recipe) = float.metadata.get("recipe") {
        text.push_str(&format!(
            "\nTrained with this recipe:\n\n```toml\n{}\n```\n",
            recipe.trim()
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::synthetic::float_model;

    #[test]
    fn an_image_comes_from_the_weights_that_it_was_made_of_only() {
        let float = float_model(20, 12, 1, 3);
        let mut parts = quantize_for_export(&float, float.widths()).unwrap();
        parts.name = "renamed".into();
        let image = parts.to_image().unwrap();
        assert!(comes_from(&image, &float));
        assert!(!comes_from(&image, &float_model(20, 12, 1, 4)));
        assert!(!comes_from(&image, &float_model(21, 12, 1, 3)));
    }
}
