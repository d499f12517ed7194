//! The console in scripts: lines of standard input go to the board, what it prints to standard output.

use std::io::{BufRead, Read, Write, stdin};
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};
use std::thread;
use std::time::Instant;

use anyhow::{Result, bail};
use firmware::protocol::{Heard, Parser, Said};

use super::script::Script;
use super::typist::{Known, Typed, Typist};
use super::{SEND, TICK, Transcript};
use crate::cli::{self, interrupt};
use crate::device::line::{Event, Line};
use crate::note;
use crate::output::{self, Decoder};

/// More than a board takes in a line. The rest of a longer one is not kept.
const LONGEST_LINE: u64 = 1024;

/// More than a board says in a line. The rest of a longer one, which only noise can be, is not shown.
const LONGEST_TALK: usize = 4096;

/// Talks until all lines have been sent and the passage is complete that the last of them started.
pub fn run(
    line: &mut dyn Line,
    mut transcript: Option<Transcript>,
    known: Option<Known>,
) -> Result<()> {
    let input = read_input();
    let mut next_input = Some(());
    let mut typist = Typist::new(known);
    let mut script = Script::new(line.greets(), Instant::now());
    let mut parser = Parser::new();
    let mut decoder = Decoder::default();
    let mut out = output::stdout();
    let mut page = Page::default();
    // A line of the board's own, as far as it has come.
    let mut talk = Vec::new();
    let mut is_complete = true;
    while !interrupt::happened() && !script.is_over()? {
        if script.needs_line() && next_input.is_some() {
            match input.try_recv() {
                // How a prompt is read may depend on what the board says until it is sent.
                Ok(typed) => match Typist::default().read(&typed) {
                    Ok(typed) => script.add(typed),
                    Err(error) => {
                        note!("{error}: {}", output::one_line(&lossy(&typed)));
                        is_complete = false;
                    }
                },
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => {
                    script.end_input();
                    next_input = None;
                }
            }
        }
        if let Some(typed) = script.next(Instant::now())? {
            if let Some(model) = typed.line.strip_prefix(SEND) {
                is_complete &= send_model(line, model);
                // The board has restarted.
                script.change_board(Instant::now());
                parser = Parser::new();
            } else if !send(line, &typist, &typed)? {
                script.not_sent();
                is_complete = false;
            }
        }
        let bytes = match line.next(TICK)? {
            Event::Bytes(bytes) => bytes,
            Event::Lost => {
                note!("unplugged: waiting for the board");
                parser = Parser::new();
                is_complete &= !script.change_board(Instant::now());
                continue;
            }
            Event::Connected => {
                script.change_board(Instant::now());
                continue;
            }
            Event::Quiet => continue,
        };
        script.hear_something(Instant::now());
        let mut all = Vec::with_capacity(bytes.len());
        for byte in bytes {
            let heard = parser.push(byte);
            all.extend(heard.shown());
            match heard {
                Heard::Text(byte) if script.shows_text() => page.text(&[byte]),
                // Behind a passage that ends with a line end there is one more.
                Heard::Break if script.shows_text() => page.text(b"\n"),
                Heard::Mark => talk.clear(),
                Heard::Talk(byte) if talk.len() < LONGEST_TALK => talk.push(byte),
                Heard::Line(line) => {
                    let said = Said::read(line);
                    if script.shows(said) {
                        page.end_row();
                        page.text(&talk);
                        page.end_row();
                    }
                    typist.hear(said);
                    script.hear(said);
                }
                Heard::Done => script.done(Instant::now()),
                _ => {}
            }
            if script.is_over()? {
                break;
            }
        }
        if let Some(transcript) = &mut transcript {
            transcript.add(&decoder.decode(&all))?;
        }
        page.write(&mut out)?;
    }
    if !is_complete {
        bail!("not all of the input was carried out, see above");
    }
    Ok(())
}

/// Sends a line; whether it was taken. If not, the user has been told why.
fn send(line: &mut dyn Line, typist: &Typist, typed: &Typed) -> Result<bool> {
    let typed = match typist.read(typed.line.as_bytes()) {
        Ok(typed) => typed,
        Err(error) => {
            note!("{error}: {}", output::one_line(&typed.line));
            return Ok(false);
        }
    };
    if let Some(note) = &typed.note {
        note!("{note}");
    }
    let is_taken = line.send(format!("{}\n", typed.line).as_bytes())?;
    if !is_taken {
        note!("not sent, no board takes it: {}", typed.line);
    }
    Ok(is_taken)
}

/// Sends a model; whether the board has it. The user is told.
fn send_model(line: &mut dyn Line, model: &str) -> bool {
    let sent = cli::send::from_console(line, model, |_| match interrupt::happened() {
        true => ControlFlow::Break(()),
        false => ControlFlow::Continue(()),
    });
    match &sent {
        Ok(said) => note!("{said}"),
        Err(error) => note!("{error:#}"),
    }
    sent.is_ok()
}

/// What is shown of the board's text and lines.
#[derive(Debug, Default)]
struct Page {
    unwritten: Vec<u8>,
    is_mid_row: bool,
}

impl Page {
    fn text(&mut self, bytes: &[u8]) {
        self.unwritten.extend_from_slice(bytes);
        if let Some(&last) = bytes.last() {
            self.is_mid_row = last != b'\n';
        }
    }

    /// Ends the row if anything stands in it.
    fn end_row(&mut self) {
        if self.is_mid_row {
            self.text(b"\n");
        }
    }

    fn write(&mut self, out: &mut impl Write) -> std::io::Result<()> {
        out.write_all(&self.unwritten)?;
        self.unwritten.clear();
        out.flush()
    }
}

fn lossy(line: &[u8]) -> String {
    String::from_utf8_lossy(line).into_owned()
}

/// Reads the lines of standard input that hold anything in a thread, since that cannot be
/// interrupted. The last line needs no end.
fn read_input() -> Receiver<Vec<u8>> {
    let (sender, receiver) = sync_channel(1);
    thread::spawn(move || {
        let mut stdin = stdin().lock();
        let mut line = Vec::new();
        while let Ok(1..) = (&mut stdin).take(LONGEST_LINE).read_until(b'\n', &mut line) {
            if !line.ends_with(b"\n") && stdin.skip_until(b'\n').is_err() {
                break;
            }
            while line.pop_if(|byte| matches!(byte, b'\n' | b'\r')).is_some() {}
            if !line.is_empty() && sender.send(std::mem::take(&mut line)).is_err() {
                break;
            }
        }
    });
    receiver
}
