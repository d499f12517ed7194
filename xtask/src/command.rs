//! Commands that xtask starts: run, captured, and shown so that a user can paste them.

use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use host::toolchain::cargo;

/// A program with its arguments and variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    program: String,
    arguments: Vec<String>,
    variables: Vec<(String, String)>,
}

impl Invocation {
    /// `program` without arguments.
    pub fn new(program: impl AsRef<Path>) -> Self {
        Self {
            program: program.as_ref().display().to_string(),
            arguments: Vec::new(),
            variables: Vec::new(),
        }
    }

    /// `line` split at spaces: for commands written in this program, whose words hold none.
    pub fn parse(line: &str) -> Self {
        let mut words = line.split_whitespace();
        Self::new(words.next().unwrap_or_default()).args(words)
    }

    /// Adds arguments.
    pub fn args<T: Into<String>>(mut self, arguments: impl IntoIterator<Item = T>) -> Self {
        self.arguments.extend(arguments.into_iter().map(Into::into));
        self
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// The command, ready to start.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::null());
        cargo::forget_package(&mut command);
        command.envs(self.variables.iter().cloned());
        command
    }

    /// Runs it with the terminal's output.
    pub fn run(&self) -> anyhow::Result<()> {
        let status = self
            .command()
            .status()
            .with_context(|| format!("cannot start `{self}`"))?;
        if !status.success() {
            bail!("`{self}` failed ({status})");
        }
        Ok(())
    }

    /// Runs it and returns what it printed on standard output; errors go to the terminal.
    pub fn read(&self) -> anyhow::Result<String> {
        let output = self
            .command()
            .stderr(Stdio::inherit())
            .output()
            .with_context(|| format!("cannot start `{self}`"))?;
        if !output.status.success() {
            bail!("`{self}` failed ({})", output.status);
        }
        String::from_utf8(output.stdout).with_context(|| format!("`{self}` printed no UTF-8"))
    }
}

/// As a line for a shell.
impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.variables {
            write!(f, "{name}={} ", quoted(value))?;
        }
        write!(f, "{}", quoted(&self.program))?;
        self.arguments
            .iter()
            .try_for_each(|argument| write!(f, " {}", quoted(argument)))
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./=:,+@".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_a_shell_takes_it() {
        let invocation = Invocation::parse("cargo doc --no-deps")
            .args(["it's", ""])
            .env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(
            invocation.to_string(),
            r"RUSTDOCFLAGS='-D warnings' cargo doc --no-deps 'it'\''s' ''"
        );
    }

    #[test]
    fn a_failing_command_is_an_error_that_shows_it() {
        let error = Invocation::parse("cargo no-such-subcommand")
            .read()
            .expect_err("no such subcommand");
        assert!(
            error
                .to_string()
                .starts_with("`cargo no-such-subcommand` failed")
        );
    }
}
