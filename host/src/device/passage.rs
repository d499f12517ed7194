//! Asks a board's console for one passage of text and reads it, byte for byte.
//!
//! The board frames a passage between two lines of its own; see `firmware::protocol`.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use firmware::console::{self, Command};
use firmware::protocol::{PAUSED, Parser, RESUMED, Said};
use firmware::until::Until;
use inkling_engine::Settings;

use super::emulate::{Emulator, Wanted, timed_out};
use super::error::DeviceError;

/// How long a board may be silent; a slow one writes several characters in this time.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a board may take to answer before it is asked again.
const RETRY: Duration = Duration::from_secs(2);

/// What a passage follows from, besides the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The seed of its random sequence.
    pub seed: u64,
    /// The text it starts with; a line at most, or empty.
    pub prompt: String,
    /// How many characters to generate, at least one.
    pub length: u32,
    /// How they are chosen.
    pub settings: Settings,
    /// Characters that end it sooner.
    pub until: Until,
    /// How many passages, with one seed after the other; at least one.
    pub count: u32,
}

/// What comes of a passage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// Text; it may be empty.
    Text(&'a [u8]),
    /// The passage is complete.
    End,
}

impl Request {
    /// Whether it can be typed at a console.
    ///
    /// # Errors
    /// When the prompt is not one line, too long, or holds control characters.
    pub fn check(&self) -> Result<(), DeviceError> {
        let typed = Command::Prompt(&self.prompt).to_string();
        console::check(typed.as_bytes())
            .map(drop)
            .map_err(|_| DeviceError::Prompt)
    }

    /// The lines to type, with the console paused.
    fn commands(&self) -> Vec<Command<'_>> {
        let settings = self.settings;
        let mut commands = vec![
            Command::Rate(0),
            Command::Length(self.length.max(1)),
            Command::Temperature(settings.temperature),
            Command::TopK(settings.top_k),
            Command::TopP(settings.top_p),
            Command::Guard(settings.guard),
        ];
        // Firmwares that are older than these commands are not asked for what they do anyway.
        if !self.until.is_off() {
            commands.push(Command::Until(self.until));
        }
        if self.count > 1 {
            commands.push(Command::Count(self.count));
        }
        commands.push(Command::Seed(self.seed));
        if !self.prompt.is_empty() {
            commands.push(Command::Prompt(&self.prompt));
        }
        commands.push(Command::Resume);
        commands
    }
}

impl Emulator {
    /// Lets the board write passages at full speed and hands on their text as it comes, for as long as
    /// whoever takes it goes on. Answers with what the board has left out of the prompt, if its model
    /// did not know all of it.
    ///
    /// # Errors
    /// When the prompt cannot be typed, the board has no model, falls silent, or the emulator ends.
    pub fn stream_passages(
        &mut self,
        request: &Request,
        mut hand_on: impl FnMut(Part<'_>) -> ControlFlow<()>,
    ) -> Result<Option<String>, DeviceError> {
        request.check()?;
        let mut parser = Parser::new();
        self.pause(&mut parser)?;
        for command in request.commands() {
            self.send_line(&command.to_string())?;
        }
        let resumed = Wanted {
            name: RESUMED,
            is: |said| matches!(said, Said::Resumed | Said::Skipped(_)),
        };
        let start = Wanted {
            name: "start",
            is: |said| matches!(said, Said::Start(_)),
        };
        let end = Wanted {
            name: "end",
            is: |said| matches!(said, Said::End(_)),
        };
        let mut skipped = None;
        loop {
            let line = self.listen(&mut parser, PATIENCE, resumed, |_| hand_on(Part::Text(&[])))?;
            match line.as_deref().map(Said::read) {
                Some(Said::Skipped(characters)) => skipped = Some(characters.to_owned()),
                Some(_) => break,
                None => return Ok(None),
            }
        }
        for _ in 0..request.count.max(1) {
            self.listen(&mut parser, PATIENCE, start, |_| hand_on(Part::Text(&[])))?;
            let end = self.listen(&mut parser, PATIENCE, end, |text| hand_on(Part::Text(text)))?;
            if end.is_none() || hand_on(Part::End).is_break() {
                break;
            }
        }
        // Nobody reads the passage that follows by itself.
        self.send_line(&Command::Pause.to_string())?;
        Ok(skipped)
    }

    /// The same for a single passage.
    ///
    /// # Errors
    /// As for [`Emulator::stream_passages`].
    pub fn stream_passage(
        &mut self,
        request: &Request,
        mut hand_on: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<Option<String>, DeviceError> {
        self.stream_passages(request, |part| match part {
            Part::Text(text) => hand_on(text),
            Part::End => ControlFlow::Continue(()),
        })
    }

    /// Stops the text. A board may lose what is typed before it has started, so it is asked again.
    ///
    /// # Errors
    /// When it does not stop, or the emulator ends.
    pub fn pause(&mut self, parser: &mut Parser) -> Result<(), DeviceError> {
        let paused = Wanted {
            name: PAUSED,
            is: |said| said == Said::Paused,
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.send_line(&Command::Pause.to_string())?;
            // A board that has not heard it may write on and on.
            let again = Instant::now() + RETRY;
            let mut heard = Vec::new();
            let until_then = |text: &[u8]| {
                heard.extend_from_slice(text);
                match Instant::now() < again {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                }
            };
            match self.listen(parser, PATIENCE, paused, until_then)? {
                Some(_) => return Ok(()),
                None if Instant::now() < deadline => {}
                None => return Err(timed_out(PAUSED, PATIENCE, &heard)),
            }
        }
    }

    /// Lets the board write a passage at full speed; answers with its text.
    ///
    /// # Errors
    /// As for [`Emulator::stream_passage`].
    pub fn passage(&mut self, request: &Request) -> Result<String, DeviceError> {
        let mut text = Vec::new();
        self.stream_passage(request, |part| {
            text.extend_from_slice(part);
            ControlFlow::Continue(())
        })?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}
