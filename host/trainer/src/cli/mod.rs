//! The command line of a training: from a text to float weights, and on to a model image.

use std::io::{IsTerminal, Write, stderr, stdin};
use std::path::Path;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::backend;
use crate::run::checkpoint::{self, Checkpoint};
use crate::run::{Outcome, run as train};
use crate::{Job, Observer, Trainer};
use clap::Parser;
use host::cli::export::print_export;
use host::cli::interrupt;
use host::cli::model::bar;
use host::cli::train::Args;
use host::compare::Comparison;
use host::corpus::{Corpus, Source, gather, run_name};
use host::export::{Owner, export, may_write, owner};
use host::image;
use host::name::Name;
use host::quantize::InputForm;
use host::recipe::{Length, Recipe, budget};
use host::report::{self, Report};
use host::runs::{self, Claimed, RunId};
use host::{note, output, paths};
use indicatif::HumanDuration;

mod display;
mod plan;
mod trial;

use plan::{Plan, Read};

/// How often a thread looks whether the user wants to stop.
const LOOK: Duration = Duration::from_millis(100);

/// A training, as `inkling train` starts it.
#[derive(Debug, Parser)]
#[command(name = "inkling train", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    args: Args,
}

/// Parses the command line and runs it.
#[must_use]
pub fn main() -> ExitCode {
    host::cli::start(|cli: Cli| run(&cli.args))
}

/// Trains, and exports what was learned.
///
/// # Errors
/// One sentence about whatever prevents it.
pub fn run(args: &Args) -> Result<()> {
    let Some(Prepared { mut trainer, run }) = prepare(args)? else {
        return Ok(());
    };
    interrupt::watch();
    announce_interrupt();
    let mut observer: Box<dyn Observer> = display::choose(args.json);
    let stop = interrupt::flag();
    let outcome = train(&mut trainer, &run.folder, observer.as_mut(), &stop)?;
    drop(observer);
    match outcome {
        Outcome::Interrupted => {
            let (name, step) = (&run.name, trainer.steps_done());
            note!("to go on: cargo run -p host -- train --resume {name}");
            note!("to export it as it is, add: --steps {step}");
            Ok(())
        }
        Outcome::Finished { weights, .. } if !args.no_export => {
            export_run(args, &trainer, &weights)
        }
        Outcome::Finished { .. } => Ok(()),
    }
}

/// Says at once that a signal has been heard: the step that is being made may take its time.
fn announce_interrupt() {
    thread::spawn(|| {
        while !interrupt::happened() {
            thread::sleep(LOOK);
        }
        note!(
            "saving a checkpoint; Ctrl-C again stops at once and leaves the run as it was last saved"
        );
    });
}

/// Turns the float weights of a finished run into a model in `weights/`.
fn export_run(args: &Args, trainer: &Trainer, weights: &Path) -> Result<()> {
    let (_, float) = runs::load_weights(weights)?;
    let folder = paths::weights_dir();
    let is_mine = |name: &Name| args.overwrite || may_write(&folder, name, &float);
    let name = trainer.job.name.next_free(is_mine);
    if name != trainer.job.name {
        note!(
            "note: there is another model '{}' by now, so this one is '{name}'",
            trainer.job.name
        );
    }
    let validation = trainer.corpus().validation();
    let bar = bar(validation.as_read().len(), "measuring");
    let exported = export(
        &float,
        &name,
        (float.planes(), InputForm::Smallest),
        &folder,
        (validation.predictions() > 0).then_some(validation),
        |done| bar.set_position(done),
    )
    .with_context(|| format!("could not export {name}"))?;
    bar.finish_and_clear();
    let run_dir = weights.parent().unwrap_or(Path::new("."));
    Report::add_export(run_dir, report::Export::of(&exported))?;
    let comparison = compare(trainer, &exported.image)?;
    if let Some(comparison) = &comparison {
        Report::add_comparison(run_dir, comparison.clone())?;
    }
    if args.json {
        let mut line = serde_json::to_value(&exported)?;
        line["event"] = "export".into();
        line["comparison"] = serde_json::to_value(&comparison)?;
        writeln!(output::stdout(), "{line}")?;
    } else {
        let mut out = output::prose();
        print_export(&mut out, &exported)?;
        if let Some(comparison) = comparison {
            writeln!(out, "{comparison}")?;
        }
    }
    Ok(())
}

