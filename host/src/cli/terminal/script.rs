//! When which line of a script is sent to the board, and when the script is over.
//!
//! One line at a time: the next one follows when the board has dealt with the one before, and, if that
//! started a passage, when the passage is complete. So a script gets what it asks for, however fast
//! the board is. It neither reads nor writes anything; the clock is the caller's.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use firmware::console::Command;
use firmware::protocol::Said;

use super::typist::{Effect, Typed};

/// How long a board that was there before is waited for to say something before it is talked to.
const SILENCE: Duration = Duration::from_millis(1500);

/// How long a board may take for an answer; a slow one writes several characters in this time.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a chosen seed waits for the prompt that may follow.
const PROMPT_DELAY: Duration = Duration::from_millis(500);

/// Why a script cannot go on.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ScriptError {
    /// There is no answer.
    #[error(
        "the board does not answer to '{line}': reset it, or flash it again if its firmware is of \
         another version"
    )]
    Silent {
        /// What was sent.
        line: String,
    },
    /// There is nothing to write with.
    #[error("the board has no model: {reason}")]
    NoModel {
        /// What the board says.
        reason: String,
    },
}

/// The passage that the script has asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passage {
    /// None, or it is complete.
    None,
    /// It has not started yet.
    Asked,
    /// It is being written.
    Started,
}

/// A line whose answer is not complete.
#[derive(Debug)]
struct Sent {
    line: String,
    effect: Effect,
    time: Instant,
}

/// Whether the script holds the text back, so that a prompt finds its seed unused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    /// No; a pause is the user's own.
    No,
    /// Until a prompt has come, or none comes for some time after this.
    Since(Instant),
    /// The prompt has come.
    Over,
}

/// A script on its way to the board.
#[derive(Debug)]
pub struct Script {
    lines: VecDeque<Typed>,
    input_has_ended: bool,
    /// When the board may be talked to.
    ready: Option<Instant>,
    sent: Option<Sent>,
    passage: Passage,
    /// Whether a passage was ever asked for; if not, the one that is being written counts.
    has_asked: bool,
    /// Whether a passage has ended since all lines were dealt with.
    has_ended: bool,
    is_paused: bool,
    is_endless: bool,
    hold: Hold,
    /// Why the board has no model, if it has none.
    no_model: Option<String>,
}

impl Script {
    /// A script for a board that `greets`, because it has just been switched on, or may not.
    pub fn new(greets: bool, now: Instant) -> Script {
        Script {
            lines: VecDeque::new(),
            input_has_ended: false,
            ready: (!greets).then(|| now + SILENCE),
            sent: None,
            passage: Passage::None,
            has_asked: false,
            has_ended: false,
            is_paused: false,
            is_endless: false,
            hold: Hold::No,
            no_model: None,
        }
    }

    /// Takes a line of the script.
    pub fn add(&mut self, line: Typed) {
        self.lines.push_back(line);
    }

    /// Whether the next line is to be added; others can wait where they are.
    pub fn needs_line(&self) -> bool {
        self.lines.is_empty()
    }

    /// Takes note that no more lines will come.
    pub fn end_input(&mut self) {
        self.input_has_ended = true;
    }

    /// Takes note that the board has come or gone: what it was asked for is lost. Tells whether that
    /// was anything.
    pub fn change_board(&mut self, now: Instant) -> bool {
        let was_asked = self.sent.is_some() || self.passage != Passage::None;
        self.ready = Some(now + SILENCE);
        self.sent = None;
        self.passage = Passage::None;
        self.is_paused = false;
        self.hold = Hold::No;
        self.no_model = None;
        was_asked
    }

    /// Takes note that the line which was sent last has not reached the board.
    pub fn not_sent(&mut self) {
        self.sent = None;
    }

    /// Takes note that the board says anything at all.
    pub fn hear_something(&mut self, now: Instant) {
        self.ready = Some(self.ready.map_or(now, |ready| ready.min(now)));
    }

    /// Whether the text that comes now is shown. Between the passages that it was asked for, a board
    /// goes on by itself.
    pub fn shows_text(&self) -> bool {
        !self.has_asked || self.passage == Passage::Started
    }

    /// Whether a line of the board's own is shown, before it is heard.
    pub fn shows(&self, said: Said<'_>) -> bool {
        let sent = self.sent.as_ref().map(|sent| sent.effect);
        match said {
            Said::Start(_) => self.shows_text() || self.passage == Passage::Asked,
            Said::End(_) => self.shows_text(),
            Said::Paused | Said::Resumed => self.hold == Hold::No && sent != Some(Effect::Hold),
            _ => true,
        }
    }

    /// Takes note of a line of the board's own.
    pub fn hear(&mut self, said: Said<'_>) {
        match said {
            Said::Start(_) if self.passage == Passage::Asked => self.passage = Passage::Started,
            Said::End(_) => {
                self.has_ended = self.is_all_done();
                if self.passage == Passage::Started {
                    self.passage = Passage::None;
                }
            }
            Said::Paused => self.is_paused = true,
            Said::Resumed => self.is_paused = false,
            Said::Model { .. } => self.no_model = None,
            Said::NoModel(reason) => self.no_model = Some(reason.to_owned()),
            Said::Ignored(_) => {
                if let Some(sent) = &mut self.sent {
                    sent.effect = Effect::None;
                }
            }
            _ => {}
        }
    }

