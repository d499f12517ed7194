//! `inkling runs`: what trainings there are; comparing, renaming and removing them.

use std::io::{self, IsTerminal, Write, stderr, stdin};

use anyhow::{Context, Result, ensure};
use console::truncate_str;
use indicatif::HumanCount;
use jiff::tz::TimeZone;

use crate::name::Name;
use crate::output::{self, table};
use crate::runs::{self, Run};
use crate::toolchain::human_bytes;
use crate::words::count;
use crate::{note, paths};

pub mod compare;

/// The columns that names and texts have together in a list of 80 columns.
const NAME_AND_TEXT: usize = 32;

/// A text is shown in so many columns or not at all.
const LEAST_TEXT: usize = 6;

/// Options of `runs`.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    /// Show all that is known of each run
    #[arg(long, short)]
    verbose: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    action: Option<Action>,
}

/// What to do with runs, if not to list them.
#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Show the settings that differ and how the losses fell
    Compare(compare::Args),
    /// Give a run another name; models made of it keep theirs
    Rename {
        /// The name that it has
        old: Name,
        /// The name that it gets
        new: Name,
    },
    /// Remove runs and all that they have learned; models made of them stay
    Remove {
        /// Their names
        #[arg(required = true, value_name = "NAME")]
        names: Vec<Name>,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
}

/// Runs it.
pub fn run(args: &Args) -> Result<()> {
    match &args.action {
        None => list(args),
        Some(Action::Compare(args)) => compare::run(args),
        Some(Action::Rename { old, new }) => rename(old, new),
        Some(Action::Remove { names, yes }) => remove(names, *yes),
    }
}

fn list(args: &Args) -> Result<()> {
    let runs = runs::list();
    if args.json {
        let json = serde_json::to_string_pretty(&runs)?;
        writeln!(output::stdout(), "{json}")?;
        return Ok(());
    }
    let mut out = output::prose();
    if runs.is_empty() {
        let folder = paths::runs_dir();
        writeln!(out, "there are no runs in {}", folder.display())?;
    } else if args.verbose {
        for run in &runs {
            describe(&mut out, run)?;
        }
    } else {
        writeln!(out, "{}", in_rows(&runs))?;
    }
    Ok(())
}

/// One row per run.
#[must_use]
pub fn in_rows(runs: &[Run]) -> String {
    let names = runs.iter().map(|run| run.name.as_str().chars().count());
    let room = NAME_AND_TEXT.saturating_sub(names.max().unwrap_or(0));
    let has_text = room >= LEAST_TEXT;
    let mut titles = vec!["name"];
    titles.extend(has_text.then_some("text"));
    let figures = titles.len() + 1;
    titles.extend(["state", "steps", "bits", "flash", "changed"]);
    let mut rows = table(&titles, figures..figures + 3);
    for run in runs {
        let or_none = |cell: Option<String>| cell.unwrap_or_else(|| "-".to_owned());
        let text = output::one_line(run.text.as_deref().unwrap_or("-"));
        let mut row = vec![run.name.to_string()];
        row.extend(has_text.then(|| truncate_str(&text, room, "…").into_owned()));
        row.extend([
            run.state.name().to_owned(),
            or_none(run.steps.map(|steps| steps.to_string())),
            or_none(run.bits_per_char.map(|bits| format!("{bits:.3}"))),
            or_none(run.image_bytes.map(|bytes| bytes.to_string())),
            changed(run, "%Y-%m-%d"),
        ]);
        rows.add_row(row);
    }
    format!(
        "{}\n\nbits per character on text that was never trained on; bytes of flash of the latest model",
        rows.trim_fmt()
    )
}

/// Writes all about one run.
///
/// # Errors
/// When it cannot be written there.
pub fn describe(out: &mut impl Write, run: &Run) -> io::Result<()> {
    writeln!(out, "{}", run.name)?;
    let mut line = |title: &str, value: String| writeln!(out, "  {title:<8}  {value}");
    if let Some(text) = &run.text {
        line("text", output::one_line(text))?;
    }
    line("state", run.state.name().to_owned())?;
    if let Some(steps) = run.steps {
        let all = run.all_steps.map(|all| format!(" of {}", HumanCount(all)));
        line(
            "steps",
            format!("{}{}", HumanCount(steps), all.unwrap_or_default()),
        )?;
    }
    if let (Some(nats), Some(bits)) = (run.loss_nats, run.bits_per_char) {
        line("loss", format!("{nats:.4} nats/char ({bits:.4} bits/char)"))?;
    }
    if let (Some(model), Some(bytes)) = (&run.model, run.image_bytes) {
        let model = output::one_line(model);
        line(
            "model",
            format!("{model}, {} bytes of flash", HumanCount(bytes as u64)),
        )?;
    }
    line("disk", human_bytes(run.disk_bytes))?;
    line("changed", changed(run, "%Y-%m-%d %H:%M"))?;
    writeln!(out)
}

/// When a run was changed, by the clock of the user.
fn changed(run: &Run, format: &str) -> String {
    let time = run.changed.to_zoned(TimeZone::system());
    time.strftime(format).to_string()
}

fn rename(old: &Name, new: &Name) -> Result<()> {
    runs::rename(old, new)?;
    let mut out = output::prose();
    writeln!(out, "the run '{old}' is '{new}' now")?;
    let model = paths::weights_dir().join(format!("{old}.img"));
    if model.is_file() {
        writeln!(
            out,
            "the model '{old}' keeps its name; `inkling export {new}` makes one of the new name"
        )?;
    }
    Ok(())
}

fn remove(names: &[Name], yes: bool) -> Result<()> {
    let list: Vec<_> = names.iter().map(|name| format!("'{name}'")).collect();
    let what = format!(
        "{} {}",
        if names.len() == 1 { "run" } else { "runs" },
        list.join(", ")
    );
    if !yes {
        ensure!(
            stdin().is_terminal() && stderr().is_terminal(),
            "nothing was removed: add --yes to remove the {what} without being asked"
        );
        let found = runs::list();
        let bytes = found.iter().filter(|run| names.contains(&run.name));
        let bytes = human_bytes(bytes.map(|run| run.disk_bytes).sum());
        note!(
            "Remove the {what} ({bytes}) and all that was learned? Models in weights/ stay. [y/N]"
        );
        let mut answer = String::new();
        stdin()
            .read_line(&mut answer)
            .context("cannot read your answer")?;
        if !answer.trim().to_lowercase().starts_with('y') {
            note!("nothing was removed");
            return Ok(());
        }
    }
    runs::remove_all(names)?;
    writeln!(output::prose(), "removed: {}", count(names.len(), "run"))?;
    Ok(())
}
