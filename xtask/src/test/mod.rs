//! `cargo xtask test`: set-up, then every check of the project as a named step.
//!
//! The quick steps come first. A failure ends nothing, so that one run tells all there is to mend; the
//! summary names what failed, down to the single test, as the command that repeats it.

use std::collections::HashMap;
use std::io::{self, Write};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};

use crate::setup;
use steps::{Ended, Step, Verdict};

mod failures;
mod steps;

/// Options of `test`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these steps, in this order [default: all]
    steps: Vec<String>,

    /// End with the first step that fails, instead of running the others too
    #[arg(long)]
    fail_fast: bool,

    /// Go on after a failure, as it does anyway
    #[arg(long, hide = true, conflicts_with = "fail_fast")]
    keep_going: bool,

    /// Print the steps and their commands, and run none
    #[arg(long)]
    list: bool,
}

/// Runs `test`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let steps = chosen(steps::all(), &args.steps)?;
    if args.list {
        for step in steps {
            println!("{:<14} {}", step.name, step.promise);
            for command in step.commands {
                println!("{:<14}   {command}", "");
            }
        }
        return Ok(());
    }
    setup::ensure()?;
    let start = Instant::now();
    let mut failed = Vec::new();
    let mut lines = Vec::new();
    let mut beside = start_beside(&steps, args.fail_fast);
    for step in &steps {
        println!("\n==> {}: {}", step.name, step.promise);
        let ended = match beside.remove(step.name) {
            Some(handle) => joined(handle)?,
            None => step.run(),
        };
        lines.push(line(&ended.verdict, step.name, ended.time));
        match ended.verdict {
            Verdict::Passed => {}
            Verdict::NotChecked(why) => {
                println!("not checked: {why}");
                lines.push(format!("{:<11} {why}", ""));
            }
            Verdict::Failed(parts) => {
                lines.extend(parts.into_iter().map(|part| format!("{:<11} {part}", "")));
                failed.push(step.name);
                if args.fail_fast {
                    break;
                }
            }
        }
    }
    println!("\n{}", lines.join("\n"));
    println!("{}", row("", "total", start.elapsed()));
    if !failed.is_empty() {
        bail!(
            "failed: {}; to repeat: cargo xtask test {}",
            failed.join(", "),
            failed.join(" ")
        );
    }
    Ok(())
}

/// Steps that run in the background, by their names.
type Beside = HashMap<&'static str, JoinHandle<Ended>>;

/// Starts the steps that may run beside those before them; none if a failure may end it all.
fn start_beside(steps: &[Step], fail_fast: bool) -> Beside {
    let later = steps
        .iter()
        .skip(1)
        .filter(|step| step.beside && !fail_fast);
    later
        .map(|step| {
            let name = step.name;
            println!(
                "{name} runs beside what comes before it; what it prints is shown in its turn"
            );
            let step = step.clone();
            (name, thread::spawn(move || step.run_silently()))
        })
        .collect()
}

/// Waits for a step that runs in the background, and shows what it printed.
fn joined(handle: JoinHandle<Ended>) -> anyhow::Result<Ended> {
    let ended = handle.join().map_err(|_| anyhow!("a step panicked"))?;
    io::stdout().write_all(&ended.printed)?;
    Ok(ended)
}

/// The steps that the user named, or all.
fn chosen(all: Vec<Step>, names: &[String]) -> anyhow::Result<Vec<Step>> {
    if names.is_empty() {
        return Ok(all);
    }
    names
        .iter()
        .map(|name| match all.iter().find(|step| step.name == name) {
            Some(step) => Ok(step.clone()),
            None => {
                let known: Vec<_> = all.iter().map(|step| step.name).collect();
                bail!(
                    "there is no step `{name}`; the steps are {}",
                    known.join(", ")
                )
            }
        })
        .collect()
}

/// A step's line in the summary.
fn line(verdict: &Verdict, step: &str, time: Duration) -> String {
    let word = match verdict {
        Verdict::Passed => "passed",
        Verdict::NotChecked(_) => "NOT CHECKED",
        Verdict::Failed(_) => "FAILED",
    };
    row(word, step, time)
}

fn row(word: &str, name: &str, time: Duration) -> String {
    let time = format!("{:.1} s", time.as_secs_f64());
    format!("{word:<11} {name:<14} {time:>8}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_step_has_its_own_name() {
        let mut names: Vec<_> = steps::all().iter().map(|step| step.name).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn every_test_program_runs_after_a_failure_too() {
        let commands = steps::all().into_iter().flat_map(|step| step.commands);
        for command in commands.filter(|command| command.is_cargo("test")) {
            assert!(command.to_string().contains(" --no-fail-fast"), "{command}");
        }
    }

    #[test]
    fn named_steps_run_in_the_order_given() {
        let names = ["typos".to_owned(), "rustfmt".to_owned()];
        let steps = chosen(steps::all(), &names).expect("known names");
        assert_eq!(
            steps.iter().map(|step| step.name).collect::<Vec<_>>(),
            names
        );
    }

    #[test]
    fn an_unknown_step_is_refused_with_the_known_ones() {
        let error = chosen(steps::all(), &["lint".into()]).expect_err("no such step");
        assert!(error.to_string().contains("rustfmt, typos"), "{error}");
    }
}
