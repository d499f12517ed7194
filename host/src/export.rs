//! From a run's float weights to the files that ship: image, quantized tensors, card.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use inkling_engine::format::Planes;
use inkling_engine::{Model, Settings, Thousandths};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensorError};
use serde::{Deserialize, Serialize};

use crate::corpus::{Alphabet, Source, Validation, in_words};
use crate::device::{BOARDS, Prospect};
use crate::engine::generator;
use crate::evaluate::{bits, engine_loss};
use crate::figures;
use crate::health::{AT_END_KEY, AtEnd};
use crate::identity::{IDENTITY_KEY, RunId};
use crate::name::Name;
use crate::quantize::float::LoadError;
use crate::quantize::{FloatModel, InputForm, QuantizeError, quantize};
use crate::{output, paths, stored, tensors, words};
use inkling_engine::AlignedImage;
use inkling_engine::writer::{InputParts, ModelParts};

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
    Image(#[from] inkling_engine::ImageError),
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
    /// How its weights are kept, for people.
    pub weights: String,
    /// What the model writes.
    #[serde(skip)]
    pub samples: Vec<Sample>,
    /// What boards it fits and how fast it is there.
    #[serde(skip)]
    pub boards: Vec<Prospect>,
}

/// Something that an exported model wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// At this temperature.
    pub temperature: f64,
    /// A beginning that is from the text; empty where none was at hand.
    pub prompt: String,
    /// What it wrote behind that.
    pub text: String,
}

/// The temperatures of samples, in thousandths: careful, usual, as in the text.
const SAMPLE_TEMPERATURES: [u16; 3] = [500, 800, 1_000];

/// Characters of a sample.
const SAMPLE_CHARACTERS: usize = 400;

/// The most and the fewest characters of a prompt from the text.
const PROMPT_CHARACTERS: std::ops::RangeInclusive<usize> = 8..=40;

/// Where in the text one is looked for.
const PROMPT_SEARCH: usize = 4_000;

/// The beginning of a line of the text, for a model to go on with; empty where no line is long enough.
fn prompt_of(text: &[u8], alphabet: &Alphabet) -> String {
    let text: String = alphabet.characters(text).take(PROMPT_SEARCH).collect();
    // The first line may be the end of one.
    let mut lines = text.lines().skip(1);
    let line = lines.find(|line| line.trim().chars().count() >= *PROMPT_CHARACTERS.start());
    let line = line.unwrap_or_default();
    let beginning: String = line.chars().take(*PROMPT_CHARACTERS.end()).collect();
    match beginning.rsplit_once(' ') {
        // Not in the middle of a word.
        Some((words, _)) if beginning.len() < line.len() && !words.trim().is_empty() => {
            words.to_owned()
        }
        _ => beginning,
    }
}

/// What a model writes at each of [`SAMPLE_TEMPERATURES`].
fn samples(model: Model<'_>, prompt: &str) -> Vec<Sample> {
    let sample = |thousandths| {
        let settings = Settings {
            temperature: Thousandths(thousandths),
            ..Settings::default()
        };
        let mut generator = generator(model, settings, 1);
        Sample {
            temperature: f64::from(thousandths) / 1_000.0,
            prompt: prompt
                .chars()
                .filter(|&c| generator.prompt_char(c))
                .collect(),
            text: (0..SAMPLE_CHARACTERS)
                .map(|_| generator.next_char())
                .collect(),
        }
    };
    SAMPLE_TEMPERATURES.map(sample).into()
}

/// Losses of one model over one text, in nats per character.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Losses {
    /// With the engine's integers.
    pub engine_loss_nats: f64,
    /// With the run's floats, rounded where the training computed with rounded weights.
    pub float_loss_nats: f64,
    /// Engine minus float.
    pub gap_nats: f64,
    /// Characters that were predicted.
    pub characters: usize,
    /// In how many places of the text; in one, as one stream.
    pub places: usize,
}

