//! The console on a terminal: text above, a status line and an editor below.

use std::io::{Write, stdout};
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use crossterm::event::{self, DisableBracketedPaste, EnableBracketedPaste};
use crossterm::{execute, terminal};
use firmware::console::Command;
use firmware::protocol::{Heard, LOAD, Parser, Said};

use super::editor::{Action, Editor};
use super::screen::{Aside, Footer, Screen};
use super::status::Status;
use super::typist::{Known, Typist};
use super::{SEND, TICK, Transcript};
use crate::cli::{interrupt, send};
use crate::device::line::{Event, Line};
use crate::device::log;
use crate::device::send::News;
use crate::note;
use crate::output::{self, Decoder};

/// When a board that has not said what it is gets asked.
const INTRODUCTION: Duration = Duration::from_millis(1500);

/// How many percent of a model are sent between two notices.
const PROGRESS: usize = 25;

/// How often the status line is renewed.
const STATUS_INTERVAL: Duration = Duration::from_millis(500);

/// The terminal in the mode in which keys come one by one; back to normal with its value.
struct RawMode;

impl RawMode {
    fn enter() -> std::io::Result<RawMode> {
        terminal::enable_raw_mode()?;
        let raw = RawMode;
        execute!(stdout(), EnableBracketedPaste)?;
        Ok(raw)
    }
}

impl Drop for RawMode {
    fn drop(&mut self) {
        // There is nothing more to do about a terminal that is gone.
        let _ = execute!(stdout(), DisableBracketedPaste);
        let _ = terminal::disable_raw_mode();
    }
}

/// Talks until the user leaves.
pub fn run(
    line: &mut dyn Line,
    transcript: Option<Transcript>,
    known: Option<Known>,
) -> Result<()> {
    let board_log = log::redirect();
    note!("Ctrl-C leaves; a line starts a passage, /help lists the commands, Tab completes them");
    let _raw = RawMode::enter().context("cannot use the terminal")?;
    let mut view = View::new(transcript, known);
    let result = talk(line, &mut view, &read_keys(), &board_log);
    let farewell = view.screen.leave();
    result.and_then(|()| put(&farewell))
}

/// Reads what the user does in a thread: crossterm reads for ever where the terminal is gone.
fn read_keys() -> Receiver<event::Event> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        while let Ok(event) = event::read() {
            if sender.send(event).is_err() {
                break;
            }
        }
    });
    receiver
}

fn talk(
    line: &mut dyn Line,
    view: &mut View,
    keys: &Receiver<event::Event>,
    board_log: &Receiver<String>,
) -> Result<()> {
    view.text("")?;
    while !interrupt::happened() {
        if has_hung_up() {
            bail!("the terminal is gone");
        }
        while let Ok(event) = keys.try_recv() {
            let action = match event {
                event::Event::Key(key) => view.editor.key(key),
                event::Event::Paste(text) => {
                    view.editor.paste(&text);
                    Action::Edit
                }
                // Drawing looks at the size.
                event::Event::Resize(..) => Action::Edit,
                _ => continue,
            };
            match action {
                Action::Edit => view.text("")?,
                Action::Show(text) => view.notice(&text)?,
                Action::Leave => return Ok(()),
                Action::Send(text) => {
                    view.notice(&format!("> {text}"))?;
                    match text.strip_prefix(SEND) {
                        Some(model) => view.send_model(line, model, keys)?,
                        None => view.send(line, &text)?,
                    }
                }
            }
        }
        while !view.parser.is_mid_line()
            && let Ok(said) = board_log.try_recv()
        {
            view.notice(&format!("log: {said}"))?;
        }
        match line.next(TICK)? {
            Event::Bytes(bytes) => view.show(&bytes)?,
            Event::Lost => {
                view.status.set_connected(false, Instant::now());
                view.parser = Parser::new();
                view.notice("unplugged: waiting for the board")?;
            }
            Event::Connected => {
                view.status.set_connected(true, Instant::now());
                view.introduction = Some(Instant::now() + INTRODUCTION);
                view.notice("connected")?;
            }
            Event::Quiet => view.refresh()?,
        }
        if view.introduction.is_some_and(|time| Instant::now() > time) {
            view.introduction = None;
            if !view.status.knows_model() {
                line.send(format!("\n{}\n{}\n", Command::Model, Command::Stats).as_bytes())?;
            }
        }
    }
    Ok(())
}

/// What a board prints, as it is shown.
enum Piece {
    Text(String),
    /// A line of the board's own.
    Line(String, Aside),
}

/// All that is drawn.
struct View {
    screen: Screen,
    /// The columns of the terminal when it was drawn.
    columns: usize,
    editor: Editor,
    status: Status,
    parser: Parser,
    /// Decodes the text.
    decoder: Decoder,
    typist: Typist,
    transcript: Option<Transcript>,
    /// Decodes what goes there.
    transcribed: Decoder,
    /// When to ask the board what it is.
    introduction: Option<Instant>,
    drawn: Instant,
}

impl View {
    fn new(transcript: Option<Transcript>, known: Option<Known>) -> View {
        let now = Instant::now();
        let columns = columns();
        View {
            screen: Screen::new(columns),
            columns,
            editor: Editor::new(Editor::history_file()),
            status: Status::new(now),
            parser: Parser::new(),
            decoder: Decoder::default(),
            typist: Typist::new(known),
            transcript,
            transcribed: Decoder::default(),
            introduction: None,
            drawn: now,
        }
    }

