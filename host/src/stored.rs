//! Reads the quantized tensors that an export writes, so that an image can be made again without the run.

use std::collections::HashMap;
use std::path::Path;

use bytemuck::AnyBitPattern;
use inkling_engine::fixed::{MAX_GATE_SHIFT, MIN_GATE_SHIFT};
use inkling_engine::format::{Planes, TILE_ROWS, Unit};
use safetensors::SafeTensors;

use crate::figures::Figures;
use crate::name::Name;
use crate::quantize::float::LoadError;
use crate::quantize::trits;
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

/// The model whose quantized tensors these bytes of a file are.
///
/// # Errors
/// With the reason, when they are damaged or of another format.
pub fn from_bytes(bytes: &[u8]) -> Result<ModelParts, String> {
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
    let gate_shift = number(&metadata, "gate_shift")?;
    let is_known = |planes: u8| trits::PLANES.contains(&planes);
    // Folded inputs have none.
    let has_inputs = tensors.tensor("embedding").is_ok();
    if !is_known(planes.recurrent)
        || !is_known(planes.output)
        || (has_inputs && !is_known(planes.input))
        || !(MIN_GATE_SHIFT..=MAX_GATE_SHIFT).contains(&gate_shift)
    {
        return Err("its planes or its gate shift are none that there are".to_owned());
    }
    let matrix = |name: &str, rows: usize, columns: usize, planes| {
        let values: Vec<i8> = numbers(&tensors, name)?;
        let most = inkling_engine::format::largest(planes);
        let is_within = values.iter().all(|&weight| i32::from(weight).abs() <= most);
        fits(name, is_within && values.len() == rows * columns)?;
        Ok::<_, String>(Weights {
            planes,
            values,
            columns,
        })
    };
    let rows = TILE_ROWS * hidden;
    let inputs = match tensors.tensor("embedding") {
        Err(_) => {
            let inputs: Vec<_> = numbers(&tensors, "inputs")?;
            fits("inputs", inputs.len() == symbols * hidden)?;
            InputParts::Folded(inputs)
        }
        Ok(_) => {
            let embedding: Vec<i8> = numbers(&tensors, "embedding")?;
            let size = embedding.len() / symbols.max(1);
            fits("embedding", size > 0 && embedding.len() == symbols * size)?;
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
        let units: Vec<Unit> = numbers(&tensors, &name("units"))?;
        fits(&name("units"), units.len() == hidden)?;
        layers.push(LayerParts {
            units,
            recurrent: matrix(&name("recurrent"), rows, hidden, planes.recurrent)?,
            from_below: from_below.transpose()?,
        });
    }
    let of_symbols = |name: &str| {
        let found: Vec<i32> = numbers(&tensors, name)?;
        fits(name, found.len() == symbols).map(|()| found)
    };
    let output = OutputParts {
        bias: of_symbols("output.bias")?,
        multipliers: of_symbols("output.multipliers")?,
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
        gate_shift,
        inputs,
        layers,
        output,
    })
}

/// Refuses a tensor of which there is more or less than the others say, or that holds what they rule out.
fn fits(name: &str, fits: bool) -> Result<(), String> {
    match fits {
        true => Ok(()),
        false => Err(format!("{name} is not as its other tensors say")),
    }
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
