//! Decodes what a firmware logs with defmt, or has probe-rs do so.
//!
//! Lines go to standard error unless a front end that owns the terminal asks for them.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use defmt_decoder::{DecodeError, Table};

use super::flash::FlashError;
use super::flash::tool::PROBE_RS;
use crate::note;

/// Where lines go instead of standard error.
static FRONT_END: OnceLock<Sender<String>> = OnceLock::new();

/// Hands all lines from now on to the caller; once in the life of the program.
#[must_use]
pub fn redirect() -> Receiver<String> {
    let (sender, receiver) = channel();
    // A second caller's receiver stays silent: its sender is dropped.
    let _ = FRONT_END.set(sender);
    receiver
}

fn show(line: String) {
    match FRONT_END.get() {
        // Nobody receives any more only when the program is about to end.
        Some(front_end) => drop(front_end.send(line)),
        None => note!("log: {line}"),
    }
}

/// Decodes `stream` until it ends, each message to a line if `shown`.
///
/// A stream that cannot be decoded is read all the same: the firmware must not wait for it.
pub(super) fn follow(elf: &[u8], mut stream: impl Read, shown: bool) {
    let table = match Table::parse(elf) {
        Ok(Some(table)) if shown => table,
        _ => {
            if shown {
                show("the firmware's log table cannot be read".into());
            }
            let _ = std::io::copy(&mut stream, &mut std::io::sink());
            return;
        }
    };
    let mut decoder = table.new_stream_decoder();
    let mut buffer = [0; 1024];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        decoder.received(&buffer[..count]);
        loop {
            match decoder.decode() {
                Ok(frame) => show(frame.display(false).to_string()),
                Err(DecodeError::UnexpectedEof) => break,
                Err(DecodeError::Malformed) if table.encoding().can_recover() => {}
                Err(DecodeError::Malformed) => return,
            }
        }
    }
}

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
