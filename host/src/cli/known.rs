//! What a model's text has: the items that `--unseen` leaves out.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use super::model::folder_of;
use crate::corpus::{Alphabet, Reading, Source, Standard, Text, gather};
use crate::export::comes_from;
use crate::name::Name;
use crate::writing::item;
use crate::{note, paths, runs, tensors};
use inkling_engine::AlignedImage;

/// What ends an item where nothing else was named.
pub const LINE_ENDS: [char; 1] = ['\n'];

/// Which text is known.
#[derive(Debug, clap::Args)]
pub struct KnownArgs {
    /// With --unseen: this text, a file or a folder, instead of the one the model was trained on
    #[arg(long, value_name = "FILE", requires = "unseen")]
    text: Vec<PathBuf>,
}

impl KnownArgs {
    /// The items of the text of a model image, which is also that of the run it was exported from.
    pub fn items_of_image(
        &self,
        path: &Path,
        image: &AlignedImage,
        until: &[char],
    ) -> Result<HashSet<String>> {
        let model = image.model()?;
        let is_ascii = model.alphabet().chars().all(|c| c.is_ascii());
        if !self.text.is_empty() {
            return self.items_of_files(!is_ascii, until);
        }
        let name: Option<Name> = model.name().parse().ok();
        let run = name.map(|name| paths::run_dir(&name));
        let weights = run.and_then(|run| runs::load_weights(&run).ok());
        let weights = weights.filter(|(_, float)| comes_from(image, float));
        let (folder, metadata) = match weights {
            Some((file, float)) => (folder_of(&file).to_owned(), float.metadata),
            None => {
                let stored = tensors::metadata_of(&path.with_extension("safetensors"));
                let metadata = stored.unwrap_or_default().into_iter().collect();
                (folder_of(path).to_owned(), metadata)
            }
        };
        self.items_of_source(&folder, &metadata, !is_ascii, until)
    }

    /// The items of the text of a run.
    pub fn items_of_run(&self, run: &Path, until: &[char]) -> Result<HashSet<String>> {
        let (file, float) = runs::load_weights(run)?;
        let is_ascii = float.alphabet.iter().all(char::is_ascii);
        if !self.text.is_empty() {
            return self.items_of_files(!is_ascii, until);
        }
        self.items_of_source(folder_of(&file), &float.metadata, !is_ascii, until)
    }

    fn items_of_files(&self, unicode: bool, until: &[char]) -> Result<HashSet<String>> {
        let reading = Reading {
            unicode,
            ..Reading::default()
        };
        let text = gather(&self.text, reading, &|line| note!("{line}"))?;
        items(&text, reading, until)
    }

    /// Those of the text that the metadata of weights tells of.
    fn items_of_source(
        &self,
        folder: &Path,
        metadata: &HashMap<String, String>,
        unicode: bool,
        until: &[char],
    ) -> Result<HashSet<String>> {
        let source = metadata.get("source");
        let source = source.and_then(|json| serde_json::from_str::<Source>(json).ok());
        let Some(source) = standard(metadata).or(source) else {
            bail!(
                "the text that the model was trained on is not on record: name it with --text FILE"
            );
        };
        let usual = Reading {
            unicode,
            ..Reading::default()
        };
        let trained = metadata.get("reading");
        let trained = trained.and_then(|json| serde_json::from_str(json).ok());
        let reading = trained.unwrap_or(usual);
        let text = source
            .within(folder)
            .open(reading, &|line| note!("{line}"))
            .context(
                "cannot read the text that the model was trained on; name it with --text FILE",
            )?;
        items(&text, reading, until)
    }
}

/// The standard corpus, if the weights are of one, wherever their maker kept it.
fn standard(metadata: &HashMap<String, String>) -> Option<Source> {
    let digest = metadata.get("corpus")?.split(' ').next()?;
    let all = Standard::value_variants().iter();
    let mut known = all.filter(|standard| standard.sha256() == digest);
    known.next().map(|&standard| Source::Standard(standard))
}

/// A text cut at the characters that end items.
fn items(text: &Text, reading: Reading, until: &[char]) -> Result<HashSet<String>> {
    let mut items = HashSet::new();
    let mut begun = String::new();
    let mut end = |begun: &mut String| {
        items.insert(item(begun, until));
        begun.clear();
    };
    text.read(reading, |c| match until.contains(&c) {
        true => end(&mut begun),
        false => begun.push(c),
    })?;
    end(&mut begun);
    Ok(items)
}

/// A text in the symbols of a model's alphabet, without what it does not know.
pub fn symbols_of_files(files: &[PathBuf], alphabet: &Alphabet) -> Result<Vec<u8>> {
    let reading = Reading {
        unicode: !alphabet.symbols().iter().all(char::is_ascii),
        ..Reading::default()
    };
    let text = gather(files, reading, &|line| note!("{line}"))?;
    let mut symbols = Vec::new();
    text.read(reading, |c| symbols.extend(alphabet.encode(c).as_slice()))?;
    Ok(symbols)
}