impl Losses {
    /// Runs both models over a validation part.
    #[must_use]
    pub fn measure(
        image: &AlignedImage,
        float: &FloatModel,
        validation: &Validation,
        progress: impl FnMut(u64) + Clone,
    ) -> Option<Self> {
        let model = image.model().ok()?;
        let engine_loss_nats = engine_loss(model, validation, progress.clone());
        let float_loss_nats = float.as_trained().loss(validation, progress);
        Some(Self {
            engine_loss_nats,
            float_loss_nats,
            gap_nats: engine_loss_nats - float_loss_nats,
            characters: validation.predicted_characters(),
            places: validation.places(),
        })
    }
}

/// The files of a model.
const EXTENSIONS: [&str; 3] = ["img", "safetensors", "md"];

/// Whose model files are that have a certain name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// There are none.
    Nobody,
    /// A model of this training.
    Run(RunId),
    /// A model of some other origin.
    Unknown,
}

/// Whose model is called `name` in `folder`.
#[must_use]
pub fn owner(folder: &Path, name: &Name) -> Owner {
    if is_free(folder, name) {
        return Owner::Nobody;
    }
    let strings = tensors::metadata_of(&folder.join(format!("{name}.safetensors")));
    let run = RunId::of_metadata(strings.unwrap_or_default().get(IDENTITY_KEY));
    if run == RunId::default() {
        Owner::Unknown
    } else {
        Owner::Run(run)
    }
}

/// Whether no model is called `name` in `folder`.
#[must_use]
pub fn is_free(folder: &Path, name: &Name) -> bool {
    // A dangling link is there as well.
    let is_there = |extension| {
        let file = folder.join(format!("{name}.{extension}"));
        fs::symlink_metadata(file).is_ok()
    };
    !EXTENSIONS.into_iter().any(is_there)
}

/// Whether a model of `float` may be called `name` in `folder` without replacing another one.
#[must_use]
pub fn may_write(folder: &Path, name: &Name, float: &FloatModel) -> bool {
    match owner(folder, name) {
        Owner::Nobody => true,
        Owner::Run(run) => run == float.run,
        Owner::Unknown => false,
    }
}

/// Quantizes `float` and writes `NAME.img`, `NAME.safetensors` and `NAME.md` into `folder`.
///
/// # Errors
/// When the model cannot be quantized or a file cannot be written.
pub fn export(
    float: &FloatModel,
    name: &Name,
    (planes, form): (Planes, InputForm),
    folder: &Path,
    validation: Option<&Validation>,
    progress: impl FnMut(u64) + Clone,
) -> Result<Exported, ExportError> {
    let mut parts = quantize(float, planes, form)?;
    parts.name = name.to_string();
    let image = parts.to_image()?;
    let losses = validation.and_then(|part| Losses::measure(&image, float, part, progress));

    let alphabet = Alphabet::from_symbols(&float.alphabet.iter().collect::<String>()).ok();
    let prompt = validation.zip(alphabet);
    let prompt = prompt.map(|(part, alphabet)| prompt_of(&part.own(), &alphabet));
    let prompt = prompt.unwrap_or_default();
    let steps = figures::symbols_per_character(&float.metadata);
    let file = |extension: &str| folder.join(format!("{name}.{extension}"));
    let exported = Exported {
        image: file("img"),
        tensors: file("safetensors"),
        card: file("md"),
        losses,
        image_bytes: image.bytes().len(),
        weights: words::weights(&parts.dimensions()),
        samples: samples(image.model()?, &prompt),
        boards: BOARDS
            .iter()
            .map(|board| Prospect::of(board, &parts.dimensions()).with_steps(steps))
            .collect(),
    };
    let write = |path: &PathBuf, bytes: &[u8]| {
        paths::write_atomic(path, bytes).map_err(|source| ExportError::Write {
            path: path.clone(),
            source,
        })
    };
    let at_end = match validation {
        Some(part) => Some(AtEnd::measure(image.model()?, part.as_read())),
        None => None,
    };
    write(
        &exported.tensors,
        &quantized(&parts, float, losses, at_end)?,
    )?;
    write(&exported.card, card(&parts, float, &exported).as_bytes())?;
    write(&exported.image, image.bytes())?;
    Ok(exported)
}

