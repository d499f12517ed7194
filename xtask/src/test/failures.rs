//! Which tests failed, out of what `cargo test --no-fail-fast` prints.
//!
//! Cargo names the program of a failed test, and the test harness lists the failed tests of a program
//! in its last block `failures:`. Whatever the tests themselves print stands above that block.

use std::mem;

use crate::command::Invocation;

/// Reads the lines and collects the commands that repeat each failure.
#[derive(Debug)]
pub struct Failures {
    commands: Vec<String>,
    /// The names in the newest block, which is not the last one while the tests' output goes on.
    block: Option<Vec<String>>,
    /// What failed in the program whose tests have ended.
    failed: Vec<String>,
}

impl Failures {
    /// Nothing has failed yet.
    pub fn new() -> Self {
        Self {
            commands: Vec::new(),
            block: None,
            failed: Vec::new(),
        }
    }

    /// Takes a line as cargo or a test program printed it, with or without colours.
    pub fn read(&mut self, line: &str) {
        let line = console::strip_ansi_codes(line);
        let line = line.trim_end();
        if line == "failures:" {
            self.block = Some(Vec::new());
        } else if line.starts_with("test result: ") {
            self.failed = self.block.take().unwrap_or_default();
        } else if let Some(block) = &mut self.block {
            block.extend(line.strip_prefix("    ").map(str::to_owned));
        } else if let Some(options) = options_to_repeat(line) {
            self.program_failed(options);
        }
    }

    /// The commands that repeat what failed: one a test, one for a program that crashed, or `whole`
    /// where it was no test that failed.
    pub fn into_commands(self, whole: &Invocation) -> Vec<String> {
        if self.commands.is_empty() {
            vec![whole.to_string()]
        } else {
            self.commands
        }
    }

    fn program_failed(&mut self, options: &str) {
        let command = format!("cargo test --locked {options}");
        let tests = mem::take(&mut self.failed);
        if tests.is_empty() {
            // It crashed, and did not live to say in which test.
            self.commands.push(command);
            return;
        }
        let of_test = |test: &String| format!("{command} {}", filter_for(test));
        self.commands.extend(tests.iter().map(of_test));
    }
}

/// The options with which cargo says that a failed program is run again.
fn options_to_repeat(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("error: ")?;
    let rest = rest.strip_prefix("doc").unwrap_or(rest);
    rest.strip_prefix("test failed, to rerun pass `")?
        .strip_suffix('`')
}

/// What chooses a test on the command line: its name, or the item that an example in the
/// documentation belongs to, as in `src/lib.rs - item (line 7)`.
fn filter_for(test: &str) -> &str {
    match test.split_once(" - ") {
        Some((_, item)) => item.split(" (line").next().unwrap_or_default(),
        None => test,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(printed: &str) -> Vec<String> {
        let mut failures = Failures::new();
        printed.lines().for_each(|line| failures.read(line));
        failures.into_commands(&Invocation::parse("cargo test"))
    }

    #[test]
    fn every_failed_test_is_named_with_its_program() {
        let printed = "\
     Running unittests src/lib.rs (target/debug/deps/owl-31)

running 3 tests
test night::good ... ok
test night::bad ... FAILED
test night::worse ... FAILED

failures:

---- night::bad stdout ----
    an indented word

---- night::worse stdout ----
failures:
    no test at all
error: test failed, to rerun pass `-p nothing`

failures:
    night::bad
    night::worse

test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out

error: test failed, to rerun pass `-p owl --lib`
     Running tests/flight.rs (target/debug/deps/flight-8e)

running 1 test
test good ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out

   Doc-tests owl

failures:
    owl/src/lib.rs - hoot (line 1)

test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out

error: doctest failed, to rerun pass `-p owl --doc`
error: 2 targets failed:
    `-p owl --lib`
    `-p owl --doc`
";
        assert_eq!(
            commands(printed),
            [
                "cargo test --locked -p owl --lib night::bad",
                "cargo test --locked -p owl --lib night::worse",
                "cargo test --locked -p owl --doc hoot",
            ]
        );
    }

    #[test]
    fn a_program_that_crashes_is_named_without_a_test() {
        let printed = "\
failures:
    bad

test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out

\u{1b}[1m\u{1b}[91merror\u{1b}[0m: test failed, to rerun pass `-p owl --lib`
     Running tests/flight.rs (target/debug/deps/flight-8e)

running 2 tests
error: test failed, to rerun pass `-p owl --test flight`

Caused by:
  process didn't exit successfully: `target/debug/deps/flight-8e` (signal: 6, SIGABRT: process abort signal)
";
        assert_eq!(
            commands(printed),
            [
                "cargo test --locked -p owl --lib bad",
                "cargo test --locked -p owl --test flight",
            ]
        );
    }

    #[test]
    fn what_is_no_failed_test_is_repeated_whole() {
        let printed = "test result: ok. 1 passed; 0 failed\nerror: could not compile `owl` (lib)\n";
        assert_eq!(commands(printed), ["cargo test"]);
    }
}
