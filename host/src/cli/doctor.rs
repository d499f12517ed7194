//! `doctor`: what is installed, what is missing, and the one command that mends it.

use std::io::Write;

use serde::Serialize;

use crate::output;
use crate::toolchain::{self, Finding};

/// Options of `doctor`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    ready: bool,
    findings: &'a [Finding],
}

/// Prints the findings; an error when something is missing.
///
/// # Errors
/// When something is missing.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let findings = toolchain::check();
    let missing = findings.iter().filter(|finding| !finding.ready).count();
    let mut out = output::stdout();
    if args.json {
        let report = Report {
            ready: missing == 0,
            findings: &findings,
        };
        writeln!(out, "{}", serde_json::to_string_pretty(&report)?)?;
    } else {
        writeln!(out, "{}", toolchain::table(&findings))?;
    }
    match missing {
        0 => Ok(()),
        1 => anyhow::bail!("1 thing is missing"),
        _ => anyhow::bail!("{missing} things are missing"),
    }
}
