//! Random moments and small disks, for tests that kill programs and fill disks.

#![allow(clippy::unwrap_used, dead_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, SystemTime};

/// Sets the seed of all moments, to repeat a failure.
pub const SEED: &str = "INKLING_TRIAL_SEED";

/// Random numbers, other ones each time; the seed is printed, and can be set by [`SEED`].
#[derive(Debug)]
pub struct Moments(u64);

impl Moments {
    /// The moments of a test.
    pub fn of(test: &str) -> Self {
        let time = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64 % 1_000_000_000;
        let seed = std::env::var(SEED).map_or_else(|_| time(), |seed| seed.parse().unwrap());
        host::note!("{test}: to repeat these moments: {SEED}={seed}");
        Self(seed)
    }

    /// A number below another (splitmix64).
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }

    /// One of them.
    pub fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len() as u64) as usize]
    }

    /// Waits for a part of a time.
    pub fn wait(&mut self, most: Duration) {
        let nanos = most.as_nanos().max(1) as u64;
        std::thread::sleep(Duration::from_nanos(self.below(nanos)));
    }

    /// Starts a program and kills it within a time, if it has not ended by then.
    pub fn kill_within(&mut self, most: Duration, command: &mut Command) -> ExitStatus {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.wait(most);
        let _ = child.kill();
        child.wait().unwrap()
    }
}

/// The same program, for which no file can become longer than so many blocks of 512 bytes: it sees a
/// write fail, as on a full disk.
#[cfg(unix)]
pub fn with_short_files(blocks: u32, command: &Command) -> Command {
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "trap '' XFSZ; ulimit -f \"$1\"; shift; exec \"$@\""])
        .args(["sh", &blocks.to_string()])
        .arg(command.get_program())
        .args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        limited.current_dir(folder);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => limited.env(name, value),
            None => limited.env_remove(name),
        };
    }
    limited
}

/// A disk of its own in memory, to be filled.
#[derive(Debug)]
pub struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// One of so many KiB, where disks can be made: by root, on Linux. Says so elsewhere.
    pub fn of_kib(kib: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={kib}k");
        let is_there = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "inkling-trial"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success());
        if !is_there {
            host::note!("skipped: no disk can be made here, which takes root on Linux");
        }
        is_there.then_some(Self(folder))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Fills it up to its last byte.
    pub fn fill(&self) {
        use std::io::Write;
        let mut file = fs::File::options()
            .create(true)
            .append(true)
            .open(self.filler())
            .unwrap();
        let mut length = 1 << 16;
        while length > 0 {
            if file.write_all(&vec![0; length]).is_err() {
                length /= 2;
            }
        }
    }

    /// Makes room again.
    pub fn empty(&self) {
        let _ = fs::remove_file(self.filler());
    }

    fn filler(&self) -> PathBuf {
        self.path().join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.path()).status();
    }
}
