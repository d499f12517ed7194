//! The PC's half of sending a model over a serial line: which line to type next, after what the board said.
//!
//! It reads no port and knows no clock but the milliseconds that it is told, so that whatever has a line to a
//! board can use it. The board's half is in [`crate::session`]; [`crate::protocol`] has the words.

#![allow(
    clippy::large_enum_variant,
    clippy::result_large_err,
    reason = "lines are handed on whole, without a heap, and PCs have the room"
)]

use core::fmt::{self, Write as _};

use heapless::String;
use inkling_engine::{ImageError, Model};

use crate::console::{Command, LINE_BYTES};
use crate::protocol::{Load, Parcel, STRIDE, Said};

/// How long a board may say nothing before it is asked again, in milliseconds: more than it takes to erase
/// the largest unit of any flash.
const PATIENCE: u64 = 3_000;

/// How often it is asked in vain.
const TRIES: u32 = 10;

/// How often it may refuse the model without having got further, or say that it uses another one: noise may
/// have made another one of what was announced, sent or said.
const REPEATS: u32 = 5;

/// Why a model was not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendError {
    /// It is none.
    Image(ImageError),
    /// The board does not say anything, or nothing that belongs to this.
    Silent,
    /// Its program has no such command.
    TooOld,
    /// It does not take the model; why.
    Refused(String<LINE_BYTES>),
    /// It has restarted, and uses another model.
    NotUsed,
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SendError::Image(error) => write!(f, "{error}"),
            SendError::Silent => f.write_str(
                "the board does not answer: is it the right port, and does Inkling run on the board?",
            ),
            SendError::TooOld => f.write_str(
                "the board's program is older than this and takes no model over the line: flash it first",
            ),
            SendError::Refused(reason) => write!(f, "the board does not take the model: {reason}"),
            SendError::NotUsed => f.write_str(
                "the board has taken the model and uses another one after its restart: send it again",
            ),
        }
    }
}

impl core::error::Error for SendError {}

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Type this line.
    Type(String<LINE_BYTES>),
    /// Listen to the board.
    Listen,
    /// The board uses the model.
    Done,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The board makes room: it has so many bytes of it.
    Erasing(u32),
    /// It has so many bytes of the model.
    Sending(u32),
    /// It has all of it, and restarts.
    Restarting,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Stage::Erasing(_) => "making room",
            Stage::Sending(_) => "sending",
            Stage::Restarting => "restarting",
        })
    }
}

/// What is said when a board has taken a model, behind the model's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Bytes of the model.
    pub bytes: usize,
    /// How long it took.
    pub milliseconds: u64,
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tenths = (self.milliseconds + 50) / 100;
        let (seconds, tenths) = (tenths / 10, tenths % 10);
        let bytes = self.bytes;
        write!(
            f,
            "{bytes} bytes sent in {seconds}.{tenths} s, the board writes with it"
        )
    }
}

/// What is said when the board had the model before.
pub const WAS_THERE: &str = "the board writes with it already";

/// What is said when whoever sends does not go on.
pub const INTERRUPTED: &str =
    "interrupted: the board keeps its model, and sending it again goes on where this ended";

/// What is typed then.
pub const GIVE_UP: &str = "\n/load off\n";

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Nothing has been asked, or no answer has come.
    Asking,
    /// The line with these bytes is next; the board answers when the last one is there.
    Typing {
        next: usize,
        end: usize,
    },
    /// All is said; the board's turn.
    Waiting,
    /// The board has all of it, and says after its restart which model it uses.
    Restarting,
    Done,
    Failed(SendError),
}

/// Sends one model.
#[derive(Clone, Debug)]
pub struct Sender<'i> {
    image: &'i [u8],
    checksum: u32,
    state: State,
    stage: Stage,
    /// When the board last said something that belongs to this, or was asked.
    last: u64,
    /// How often it has been asked since it said something.
    tries: u32,
    repeats: u32,
    furthest: u32,
    has_asked: bool,
    has_restarted: bool,
    has_sent: bool,
}

impl<'i> Sender<'i> {
    /// Sends this image, which starts at a multiple of 16 bytes.
    ///
    /// # Errors
    /// When it is none.
    pub fn new(image: &'i [u8], now: u64) -> Result<Sender<'i>, SendError> {
        let model = Model::parse(image).map_err(SendError::Image)?;
        Ok(Sender {
            // Bytes behind its end are none of its.
            image: image.get(..model.image_bytes()).unwrap_or(image),
            checksum: model.checksum(),
            state: State::Asking,
            stage: Stage::Sending(0),
            last: now,
            tries: 0,
            repeats: 0,
            furthest: 0,
            has_asked: false,
            has_restarted: false,
            has_sent: false,
        })
    }

    /// Bytes of the model.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.image.len()
    }

