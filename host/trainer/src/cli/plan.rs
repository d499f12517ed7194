//! The plan of a new training: what the command line asks for, or what suits the text.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use host::cli::train::Args;
use host::compare::ppmd_bits;
use host::corpus::{Alphabet, Corpus, Reading, Source, Text, Validation, gather};
use host::evaluate::bits;
use host::note;
use host::quantize::FloatModel;
use host::recipe::suit::{self, Conditions, Start, suit};
use host::recipe::{AlphabetKind, DEFAULT_RECIPE, Length, Model, Recipe, budget};
use host::words::{count, share};
use host::{runs, starts};

/// What `--from` says to start from random weights.
const NONE: &str = "none";

/// A base model is worth a look when its alphabet covers at least so much of the text.
const COVERED: f64 = 0.98;

/// The flash that a model takes where nothing says how much there is: every board has it.
const SMALL: usize = 64 * 1024;

/// With fewer characters for each weight of a model that fills its flash, one of less than half its size that
/// knows the language is the better one.
const SHORT: f64 = 0.7;

/// Characters on which it is measured how far a model is from a text.
const STRETCH: usize = 6_000;

/// What is to be trained, and by what.
#[derive(Debug)]
pub struct Plan {
    /// What the run is called where nothing else says.
    pub name: String,
    /// Every setting.
    pub recipe: Recipe,
    /// The model to start from; none: random weights.
    pub base: Option<Base>,
    /// How much it knows.
    pub start: Start,
}

/// A model to start from.
#[derive(Debug)]
pub struct Base {
    /// The file that its float weights are in.
    pub path: PathBuf,
    /// What is in it.
    pub model: FloatModel,
}

impl Plan {
    /// What it starts from, in words.
    #[must_use]
    pub fn origin(&self) -> String {
        let Some(Base { path, .. }) = &self.base else {
            return "from random weights".to_owned();
        };
        // The weights of a run are called alike in all of them.
        let is_run = path.file_name() == Some(OsStr::new(runs::WEIGHTS));
        let named = if is_run { path.parent() } else { Some(&**path) };
        let name = named.and_then(Path::file_name).unwrap_or_default();
        let name = name.to_string_lossy();
        format!("from {}", name.split('.').next().unwrap_or_default())
    }
}

/// What is trained on.
#[derive(Debug)]
pub struct Read {
    /// The text.
    pub text: Text,
    /// Its symbols.
    pub corpus: Corpus,
}

/// What the command line asks for, or none where the text decides it.
///
/// # Errors
/// When there is no such recipe.
pub fn named(args: &Args) -> Result<Option<Plan>> {
    let is_of_the_text = !args.text.is_empty() && args.recipe.is_none();
    if is_of_the_text
        || args.budget.is_some()
        || args.board.is_some()
        || starts_from(args).is_some()
    {
        return Ok(None);
    }
    let name = args.recipe.as_deref().unwrap_or(DEFAULT_RECIPE);
    Ok(Some(Plan {
        name: name.to_owned(),
        recipe: args.recipe()?,
        base: None,
        start: Start::Fresh,
    }))
}

/// Reads the text that the command line names.
///
/// # Errors
/// When it cannot be read.
pub fn read(args: &Args, reading: Reading) -> Result<Read> {
    let say = |line: &str| note!("{line}");
    let text = if args.text.is_empty() {
        Source::Standard(args.corpus).open(reading, &say)?
    } else {
        gather(&args.text, reading, &say)?
    };
    let corpus = Corpus::from_text(&text, reading)?;
    Ok(Read { text, corpus })
}

/// What suits a text: one plan, or two of which a trial has to say which is better.
///
/// # Errors
/// When no model fits the flash, or the model to start from cannot be used.
pub fn suitable(args: &Args, corpus: &Corpus) -> Result<Vec<Plan>> {
    let flash = args.flash()?;
    let name = match (&flash, &args.recipe) {
        (Some((name, _)), _) | (None, Some(name)) => name.clone(),
        (None, None) => DEFAULT_RECIPE.to_owned(),
    };
    let most = flash.as_ref().map(|&(_, bytes)| bytes);
    if let Some(from) = starts_from(args) {
        let path = starts::find(from)?;
        let model = starts::load(&path)?;
        let base = Base { path, model };
        return Ok(vec![trained(args, corpus, base, most, name)?]);
    }
    let room = most.unwrap_or(SMALL);
    let fresh = fresh(args, corpus, room)?;
    let base = base(args, corpus, room, &fresh.model);
    let mut plans = vec![Plan {
        name: name.clone(),
        recipe: fresh,
        base: None,
        start: Start::Fresh,
    }];
    if let Some(base) = base {
        plans.push(trained(args, corpus, base, most, name)?);
    }
    Ok(plans)
}

