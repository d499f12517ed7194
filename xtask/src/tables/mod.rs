//! `cargo xtask tables`: writes the tables of README and book from the files of results.
//!
//! A page marks the place with `<!-- table NAME -->` and `<!-- end -->`; what stands between them is
//! replaced. [`results`] makes the tables, the benches made the files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

mod health;
pub mod results;

/// Where the book's pages are.
const BOOK: &str = "docs/src";

/// The other pages that have tables.
const PAGES: [&str; 2] = ["README.md", "weights/README.md"];

const START: &str = "<!-- table ";
const START_END: &str = " -->\n";
const END: &str = "<!-- end -->";

/// Options of `tables`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write nothing, and fail if a table is not what its results say
    #[arg(long)]
    check: bool,
}

/// Runs `tables`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let mut stale = Vec::new();
    for page in pages()? {
        let text =
            fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
        let renewed = renewed(&text, results::table)
            .with_context(|| format!("cannot renew the tables of {}", page.display()))?;
        if text == renewed {
            continue;
        }
        if !args.check {
            host::paths::write_atomic(&page, renewed.as_bytes())
                .with_context(|| format!("cannot write {}", page.display()))?;
            println!("renewed {}", page.display());
        }
        stale.push(page.display().to_string());
    }
    if args.check && !stale.is_empty() {
        bail!(
            "tables do not say what their results do in {}: run `cargo xtask tables`",
            stale.join(", ")
        );
    }
    Ok(())
}

/// All pages that may have tables.
fn pages() -> anyhow::Result<Vec<PathBuf>> {
    let mut pages: Vec<PathBuf> = PAGES.into_iter().map(PathBuf::from).collect();
    let entries = fs::read_dir(BOOK).with_context(|| format!("cannot read {BOOK}"))?;
    for entry in entries {
        let path = entry?.path();
        if path.extension() == Some("md".as_ref()) {
            pages.push(path);
        }
    }
    pages.sort();
    Ok(pages)
}

/// The text with its tables as they should be.
fn renewed(text: &str, table: impl Fn(&str) -> anyhow::Result<String>) -> anyhow::Result<String> {
    let mut renewed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(START) {
        let (name, behind) = behind
            .split_once(START_END)
            .with_context(|| format!("a line that starts with `{START}` has no end"))?;
        let (_, behind) = behind
            .split_once(END)
            .with_context(|| format!("there is no `{END}` behind the table {name}"))?;
        let table = table(name).with_context(|| format!("no table {name}"))?;
        renewed += &format!("{before}{START}{name}{START_END}\n{table}\n{END}");
        rest = behind;
    }
    renewed += rest;
    Ok(renewed)
}

/// Reads a file of results.
fn read<T: serde::de::DeserializeOwned>(path: impl AsRef<Path>) -> anyhow::Result<T> {
    let path = path.as_ref();
    let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text)
        .with_context(|| format!("{} is no file of results", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(name: &str) -> anyhow::Result<String> {
        match name {
            "owls" => Ok("| owl |\n".into()),
            _ => bail!("unknown"),
        }
    }

    #[test]
    fn a_table_is_replaced_and_nothing_else() {
        let text = "a\n<!-- table owls -->\nold\n<!-- end -->\nb\n";
        let new = "a\n<!-- table owls -->\n\n| owl |\n\n<!-- end -->\nb\n";
        assert_eq!(renewed(text, table).expect("sound"), new);
        assert_eq!(renewed(new, table).expect("sound"), new);
    }

    #[test]
    fn a_table_without_end_or_results_is_refused() {
        for text in [
            "<!-- table owls -->\n",
            "<!-- table crows -->\n<!-- end -->",
        ] {
            assert!(renewed(text, table).is_err(), "{text}");
        }
    }
}
