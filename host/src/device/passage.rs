//! Asks a board's console for one passage of text and reads it, byte for byte.
//!
//! The board frames a passage between the line `# start: …` and the line end before `# end: …`;
//! see `firmware/src/session.rs`.

use std::time::{Duration, Instant};

use firmware::console::LINE_BYTES;
use firmware::sampler::Settings;

use super::emulate::Emulator;
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
}

impl Request {
    fn check(&self) -> Result<(), DeviceError> {
        let prompt = &self.prompt;
        let is_line = !prompt.starts_with('/')
            && prompt.len() <= LINE_BYTES
            && !prompt.chars().any(|c| c.is_control() && c != '\t');
        if is_line {
            Ok(())
        } else {
            Err(DeviceError::Prompt)
        }
    }

    /// The lines to type, with the console paused.
    fn lines(&self) -> Vec<String> {
        let settings = self.settings;
        let mut lines = vec![
            "/rate max".to_owned(),
            format!("/len {}", self.length.max(1)),
            format!("/temp {}", settings.temperature),
            format!("/topk {}", settings.top_k),
            format!("/topp {}", settings.top_p),
            format!("/seed {}", self.seed),
        ];
        if !self.prompt.is_empty() {
            lines.push(self.prompt.clone());
        }
        lines.push("/resume".to_owned());
        lines
    }
}

impl Emulator {
    /// Lets the board write a passage at full speed and hands on its text as it comes.
    ///
    /// # Errors
    /// When the prompt cannot be typed, the board has no model, falls silent, or the emulator ends.
    pub fn stream_passage(
        &mut self,
        request: &Request,
        hand_on: impl FnMut(&[u8]),
    ) -> Result<(), DeviceError> {
        request.check()?;
        self.pause()?;
        for line in request.lines() {
            self.send_line(&line)?;
        }
        self.read_until("# resumed\n", PATIENCE)?;
        self.read_until("\n", PATIENCE)?; // the line "# start: …"
        self.read_before("\n# end: ", PATIENCE, hand_on)?;
        self.read_until("\n", PATIENCE)?;
        // Nobody reads the passage that follows by itself.
        self.send_line("/pause")
    }

    /// Stops the text. A board may lose what is typed before it has started, so it is asked again.
    fn pause(&mut self) -> Result<(), DeviceError> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.send_line("/pause")?;
            match self.read_until("# paused\n", RETRY) {
                Err(DeviceError::Timeout { .. }) if Instant::now() < deadline => {}
                result => return result.map(drop),
            }
        }
    }

    /// Lets the board write a passage at full speed; answers with its text.
    ///
    /// # Errors
    /// As for [`Emulator::stream_passage`].
    pub fn passage(&mut self, request: &Request) -> Result<String, DeviceError> {
        let mut text = Vec::new();
        self.stream_passage(request, |part| text.extend_from_slice(part))?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}
