//! The console on a terminal: text above, a status line and an editor below.

use std::io::{Write, stdout};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use crossterm::event::{self, DisableBracketedPaste, EnableBracketedPaste};
use crossterm::{execute, terminal};

use super::editor::{Action, Editor};
use super::screen::{Footer, Screen};
use super::status::Status;
use super::{TICK, Transcript};
use crate::cli::interrupt;
use crate::device::line::{Event, Line};
use crate::device::log;
use crate::note;
use crate::output::Decoder;

/// When a board that has not said what it is gets asked.
const INTRODUCTION: Duration = Duration::from_millis(1500);

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
pub fn run(line: &mut dyn Line, transcript: Option<Transcript>) -> Result<()> {
    let board_log = log::redirect();
    note!("Ctrl-C leaves; a line starts a passage, /help lists the commands, Tab completes them");
    let _raw = RawMode::enter().context("cannot use the terminal")?;
    let mut view = View::new(transcript);
    let result = talk(line, &mut view, &board_log);
    let farewell = view.screen.leave();
    result.and_then(|()| put(&farewell))
}

fn talk(line: &mut dyn Line, view: &mut View, board_log: &Receiver<String>) -> Result<()> {
    view.text("")?;
    while !interrupt::happened() {
        while event::poll(Duration::ZERO)? {
            let action = match event::read()? {
                event::Event::Key(key) => view.editor.key(key),
                event::Event::Paste(text) => {
                    view.editor.paste(&text);
                    Action::Edit
                }
                event::Event::Resize(columns, _) => {
                    put(&view.screen.resize(columns.into()))?;
                    Action::Edit
                }
                _ => continue,
            };
            match action {
                Action::Edit => view.text("")?,
                Action::Show(text) => view.notice(&text)?,
                Action::Leave => return Ok(()),
                Action::Send(text) => {
                    view.notice(&format!("> {text}"))?;
                    if !line.send(format!("{text}\n").as_bytes())? {
                        view.notice("not sent: no board takes it")?;
                    }
                }
            }
        }
        while !view.status.is_mid_talk()
            && let Ok(said) = board_log.try_recv()
        {
            view.notice(&format!("log: {said}"))?;
        }
        match line.next(TICK)? {
            Event::Bytes(bytes) => {
                let text = view.decoder.decode(&bytes);
                if let Some(transcript) = &mut view.transcript {
                    transcript.add(&text)?;
                }
                view.status.observe(&text, Instant::now());
                view.text(&text)?;
            }
            Event::Lost => {
                view.status.set_connected(false, Instant::now());
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
                line.send(b"\n/model\n/stats\n")?;
            }
        }
    }
    Ok(())
}

/// All that is drawn.
struct View {
    screen: Screen,
    editor: Editor,
    status: Status,
    decoder: Decoder,
    transcript: Option<Transcript>,
    /// When to ask the board what it is.
    introduction: Option<Instant>,
    drawn: Instant,
}

impl View {
    fn new(transcript: Option<Transcript>) -> View {
        let now = Instant::now();
        let columns = terminal::size().map_or(80, |(columns, _)| columns);
        View {
            screen: Screen::new(columns.into()),
            editor: Editor::new(Editor::history_file()),
            status: Status::new(now),
            decoder: Decoder::default(),
            transcript,
            introduction: None,
            drawn: now,
        }
    }

    fn draw(&mut self, draw: impl FnOnce(&mut Screen, Footer<'_>) -> String) -> Result<()> {
        self.drawn = Instant::now();
        let status = self.status.line(self.drawn);
        let (input, cursor) = self.editor.line();
        let footer = Footer {
            status: &status,
            input,
            cursor,
        };
        put(&draw(&mut self.screen, footer))
    }

    fn text(&mut self, text: &str) -> Result<()> {
        self.draw(|screen, footer| screen.draw(text, footer))
    }

    fn notice(&mut self, line: &str) -> Result<()> {
        self.draw(|screen, footer| screen.notice(line, footer))
    }

    fn refresh(&mut self) -> Result<()> {
        if self.drawn.elapsed() > STATUS_INTERVAL {
            self.text("")?;
        }
        Ok(())
    }
}

fn put(out: &str) -> Result<()> {
    let mut stdout = stdout().lock();
    stdout
        .write_all(out.as_bytes())
        .and_then(|()| stdout.flush())
        .context("cannot write to the terminal")
}
