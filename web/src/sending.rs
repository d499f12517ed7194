//! A model on its way to a board, by the code of `inkling send`: what the board prints goes in, and what to type
//! comes out.

use firmware::protocol::{Heard, Parser, Said};
use firmware::sender::{Sender, Sent, Stage, Step, WAS_THERE};
use inkling_engine::AlignedImage;

/// What to do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Listen to the board.
    Listen,
    /// Type this.
    Type(String),
    /// Nothing: the board uses the model, as this sentence says.
    Done(String),
    /// Nothing: it does not, and this sentence says why.
    Failed(String),
}

/// One model on its way. Times are milliseconds since it set out.
pub struct Sending {
    name: String,
    sender: Sender<'static>,
    parser: Parser,
}

impl Sending {
    /// Sets out. The image is kept until the instance of the module ends.
    ///
    /// # Errors
    /// A sentence about an image that is none.
    pub fn new(name: &str, image: &[u8]) -> Result<Self, String> {
        let refused = |error: &dyn std::fmt::Display| format!("cannot send {name}: {error}");
        // Of what is refused nothing is kept.
        let image = AlignedImage::new(image);
        image.model().map_err(|error| refused(&error))?;
        let image: &'static AlignedImage = Box::leak(Box::new(image));
        let sender = Sender::new(image.bytes(), 0).map_err(|error| refused(&error))?;
        Ok(Self {
            name: name.to_owned(),
            sender,
            parser: Parser::new(),
        })
    }

    /// Takes note of what the board prints.
    pub fn hear(&mut self, bytes: &[u8], now: u64) {
        for &byte in bytes {
            if let Heard::Line(line) = self.parser.push(byte) {
                self.sender.hear(Said::read(line), now);
            }
        }
    }

    /// The board was gone, and is there again.
    pub fn reconnect(&mut self, now: u64) {
        self.parser = Parser::new();
        self.sender.reconnect(now);
    }

    /// What to do next; to be asked until it is to listen.
    pub fn next(&mut self, now: u64) -> Next {
        let Self { name, sender, .. } = self;
        match sender.next(now) {
            Ok(Step::Listen) => Next::Listen,
            Ok(Step::Type(line)) => Next::Type(format!("{line}\n")),
            Ok(Step::Done) if sender.has_sent() => {
                let sent = Sent {
                    bytes: sender.bytes(),
                    milliseconds: now,
                };
                Next::Done(format!("{name}: {sent}"))
            }
            Ok(Step::Done) => Next::Done(format!("{name}: {WAS_THERE}")),
            Err(error) => Next::Failed(format!("cannot send {name}: {error}")),
        }
    }

    /// What is being done, how many bytes are done, and of how many, with tabs in between.
    #[must_use]
    pub fn progress(&self) -> String {
        let stage = self.sender.stage();
        let all = self.sender.bytes();
        let done = match stage {
            Stage::Erasing(bytes) | Stage::Sending(bytes) => bytes as usize,
            Stage::Restarting => all,
        };
        format!("{stage}\t{done}\t{all}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use firmware::protocol::{Load, OWN};
    use inkling_engine::writer::made_up;

    fn say(sending: &mut Sending, line: &dyn std::fmt::Display, now: u64) {
        sending.hear(format!("{OWN}{line}\n").as_bytes(), now);
    }

    /// The lines that are to be typed until it is to listen or has ended.
    fn lines(sending: &mut Sending, now: u64) -> (Vec<String>, Next) {
        let mut lines = Vec::new();
        loop {
            match sending.next(now) {
                Next::Type(line) => lines.push(line),
                next => return (lines, next),
            }
        }
    }

    #[test]
    fn a_model_is_sent_as_the_command_line_sends_it() {
        let image = made_up(23, 40, 1, 2);
        let bytes = image.bytes().len();
        let checksum = image.model().unwrap().checksum();
        let mut sending = Sending::new("novel", image.bytes()).unwrap();
        let (typed, next) = lines(&mut sending, 0);
        assert_eq!(typed, [format!("\n/load {bytes} {checksum:08x}\n")]);
        assert_eq!(next, Next::Listen);

        say(&mut sending, &Load::Header(bytes as u32), 10);
        let (typed, _) = lines(&mut sending, 10);
        assert!(typed[0].starts_with("/data 0 ") && typed.len() == 1);
        say(&mut sending, &Load::Erasing(0, bytes as u32), 20);
        assert_eq!(sending.progress(), format!("making room\t0\t{bytes}"));
        say(&mut sending, &Load::Wanted(128, bytes as u32), 30);
        let (typed, _) = lines(&mut sending, 30);
        assert!(typed.iter().all(|line| line.starts_with("/data ")));

        // The board was unplugged, and says where it was.
        sending.hear(b"\x1e# load: ne", 40);
        sending.reconnect(50);
        let (typed, _) = lines(&mut sending, 50);
        assert_eq!(typed, [format!("\n/load {bytes} {checksum:08x}\n")]);
        say(&mut sending, &Load::Wanted(128, bytes as u32), 60);
        assert_eq!(sending.progress(), format!("sending\t128\t{bytes}"));

        say(&mut sending, &Load::Complete(checksum), 2_000);
        assert_eq!(sending.progress(), format!("restarting\t{bytes}\t{bytes}"));
        say(&mut sending, &"Inkling 0.1.0 on pico", 2_600);
        let model = format!("model: novel, 23 symbols, checksum {checksum:08x}");
        say(&mut sending, &model, 2_650);
        let said = format!("novel: {bytes} bytes sent in 2.7 s, the board writes with it");
        assert_eq!(sending.next(2_650), Next::Done(said));
    }

    #[test]
    fn what_goes_wrong_is_told_as_the_command_line_tells_it() {
        let image = made_up(23, 40, 1, 2);
        let mut damaged = image.bytes().to_vec();
        damaged[100] ^= 1;
        let refused = Sending::new("novel", &damaged).err().unwrap();
        assert!(
            refused.starts_with("cannot send novel: the model image is damaged"),
            "{refused}"
        );

        let mut sending = Sending::new("novel", image.bytes()).unwrap();
        let reason = "this board's program cannot write to its flash: use `inkling flash`";
        let mut now = 0;
        let ended = loop {
            let (_, next) = lines(&mut sending, now);
            if next != Next::Listen {
                break next;
            }
            now += 10;
            say(&mut sending, &Load::Refused(reason), now);
        };
        let said = format!("cannot send novel: the board does not take the model: {reason}");
        assert_eq!(ended, Next::Failed(said));

        let mut sending = Sending::new("novel", image.bytes()).unwrap();
        let mut now = 0;
        let ended = loop {
            let (_, next) = lines(&mut sending, now);
            if next != Next::Listen {
                break next;
            }
            now += 1_000;
        };
        assert!(
            matches!(&ended, Next::Failed(said) if said.contains("the board does not answer")),
            "{ended:?}"
        );

        // One that has the model already need not take it.
        let mut sending = Sending::new("novel", image.bytes()).unwrap();
        lines(&mut sending, 0);
        let checksum = image.model().unwrap().checksum();
        say(&mut sending, &Load::Complete(checksum), 5);
        let model = format!("model: novel, 23 symbols, checksum {checksum:08x}");
        say(&mut sending, &model, 6);
        let said = Next::Done("novel: the board writes with it already".into());
        assert_eq!(sending.next(7), said);
    }
}
