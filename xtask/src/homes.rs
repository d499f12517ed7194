//! Where cargo and rustup keep what they download.

use std::path::PathBuf;

/// Cargo's folder; none where the user has none.
pub fn cargo() -> Option<PathBuf> {
    folder("CARGO_HOME", ".cargo")
}

/// Rustup's.
pub fn rustup() -> Option<PathBuf> {
    folder("RUSTUP_HOME", ".rustup")
}

fn folder(variable: &str, default: &str) -> Option<PathBuf> {
    let named = std::env::var_os(variable).map(PathBuf::from);
    named.or_else(|| Some(std::env::home_dir()?.join(default)))
}