    /// How far it is.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.stage
    }

    /// Whether the board has taken any of it, rather than having had it all the time.
    #[must_use]
    pub fn has_sent(&self) -> bool {
        self.has_sent
    }

    /// The board is gone, or there again.
    pub fn reconnect(&mut self, now: u64) {
        match self.state {
            State::Done | State::Failed(_) => return,
            State::Restarting => {}
            _ => self.state = State::Asking,
        }
        self.has_asked = false;
        self.last = now;
    }

    /// Takes note of a line of the board's own.
    pub fn hear(&mut self, said: Said<'_>, now: u64) {
        let is_about_it = match (&self.state, said) {
            (State::Done | State::Failed(_), _) => return,
            (State::Restarting, Said::Model { checksum, .. })
                if checksum == Some(self.checksum) =>
            {
                self.state = State::Done;
                true
            }
            // A board that has not restarted yet says what it used before.
            (State::Restarting, Said::Model { .. } | Said::NoModel(_)) if self.has_restarted => {
                self.repeats += 1;
                if self.repeats == REPEATS {
                    self.state = State::Failed(SendError::NotUsed);
                }
                false
            }
            (State::Restarting, Said::Greeting(_)) => {
                self.has_restarted = true;
                true
            }
            (State::Restarting, _) => false,
            (_, Said::Load(load)) => self.hear_of_load(load),
            // It has restarted, and must be told of the model again.
            (_, Said::Greeting(_)) => {
                self.state = State::Asking;
                self.has_asked = false;
                true
            }
            (_, Said::Other(line)) if line.starts_with("unknown command /load") => {
                self.state = State::Failed(SendError::TooOld);
                true
            }
            _ => false,
        };
        if is_about_it {
            self.last = now;
            self.tries = 0;
        }
    }

    fn hear_of_load(&mut self, load: Load<'_>) -> bool {
        let all = self.image.len();
        let is_sound = |next: u32, of: u32| of as usize == all && (next as usize) < all;
        match load {
            Load::Header(of) if of as usize == all => {
                self.state = State::Typing { next: 0, end: 1 };
                true
            }
            Load::Wanted(next, of) if is_sound(next, of) => {
                self.stage = Stage::Sending(next);
                if next > self.furthest {
                    self.furthest = next;
                    self.repeats = 0;
                }
                let next = next as usize;
                let end = (next + 1).next_multiple_of(STRIDE).min(all);
                self.state = State::Typing { next, end };
                true
            }
            Load::Erasing(blank, of) if of as usize == all => {
                self.stage = Stage::Erasing(blank);
                true
            }
            Load::Complete(checksum) if checksum == self.checksum => {
                self.stage = Stage::Restarting;
                self.state = State::Restarting;
                self.repeats = 0;
                true
            }
            // It has restarted, or somebody has stopped it.
            Load::GivenUp => {
                self.state = State::Asking;
                self.has_asked = false;
                true
            }
            Load::Refused(reason) => {
                self.repeats += 1;
                self.state = match self.repeats < REPEATS {
                    true => State::Asking,
                    false => State::Failed(SendError::Refused(clipped(reason))),
                };
                self.has_asked = false;
                true
            }
            _ => false,
        }
    }

    /// What to do next; to be asked until it is to listen.
    ///
    /// # Errors
    /// When the model cannot be sent.
    pub fn next(&mut self, now: u64) -> Result<Step, SendError> {
        match &self.state {
            State::Done => Ok(Step::Done),
            State::Failed(error) => Err(error.clone()),
            &State::Typing { next, end } => match Parcel::of(self.image, next) {
                Some(parcel) if next < end => {
                    self.has_sent = true;
                    let next = next + parcel.bytes.len();
                    self.state = State::Typing { next, end };
                    let mut text: String<LINE_BYTES> = String::new();
                    // It fits, as a test says.
                    let _ = write!(text, "{parcel}");
                    Ok(typed(Command::Data(&text)))
                }
                _ => {
                    self.state = State::Waiting;
                    self.last = now;
                    Ok(Step::Listen)
                }
            },
            State::Asking if !self.has_asked => self.ask(now),
            _ if now.saturating_sub(self.last) < PATIENCE => Ok(Step::Listen),
            _ => self.ask(now),
        }
    }

    fn ask(&mut self, now: u64) -> Result<Step, SendError> {
        self.tries += 1;
        self.last = now;
        self.has_asked = true;
        if self.tries > TRIES {
            let error = match self.state {
                State::Restarting => SendError::NotUsed,
                _ => SendError::Silent,
            };
            self.state = State::Failed(error.clone());
            return Err(error);
        }
        Ok(typed(match self.state {
            State::Restarting => Command::Model,
            _ => Command::Load {
                bytes: self.image.len() as u32,
                checksum: self.checksum,
            },
        }))
    }
}

/// A line to type. What noise has left of one before is ended by the line end in front.
fn typed(command: Command<'_>) -> Step {
    let mut line = String::new();
    let is_parcel = matches!(command, Command::Data(_));
    // It fits, as a test says.
    let _ = match is_parcel {
        true => write!(line, "{command}"),
        false => write!(line, "\n{command}"),
    };
    Step::Type(line)
}

/// The beginning of a text, as much as a line holds.
fn clipped(text: &str) -> String<LINE_BYTES> {
    let mut clipped = String::new();
    for c in text.chars() {
        if clipped.push(c).is_err() {
            break;
        }
    }
    clipped
}
