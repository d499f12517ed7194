//! The browser that the page is tested in: any of Chromium's kind.

use std::path::PathBuf;

use super::find_program;

/// The package of Debian that has one.
pub const PACKAGE: &str = "chromium";

/// What it may be called.
const PROGRAMS: [&str; 5] = [
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
];

/// The first that is there.
#[must_use]
pub fn find() -> Option<PathBuf> {
    PROGRAMS.into_iter().find_map(find_program)
}
