//! Progress bars in bytes: on a terminal only, so that logs stay readable.

use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// How often a bar that watches a folder looks again.
pub const INTERVAL: Duration = Duration::from_millis(100);

/// A bar over `total` bytes.
pub fn bytes(total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template(
        "  {bar:40} {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}",
    )
    .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(total).with_style(style)
}

/// The bytes of all files below `dir`; files that vanish meanwhile count nothing.
pub fn bytes_below(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
