//! The nightly compiler, for checks that the stable one cannot make. It is used where it is installed, and
//! set-up does not install it.

use anyhow::Context;

use crate::command::Invocation;

/// What rustup calls it.
pub const NAME: &str = "nightly";

/// What is missing of it, with the command that installs that; none if it and these components are there.
pub fn missing(components: &[&str]) -> Option<String> {
    let install = || {
        let components = components.iter().map(|name| format!(" --component {name}"));
        let components: String = components.collect();
        format!("rustup toolchain install {NAME} --profile minimal{components}")
    };
    let listed = Invocation::parse("rustup component list --installed --toolchain")
        .args([NAME])
        .command()
        .output();
    let listed = match listed {
        Ok(output) if output.status.success() => output.stdout,
        _ => return Some(format!("there is no nightly compiler; {}", install())),
    };
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let is_missing = |component: &&&str| {
        let mut lines = listed.lines();
        !lines.any(|line| line.trim() == **component || line.starts_with(&format!("{component}-")))
    };
    let missing: Vec<&str> = components.iter().filter(is_missing).copied().collect();
    (!missing.is_empty()).then(|| {
        format!(
            "the nightly compiler lacks {}; {}",
            missing.join(" and "),
            install()
        )
    })
}

/// The target that it builds for by itself: that of this PC.
pub fn host() -> anyhow::Result<String> {
    let said = Invocation::parse("rustc --version --verbose")
        .env("RUSTUP_TOOLCHAIN", NAME)
        .read()?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc does not say its host")?.to_owned())
}
