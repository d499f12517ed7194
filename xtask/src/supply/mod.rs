//! What comes from others: known vulnerabilities of dependencies, and the build scripts that they run.

pub mod advisories;
pub mod build_scripts;
