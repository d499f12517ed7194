//! What a board logs over a debug probe, by the tool probe-rs.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use super::error::FlashError;
use super::tool::PROBE_RS;
use crate::device::log::show;

/// probe-rs, which shows what a board logs over a debug probe; ends with its value.
#[derive(Debug)]
pub struct ProbeLog(Child);

impl ProbeLog {
    /// Attaches to the chip that runs the linked firmware `elf`.
    ///
    /// # Errors
    /// When probe-rs is not installed; what else goes wrong it says in its lines.
    pub fn attach(chip: &str, elf: &Path) -> Result<ProbeLog, FlashError> {
        let mut child = Command::new(PROBE_RS.name)
            .args(["attach", "--chip", chip])
            .arg(elf)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| PROBE_RS.why(error))?;
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(|| show_lines(stdout));
        }
        if let Some(stderr) = child.stderr.take() {
            thread::spawn(|| show_lines(stderr));
        }
        Ok(ProbeLog(child))
    }
}

impl Drop for ProbeLog {
    fn drop(&mut self) {
        // Either fails only if it has ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn show_lines(stream: impl Read) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while let Ok(1..) = stream.read_until(b'\n', &mut line) {
        show(String::from_utf8_lossy(&line).trim_end().to_owned());
        line.clear();
    }
}
