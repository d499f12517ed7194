//! What several subcommands share: naming a model, naming a text, a bar for long measurements.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::bail;
use firmware::image::Model;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::corpus::{Reading, Source, Standard, validation_symbols};
use crate::note;
use crate::paths;
use crate::quantize::FloatModel;

/// Which text to measure on.
#[derive(Debug, clap::Args)]
pub struct TextArgs {
    /// Measure on the last 10 % of this file [default: the text the model was trained on]
    #[arg(long, value_name = "FILE")]
    text: Option<PathBuf>,
    /// Measure on a standard corpus
    #[arg(long, value_enum, conflicts_with = "text")]
    corpus: Option<Standard>,
    /// Skip bytes that are not UTF-8 instead of refusing the file
    #[arg(long)]
    lossy: bool,
}

impl TextArgs {
    /// The validation part of the text in a model's own symbols. Where nothing was named, the source
    /// that the model's metadata tells of, else the standard corpus.
    pub fn validation(
        &self,
        alphabet: &str,
        metadata: Option<&FloatModel>,
    ) -> anyhow::Result<Vec<u8>> {
        let trained_on =
            || -> Option<Source> { serde_json::from_str(metadata?.metadata.get("source")?).ok() };
        let source = match (&self.text, self.corpus) {
            (Some(path), _) => Source::File(path.clone()),
            (None, Some(standard)) => Source::Standard(standard),
            (None, None) => trained_on().unwrap_or(Source::Standard(Standard::default())),
        };
        let unicode = metadata.map_or(!alphabet.is_ascii(), |model| {
            model
                .metadata
                .get("unicode")
                .is_some_and(|value| value == "true")
        });
        let reading = Reading {
            unicode,
            lossy: self.lossy,
            ..Reading::default()
        };
        let encoded = validation_symbols(&source, alphabet, reading, &|line| note!("{line}"))?;
        if encoded.skipped > 0 {
            note!(
                "{} characters that the model does not know were skipped",
                encoded.skipped
            );
        }
        if encoded.symbols.len() < 2 {
            bail!(
                "the last 10 % of the text holds fewer than two characters that the model knows: name a longer text with --text"
            );
        }
        Ok(encoded.symbols)
    }
}

/// The size of a model in numbers, as reports print it.
#[derive(Debug, Serialize)]
pub struct Shape {
    /// All the flash the model needs.
    pub image_bytes: usize,
    /// Hidden size of each layer.
    pub hidden: usize,
    /// LSTM layers.
    pub layers: usize,
    /// Symbols of the alphabet.
    pub symbols: usize,
    /// Bits of a recurrent weight.
    pub weight_bits: u8,
    /// Bits of an output weight.
    pub output_bits: u8,
}

impl Shape {
    /// Reads it off a model.
    pub fn of(model: &Model<'_>) -> Self {
        let dimensions = model.dimensions();
        Self {
            image_bytes: model.image_bytes(),
            hidden: dimensions.hidden,
            layers: dimensions.layers,
            symbols: dimensions.symbols,
            weight_bits: dimensions.recurrent_bits.count(),
            output_bits: dimensions.output_bits.count(),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "hidden {}, layers {}, symbols {}, int{} weights, int{} output",
            self.hidden, self.layers, self.symbols, self.weight_bits, self.output_bits
        )
    }
}

/// The image file that `model` means, if there is one: a path, or the name of one in `weights/`.
pub fn find_image(model: &Path) -> Option<PathBuf> {
    let named = paths::weights_dir().join(model).with_added_extension("img");
    if model.is_file() {
        Some(model.to_path_buf())
    } else {
        (model.components().count() == 1 && named.is_file()).then_some(named)
    }
}

/// The same, or a sentence about what there is.
pub fn image_path(model: &Path) -> anyhow::Result<PathBuf> {
    if let Some(path) = find_image(model) {
        return Ok(path);
    }
    let named = names(&paths::weights_dir());
    let choice = if named.is_empty() {
        "name an image file".to_owned()
    } else {
        format!(
            "name an image file, or one of weights/: {}",
            named.join(", ")
        )
    };
    bail!("there is no model {}: {choice}", model.display())
}

/// Names of the images in a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            (path.extension()? == "img").then(|| path.file_stem()?.to_str().map(str::to_owned))?
        })
        .collect();
    names.sort();
    names
}

/// A bar for `length` characters; invisible when standard error is not a terminal.
pub fn bar(length: usize, what: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(length as u64).with_message(what);
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} %, {eta} left") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
