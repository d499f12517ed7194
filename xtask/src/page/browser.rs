//! The tests of the page, in a browser without a window, that `web/tests/page.ts` drives.

use std::path::Path;

use anyhow::{Context, bail};
use host::toolchain::{browser, cargo};

use super::{FOR_TESTS, bundle_for_node, modules};
use crate::command::Invocation;

/// Where it leaves pictures of the page.
const PICTURES: &str = "target/page";

/// Runs them.
pub fn test() -> anyhow::Result<()> {
    let Some(browser) = browser::find() else {
        bail!("NOT CHECKED in a browser, for there is none: install chromium");
    };
    let program = program()?;
    let checks = modules::CHECKS.build()?;
    std::fs::create_dir_all(PICTURES)?;
    for script in ["tests/kernels.ts", "tests/page.ts", "tests/board.ts"] {
        Invocation::new("node")
            .args([bundle_for_node(script)?.display().to_string()])
            .env("INKLING_PROGRAM", program.clone())
            .env("INKLING_BROWSER", browser.display().to_string())
            .env("INKLING_PAGE", FOR_TESTS)
            .env("INKLING_CHECKS", checks.display().to_string())
            .env("INKLING_PICTURES", PICTURES)
            .run()
            .with_context(|| format!("{script} has found a fault"))?;
    }
    Ok(())
}

/// The command line, built.
pub fn program() -> anyhow::Result<String> {
    let built = Invocation::parse("cargo build --quiet --locked --package host --bin inkling")
        .args(["--message-format=json-render-diagnostics"])
        .read()?;
    let program = cargo::executable(built.as_bytes()).context("cargo names no program")?;
    Ok(Path::new(&program).display().to_string())
}
