//! Programs that download, ended when more comes than is announced: no server can fill the disk.

use std::path::Path;
use std::process::{Command, ExitStatus};

use anyhow::{Context, bail};
use host::toolchain;

use super::progress;

/// Runs a program that downloads `expected` bytes to somewhere below `dir`, and shows how far it is.
/// What lies there, copies and unpacked files included, may at no time be more than `limit` bytes.
pub fn run(
    command: &mut Command,
    dir: &Path,
    expected: u64,
    limit: u64,
) -> anyhow::Result<ExitStatus> {
    let name = command.get_program().display().to_string();
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    let bar = progress::bytes(expected);
    loop {
        // Looked at first: what has come last counts too.
        let status = child.try_wait()?;
        let bytes = progress::bytes_below(dir);
        if bytes > limit {
            // Fails only if it has ended.
            let _ = child.kill();
            child.wait()?;
            bar.finish_and_clear();
            bail!(
                "{name} was sent more than the {} that there are to download, so nothing of it is \
                 used; see that the package index it is set up with can be trusted",
                toolchain::human_bytes(expected)
            );
        }
        if let Some(status) = status {
            bar.finish_and_clear();
            return Ok(status);
        }
        // Some programs copy at the end: both copies would be more than all.
        bar.set_position(bytes.min(expected));
        std::thread::sleep(progress::INTERVAL);
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, dir: &Path) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(dir);
        command
    }

    #[test]
    fn an_endless_download_is_ended_and_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let endless = "mkdir deep; exec dd if=/dev/zero of=deep/file bs=1k count=1000000000";
        let error = run(&mut shell(endless, dir.path()), dir.path(), 1_000, 3_000);
        let error = error.expect_err("too much").to_string();
        assert!(
            error.starts_with("sh was sent more than the 1 kB that"),
            "{error}"
        );
        let left = progress::bytes_below(dir.path());
        std::thread::sleep(progress::INTERVAL);
        assert_eq!(left, progress::bytes_below(dir.path()), "it goes on");
    }

    #[test]
    fn what_comes_in_the_last_moment_counts() {
        let dir = tempfile::tempdir().expect("a folder");
        let just = "head -c 3000 /dev/zero >file";
        let status = run(&mut shell(just, dir.path()), dir.path(), 3_000, 3_000);
        assert!(status.expect("it runs").success());
        let more = "head -c 1 /dev/zero >one";
        let error = run(&mut shell(more, dir.path()), dir.path(), 3_000, 3_000);
        assert!(error.is_err());
    }
}
