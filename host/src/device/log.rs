//! Decodes what a firmware logs with defmt.

use std::io::Read;

use defmt_decoder::{DecodeError, Table};

/// Decodes `stream` until it ends, each message to a line of standard error if `show`.
///
/// A stream that cannot be decoded is read all the same: the firmware must not wait for it.
pub(super) fn follow(elf: &[u8], mut stream: impl Read, show: bool) {
    let table = match Table::parse(elf) {
        Ok(Some(table)) if show => table,
        _ => {
            if show {
                eprintln!("log: the firmware's log table cannot be read");
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
                Ok(frame) => eprintln!("log: {}", frame.display(false)),
                Err(DecodeError::UnexpectedEof) => break,
                Err(DecodeError::Malformed) if table.encoding().can_recover() => {}
                Err(DecodeError::Malformed) => return,
            }
        }
    }
}