    /// Takes note that the board has dealt with the line which was sent last.
    pub fn done(&mut self, now: Instant) {
        let Some(sent) = self.sent.take() else {
            return;
        };
        match sent.effect {
            Effect::Prompt | Effect::Seed | Effect::Reset => {
                self.passage = Passage::Asked;
                self.has_asked = true;
            }
            Effect::Length(length) => self.is_endless = length == 0,
            Effect::Pause | Effect::Resume => self.hold = Hold::No,
            Effect::Hold => self.hold = Hold::Since(now),
            Effect::None => {}
        }
        self.hold = match (self.hold, sent.effect) {
            (Hold::Since(_), Effect::Prompt | Effect::Reset) => Hold::Over,
            (Hold::Since(_), _) => Hold::Since(now),
            (hold, _) => hold,
        };
    }

    /// The line to send now, if there is one.
    ///
    /// # Errors
    /// When the board has left the last one without an answer.
    pub fn next(&mut self, now: Instant) -> Result<Option<Typed>, ScriptError> {
        if let Some(sent) = &self.sent {
            return match now.duration_since(sent.time) > PATIENCE {
                true => Err(ScriptError::Silent {
                    line: sent.line.clone(),
                }),
                false => Ok(None),
            };
        }
        let is_ready = self.ready.is_some_and(|time| now >= time);
        let is_writing = self.passage != Passage::None && !self.is_endless && !self.is_paused;
        if !is_ready || is_writing {
            return Ok(None);
        }
        let next = self.lines.front().map(|line| line.effect);
        let goes_on = match (self.hold, next) {
            (Hold::Since(time), None) => {
                self.input_has_ended || now.duration_since(time) > PROMPT_DELAY
            }
            (hold, _) => hold == Hold::Over,
        };
        let line = if goes_on {
            own(Command::Resume, Effect::Resume)
        } else if next == Some(Effect::Seed) && !self.is_paused {
            own(Command::Pause, Effect::Hold)
        } else {
            match self.lines.pop_front() {
                Some(line) => line,
                None => return Ok(None),
            }
        };
        self.sent = Some(Sent {
            line: line.line.clone(),
            effect: line.effect,
            time: now,
        });
        Ok(Some(line))
    }

    /// Whether the board has dealt with all lines.
    fn is_all_done(&self) -> bool {
        self.input_has_ended
            && self.lines.is_empty()
            && self.sent.is_none()
            && self.hold == Hold::No
    }

    /// Whether there is nothing more to wait for.
    ///
    /// # Errors
    /// When there is, and will never be.
    pub fn is_over(&self) -> Result<bool, ScriptError> {
        if !self.is_all_done() {
            return Ok(false);
        }
        let is_over = match self.has_asked {
            true => self.passage == Passage::None,
            false => self.has_ended,
        };
        match &self.no_model {
            Some(reason) if !is_over => Err(ScriptError::NoModel {
                reason: reason.clone(),
            }),
            _ => Ok(is_over || self.is_paused),
        }
    }
}

/// A line that the user has not typed.
fn own(command: Command<'_>, effect: Effect) -> Typed {
    Typed {
        line: command.to_string(),
        effect,
        note: None,
    }
}

#[cfg(test)]
mod tests {
    use firmware::protocol::{End, Start};

    use super::super::typist::Typist;
    use super::*;

    /// A script and a board that does what it is told; every passage takes a step.
    struct Desk {
        script: Script,
        now: Instant,
        sent: Vec<String>,
        is_paused: bool,
        /// The passage that is being written, as its prompt and seed, and whether it has started.
        passage: (String, u64, bool),
        /// The passages that are complete.
        written: Vec<(String, u64)>,
    }

    impl Desk {
        fn new(lines: &str) -> Desk {
            let now = Instant::now();
            let mut desk = Desk {
                script: Script::new(true, now),
                now,
                sent: Vec::new(),
                is_paused: false,
                passage: (String::new(), 1, true),
                written: Vec::new(),
            };
            desk.add(lines);
            desk.script.end_input();
            desk.script.hear_something(now);
            desk
        }

        fn add(&mut self, lines: &str) {
            for line in lines.lines() {
                self.script
                    .add(Typist::default().read(line.as_bytes()).unwrap());
            }
        }

        /// Lets the board write between any two lines, as fast boards do.
        fn run(mut self) -> Desk {
            for _ in 0..100 {
                self.play();
                if self.script.is_over().unwrap() {
                    return self;
                }
                if let Some(line) = self.script.next(self.now).unwrap() {
                    self.obey(&line.line);
                }
                if self.script.is_over().unwrap() {
                    return self;
                }
            }
            panic!("it does not end: {:?}", self.script);
        }

        fn next_at(&mut self, now: Instant) -> Option<String> {
            let next = self.script.next(now).unwrap();
            next.map(|typed| typed.line)
        }

