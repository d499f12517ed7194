//! `doctor`: what is installed, what is missing, and the one command that mends it.

use std::io::Write;

use serde::Serialize;

use crate::output;
use crate::toolchain::{self, Finding};

/// Options of `doctor`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Look also for what only those need who change Inkling itself
    #[arg(long)]
    all: bool,
    /// Print the findings as JSON, all of them
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    /// Whether all is there that was asked for.
    ready: bool,
    findings: &'a [Finding],
}

/// Prints the findings; an error when something is missing.
///
/// # Errors
/// When something is missing.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let findings = toolchain::check();
    let needed = |finding: &&Finding| args.all || !finding.for_developers;
    let missing = findings
        .iter()
        .filter(needed)
        .filter(|finding| !finding.ready);
    let missing = missing.count();
    if args.json {
        let report = Report {
            ready: missing == 0,
            findings: &findings,
        };
        let json = serde_json::to_string_pretty(&report)?;
        writeln!(output::stdout(), "{json}")?;
    } else {
        let table = toolchain::table(findings.iter().filter(needed));
        writeln!(output::prose(), "{table}")?;
    }
    match missing {
        0 => Ok(()),
        1 => anyhow::bail!("1 thing is missing"),
        _ => anyhow::bail!("{missing} things are missing"),
    }
}
