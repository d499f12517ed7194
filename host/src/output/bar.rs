//! Bars that show how far something is, on one row at the bottom of the terminal.
//!
//! The cursor waits at the start of the row. Where a terminal that is made narrower breaks the row in two,
//! both parts are behind the cursor, and the next drawing takes them away.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use console::Term;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressFinish, TermLike, WeakProgressBar};

use super::{BREAK, CUT, width_of};

/// How often a bar is drawn anew although nothing has happened.
const TICK: Duration = Duration::from_millis(200);

/// How often it is drawn at most, in a second.
const DRAWINGS: u8 = 20;

/// The bar that is shown.
static SHOWN: Mutex<Option<WeakProgressBar>> = Mutex::new(None);

/// Shows a bar on standard error, where that is a terminal. It goes when it is finished or forgotten.
#[must_use]
pub fn bar(bar: ProgressBar) -> ProgressBar {
    let terminal = Term::buffered_stderr();
    if terminal.is_term() {
        let row = Box::new(Row(terminal));
        bar.set_draw_target(ProgressDrawTarget::term_like_with_hz(row, DRAWINGS));
        bar.enable_steady_tick(TICK);
    } else {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    let bar = bar.with_finish(ProgressFinish::AndClear);
    *shown() = Some(bar.downgrade());
    bar
}

/// Takes the bar away, if there is one, while something is written in its place.
pub(super) fn above<T>(write: impl FnOnce() -> T) -> T {
    let shown = shown().as_ref().and_then(WeakProgressBar::upgrade);
    match shown.filter(|bar| !bar.is_finished()) {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

fn shown() -> MutexGuard<'static, Option<WeakProgressBar>> {
    SHOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A terminal on whose last row a bar is drawn.
#[derive(Debug)]
struct Row(Term);

impl TermLike for Row {
    fn width(&self) -> u16 {
        // One column stays free: terminals differ in what they do after the last one.
        u16::try_from(width_of(&self.0)).unwrap_or(u16::MAX) - 1
    }

    fn height(&self) -> u16 {
        // A terminal that does not tell has a row all the same.
        self.0.size().0.max(1)
    }

    fn move_cursor_up(&self, rows: usize) -> io::Result<()> {
        self.0.move_cursor_up(rows)
    }

    fn move_cursor_down(&self, rows: usize) -> io::Result<()> {
        self.0.move_cursor_down(rows)
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_right(columns)
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.0.move_cursor_left(columns)
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.0.write_line(text)
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        // What is left of the row is cleared already.
        let text = text.trim_end_matches(' ');
        if text.is_empty() {
            return Ok(());
        }
        self.0.write_str(&format!("{CUT}{text}{BREAK}"))
    }

    fn clear_line(&self) -> io::Result<()> {
        self.0.write_str("\r")?;
        self.0.clear_to_end_of_screen()
    }

    fn flush(&self) -> io::Result<()> {
        self.0.write_str("\r")?;
        self.0.flush()
    }
}
