//! The steps of `cargo xtask test`: what each promises and the commands that check it.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use host::device::{BOARDS, Board};
use host::toolchain::tools::{DENY, MACHETE, TYPOS};

use crate::command::Invocation;

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What holds when it passes.
    pub promise: &'static str,
    /// What it runs, one after the other.
    pub commands: Vec<Invocation>,
    /// The host it cannot do without; where it is out of reach the step is skipped.
    needs: Option<&'static str>,
}

/// How a step ended that did not fail.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All of its commands succeeded.
    Passed,
    /// It could not be run here.
    Skipped(String),
}

/// All steps, the quick ones first.
pub fn all() -> Vec<Step> {
    let cargo = |line: &str| Invocation::parse(&format!("cargo {line}"));
    let deny = || Invocation::new(DENY.program()).args(["--all-features", "check"]);
    let clippy = |line: &str| cargo(&format!("clippy --locked {line} -- -D warnings"));
    vec![
        step(
            "rustfmt",
            "the code is formatted",
            [cargo("fmt --all --check")],
        ),
        step(
            "typos",
            "no word is misspelt",
            [Invocation::new(TYPOS.program())],
        ),
        step(
            "machete",
            "every dependency is used",
            // With CARGO set it takes its first argument for the name of a subcommand.
            [Invocation::new(MACHETE.program())
                .env("CARGO", "cargo")
                .args(["machete"])],
        ),
        step(
            "deny",
            "dependencies have known licences and sources",
            [deny().args(["bans", "licenses", "sources"])],
        ),
        Step {
            needs: Some("github.com:443"),
            ..step(
                "advisories",
                "no dependency has a known vulnerability",
                [deny().args(["advisories"])],
            )
        },
        step(
            "clippy",
            "no lint complains, on the PC and on boards",
            [
                clippy("-p firmware -p xtask --all-targets"),
                clippy("-p host -p trainer --all-targets"),
            ]
            .into_iter()
            .chain(BOARDS.iter().map(|board| {
                let Board { name, target, .. } = board;
                clippy(&format!("-p firmware --target {target} --features {name}"))
            })),
        ),
        step(
            "docs",
            "the documentation has no broken link",
            [
                cargo("doc --locked --no-deps -p firmware -p host -p trainer -p xtask")
                    .env("RUSTDOCFLAGS", "-D warnings"),
            ],
        ),
        step(
            "engine",
            "the engine keeps its promises",
            [cargo("test --locked -p firmware")],
        ),
        step(
            "xtask",
            "the chores keep their promises",
            [cargo("test --locked -p xtask")],
        ),
        step(
            "boards",
            "the firmware builds for every board and fits it",
            [cargo("xtask boards")],
        ),
        step(
            "host",
            "export, commands and the firmware on emulators keep their promises",
            [cargo("test --locked -p host")],
        ),
        step(
            "trainer",
            "training keeps its promises",
            [cargo("test --locked -p trainer")],
        ),
    ]
}

fn step(
    name: &'static str,
    promise: &'static str,
    commands: impl IntoIterator<Item = Invocation>,
) -> Step {
    Step {
        name,
        promise,
        commands: commands.into_iter().collect(),
        needs: None,
    }
}

impl Step {
    /// Runs its commands until one fails.
    pub fn run(&self) -> anyhow::Result<Verdict> {
        if let Some(host) = self.needs.filter(|host| !reachable(host)) {
            return Ok(Verdict::Skipped(format!("{host} cannot be reached")));
        }
        self.commands.iter().try_for_each(Invocation::run)?;
        Ok(Verdict::Passed)
    }
}

fn reachable(host: &str) -> bool {
    host.to_socket_addrs()
        .into_iter()
        .flatten()
        .any(|address| TcpStream::connect_timeout(&address, Duration::from_secs(3)).is_ok())
}
