//! What several subcommands share: naming a model, naming a text, a bar for long measurements.

use std::cell::OnceCell;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::bail;
use indicatif::{ProgressBar, ProgressStyle};
use inkling_engine::Model;
use serde::Serialize;

use crate::corpus::{
    Charset, Encoded, Reading, Source, Split, Standard, Text, Validation, encode, gather,
};
use crate::note;
use crate::output;
use crate::paths;
use crate::quantize::FloatModel;
use crate::words;
use crate::words::{count, share};

/// Which text to measure on.
#[derive(Debug, clap::Args)]
pub struct TextArgs {
    /// Measure on 10 % of this text: a file, a folder, or - for standard input; several are read as one
    /// [default: the text the model was trained on]
    #[arg(long, value_name = "FILE")]
    text: Vec<PathBuf>,
    /// Measure on a standard corpus
    #[arg(long, value_enum, conflicts_with = "text")]
    corpus: Option<Standard>,
    /// Which 10 % [default: as the model was trained; else the last]
    #[arg(long, value_enum)]
    validation: Option<Split>,
    /// The encoding of the text, such as windows-1251 [default: found out]
    #[arg(long, value_name = "NAME")]
    encoding: Option<Charset>,
    /// Drop bytes that cannot be decoded, if they are few, instead of refusing the text
    #[arg(long)]
    lossy: bool,
    /// The text that was named: what comes through a pipe can be read only once.
    #[arg(skip)]
    named: OnceCell<Text>,
}

impl TextArgs {
    /// The validation part of the text in a model's own symbols. Where nothing was named, the source
    /// that the metadata of the weights of `run` tells of, in its folder, else the standard corpus.
    pub fn validation(
        &self,
        alphabet: &str,
        run: Option<(&Path, &FloatModel)>,
    ) -> anyhow::Result<Validation> {
        Ok(self.parts(alphabet, run, false)?.validation)
    }

    /// The same, with the rest of the text where it is `wanted`.
    pub fn parts(
        &self,
        alphabet: &str,
        run: Option<(&Path, &FloatModel)>,
        wanted: bool,
    ) -> anyhow::Result<Encoded> {
        let say = |line: &str| note!("{line}");
        let metadata = |key| run.and_then(|(_, model)| model.metadata.get(key));
        let trained: Option<Reading> =
            metadata("reading").and_then(|json| serde_json::from_str(json).ok());
        let unicode = metadata("unicode").map_or(!alphabet.is_ascii(), |value| value == "true");
        let trained = trained.unwrap_or(Reading {
            unicode,
            ..Reading::default()
        });
        let reading = Reading {
            lossy: self.lossy || trained.lossy,
            encoding: self.encoding.or(trained.encoding),
            validation: self.validation.unwrap_or(trained.validation),
            ..trained
        };
        let own = || {
            let source: Source = serde_json::from_str(metadata("source")?).ok()?;
            let (run_dir, _) = run?;
            Some((source.within(run_dir), reading))
        };
        // What was found out about the text of the run says nothing about another one.
        let reading = Reading {
            lossy: self.lossy,
            encoding: self.encoding,
            guess: None,
            ..reading
        };
        let encoded = if self.text.is_empty() {
            let (source, reading) = match self.corpus {
                Some(standard) => (Source::Standard(standard), reading),
                None => own().unwrap_or((Source::Standard(Standard::default()), reading)),
            };
            let text = source.open(reading, &say)?;
            encode(&text, alphabet, reading, wanted, &say)?
        } else {
            let text = match self.named.get() {
                Some(text) => text,
                None => {
                    let text = gather(&self.text, reading, &say)?;
                    text.notes.iter().for_each(|note| say(note));
                    self.named.get_or_init(|| text)
                }
            };
            encode(text, alphabet, reading, wanted, &say)?
        };
        if encoded.skipped > 0 {
            let all = encoded.skipped + encoded.validation.characters();
            note!(
                "left out: {} that the model does not know ({} of what is measured)",
                count(encoded.skipped, "character"),
                share(encoded.skipped as u64, all as u64)
            );
        }
        if encoded.validation.predictions() == 0 {
            bail!(
                "the part of the text to measure on holds fewer than two characters that the model knows: name a longer text with --text"
            );
        }
        Ok(encoded)
    }
}

/// The folder that a file is in.
pub fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new("."))
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
    /// The version of the image's format.
    pub format: u16,
    /// Trits of a recurrent weight.
    pub planes: u8,
    /// Trits of a weight of the input matrix; none where inputs are folded.
    pub input_planes: Option<u8>,
    /// Trits of an output weight.
    pub output_planes: u8,
    /// Numbers per embedded symbol; none where inputs are folded.
    pub embedding: Option<usize>,
    /// The same in words.
    pub weights: String,
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
            format: model.version(),
            planes: dimensions.planes.recurrent,
            input_planes: (!dimensions.is_folded()).then_some(dimensions.planes.input),
            output_planes: dimensions.planes.output,
            embedding: (!dimensions.is_folded()).then_some(dimensions.embedding),
            weights: words::weights(&dimensions),
        }
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "hidden {}, layers {}, symbols {}, weights: {}",
            self.hidden, self.layers, self.symbols, self.weights
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
    let style = ProgressStyle::with_template("{msg} {wide_bar} {percent:>3} %, {eta} left");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
    let bar = ProgressBar::new(length as u64);
    output::bar(bar.with_style(style).with_message(what))
}
