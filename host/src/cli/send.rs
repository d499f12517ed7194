//! `inkling send`: another model for a board that runs, over its serial port.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use firmware::sender::{INTERRUPTED, Sent, Stage, WAS_THERE};
use indicatif::{ProgressBar, ProgressStyle};
use inkling_engine::AlignedImage;

use super::interrupt;
use super::model::image_path;
use super::monitor::connect;
use crate::device::find;
use crate::device::line::Line;
use crate::device::send::{self, News, Outcome};
use crate::image;
use crate::note;
use crate::output;

/// Send a model to a running board over its serial port.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The board goes on with its own model until it has all of the other one, has checked it and has restarted:
if power fails or the line breaks meanwhile, it writes as before, and the same command goes on where it
ended. `/send FILE` does the same in `inkling monitor`.")]
pub struct Args {
    /// The model: an image file, or the name of one in weights/
    #[arg(value_name = "MODEL")]
    model: PathBuf,
    /// The serial port, or tcp:HOST:PORT [default: that of the one board that is plugged in]
    #[arg(long)]
    port: Option<String>,
    /// Look for this board only
    #[arg(long)]
    board: Option<String>,
    /// Wait this many seconds for the board
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    wait: u64,
}

/// Sends.
pub fn run(args: &Args) -> Result<()> {
    let board = args.board.as_deref().map(find).transpose()?;
    if let Some(board) = board.filter(|board| !board.takes_models) {
        bail!(
            "the program of {} cannot write to its flash: use `inkling flash`",
            board.name
        );
    }
    let model = image_path(&args.model)?;
    interrupt::watch();
    // A file that is no model is said to be none before any board is looked for.
    let image = image::open(&model)?;
    let mut line = connect(args.port.clone(), board, Duration::from_secs(args.wait))?;
    let progress = output::bar(bar());
    let said = to_board(&mut line, &model, &image, |news| {
        show(&progress, news);
        match interrupt::happened() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    progress.finish_and_clear();
    note!("{}", said?);
    Ok(())
}

/// Sends the model that somebody names at a console; answers with the sentence that says what has come of it.
///
/// # Errors
/// When there is no such model, the board does not take it, or whoever watches does not go on.
pub fn from_console(
    line: &mut dyn Line,
    model: &str,
    watch: impl FnMut(News<'_>) -> ControlFlow<()>,
) -> Result<String> {
    let path = image_path(Path::new(model.trim()))?;
    to_board(line, &path, &image::open(&path)?, watch)
}

fn to_board(
    line: &mut dyn Line,
    path: &Path,
    image: &AlignedImage,
    watch: impl FnMut(News<'_>) -> ControlFlow<()>,
) -> Result<String> {
    let start = Instant::now();
    let name = output::one_line(&path.file_stem().unwrap_or_default().to_string_lossy());
    let outcome = send::send(line, image.bytes(), watch).with_context(|| {
        format!(
            "cannot send {}",
            output::one_line(&path.display().to_string())
        )
    })?;
    Ok(match outcome {
        Outcome::Sent => {
            let sent = Sent {
                bytes: image.bytes().len(),
                milliseconds: u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX),
            };
            format!("{name}: {sent}")
        }
        Outcome::WasThere => format!("{name}: {WAS_THERE}"),
        Outcome::Interrupted => bail!(INTERRUPTED),
    })
}

fn bar() -> ProgressBar {
    let style =
        ProgressStyle::with_template("{msg} {wide_bar} {bytes} of {total_bytes}, {eta} left");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn show(progress: &ProgressBar, news: News<'_>) {
    let News::Stage { stage, of } = news else {
        if news == News::Lost {
            progress.set_message("waiting for the board");
        }
        return;
    };
    progress.set_length(of as u64);
    progress.set_message(stage.to_string());
    if let Stage::Erasing(bytes) | Stage::Sending(bytes) = stage {
        progress.set_position(bytes.into());
    }
}

/// How much of the model is sent, in percent.
pub fn percent(stage: Stage, of: usize) -> Option<usize> {
    match stage {
        Stage::Sending(bytes) => (bytes as usize * 100).checked_div(of),
        Stage::Erasing(_) | Stage::Restarting => None,
    }
}
