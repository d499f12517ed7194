//! What the user types, as it is sent to the board: prompts are read as the text was.

use std::path::Path;

use firmware::console::{self, Command, LineError};
use firmware::protocol::Said;
use inkling_engine::alphabet::Alphabet;

use crate::corpus::prompt;
use crate::image;
use crate::paths;

/// The characters that a model knows.
#[derive(Debug, Clone)]
pub struct Known(Vec<u32>);

impl Known {
    /// Those of a model's alphabet.
    pub fn of(alphabet: Alphabet<'_>) -> Self {
        Self(alphabet.code_points().collect())
    }

    /// Whether this is one of them.
    pub fn knows(&self, character: char) -> bool {
        Alphabet::new(&self.0).knows(character)
    }
}

/// Turns lines of the user into lines for the board.
#[derive(Debug, Default)]
pub struct Typist {
    /// What the board's model knows, if it is known which model that is.
    known: Option<Known>,
}

/// A line for the board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    /// What is sent, without its end.
    pub line: String,
    /// What it does to the passage that is being written.
    pub effect: Effect,
    /// What the user should know of it.
    pub note: Option<String>,
}

/// What a line does to the passage that is being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// A new one starts with this prompt.
    Prompt,
    /// A new one starts with this seed, and with the prompt that may follow.
    Seed,
    /// It starts again.
    Reset,
    /// This is how many characters it has; 0 is endless.
    Length(u32),
    /// It is held, as the user wishes.
    Pause,
    /// It goes on.
    Resume,
    /// It is held, as a script needs it.
    Hold,
    /// None.
    None,
}

impl Typist {
    /// For a board whose model knows these characters.
    pub fn new(known: Option<Known>) -> Typist {
        Typist { known }
    }

    /// Takes note of what the board says of its model.
    pub fn hear(&mut self, said: Said<'_>) {
        match said {
            Said::Model { name, checksum } => {
                if let Some(known) = checksum.and_then(|checksum| find(name, checksum)) {
                    self.known = Some(known);
                }
            }
            Said::NoModel(_) => self.known = None,
            _ => {}
        }
    }

    /// What to send for a line.
    ///
    /// # Errors
    /// When the board would not take it.
    pub fn read(&self, line: &[u8]) -> Result<Typed, LineError> {
        let line = console::check(line)?;
        let command = Command::parse(line);
        let effect = match command {
            Ok(Command::Prompt(_)) => Effect::Prompt,
            Ok(Command::Seed(_)) => Effect::Seed,
            Ok(Command::Reset) => Effect::Reset,
            Ok(Command::Length(length)) => Effect::Length(length),
            Ok(Command::Pause) => Effect::Pause,
            Ok(Command::Resume) => Effect::Resume,
            // What is no command the board will say.
            _ => Effect::None,
        };
        let mut typed = Typed {
            line: line.to_owned(),
            effect,
            note: None,
        };
        if let (Ok(Command::Prompt(prompt)), Some(known)) = (command, &self.known) {
            let prompt = prompt::read(prompt, |c| known.knows(c));
            // Of a prompt of which nothing is left the board itself tells.
            if !prompt.text.is_empty() {
                typed.line = Command::Prompt(&prompt.text).to_string();
                typed.note = prompt.note();
            }
            console::check(typed.line.as_bytes())?;
        }
        Ok(typed)
    }
}

/// What the model of this name knows, if it is one of this machine and the very same.
fn find(name: &str, checksum: u32) -> Option<Known> {
    // The name comes from a board: it may be anything.
    if Path::new(name).file_name() != Some(name.as_ref()) {
        return None;
    }
    let image = image::open(&paths::weights_dir().join(format!("{name}.img"))).ok()?;
    let model = image.model().ok()?;
    (model.checksum() == checksum).then(|| Known::of(model.alphabet()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typist(known: &str) -> Typist {
        Typist::new(Some(Known(known.chars().map(u32::from).collect())))
    }

    #[test]
    fn prompts_are_read_as_the_text_was_and_what_is_left_out_is_said() {
        let typist = typist(" 'aetxyz/");
        let typed = typist.read("xé y’zqn".as_bytes()).unwrap();
        assert_eq!(typed.line, "xe y'z");
        assert!(typed.note.unwrap().ends_with("does not know: \"qn\""));
        assert_eq!(typist.read(b"//tea").unwrap().line, "//tea");
        assert_eq!(typist.read(b"/prompt /tea").unwrap().line, "//tea");
        let strange = self::typist("xyz").read("日本".as_bytes()).unwrap();
        assert_eq!((&*strange.line, strange.note), ("日本", None));
        assert_eq!(typist.read(b"/temp 0.5").unwrap().line, "/temp 0.5");
        let unknown = Typist::default().read("xé".as_bytes()).unwrap();
        assert_eq!((&*unknown.line, unknown.note), ("xé", None));
    }

    #[test]
    fn what_the_board_would_not_take_is_not_sent() {
        let typist = typist("ae");
        assert_eq!(typist.read(b"a\x1b[A"), Err(LineError::Control));
        assert_eq!(typist.read(b"\xff"), Err(LineError::NotUtf8));
        assert_eq!(typist.read(&[b'a'; 256]), Err(LineError::TooLong));
        // It may become too long by being read.
        assert_eq!(
            typist.read("æ".repeat(127).as_bytes()).unwrap().line.len(),
            254
        );
        assert_eq!(
            self::typist("(c)").read("©".repeat(127).as_bytes()),
            Err(LineError::TooLong)
        );
    }
}
