//! Programs that download, ended when more comes than is announced: no server can fill the disk.

use std::io;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::thread;
use std::time::Duration;

use super::human_bytes;

/// How often the folder is looked at.
const INTERVAL: Duration = Duration::from_millis(100);

/// Runs a program that downloads `expected` bytes to somewhere below `dir`; `watch` hears how many lie
/// there. Copies and unpacked files included, they may at no time be more than `limit` bytes.
///
/// # Errors
/// When it cannot be started, or has written too much.
pub fn run(
    command: &mut Command,
    dir: &Path,
    (expected, limit): (u64, u64),
    mut watch: impl FnMut(u64),
) -> io::Result<ExitStatus> {
    let name = command.get_program().display().to_string();
    let cannot_start = |error| io::Error::other(format!("cannot start {name}: {error}"));
    let mut child = command.spawn().map_err(cannot_start)?;
    loop {
        // Looked at first: what has come last counts too.
        let status = child.try_wait()?;
        let bytes = bytes_below(dir);
        if bytes > limit {
            // Fails only if it has ended.
            let _ = child.kill();
            child.wait()?;
            return Err(io::Error::other(format!(
                "{name} was sent more than the {} that there are to download, so nothing of it is \
                 used; see that the package index it is set up with can be trusted",
                human_bytes(expected)
            )));
        }
        if let Some(status) = status {
            return Ok(status);
        }
        watch(bytes);
        thread::sleep(INTERVAL);
    }
}

/// The bytes of all files below `dir`; files that vanish meanwhile count nothing.
fn bytes_below(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes_below(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str, dir: &Path) -> io::Result<ExitStatus> {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(dir);
        run(&mut command, dir, (1_000, 3_000), |_| ())
    }

    #[test]
    fn an_endless_download_is_ended_and_refused() {
        let dir = tempfile::tempdir().unwrap();
        let endless = "mkdir deep; exec dd if=/dev/zero of=deep/file bs=1k count=1000000000";
        let error = shell(endless, dir.path()).unwrap_err().to_string();
        assert!(
            error.starts_with("sh was sent more than the 1 kB that"),
            "{error}"
        );
        let left = bytes_below(dir.path());
        thread::sleep(INTERVAL);
        assert_eq!(left, bytes_below(dir.path()), "it goes on");
    }

    #[test]
    fn what_comes_in_the_last_moment_counts() {
        let dir = tempfile::tempdir().unwrap();
        assert!(
            shell("head -c 3000 /dev/zero >file", dir.path())
                .unwrap()
                .success()
        );
        assert!(shell("head -c 1 /dev/zero >one", dir.path()).is_err());
    }
}
