//! `cargo xtask test`: set-up, then every check of the project as a named step.
//!
//! The quick steps come first. The first failure ends it with the command that repeats it.

use std::time::{Duration, Instant};

use anyhow::bail;

use crate::setup;
use steps::{Step, Verdict};

mod steps;

/// Options of `test`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only these steps, in this order [default: all]
    steps: Vec<String>,

    /// Go on after a failure and report all of them at the end
    #[arg(long)]
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
    for step in &steps {
        println!("\n==> {}: {}", step.name, step.promise);
        let step_start = Instant::now();
        let verdict = step.run();
        let time = seconds(step_start.elapsed());
        let word = match verdict {
            Ok(Verdict::Passed) => "passed",
            Ok(Verdict::Skipped(why)) => {
                println!("skipped: {why}");
                "skipped"
            }
            Err(error) => {
                println!("\nerror: {error:#}");
                failed.push(step.name);
                "FAILED"
            }
        };
        lines.push(format!("{word:<8} {:<14} {time:>8}", step.name));
        if !failed.is_empty() && !args.keep_going {
            break;
        }
    }
    println!("\n{}", lines.join("\n"));
    println!("{:<8} {:<14} {:>8}", "", "total", seconds(start.elapsed()));
    if !failed.is_empty() {
        bail!(
            "failed: {}; to repeat: cargo xtask test {}",
            failed.join(", "),
            failed.join(" ")
        );
    }
    Ok(())
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

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
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
