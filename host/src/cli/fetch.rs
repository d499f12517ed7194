//! `inkling fetch`: makes sure that a standard corpus is in the cache.

use std::io::Write;

use anyhow::Result;
use serde_json::json;

use crate::corpus::{self, Standard};
use crate::note;
use crate::output;

/// Download and check the standard corpus.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which corpus
    #[arg(long, value_enum, default_value_t)]
    corpus: Standard,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

/// Fetches it and says where it lies.
pub fn run(args: &Args) -> Result<()> {
    let fetched = corpus::fetch(args.corpus, &|line| note!("{line}"))?;
    let bytes = std::fs::metadata(&fetched.path)?.len();
    if args.json {
        let line = json!({
            "corpus": fetched.standard,
            "path": fetched.path,
            "bytes": bytes,
            "sha256": fetched.standard.sha256(),
        });
        writeln!(output::stdout(), "{line}")?;
    } else {
        writeln!(
            output::prose(),
            "{}: {} ({bytes} bytes)",
            fetched.standard,
            fetched.path.display()
        )?;
    }
    Ok(())
}
