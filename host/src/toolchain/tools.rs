//! The tools of `cargo xtask test` that do not come with Rust, at the versions it was tried with.

use std::path::PathBuf;

use super::{Finding, SETUP};
use crate::paths;

/// A program that set-up keeps in the cache folder, apart from what the user has installed.
#[derive(Debug)]
pub struct Tool {
    /// The program's name.
    pub name: &'static str,
    /// The version that the tests were tried with.
    pub version: &'static str,
    /// Its package on crates.io.
    pub package: &'static str,
}

/// Finds misspelt words.
pub const TYPOS: Tool = Tool {
    name: "typos",
    version: "1.52.0",
    package: "typos-cli",
};

/// Finds dependencies that nothing uses.
pub const MACHETE: Tool = Tool {
    name: "cargo-machete",
    version: "0.9.2",
    package: "cargo-machete",
};

/// Checks licences, duplicates, sources and known vulnerabilities of dependencies.
pub const DENY: Tool = Tool {
    name: "cargo-deny",
    version: "0.20.2",
    package: "cargo-deny",
};

/// Builds fuzz targets. It needs a nightly compiler, so only `cargo xtask fuzz` installs it.
pub const FUZZ: Tool = Tool {
    name: "cargo-fuzz",
    version: "0.13.2",
    package: "cargo-fuzz",
};

/// Those that every check of the project needs.
pub const TOOLS: [Tool; 3] = [TYPOS, MACHETE, DENY];

impl Tool {
    /// The folder of this version.
    #[must_use]
    pub fn dir(&self) -> PathBuf {
        paths::cache_dir()
            .join("tools")
            .join(format!("{}-{}", self.name, self.version))
    }

    /// The program itself.
    #[must_use]
    pub fn program(&self) -> PathBuf {
        self.dir()
            .join("bin")
            .join(format!("{}{}", self.name, std::env::consts::EXE_SUFFIX))
    }

    /// Looks whether it is there.
    #[must_use]
    pub fn check(&self) -> Finding {
        if self.program().is_file() {
            Finding::ready(self.name, self.version)
        } else {
            let detail = format!("{} is not installed", self.version);
            Finding::missing(self.name, detail, SETUP)
        }
    }
}