/// Makes the image of stored tensors again and writes it as `NAME.img` into `folder`; returns where it is.
///
/// # Errors
/// When the tensors cannot be used or the file cannot be written.
pub fn export_stored(
    stored: &Path,
    name: Option<&Name>,
    folder: &Path,
) -> Result<PathBuf, ExportError> {
    let mut parts = stored::load(stored)?;
    if let Some(name) = name {
        parts.name = name.to_string();
    }
    let image = parts.to_image()?;
    let path = folder.join(format!("{}.img", parts.name));
    paths::write_atomic(&path, image.bytes()).map_err(|source| ExportError::Write {
        path: path.clone(),
        source,
    })?;
    Ok(path)
}

/// Whether quantizing `float` gives this very image.
#[must_use]
pub fn comes_from(image: &AlignedImage, float: &FloatModel) -> bool {
    let Ok(model) = image.model() else {
        return false;
    };
    let dimensions = model.dimensions();
    // The image of folded inputs has no planes for them, and none are asked for.
    let form = InputForm::of(&dimensions);
    let Ok(mut parts) = quantize(float, dimensions.planes, form) else {
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
fn quantized(
    parts: &ModelParts,
    float: &FloatModel,
    losses: Option<Losses>,
    at_end: Option<AtEnd>,
) -> Result<Vec<u8>, ExportError> {
    let mut all = Tensors::default();
    let (hidden, symbols) = (parts.hidden, parts.alphabet.len());
    match &parts.inputs {
        InputParts::Folded(inputs) => {
            all.add("inputs".into(), Dtype::I8, &[symbols, hidden, 4], inputs)?;
        }
        InputParts::Embedded {
            embedding,
            size,
            weights,
        } => {
            all.add("embedding".into(), Dtype::I8, &[symbols, *size], embedding)?;
            let shape = &[hidden, 4, *size];
            all.add("inputs".into(), Dtype::I8, shape, &weights.values)?;
        }
    }
    for (index, layer) in parts.layers.iter().enumerate() {
        let name = |part: &str| format!("lstm.{index}.{part}");
        let square = &[hidden, 4, hidden];
        all.add(name("units"), Dtype::I16, &[hidden, 3, 4], &layer.units)?;
        all.add(
            name("recurrent"),
            Dtype::I8,
            square,
            &layer.recurrent.values,
        )?;
        if let Some(from_below) = &layer.from_below {
            all.add(name("from_below"), Dtype::I8, square, &from_below.values)?;
        }
    }
    let output = &parts.output;
    all.add("output.bias".into(), Dtype::I32, &[symbols], &output.bias)?;
    all.add(
        "output.multipliers".into(),
        Dtype::I32,
        &[symbols],
        &output.multipliers,
    )?;
    all.add(
        "output.weights".into(),
        Dtype::I8,
        &[symbols, hidden],
        &output.weights.values,
    )?;
    let mut metadata = metadata(parts, float, losses);
    if let Some(at_end) = at_end.and_then(|at_end| serde_json::to_string(&at_end).ok()) {
        metadata.insert(AT_END_KEY.to_owned(), at_end);
    }
    Ok(tensors::serialize(all.0, metadata)?)
}

/// What the tensors mean and where they come from.
fn metadata(
    parts: &ModelParts,
    float: &FloatModel,
    losses: Option<Losses>,
) -> BTreeMap<String, String> {
    let dimensions = parts.dimensions();
    let mut entries = vec![
        ("format", stored::FORMAT.to_owned()),
        ("name", parts.name.to_string()),
        ("alphabet", parts.alphabet.iter().collect()),
        ("planes", dimensions.planes.recurrent.to_string()),
        ("input_planes", dimensions.planes.input.to_string()),
        ("output_planes", dimensions.planes.output.to_string()),
        ("gate_shift", parts.gate_shift.to_string()),
    ];
    for key in [
        "recipe",
        "corpus",
        "unicode",
        "steps",
        figures::KEY,
        figures::TRAINING_LOSS_KEY,
        figures::SYMBOLS_KEY,
    ] {
        entries.extend(float.metadata.get(key).map(|value| (key, value.clone())));
    }
    // Whoever gets the file need not know where its maker keeps texts.
    let source = float.metadata.get("source");
    let source = source.and_then(|text| serde_json::from_str::<Source>(text).ok());
    let source = source.and_then(|source| serde_json::to_string(&source.public()).ok());
    entries.extend(source.map(|source| ("source", source)));
    if !float.run.as_str().is_empty() {
        entries.push((IDENTITY_KEY, float.run.as_str().to_owned()));
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

/// Text from elsewhere as a cell of a table in Markdown, where it means nothing but itself.
fn cell(text: &str) -> String {
    let mut cell = String::new();
    for c in output::one_line(text).chars() {
        if "\\`*_{}[]<>|#&!~".contains(c) {
            cell.push('\\');
        }
        cell.push(c);
    }
    cell
}

/// The model card: what the model is, how it was trained, what was measured.
fn card(parts: &ModelParts, float: &FloatModel, exported: &Exported) -> String {
    let dimensions = parts.dimensions();
    let mut rows = vec![
        ("image", format!("{} bytes", exported.image_bytes)),
        ("hidden size", parts.hidden.to_string()),
        ("layers", parts.layers.len().to_string()),
        ("symbols", parts.alphabet.len().to_string()),
        ("weights", words::weights(&dimensions)),
    ];
    let steps = figures::symbols_per_character(&float.metadata);
    if steps > 1.0 {
        rows.push(("symbols per character", format!("{steps:.2}")));
    }
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
                format!(
                    "{} characters, {}",
                    losses.characters,
                    in_words(losses.places)
                ),
            ),
        ]);
    }
    for (title, key) in [("corpus", "corpus"), ("steps", "steps")] {
        if let Some(value) = float.metadata.get(key) {
            rows.push((title, cell(value)));
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
            output::clean(recipe.trim()).replace("```", "` ` `")
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image;
    use crate::synthetic::float_model;

    #[test]
    fn a_prompt_is_the_beginning_of_a_line_and_ends_with_a_word() {
        let alphabet: String = ('a'..='z').chain(" \n.".chars()).collect();
        let alphabet = Alphabet::from_symbols(&alphabet).unwrap();
        let symbols = |text: &str| -> Vec<u8> {
            text.chars()
                .map(|c| alphabet.index_of(c).unwrap())
                .collect()
        };
        for (text, prompt) in [
            (
                "of a line\n\nshort\nonce upon a time\nthere",
                "once upon a time",
            ),
            (
                "x\nit was a dark and stormy night and the rain fell in torrents\n",
                "it was a dark and stormy night and the",
            ),
            (
                "x\nabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz",
                "abcdefghijklmnopqrstuvwxyzabcdefghijklmn",
            ),
            ("one line only and no other", ""),
            ("", ""),
        ] {
            assert_eq!(prompt_of(&symbols(text), &alphabet), prompt);
        }
    }

    #[test]
    fn samples_are_what_the_exported_model_writes_at_three_temperatures() {
        let float = float_model(30, 12, 1, 3);
        let name = Name::like("sampled");
        let folder = tempfile::tempdir().unwrap();
        let text: Vec<u8> = (0..300_usize).map(|n| (n % 25) as u8).collect();
        let text = Validation::stream(text);
        let kept = (Planes::uniform(3), InputForm::Folded);
        let exported = export(&float, &name, kept, folder.path(), Some(&text), |_| ()).unwrap();
        let image = image::open(&exported.image).unwrap();
        let temperatures: Vec<f64> = exported.samples.iter().map(|s| s.temperature).collect();
        assert_eq!(temperatures, [0.5, 0.8, 1.0]);
        let usual = &exported.samples[1];
        assert!(!usual.prompt.is_empty());
        let mut generator = generator(image.model().unwrap(), Settings::default(), 1);
        assert!(usual.prompt.chars().all(|c| generator.prompt_char(c)));
        assert!(usual.text.chars().all(|c| c == generator.next_char()));
    }

    #[test]
    fn an_image_comes_from_the_weights_that_it_was_made_of_only() {
        let float = float_model(20, 12, 1, 3);
        let mut parts = quantize(&float, float.planes(), InputForm::Smallest).unwrap();
        parts.name = "renamed".to_owned();
        let image = parts.to_image().unwrap();
        assert!(comes_from(&image, &float));
        assert!(!comes_from(&image, &float_model(20, 12, 1, 4)));
        assert!(!comes_from(&image, &float_model(21, 12, 1, 3)));
    }
}