/// Compares a model with what a reader knows, where there is a part of the text to do it on.
fn compare(trainer: &Trainer, image: &Path) -> Result<Option<Comparison>> {
    let corpus = trainer.corpus();
    if corpus.validation().predictions() == 0 {
        return Ok(None);
    }
    let image = image::open(image)?;
    let (training, validation) = (corpus.training(), corpus.validation());
    let measured = Comparison::measure(image.model()?, &corpus.alphabet, training, validation);
    Ok(Some(
        measured.context("cannot compare the model with compressors")?,
    ))
}

/// A training and the folder that it has to itself.
struct Prepared {
    trainer: Trainer,
    run: Claimed,
}

/// The training that the command line asks for, or none if it was only to be printed.
fn prepare(args: &Args) -> Result<Option<Prepared>> {
    let say = |line: &str| note!("{line}");
    if let Some(name) = &args.resume {
        let run = runs::take_over(run_to_resume(name)?)?;
        let mut checkpoint = Checkpoint::read(&run.folder)?;
        checkpoint.job.name = run.name.clone();
        args.settings.apply(&mut checkpoint.job.recipe);
        let device = backend::device(args.device, checkpoint.job.recipe.backend)?;
        if args.print_recipe {
            write!(output::stdout(), "{}", checkpoint.job.recipe.to_toml())?;
            return Ok(None);
        }
        let Job {
            source, reading, ..
        } = &checkpoint.job;
        let text = if args.text.is_empty() {
            source.within(&run.folder).open(*reading, &say)?
        } else {
            gather(&args.text, *reading, &say)?
        };
        let corpus = Corpus::from_text(&text, *reading)?;
        check_export(args, &checkpoint.job.recipe, &corpus)?;
        let mut trainer = checkpoint.resume(corpus, device)?;
        if !args.text.is_empty() {
            text.keep(&run.folder)?;
            trainer.job.source = text.source();
        }
        check_room(args)?;
        return Ok(Some(Prepared { trainer, run }));
    }

    let (plan, read) = choose(args)?;
    plan.recipe.check()?;
    let device = backend::device(args.device, plan.recipe.backend)?;
    if args.print_recipe {
        write!(output::stdout(), "{}", plan.recipe.to_toml())?;
        return Ok(None);
    }
    let chosen = read.as_ref().map(|Read { corpus, .. }| {
        let lines = [
            Some(plan::describe(&plan, corpus)),
            plan::expectation(&plan, corpus),
        ];
        lines.into_iter().flatten().collect::<Vec<_>>()
    });
    let name = args.name.clone().unwrap_or_else(|| {
        let text = run_name(&args.text);
        Name::of_file(text.as_deref().unwrap_or(Path::new(&plan.name)))
    });
    let source = Source::Standard(args.corpus);
    let reading = args.reading(Some(&plan.recipe));
    let mut job = Job::new(name, source, reading, plan.recipe);
    let Read { text, corpus } = match read {
        Some(read) => read,
        None => {
            let read = plan::read(args, job.reading)?;
            plan::set_passes(args, &read.corpus, &mut job.recipe);
            read
        }
    };
    (job.source, job.reading) = (text.source(), corpus.reading);
    job.from = plan.base.as_ref().map(|base| base.path.clone());
    let model = plan.base.as_ref().map(|base| &base.model);
    check_export(args, &job.recipe, &corpus)?;
    let mut trainer = Trainer::start(job, corpus, device, model)?;
    for line in chosen.iter().flatten() {
        note!("{line}");
    }
    if chosen.is_some()
        && let Length::Steps(steps) = trainer.job.recipe.length
    {
        let seconds = trainer.seconds_per_step()? * steps as f64;
        let duration = Duration::from_secs_f64(seconds.max(1.0));
        note!("that takes about {} here", HumanDuration(duration));
    }
    // Nothing is written before all that can be wrong has been looked at.
    let run = claim(args, trainer.job.name.clone())?;
    (trainer.job.name, trainer.job.run) = (run.name.clone(), run.id.clone());
    if let Err(error) = text.keep(&run.folder) {
        let _ = std::fs::remove_dir_all(&run.folder);
        return Err(error.into());
    }
    Ok(Some(Prepared { trainer, run }))
}

