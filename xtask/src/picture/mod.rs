//! `cargo xtask picture`: records a board's console as a picture for README and book.
//!
//! The real program talks to an emulated board on a pseudo-terminal; what that shows at the end becomes
//! an SVG file in [`svg`].

use std::path::PathBuf;

#[cfg(unix)]
mod svg;
#[cfg(unix)]
mod terminal;

/// What is typed, and what the terminal shows when the next line may be typed. The prompt gets the seed
/// behind the one that is set.
const SCRIPT: [(&str, &str); 4] = [
    ("/len 348", "length 348"),
    ("/temp 0.6", "temperature 0.6"),
    ("/seed 3", "start: seed 3"),
    ("ROMEO:", "# end: "),
];

/// Options of `picture`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model that writes
    #[arg(long, default_value = "shakespeare-256k")]
    model: String,

    /// Where the picture goes
    #[arg(long, value_name = "FILE", default_value = "docs/src/console.svg")]
    output: PathBuf,
}

/// Runs `picture`.
#[cfg(unix)]
pub fn run(args: &Args) -> anyhow::Result<()> {
    use anyhow::Context;

    use crate::command::Invocation;

    Invocation::parse("cargo build --locked --package host").run()?;
    let command = [
        "run",
        "--quiet",
        "--package",
        "host",
        "--",
        "emulate",
        "--model",
    ];
    let mut terminal =
        terminal::Terminal::start("cargo", &[&command[..], &[&args.model]].concat())?;
    // The program has booted and joined when the board says what its model is.
    terminal.wait_for("seed 1")?;
    for (line, answer) in SCRIPT {
        terminal.type_line(line)?;
        terminal.wait_for(answer)?;
    }
    let title = format!("inkling emulate --model {}", args.model);
    let picture = svg::draw(terminal.screen(), &title);
    host::paths::write_atomic(&args.output, picture.as_bytes())
        .with_context(|| format!("cannot write {}", args.output.display()))?;
    println!("{}", args.output.display());
    Ok(())
}

/// Runs `picture`.
#[cfg(not(unix))]
pub fn run(_: &Args) -> anyhow::Result<()> {
    anyhow::bail!("pictures need a pseudo-terminal: record them on Linux or macOS")
}
