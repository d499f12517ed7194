//! Progress bars in bytes: on a terminal only, so that logs stay readable.

use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus};

use host::toolchain::bounded;
use indicatif::{ProgressBar, ProgressStyle};

/// A bar over `total` bytes.
pub fn bytes(total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "  {bar:40} {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style)
}

/// Runs a program that downloads, bounded, with a bar.
pub fn download(
    command: &mut Command,
    dir: &Path,
    (expected, limit): (u64, u64),
) -> io::Result<ExitStatus> {
    let bar = bytes(expected);
    // Some programs copy at the end: both copies would be more than all.
    let watch = |bytes: u64| bar.set_position(bytes.min(expected));
    let status = bounded::run(command, dir, (expected, limit), watch);
    bar.finish_and_clear();
    status
}
