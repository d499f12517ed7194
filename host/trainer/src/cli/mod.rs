//! The command line of a training: from a text to float weights, and on to a model image.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result, ensure};

use crate::checkpoint::{self, Checkpoint};
use crate::run::{Outcome, run as train};
use crate::{Job, Observer, Trainer};
use clap::Parser;
use host::cli::export::print_export;
use host::cli::model::{bar, float_weights_path};
use host::cli::train::Args;
use host::corpus::{Corpus, Reading, Source};
use host::export::export;
use host::quantize::FloatModel;
use host::recipe::{DEFAULT_RECIPE, Recipe, budget};
use host::report::{self, Report};
use host::{note, output, paths};

mod display;

/// The longest name that fits a model image.
const MAX_NAME_BYTES: usize = 32;

/// The exit code of a program that Ctrl-C ended at once.
const INTERRUPTED: i32 = 130;

/// A training, as `host train` starts it.
#[derive(Debug, Parser)]
#[command(name = "host train", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

/// Parses the command line and runs it.
#[must_use]
pub fn main() -> ExitCode {
    host::cli::end(run(&Cli::parse().args))
}

/// Trains, and exports what was learned.
///
/// # Errors
/// One sentence about whatever prevents it.
pub fn run(args: &Args) -> Result<()> {
    let Some(mut trainer) = prepare(args)? else {
        return Ok(());
    };
    let run_dir = paths::run_dir(&trainer.job.name);
    let stop = stop_on_ctrl_c(&trainer.job.name)?;
    let mut observer: Box<dyn Observer> = display::choose(args.json);
    let outcome = train(&mut trainer, &run_dir, observer.as_mut(), &stop)?;
    drop(observer);
    match outcome {
        Outcome::Interrupted => {
            let (name, step) = (&trainer.job.name, trainer.steps_done());
            note!("to go on: cargo run -p host -- train --resume {name}");
            note!("to export it as it is, add: --steps {step}");
            std::process::exit(INTERRUPTED);
        }
        Outcome::Finished { weights, .. } if !args.no_export => {
            export_run(&trainer, &weights, args.json)
        }
        Outcome::Finished { .. } => Ok(()),
    }
}

/// Turns the float weights of a finished run into a model in `weights/`.
fn export_run(trainer: &Trainer, weights: &Path, json: bool) -> Result<()> {
    let name = &trainer.job.name;
    let widths = trainer.job.recipe.model.widths();
    let widths = widths.context("bits are 8 or 4")?;
    let float = FloatModel::load(weights)?;
    let validation = trainer.corpus().validation();
    let bar = bar(validation.len(), "measuring");
    let exported = export(
        &float,
        name,
        widths,
        &paths::weights_dir(),
        (validation.len() > 1).then_some(validation),
        |done| bar.set_position(done),
    )
    .with_context(|| format!("could not export {name}"))?;
    bar.finish_and_clear();
    Report::add_export(&paths::run_dir(name), report::Export::of(&exported, widths))?;
    let mut out = output::stdout();
    if json {
        let mut line = serde_json::to_value(&exported)?;
        line["event"] = "export".into();
        writeln!(out, "{line}")?;
    } else {
        print_export(&mut out, &exported)?;
    }
    Ok(())
}

/// The training that the command line asks for, or none if it was only to be printed.
fn prepare(args: &Args) -> Result<Option<Trainer>> {
    let say = |line: &str| note!("{line}");
    if let Some(name) = &args.resume {
        let run_dir = run_to_resume(name)?;
        let mut checkpoint = Checkpoint::read(&run_dir)?;
        if let Some(folder) = run_dir.file_name() {
            checkpoint.job.name = folder.to_string_lossy().into_owned();
        }
        args.settings.apply(&mut checkpoint.job.recipe);
        if args.print_recipe {
            write!(output::stdout(), "{}", checkpoint.job.recipe.to_toml())?;
            return Ok(None);
        }
        let job = &checkpoint.job;
        let corpus = Corpus::load(&job.source, job.reading, &say)?;
        return Ok(Some(
            checkpoint.resume(corpus, crate::device(args.device)?)?,
        ));
    }

    let text = args.text.as_deref().map(std::path::absolute).transpose()?;
    let source = Source::choose(text.as_deref(), args.corpus);
    let plan = match args.flash()? {
        Some((name, bytes)) => plan_for(args, &source, name, bytes)?,
        None => {
            let name = args.recipe.as_deref().unwrap_or(DEFAULT_RECIPE);
            let mut recipe = Recipe::find(name)?;
            args.settings.apply(&mut recipe);
            Plan {
                name: name.to_owned(),
                recipe,
                corpus: None,
            }
        }
    };
    plan.recipe.check()?;
    if args.print_recipe {
        write!(output::stdout(), "{}", plan.recipe.to_toml())?;
        return Ok(None);
    }
    let name = match &args.name {
        Some(name) => checked_name(name)?,
        None => default_name(args.text.as_deref(), &plan.name),
    };
    let mut job = Job::new(name, source, args.unicode, args.lossy, plan.recipe);
    let corpus = match plan.corpus {
        Some(corpus) => corpus,
        None => Corpus::load(&job.source, job.reading, &say)?,
    };
    job.from = args.from.as_deref().map(float_weights_path).transpose()?;
    let trainer = Trainer::new(job, corpus, crate::device(args.device)?)?;
    keep_unfinished(&trainer.job.name)?;
    Ok(Some(trainer))
}