/// What `--from` names.
fn starts_from(args: &Args) -> Option<&Path> {
    args.from.as_deref().filter(|from| *from != Path::new(NONE))
}

/// The recipe of a training from random weights.
fn fresh(args: &Args, corpus: &Corpus, most: usize) -> Result<Recipe> {
    let symbols = corpus.alphabet.len();
    let mut recipe = budget::recipe(most, symbols, |model| args.settings.shape(model))?;
    args.apply(&mut recipe);
    adapt(args, corpus, &mut recipe, Start::Fresh);
    Ok(recipe)
}

/// The plan of a training that starts from the weights of `base`.
fn trained(
    args: &Args,
    corpus: &Corpus,
    base: Base,
    most: Option<usize>,
    name: String,
) -> Result<Plan> {
    let inherited = args.recipe.as_deref().unwrap_or(DEFAULT_RECIPE);
    let mut recipe = Recipe::find(inherited)?;
    recipe.model = shape(&base.model);
    args.apply(&mut recipe);
    let symbols = corpus.alphabet.len();
    if let (Some(most), Some(bytes)) = (most, budget::image_bytes(&recipe.model, symbols)) {
        ensure!(
            bytes <= most,
            "a model that starts from this one takes {bytes} bytes with the {} of the text, more than the \
             {most} there are: start from a smaller one, or fresh with --from none",
            count(symbols, "symbol")
        );
    }
    let bits = first_bits(&base.model, corpus);
    let start = Start::Trained { bits };
    if args.recipe.is_none() {
        adapt(args, corpus, &mut recipe, start);
    } else {
        set_passes(args, corpus, &mut recipe);
    }
    Ok(Plan {
        name,
        recipe,
        base: Some(base),
        start,
    })
}

/// The shape of a trained model.
fn shape(model: &FloatModel) -> Model {
    let planes = model.planes();
    Model {
        alphabet: AlphabetKind::Own,
        embedding: model.embedding_size as i64,
        hidden: model.hidden as i64,
        layers: model.layers.len() as i64,
        planes: planes.recurrent,
        input_planes: planes.input,
        output_planes: planes.output,
    }
}

/// Sets what the command line leaves open as it suits the text.
fn adapt(args: &Args, corpus: &Corpus, recipe: &mut Recipe, start: Start) {
    let is_short = args.budget.is_none() && args.board.is_none();
    let conditions = Conditions {
        most_steps: is_short.then_some(suit::SHORT),
        ..conditions(corpus, start)
    };
    suit(recipe, &conditions);
    args.apply(recipe);
    set_passes(args, corpus, recipe);
    suit::space(recipe);
}

fn conditions(corpus: &Corpus, start: Start) -> Conditions {
    Conditions {
        characters: corpus.training().len(),
        symbols: corpus.alphabet.len(),
        start,
        most_steps: None,
    }
}

/// What loss to expect, in one line; none where there is nothing to measure on.
#[must_use]
pub fn expectation(plan: &Plan, corpus: &Corpus) -> Option<String> {
    let validation = corpus.validation();
    if validation.predictions() == 0 {
        return None;
    }
    let ppmd = ppmd_bits(&corpus.alphabet, corpus.training(), &validation.own()).ok()?;
    let expected = suit::expected(&plan.recipe.model, &conditions(corpus, plan.start));
    let [least, most] = expected.map(|part| part * ppmd);
    Some(format!(
        "expect about {least:.2} to {most:.2} bits per character on unseen text, where PPMd, a strong \
         compressor, needs {ppmd:.2}"
    ))
}

/// Sets the steps that `--passes` asks for, where it does.
pub fn set_passes(args: &Args, corpus: &Corpus, recipe: &mut Recipe) {
    if let Some(passes) = args.settings.passes {
        let step = recipe.data.batch * recipe.data.seq_len;
        let steps = passes * corpus.training().len() as f64 / step as f64;
        recipe.length = Length::Steps((steps.round() as u64).max(1));
    }
}

