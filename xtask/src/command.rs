//! Commands that xtask starts: run, captured, and shown so that a user can paste them.

use std::fmt;
use std::io::{self, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

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

    /// Whether it is this subcommand of cargo.
    pub fn is_cargo(&self, subcommand: &str) -> bool {
        self.program == "cargo"
            && self
                .arguments
                .first()
                .is_some_and(|word| word == subcommand)
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

    /// Runs it and writes what it prints to `shown` as it comes; `watch` gets the same line by line.
    pub fn run_watched(
        &self,
        shown: &mut dyn Write,
        mut watch: impl FnMut(&str),
    ) -> anyhow::Result<()> {
        let context = || format!("cannot start `{self}`");
        // One pipe for both outputs keeps their lines in order.
        let (reader, writer) = io::pipe().with_context(context)?;
        let mut command = self.command();
        command
            .stdout(writer.try_clone().with_context(context)?)
            .stderr(writer);
        let mut child = command.spawn().with_context(context)?;
        // Or this program would wait for itself to close the pipe.
        drop(command);
        let printed = receive(reader);
        let mut rest = Vec::new();
        let mut has_ended = false;
        loop {
            match printed.recv_timeout(Duration::from_millis(200)) {
                Ok(bytes) => {
                    shown.write_all(&bytes)?;
                    rest.extend(bytes);
                    while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
                        let line: Vec<u8> = rest.drain(..=end).collect();
                        watch(String::from_utf8_lossy(&line).trim_end());
                    }
                }
                Err(RecvTimeoutError::Disconnected) => break,
                // A program that outlives the command may hold the pipe open for long.
                Err(RecvTimeoutError::Timeout) if has_ended => break,
                Err(RecvTimeoutError::Timeout) => has_ended = child.try_wait()?.is_some(),
            }
        }
        let status = child.wait()?;
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

/// Reads in a thread, so that the reader can look at other things too.
fn receive(mut output: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = output.read(&mut buffer) {
            if sender.send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
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

    #[cfg(unix)]
    #[test]
    fn a_watched_command_is_seen_to_its_last_line_and_not_beyond() {
        let (mut shown, mut seen) = (Vec::new(), Vec::new());
        let script = "(sleep 30; echo four) & echo one; echo two >&2; printf un; echo do; exit 7";
        let error = Invocation::new("sh")
            .args(["-c", script])
            .run_watched(&mut shown, |line| seen.push(line.to_owned()))
            .expect_err("it exits with 7");
        assert_eq!(shown, b"one\ntwo\nundo\n");
        assert_eq!(seen, ["one", "two", "undo"]);
        assert!(error.to_string().ends_with("failed (exit status: 7)"));
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