        fn obey(&mut self, line: &str) {
            self.sent.push(line.to_owned());
            let seed = self.passage.1;
            let next_seed = seed + u64::from(self.passage.2);
            match Command::parse(line) {
                Ok(Command::Prompt(text)) => self.passage = (text.to_owned(), next_seed, false),
                Ok(Command::Seed(seed)) => self.passage = (String::new(), seed, false),
                Ok(Command::Reset) => self.passage.2 = false,
                Ok(Command::Pause) => {
                    self.is_paused = true;
                    self.script.hear(Said::Paused);
                }
                Ok(Command::Resume) => {
                    self.is_paused = false;
                    self.script.hear(Said::Resumed);
                }
                _ => self.script.hear(Said::Other("")),
            }
            self.script.done(self.now);
        }

        fn play(&mut self) {
            if self.is_paused {
                return;
            }
            let (prompt, seed, has_started) = self.passage.clone();
            if has_started {
                self.written.push((prompt, seed));
                let end = End {
                    seed,
                    characters: 9,
                    speed: 9,
                };
                self.script.hear(Said::End(end));
                self.passage = (String::new(), seed + 1, false);
            } else {
                let settings = inkling_engine::Settings::default();
                self.script.hear(Said::Start(Start { seed, settings }));
                self.passage.2 = true;
            }
        }

        fn prompted(&self) -> Vec<(&str, u64)> {
            let prompted = self.written.iter().filter(|(prompt, _)| !prompt.is_empty());
            prompted
                .map(|(prompt, seed)| (prompt.as_str(), *seed))
                .collect()
        }
    }

    #[test]
    fn the_passage_of_each_prompt_is_complete_before_anything_else_is_sent() {
        let desk = Desk::new("/len 40\nROMEO:\n/temp 1\nJULIET:\n/reset\nNURSE:").run();
        let prompts = desk.prompted();
        let prompts: Vec<_> = prompts.into_iter().map(|(prompt, _)| prompt).collect();
        assert_eq!(prompts, ["ROMEO:", "JULIET:", "NURSE:"]);
        assert_eq!(desk.sent[1], "ROMEO:");
    }

    #[test]
    fn a_seed_is_that_of_the_prompt_behind_it_or_of_a_passage_of_its_own() {
        let desk = Desk::new("/seed 9\n/len 40\nROMEO:\n/seed 20").run();
        assert_eq!(desk.prompted(), [("ROMEO:", 9)]);
        assert_eq!(desk.written.last().unwrap(), &(String::new(), 20));
        assert_eq!(desk.sent[..2], ["/pause", "/seed 9"]);
        assert_eq!(desk.sent.last().unwrap(), "/resume");
    }

    #[test]
    fn a_seed_does_not_wait_for_ever_for_a_prompt() {
        let mut desk = Desk::new("/seed 9");
        desk.script.input_has_ended = false;
        for line in ["/pause", "/seed 9"] {
            assert_eq!(desk.next_at(desk.now).unwrap(), line);
            desk.obey(line);
        }
        assert_eq!(desk.next_at(desk.now), None);
        let later = desk.now + 2 * PROMPT_DELAY;
        assert_eq!(desk.next_at(later).unwrap(), "/resume");
    }

    #[test]
    fn the_users_own_pause_is_left_alone() {
        let desk = Desk::new("/pause\n/len 5\n/seed 3\nabc\n/resume").run();
        assert_eq!(desk.prompted(), [("abc", 3)]);
        assert_eq!(desk.sent.len(), 5);
        let desk = Desk::new("/pause\n/stats").run();
        assert_eq!(desk.sent.len(), 2);
    }

    #[test]
    fn without_a_prompt_the_passage_that_is_being_written_is_the_last() {
        let desk = Desk::new("").run();
        assert_eq!(desk.written.len(), 1);
        let desk = Desk::new("/temp 1").run();
        assert_eq!(desk.sent.len(), 1);
    }

    #[test]
    fn a_silent_board_and_one_without_a_model_end_a_script() {
        let mut desk = Desk::new("abc");
        desk.script.next(desk.now).unwrap();
        let later = desk.now + 2 * PATIENCE;
        let error = desk.script.next(later).unwrap_err();
        assert!(error.to_string().contains("does not answer to 'abc'"));
        let mut desk = Desk::new("abc");
        desk.script.next(desk.now).unwrap();
        desk.script.hear(Said::NoModel("it is damaged"));
        desk.script.done(desk.now);
        let error = desk.script.is_over().unwrap_err();
        assert_eq!(error.to_string(), "the board has no model: it is damaged");
    }

    #[test]
    fn a_board_that_goes_takes_what_it_was_asked_for_with_it() {
        let mut desk = Desk::new("abc\ndef");
        desk.script.next(desk.now).unwrap();
        assert!(desk.script.change_board(desk.now));
        assert_eq!(desk.next_at(desk.now), None);
        let later = desk.now + SILENCE;
        assert_eq!(desk.next_at(later).unwrap(), "def");
    }
}