/// The largest base model that fits, where the text is written in its alphabet and no setting forbids it.
fn base(args: &Args, corpus: &Corpus, most: usize, fresh: &Model) -> Option<Base> {
    let settings = &args.settings;
    let is_shaped = settings.hidden.is_some()
        || settings.layers.is_some()
        || settings.planes.is_some()
        || settings.input_planes.is_some()
        || settings.output_planes.is_some();
    if args.from.is_some() || is_shaped {
        return None;
    }
    let counts = corpus.counts();
    let total: u64 = counts.iter().sum();
    // A long text teaches a model that fills its flash more than a small one can have learned before.
    let is_short = (total as f64) < SHORT * suit::weights(fresh, counts.len());
    let fits = |model: &FloatModel| {
        let bytes = budget::image_bytes(&shape(model), counts.len());
        bytes.is_some_and(|bytes| bytes <= most && (is_short || 2 * bytes >= most))
    };
    let covers = |model: &FloatModel| {
        let known = corpus.alphabet.symbols().iter().zip(&counts);
        let known = known.filter(|(symbol, _)| model.alphabet.contains(symbol));
        let known: u64 = known.map(|(_, count)| count).sum();
        known as f64 >= COVERED * total as f64
    };
    let models = starts::bases().into_iter().filter_map(|path| {
        // A base that is damaged is no reason not to train.
        let model = starts::load(&path).ok()?;
        Some(Base { path, model })
    });
    models
        .filter(|Base { model, .. }| fits(model) && covers(model))
        .max_by_key(|Base { model, .. }| model.hidden)
}

/// The loss of a model on a stretch of a text that it has not learned from, in bits per character; what its
/// alphabet lacks is left out.
fn first_bits(model: &FloatModel, corpus: &Corpus) -> f64 {
    let training = corpus.training();
    let middle = training.len().saturating_sub(STRETCH) / 2;
    let stretch = &training[middle..training.len().min(middle + STRETCH)];
    let Ok(theirs) = Alphabet::from_symbols(&model.alphabet.iter().collect::<String>()) else {
        return f64::INFINITY;
    };
    let (mut symbols, mut characters) = (Vec::new(), 0);
    for character in corpus.alphabet.characters(stretch) {
        let read = theirs.encode(character);
        symbols.extend(read.as_slice());
        characters += usize::from(!read.as_slice().is_empty());
    }
    match characters {
        0..2 => f64::INFINITY,
        _ => {
            let stream = Validation::stream_of(symbols, characters);
            bits(model.as_trained().loss(&stream, |_| ()))
        }
    }
}

/// What was chosen, in one line.
#[must_use]
pub fn describe(plan: &Plan, corpus: &Corpus) -> String {
    let recipe = &plan.recipe;
    let step = (recipe.data.batch * recipe.data.seq_len) as f64;
    let symbols_read = corpus.training().len();
    let length = match recipe.length {
        Length::Steps(steps) => {
            let seen = steps as f64 * step;
            let passes = seen / symbols_read as f64;
            if passes < 1.0 {
                format!(
                    "{} that see {} of the text (--passes 1 reads all of it)",
                    count(steps, "step"),
                    share(seen as u64, symbols_read as u64)
                )
            } else {
                format!(
                    "{} ({passes:.1} times through the text)",
                    count(steps, "step")
                )
            }
        }
        Length::Minutes(minutes) => format!("{minutes} minutes"),
    };
    let symbols = corpus.alphabet.len();
    format!(
        "chosen for {} and {}: {} units, {}, an image of {} bytes; {}, {length}; learning rate {}, \
         output dropout {}, DropConnect {}, weight decay {}",
        count(corpus.training_characters(), "character"),
        count(symbols, "symbol"),
        recipe.model.hidden,
        count(recipe.model.planes, "trit"),
        budget::image_bytes(&recipe.model, symbols).unwrap_or_default(),
        plan.origin(),
        recipe.optimizer.learning_rate,
        recipe.regularization.output_dropout,
        recipe.regularization.drop_connect,
        recipe.regularization.weight_decay,
    )
}