/// What is to be trained by, and the text if it had to be read to know.
struct Plan {
    name: String,
    recipe: Recipe,
    corpus: Option<Corpus>,
}

/// Chooses settings for so many bytes of flash: the symbols of the text decide what fits.
fn plan_for(args: &Args, source: &Source, name: String, bytes: usize) -> Result<Plan> {
    let reading = Reading {
        unicode: args.unicode,
        lossy: args.lossy,
        printable: false,
    };
    let corpus = Corpus::load(source, reading, &|line| note!("{line}"))?;
    let symbols = corpus.alphabet.len();
    let mut recipe = budget::recipe(bytes, symbols, args.settings.bits)?;
    args.settings.apply(&mut recipe);
    note!("{}", budget::describe(&recipe, bytes, symbols));
    Ok(Plan {
        name,
        recipe,
        corpus: Some(corpus),
    })
}

/// Moves a run of the same name that was interrupted out of the way, so that nothing is lost.
fn keep_unfinished(name: &str) -> Result<()> {
    let run_dir = paths::run_dir(name);
    let checkpoint = Checkpoint::read(&run_dir).ok();
    let Some(checkpoint) = checkpoint.filter(|checkpoint| checkpoint.done() < 1.0) else {
        return Ok(());
    };
    let suffix = format!("-at-{}", checkpoint.step());
    let kept = shortened(name, MAX_NAME_BYTES - suffix.len()).to_owned() + &suffix;
    let kept_dir = paths::run_dir(&kept);
    if kept_dir.exists() {
        std::fs::remove_dir_all(&kept_dir)
            .with_context(|| format!("cannot replace '{}'", kept_dir.display()))?;
    }
    std::fs::rename(&run_dir, &kept_dir)
        .with_context(|| format!("cannot move '{}' out of the way", run_dir.display()))?;
    note!("note: the unfinished run '{name}' is now '{kept}' (--resume {kept} goes on with it)");
    Ok(())
}

/// As much of the beginning of `name` as fits `bytes`.
fn shortened(name: &str, bytes: usize) -> &str {
    &name[..name.floor_char_boundary(bytes)]
}

/// A name that a user chose, if it can be a folder's and fits an image.
fn checked_name(name: &str) -> Result<String> {
    let allowed = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    ensure!(
        !name.is_empty() && !name.starts_with('.') && name.chars().all(allowed),
        "the name '{name}' cannot be used; take letters, digits, '-', '_' and '.'"
    );
    ensure!(
        name.len() <= MAX_NAME_BYTES,
        "the name '{name}' is longer than {MAX_NAME_BYTES} bytes; take a shorter one"
    );
    Ok(name.to_owned())
}

/// A name made of the text's or the recipe's.
fn default_name(text: Option<&Path>, recipe: &str) -> String {
    let path = text.unwrap_or(Path::new(recipe));
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let sound = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.');
    let name: String = stem
        .trim_start_matches('.')
        .chars()
        .map(|c| if sound(c) { c } else { '-' })
        .collect();
    let name = shortened(&name, MAX_NAME_BYTES).to_owned();
    if name.is_empty() {
        "model".to_owned()
    } else {
        name
    }
}

/// The folder of the run called `name`, or of the one that was saved last.
fn run_to_resume(name: &str) -> Result<PathBuf> {
    if !name.is_empty() {
        return Ok(paths::run_dir(&checked_name(name)?));
    }
    let runs = paths::run_dir("");
    std::fs::read_dir(&runs)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let saved = std::fs::metadata(checkpoint::path(&entry.path())).ok()?;
            Some((saved.modified().ok()?, entry.path()))
        })
        .max()
        .map(|(_, run_dir)| run_dir)
        .with_context(|| format!("there is no run to resume in '{}'", runs.display()))
}

/// A flag that the first Ctrl-C sets; the second one ends the program at once.
fn stop_on_ctrl_c(name: &str) -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let name = name.to_owned();
    ctrlc::set_handler(move || {
        if flag.swap(true, Ordering::Relaxed) {
            note!("\nstopped at once; {name} is as its last checkpoint left it");
            std::process::exit(INTERRUPTED);
        }
        note!("\nsaving a checkpoint; press Ctrl-C again to stop at once");
    })
    .context("cannot listen to Ctrl-C")?;
    Ok(stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_run_comes_from_the_text_or_the_recipe() {
        assert_eq!(default_name(None, "quick"), "quick");
        assert_eq!(default_name(None, "my/own.toml"), "own");
        assert_eq!(default_name(Some(Path::new("a b/c d.txt")), "quick"), "c-d");
        assert_eq!(default_name(Some(Path::new("..")), "quick"), "model");
        let long = "ж".repeat(40);
        assert_eq!(
            default_name(Some(Path::new(&long)), "quick"),
            "ж".repeat(16)
        );
    }

    #[test]
    fn names_that_leave_the_runs_folder_or_do_not_fit_an_image_are_refused() {
        for name in ["", "..", "a/b", ".x", &"a".repeat(33)] {
            assert!(checked_name(name).is_err(), "{name}");
        }
        assert!(checked_name("my-model_2.1").is_ok());
    }
}
