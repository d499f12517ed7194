//! Builds the book in `docs/` with mdBook, and checks every link of every page in the repository.
//!
//! Nothing is fetched: links to this project's repository on the web are looked up in this checkout, all
//! other external links are left alone. A package of its own, so that `cargo xtask demo` does not wait
//! until mdBook is compiled.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Parser;
use mdbook_driver::MDBook;

mod links;
mod names;
mod pages;

use pages::Pages;

/// Build the book and check every link
#[derive(Debug, Parser)]
struct Args {
    /// The folder for the HTML; what is in it is replaced
    #[arg(long, value_name = "FOLDER", default_value = "target/book")]
    output: PathBuf,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    let root = fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))?;
    let pages = Pages::read(&root)?;
    let mut faults = links::faults(&pages);
    faults.extend(names::faults(&pages, &root)?);
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    let output = root.join(&args.output);
    build(&root.join("docs"), &output)?;
    println!(
        "{} pages have no broken link; the book is in {}",
        pages.len(),
        output.display()
    );
    Ok(())
}

fn build(book: &Path, output: &Path) -> anyhow::Result<()> {
    let mut book = MDBook::load(book).context("cannot read the book")?;
    book.config.build.build_dir = output.to_path_buf();
    book.build().context("cannot build the book")
}
