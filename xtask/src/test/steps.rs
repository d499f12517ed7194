//! The steps of `cargo xtask test`: what each promises and the commands that check it.

use std::io;
use std::time::{Duration, Instant};

use anyhow::Result;
use host::device::{BOARDS, Board};
use host::toolchain::tools::{DENY, MACHETE, TYPOS};
use host::toolchain::{PAGE_TARGET, browser};

use super::failures::Failures;
use crate::command::Invocation;
use crate::page::modules::VECTORS;
use crate::supply::advisories;
use crate::{engine, fuzz};

/// One step.
#[derive(Debug, Clone)]
pub struct Step {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What holds when it passes.
    pub promise: &'static str,
    /// What it runs, one after the other.
    pub commands: Vec<Invocation>,
    /// Whether it may run beside the steps before it. Cargo locks a folder of builds, so it must build
    /// in another: for boards with optimization, what the steps before build without.
    pub beside: bool,
    /// Says why it cannot be run here, where that is so; then nothing is checked, and the summary says it.
    obstacle: fn() -> Option<String>,
}

/// How a step ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All of its commands succeeded.
    Passed,
    /// It could not be run here.
    NotChecked(String),
    /// What failed: the commands that repeat that and nothing else.
    Failed(Vec<String>),
}

/// All steps, the quick ones first.
pub fn all() -> Vec<Step> {
    let cargo = |line: &str| Invocation::parse(&format!("cargo {line}"));

    // All test programs run, whatever fails in the first of them.
    let test = |package: &str| cargo(&format!("test --locked --no-fail-fast -p {package}"));
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
            [Invocation::new(DENY.program()).args(["--all-features", "check", "bans", "licenses", "sources"])],
        ),
        Step {
            obstacle: advisories::unavailable,
            ..step(
                "advisories",
                "no dependency has a known vulnerability",
                [cargo("xtask advisories")],
            )
        },
        step(
            "clippy",
            "no lint complains, on the PC and on boards",
            [
                clippy("-p inkling-boards -p inkling-engine -p inkling-load -p inkling-prompt -p inkling-store -p inkling-web -p firmware -p rp2350 -p xtask -p book --all-targets"),
                clippy("-p host -p trainer --all-targets"),
                clippy(&format!("-p inkling-web --features prompt,board --target {PAGE_TARGET}")),
                clippy(&format!("-p inkling-web --features checks --target {PAGE_TARGET}"))
                    .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", VECTORS)
                    .env("CARGO_TARGET_DIR", "target/web/vectors"),
                clippy("-p example-pico --target thumbv6m-none-eabi"),
                clippy("-p example-uart-interrupt --target thumbv7em-none-eabihf"),
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
            [cargo(
                "doc --locked --no-deps -p inkling-boards -p inkling-engine -p inkling-load -p inkling-prompt -p inkling-store -p inkling-web -p firmware -p host -p rp2350 -p trainer -p xtask -p book",
            )
            .env("RUSTDOCFLAGS", "-D warnings")],
        ),
        step(
            "book",
            "the book can be built, its figures are the measured ones, and no link is broken",
            [
                cargo("xtask tables --check"),
                test("book"),
                cargo("run --locked -p book"),
            ],
        ),
        step(
            "engine",
            "the engine keeps its promises",
            [
                test("inkling-boards"),
                test("inkling-engine"),
                test("inkling-prompt"),
                test("inkling-web --features prompt,board"),
                test("inkling-load"),
                test("inkling-store"),
                test("firmware"),
                test("rp2350"),
                cargo("xtask engine api --check"),
                cargo("xtask engine oldest-rust"),
            ],
        ),
        Step {
            obstacle: engine::no_miri,
            ..step(
                "undefined",
                "no undefined behaviour is seen in the engine",
                [cargo("xtask engine miri --short")],
            )
        },
        Step {
            obstacle: fuzz::missing,
            ..step(
                "fuzz",
                "no input stops a reader",
                [cargo("xtask fuzz --seconds 10")],
            )
        },
        step("xtask", "the chores keep their promises", [test("xtask")]),
        Step {
            beside: true,
            ..step(
                "boards",
                "the firmware builds for every board and fits it",
                [cargo("xtask boards")],
            )
        },
        step(
            "host",
            "export, commands and the firmware on emulators keep their promises",
            [test("host")],
        ),
        Step {
            obstacle: no_browser,
            ..step(
                "page",
                "the page writes in a browser what the command line writes",
                [cargo("xtask page --test")],
            )
        },
        step(
            "soak",
            "noise and power cuts change nothing of what a board writes",
            [cargo("xtask soak --passages 6 --minutes 2")],
        ),
        step("trainer", "training keeps its promises", [test("trainer")]),
    ]
}

