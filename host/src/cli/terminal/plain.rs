//! The console in scripts: standard input goes to the board, what it prints to standard output.

use std::io::{IsTerminal, Read, Write, stdin, stdout};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;

use anyhow::Result;

use super::{TICK, Transcript};
use crate::cli::interrupt;
use crate::device::line::{Event, Line};
use crate::note;
use crate::output::Decoder;

/// More than the length of the line that ends a passage.
const KEPT_BYTES: usize = 200;

/// What the board prints at the end of a passage.
const PASSAGE_END: &[u8] = b"\n# end: ";

/// Talks until the input has ended and with it the passage that is being written then.
pub fn run(line: &mut dyn Line, mut transcript: Option<Transcript>) -> Result<()> {
    let input = read_input();
    let mut decoder = Decoder::default();
    let mut out = stdout().lock();
    let is_terminal = out.is_terminal();
    let mut input_has_ended = false;
    // What has come since the last input, or the end of it.
    let mut last_words: Vec<u8> = Vec::new();
    while !interrupt::happened() {
        // One piece at a time: a board that is flooded is heard in between.
        match input.try_recv() {
            Ok(bytes) if !line.send(&bytes)? => {
                note!(
                    "not sent, no board takes it: {}",
                    bytes.trim_ascii().escape_ascii()
                );
            }
            Ok(_) | Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => input_has_ended = true,
        }
        let mut bytes = match line.next(TICK)? {
            Event::Bytes(bytes) => bytes,
            Event::Lost => {
                note!("unplugged: waiting for the board");
                continue;
            }
            Event::Connected | Event::Quiet => continue,
        };
        let mut is_over = false;
        if input_has_ended {
            let seen = last_words.len();
            last_words.extend(&bytes);
            if let Some(end) = end_of_passage(&last_words) {
                bytes.truncate(end.saturating_sub(seen));
                is_over = true;
            }
            // Keeps enough for the end of a passage, which may come in pieces.
            let surplus = last_words.len().saturating_sub(KEPT_BYTES);
            last_words.drain(..surplus);
        }
        let text = decoder.decode(&bytes);
        if let Some(transcript) = &mut transcript {
            transcript.add(&text)?;
        }
        let shown = if is_terminal { text.as_bytes() } else { &bytes };
        if out.write_all(shown).and_then(|()| out.flush()).is_err() || is_over {
            break;
        }
    }
    Ok(())
}

/// The end of the line that ends a passage.
fn end_of_passage(text: &[u8]) -> Option<usize> {
    let start = text
        .windows(PASSAGE_END.len())
        .position(|window| window == PASSAGE_END)?;
    let line = start + PASSAGE_END.len();
    let length = text[line..].iter().position(|&byte| byte == b'\n')?;
    Some(line + length + 1)
}

/// Reads standard input in a thread, since that cannot be interrupted.
fn read_input() -> Receiver<Vec<u8>> {
    let (sender, receiver) = sync_channel(1);
    thread::spawn(move || {
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = stdin().lock().read(&mut buffer) {
            if sender.send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    receiver
}
