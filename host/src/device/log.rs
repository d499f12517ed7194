//! Decodes what a firmware logs with defmt, and shows what is logged.
//!
//! Lines go to standard error unless a front end that owns the terminal asks for them.

use std::io::Read;
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};

use defmt_decoder::{DecodeError, Table};

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

/// Shows a line of a log.
pub(super) fn show(line: String) {
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