fn no_browser() -> Option<String> {
    let is_missing = browser::find().is_none();
    is_missing.then(|| format!("there is no browser: install {}", browser::PACKAGE))
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
        beside: false,
        obstacle: || None,
    }
}

/// A step that has ended.
#[derive(Debug)]
pub struct Ended {
    /// How.
    pub verdict: Verdict,
    /// How long it took.
    pub time: Duration,
    /// What it printed, if it has not been shown yet.
    pub printed: Vec<u8>,
}

impl Step {
    /// Runs its commands, those behind a failure too.
    pub fn run(&self) -> Ended {
        self.run_showing(&mut |command, failures| {
            let mut out = io::stdout();
            // Only what is read needs a pipe; the others get the terminal and its colours.
            if command.is_cargo("test") {
                command.run_watched(&mut out, |line| failures.read(line))
            } else {
                command.run()
            }
            .inspect_err(|error| println!("\nerror: {error:#}"))
        })
    }

    /// The same, and keeps what it prints to itself.
    pub fn run_silently(&self) -> Ended {
        let mut printed = Vec::new();
        let ended = self.run_showing(&mut |command, failures| {
            let result = command.run_watched(&mut printed, |line| failures.read(line));
            result.inspect_err(|error| printed.extend(format!("\nerror: {error:#}\n").bytes()))
        });
        Ended { printed, ..ended }
    }

    fn run_showing(&self, run: &mut dyn FnMut(&Invocation, &mut Failures) -> Result<()>) -> Ended {
        let start = Instant::now();
        let verdict = match (self.obstacle)() {
            Some(why) => Verdict::NotChecked(why),
            None => {
                let mut failed = Vec::new();
                for command in &self.commands {
                    let mut failures = Failures::new();
                    if run(command, &mut failures).is_err() {
                        failed.extend(failures.into_commands(command));
                    }
                }
                match failed.is_empty() {
                    true => Verdict::Passed,
                    false => Verdict::Failed(failed),
                }
            }
        };
        Ended {
            verdict,
            time: start.elapsed(),
            printed: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_keeps_no_command_behind_it_from_running() {
        let cargo = |line: &str| Invocation::parse(&format!("cargo {line}"));
        let commands = ["no-such-owl", "--version", "test --no-such-option"].map(cargo);
        assert_eq!(
            step("owls", "they fly", commands).run().verdict,
            Verdict::Failed(vec![
                "cargo no-such-owl".into(),
                "cargo test --no-such-option".into()
            ])
        );
        assert_eq!(
            step("owls", "they fly", [cargo("--version")]).run().verdict,
            Verdict::Passed
        );
    }

    #[test]
    fn what_cannot_be_checked_here_is_not_run_and_says_why() {
        let step = Step {
            obstacle: || Some("no owls here".into()),
            ..step("owls", "they fly", [Invocation::new("no-such-owl")])
        };
        assert_eq!(
            step.run().verdict,
            Verdict::NotChecked("no owls here".into())
        );
    }

    #[test]
    fn what_a_step_beside_others_prints_is_kept_for_its_turn() {
        let commands =
            ["--version", "no-such-owl"].map(|word| Invocation::new("cargo").args([word]));
        let ended = step("owls", "they fly", commands).run_silently();
        assert_eq!(
            ended.verdict,
            Verdict::Failed(vec!["cargo no-such-owl".into()])
        );
        let printed = String::from_utf8(ended.printed).expect("UTF-8");
        assert!(printed.starts_with("cargo 1."), "{printed}");
        assert!(
            printed.contains("\nerror: `cargo no-such-owl` failed"),
            "{printed}"
        );
    }
}
