//! Reads the quantized tensors that an export writes, so that an image can be made again without the run.

use std::collections::HashMap;
use std::path::Path;

use bytemuck::AnyBitPattern;
use inkling_engine::format::{Planes, TILE_ROWS, Unit};
use safetensors::SafeTensors;

use crate::figures::Figures;
use crate::name::Name;
use crate::quantize::float::LoadError;
use crate::tensors::{metadata_of, open};
use inkling_engine::writer::{InputParts, LayerParts, ModelParts, OutputParts, Weights};

/// What every version's metadata value begins with that marks quantized tensors.
const FORMATS: &str = "inkling-quantized-";

/// That of this version.
pub const FORMAT: &str = "inkling-quantized-3";

/// Whether the file at `path` holds quantized tensors, of this version or another.
#[must_use]
pub fn is_stored(path: &Path) -> bool {
    let format = metadata_of(path).and_then(|strings| strings.get("format").cloned());
    format.is_some_and(|format| format.starts_with(FORMATS))
}

/// The model whose quantized tensors are in the file at `path`.
///
/// # Errors
/// When the file cannot be read, is damaged, or was written in another format.
pub fn load(path: &Path) -> Result<ModelParts, LoadError> {
    let bytes = std::fs::read(path).map_err(|source| LoadError::Read {
        path: path.into(),
        source,
    })?;
    from_bytes(&bytes).map_err(|reason| LoadError::Stored {
        path: path.into(),
        reason,
    })
}

fn from_bytes(bytes: &[u8]) -> Result<ModelParts, String> {
    let (tensors, metadata) = open(bytes, FORMAT)?;
    let text = |key: &str| metadata.get(key).ok_or(format!("it names no {key}"));
    let alphabet: Vec<char> = text("alphabet")?.chars().collect();
    let symbols = alphabet.len();
    let planes = Planes {
        recurrent: number(&metadata, "planes")?,
        input: number(&metadata, "input_planes")?,
        output: number(&metadata, "output_planes")?,
    };
    let units: Vec<Unit> = numbers(&tensors, "lstm.0.units")?;
    let hidden = units.len();
    let matrix = |name: &str, rows: usize, columns: usize, planes| {
        let values: Vec<i8> = numbers(&tensors, name)?;
        let most = inkling_engine::format::largest(planes);
        if values.len() != rows * columns || values.iter().any(|&w| i32::from(w).abs() > most) {
            return Err(format!("{name} is not as its other tensors say"));
        }
        Ok(Weights {
            planes,
            values,
            columns,
        })
    };
    let rows = TILE_ROWS * hidden;
    let inputs = match tensors.tensor("embedding") {
        Err(_) => InputParts::Folded(numbers(&tensors, "inputs")?),
        Ok(_) => {
            let embedding: Vec<i8> = numbers(&tensors, "embedding")?;
            let size = embedding.len() / symbols.max(1);
            if size == 0 {
                return Err("its embedding is empty".to_owned());
            }
            InputParts::Embedded {
                weights: matrix("inputs", rows, size, planes.input)?,
                embedding,
                size,
            }
        }
    };
    let mut layers = Vec::new();
    loop {
        let name = |part: &str| format!("lstm.{}.{part}", layers.len());
        if tensors.tensor(&name("units")).is_err() {
            break;
        }
        let from_below = (!layers.is_empty())
            .then(|| matrix(&name("from_below"), rows, hidden, planes.recurrent));
        layers.push(LayerParts {
            units: numbers(&tensors, &name("units"))?,
            recurrent: matrix(&name("recurrent"), rows, hidden, planes.recurrent)?,
            from_below: from_below.transpose()?,
        });
    }
    let output = OutputParts {
        bias: numbers(&tensors, "output.bias")?,
        multipliers: numbers(&tensors, "output.multipliers")?,
        weights: matrix("output.weights", symbols, hidden, planes.output)?,
    };
    Ok(ModelParts {
        // It becomes the name of a file.
        name: text("name")?
            .parse::<Name>()
            .map_err(|_| "its name cannot be used")?
            .to_string(),
        streaks: Figures::in_metadata(&metadata, symbols).map(|figures| figures.streak_parts()),
        alphabet,
        hidden,
        gate_shift: number(&metadata, "gate_shift")?,
        inputs,
        layers,
        output,
    })
}

fn number<T: std::str::FromStr>(
    metadata: &HashMap<String, String>,
    key: &str,
) -> Result<T, String> {
    let number = metadata.get(key).and_then(|text| text.parse().ok());
    number.ok_or(format!("it does not say its {key}"))
}

/// The numbers of a tensor, whatever its shape.
fn numbers<T: AnyBitPattern>(tensors: &SafeTensors<'_>, name: &str) -> Result<Vec<T>, String> {
    let tensor = tensors.tensor(name);
    let data = tensor
        .map_err(|_| format!("it has no tensor {name}"))?
        .data();
    let parts = data.chunks_exact(size_of::<T>());
    if !parts.remainder().is_empty() {
        return Err(format!("{name} is cut short"));
    }
    Ok(parts.map(bytemuck::pod_read_unaligned).collect())
}