/// Refuses before the first step what could not be exported after the last one.
fn check_export(args: &Args, recipe: &Recipe, corpus: &Corpus) -> Result<()> {
    if !args.no_export {
        budget::check_engine(&recipe.model, corpus.alphabet.len())?;
    }
    Ok(())
}

/// Refuses before the first step to learn what could not be kept after the last one.
fn check_room(args: &Args) -> Result<()> {
    let weights = paths::weights_dir();
    if args.no_export {
        return Ok(());
    }
    paths::check_writable(&weights)
        .with_context(|| format!("cannot write to {}", weights.display()))
}

/// The folder of a new run called `wanted`, or like it.
fn claim(args: &Args, wanted: Name) -> Result<Claimed> {
    check_room(args)?;
    if args.overwrite || wants_to_replace(args, &wanted)? {
        return Ok(runs::replace(wanted)?);
    }
    let run = runs::create(&wanted)?;
    if run.name != wanted {
        note!(
            "note: there is a run or model '{wanted}' already, so this one is '{}' (--overwrite replaces)",
            run.name
        );
    }
    Ok(run)
}

/// Asks, on a terminal, what to do about an unfinished run of the name that was asked for.
fn wants_to_replace(args: &Args, wanted: &Name) -> Result<bool> {
    let folder = paths::run_dir(wanted);
    let is_unfinished = folder.is_dir() && !folder.join(runs::WEIGHTS).exists();
    let is_theirs = may_replace_model(wanted);
    let can_ask = stdin().is_terminal() && stderr().is_terminal();
    if args.name.is_none() || !is_unfinished || !is_theirs || !can_ask {
        return Ok(false);
    }
    note!(
        "There is an unfinished run '{wanted}' (`--resume {wanted}` goes on with it). Replace it? What it \
         has learned is lost then; otherwise the new run gets another name. [y/N]"
    );
    let mut answer = String::new();
    stdin()
        .read_line(&mut answer)
        .context("cannot read your answer")?;
    Ok(answer.trim().to_lowercase().starts_with('y'))
}

/// Whether no model, or only one of the run's own, is called `name`.
fn may_replace_model(name: &Name) -> bool {
    match owner(&paths::weights_dir(), name) {
        Owner::Nobody => true,
        Owner::Run(run) => run == RunId::of_folder(&paths::run_dir(name)),
        Owner::Unknown => false,
    }
}

/// The plan of a new training, and the text where it was needed to choose.
fn choose(args: &Args) -> Result<(Plan, Option<Read>)> {
    if let Some(plan) = plan::named(args)? {
        return Ok((plan, None));
    }
    // A board that there is not is said before a long text is read.
    args.flash()?;
    let read = plan::read(args, args.reading(None))?;
    let mut plans = plan::suitable(args, &read.corpus)?;
    let plan = match plans.len() {
        1 => plans.remove(0),
        _ => trial::winner(plans, &read.corpus, args.device)?,
    };
    Ok((plan, Some(read)))
}

/// The name of the run that `--resume` means: the one given, or the one that was saved last.
fn run_to_resume(name: &str) -> Result<Name> {
    if !name.is_empty() {
        return Ok(name.parse()?);
    }
    let runs = paths::runs_dir();
    std::fs::read_dir(&runs)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name: Name = entry.file_name().to_str()?.parse().ok()?;
            let saved = std::fs::metadata(checkpoint::path(&entry.path())).ok()?;
            Some((saved.modified().ok()?, name))
        })
        .max()
        .map(|(_, name)| name)
        .with_context(|| format!("there is no run to resume in '{}'", runs.display()))
}