    /// Takes note of what the board prints; answers with what of it is to be shown.
    fn hear(&mut self, bytes: &[u8]) -> Result<Vec<Piece>> {
        let mut pieces = Vec::new();
        let (mut text, mut shown) = (Vec::new(), Vec::new());
        let mut characters = 0;
        for &byte in bytes {
            let heard = self.parser.push(byte);
            shown.extend(heard.shown());
            match heard {
                // Each character but the line end has one byte that continues no other.
                Heard::Text(byte) => {
                    characters += usize::from(byte != b'\n' && byte & 0xC0 != 0x80);
                    text.push(byte);
                }
                Heard::Line(line) => {
                    let said = Said::read(line);
                    self.status.hear(line);
                    self.typist.hear(said);
                    let kind = match said {
                        Said::Start(_) | Said::End(_) | Said::Greeting(_) => Aside::End,
                        _ => Aside::Remark,
                    };
                    let before = self.decoder.decode(&std::mem::take(&mut text));
                    pieces.extend([Piece::Text(before), Piece::Line(format!("# {line}"), kind)]);
                }
                // The line of the board's own that follows gets a row to itself anyway.
                Heard::Break | Heard::Talk(_) | Heard::Done | Heard::Mark => {}
            }
        }
        pieces.push(Piece::Text(self.decoder.decode(&text)));
        self.status.count(characters, Instant::now());
        if let Some(transcript) = &mut self.transcript {
            transcript.add(&self.transcribed.decode(&shown))?;
        }
        Ok(pieces)
    }

    /// Shows what the board prints.
    fn show(&mut self, bytes: &[u8]) -> Result<()> {
        for piece in self.hear(bytes)? {
            match piece {
                Piece::Text(text) => self.text(&text)?,
                Piece::Line(line, kind) => self.aside(&line, kind)?,
            }
        }
        Ok(())
    }

    /// Sends a model, and says how far that is; Ctrl-C ends it.
    fn send_model(
        &mut self,
        line: &mut dyn Line,
        model: &str,
        keys: &Receiver<event::Event>,
    ) -> Result<()> {
        let mut said = 0;
        let mut drawn = Ok(());
        let sent = send::from_console(line, model, |news| {
            let is_left = keys.try_iter().any(|key| match key {
                event::Event::Key(key) => self.editor.key(key) == Action::Leave,
                _ => false,
            });
            drawn = match news {
                News::Bytes(bytes) => self.quietly(bytes),
                News::Lost => self.notice("unplugged: waiting for the board"),
                News::Stage { stage, of } => match send::percent(stage, of) {
                    Some(percent) if percent >= said + PROGRESS => {
                        said = percent;
                        self.notice(&format!("{stage} {percent} %"))
                    }
                    _ => Ok(()),
                },
            };
            match is_left || drawn.is_err() || interrupt::happened() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        });
        drawn?;
        match sent {
            Ok(said) => self.notice(&said),
            Err(error) => self.notice(&format!("{error:#}")),
        }
    }

    /// Shows what the board prints, but for what it says of the model that it takes.
    fn quietly(&mut self, bytes: &[u8]) -> Result<()> {
        for piece in self.hear(bytes)? {
            match piece {
                Piece::Text(text) => self.text(&text)?,
                Piece::Line(line, _) if line.contains(LOAD) => {}
                Piece::Line(line, kind) => self.aside(&line, kind)?,
            }
        }
        Ok(())
    }

    /// Sends what the user has typed.
    fn send(&mut self, line: &mut dyn Line, text: &str) -> Result<()> {
        match self.typist.read(text.as_bytes()) {
            Ok(typed) => {
                if let Some(note) = &typed.note {
                    self.notice(note)?;
                }
                if !line.send(format!("{}\n", typed.line).as_bytes())? {
                    self.notice("not sent: no board takes it")?;
                }
                Ok(())
            }
            Err(error) => self.notice(&error.to_string()),
        }
    }

    fn draw(&mut self, draw: impl FnOnce(&mut Screen, Footer<'_>) -> String) -> Result<()> {
        self.drawn = Instant::now();
        let columns = columns();
        let mut out = String::new();
        if columns != self.columns {
            self.columns = columns;
            out = self.screen.resize(columns);
        }
        // What boards say and users paste may hold anything.
        let status = output::one_line(&self.status.line(self.drawn));
        let (input, cursor) = self.editor.line();
        let input = output::one_line(input);
        let footer = Footer {
            status: &status,
            input: &input,
            cursor,
        };
        out += &draw(&mut self.screen, footer);
        put(&out)
    }

    fn text(&mut self, text: &str) -> Result<()> {
        self.draw(|screen, footer| screen.draw(text, footer))
    }

    fn notice(&mut self, line: &str) -> Result<()> {
        self.aside(line, Aside::Notice)
    }

    fn aside(&mut self, line: &str, kind: Aside) -> Result<()> {
        let line = output::clean(line);
        self.draw(|screen, footer| screen.aside(&line, kind, footer))
    }

    fn refresh(&mut self) -> Result<()> {
        if self.drawn.elapsed() > STATUS_INTERVAL {
            self.text("")?;
        }
        Ok(())
    }
}

/// The columns of the terminal now.
fn columns() -> usize {
    output::width_of(&console::Term::stdout())
}

/// Whether the terminal has been closed. Not every system sends a signal then, nor to every program.
#[cfg(unix)]
fn has_hung_up() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    let stdin = std::io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::empty())];
    let at_once = Timespec::default();
    let is_known = poll(&mut fds, Some(&at_once)).is_ok();
    let gone = PollFlags::HUP | PollFlags::ERR | PollFlags::NVAL;
    is_known && fds.iter().any(|fd| fd.revents().intersects(gone))
}

#[cfg(not(unix))]
fn has_hung_up() -> bool {
    false
}

fn put(out: &str) -> Result<()> {
    let mut stdout = stdout().lock();
    stdout
        .write_all(out.as_bytes())
        .and_then(|()| stdout.flush())
        .context("cannot write to the terminal")
}
