//! Packages of the operating system: the emulator and node with npm, and where they are missing a C++
//! compiler and pip.
//!
//! Root installs them. Anybody else is asked before sudo is used, unless `CI` is set; where nobody can be
//! asked, or there is no sudo, the user gets the one command.

use std::io::{IsTerminal, Write, stdin, stdout};

use anyhow::{Context, bail};
use host::toolchain::{self, EMULATORS, browser, libtorch, rp2040js};

use super::{say, wheel};
use crate::command::Invocation;

const NAME: &str = "system";

/// Installs the missing packages.
pub fn install() -> anyhow::Result<()> {
    let packages = missing();
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    if toolchain::find_program("apt-get").is_none() {
        bail!("install {list} (as your system names them) and run this again");
    }
    let root = is_root();
    let by_hand = format!(
        "{}apt-get install --no-install-recommends {list}",
        if root { "" } else { "sudo " }
    );
    if !root && !may_use_sudo(&by_hand)? {
        bail!("{list} must be installed first: run `{by_hand}`, then this again");
    }
    say(
        NAME,
        &format!("installing {list} by apt-get (up to 500 MB on disk)"),
    );
    if has_package_lists() && apt(root, "install", &packages).is_ok() {
        return Ok(());
    }
    apt(root, "update", &[])
        .and_then(|()| apt(root, "install", &packages))
        .with_context(|| format!("run `{by_hand}`, then this again"))
}

/// Whether a browser for the tests of the page is missing and can be installed without asking: by root, on
/// Debian, since elsewhere the package of that name is another thing.
pub fn wants_browser() -> bool {
    let is_debian = std::fs::read_to_string("/etc/os-release")
        .is_ok_and(|text| text.lines().any(|line| line == "ID=debian"));
    browser::find().is_none()
        && is_debian
        && toolchain::find_program("apt-get").is_some()
        && is_root()
}

/// Installs it. Without it, one step of the tests is skipped and says so: nothing else depends on it.
pub fn install_browser() -> anyhow::Result<()> {
    say(
        NAME,
        &format!(
            "installing {} by apt-get (up to 400 MB on disk)",
            browser::PACKAGE
        ),
    );
    let packages = [browser::PACKAGE];
    if has_package_lists() && apt(true, "install", &packages).is_ok() {
        return Ok(());
    }
    apt(true, "update", &[]).and_then(|()| apt(true, "install", &packages))
}

fn missing() -> Vec<&'static str> {
    let findings = toolchain::check();
    let lacks = |name: &str| findings.iter().any(|f| f.name == name && !f.ready);
    let lacks_program = |name: &str| toolchain::find_program(name).is_none();
    let wheels = libtorch::HAS_WHEELS && lacks("libtorch");
    let emulators = EMULATORS.map(|(program, package)| (lacks_program(program), package));
    let others = [
        (lacks_program(rp2040js::NODE), "nodejs"),
        (lacks_program("npm"), "npm"),
        (lacks("C++ compiler"), "g++"),
        (wheels && !wheel::pip_runs(), "python3-pip"),
    ];
    emulators
        .into_iter()
        .chain(others)
        .filter_map(|(missing, package)| missing.then_some(package))
        .collect()
}

/// Whether there is sudo, and the user lets it run.
fn may_use_sudo(command: &str) -> anyhow::Result<bool> {
    if toolchain::find_program("sudo").is_none() {
        return Ok(false);
    }
    if std::env::var_os("CI").is_some() {
        return Ok(true);
    }
    if !stdin().is_terminal() || !stdout().is_terminal() {
        return Ok(false);
    }
    print!("  {NAME:<13} run `{command}`? [y/N] ");
    stdout().flush()?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(says_yes(&answer))
}

fn says_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

/// Runs apt-get and keeps its long story to itself, but for errors.
fn apt(root: bool, subcommand: &'static str, packages: &[&'static str]) -> anyhow::Result<()> {
    let mut words = Vec::new();
    if !root {
        words.push("sudo");
        // Nobody is there to type a password.
        if !stdin().is_terminal() {
            words.push("--non-interactive");
        }
    }
    words.extend([
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "-qq",
        subcommand,
    ]);
    if !packages.is_empty() {
        words.extend(["--yes", "--no-install-recommends"]);
    }
    words.extend(packages);
    Invocation::new(words[0])
        .args(words[1..].iter().copied())
        .read()?;
    Ok(())
}

/// Whether apt knows any package: on a new machine it does not before its first update.
fn has_package_lists() -> bool {
    std::fs::read_dir("/var/lib/apt/lists")
        .into_iter()
        .flatten()
        .flatten()
        .any(|entry| entry.file_name().to_string_lossy().contains("_Packages"))
}

fn is_root() -> bool {
    Invocation::parse("id -u")
        .read()
        .is_ok_and(|id| id.trim() == "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_yes_lets_sudo_run() {
        for answer in ["y\n", "Yes\n", " Y "] {
            assert!(says_yes(answer), "{answer:?}");
        }
        for answer in ["", "\n", "n\n", "yesterday\n"] {
            assert!(!says_yes(answer), "{answer:?}");
        }
    }
}
