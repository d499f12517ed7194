//! What the console shows of itself, gathered for a line at the bottom of the terminal.
//!
//! Reads the lines that the board starts with `# `, see `firmware/src/session.rs`; all else is text
//! and is counted for the speed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What the speed is measured over.
const WINDOW: Duration = Duration::from_secs(3);

/// How the console's own lines start.
const TALK: &str = "# ";

/// The longest of them that is looked at; they are shorter.
const LINE_BYTES: usize = 512;

/// What is known of the board.
#[derive(Debug)]
pub struct Status {
    board: Option<String>,
    model: Option<String>,
    seed: Option<String>,
    temperature: Option<String>,
    connected: bool,
    /// The line that is coming in, as far as it may be one of the console's.
    line: String,
    is_text: bool,
    /// When characters came and how many.
    arrivals: VecDeque<(Instant, usize)>,
    since: Instant,
}

impl Status {
    /// Nothing is known but that the board is there.
    pub fn new(now: Instant) -> Status {
        Status {
            board: None,
            model: None,
            seed: None,
            temperature: None,
            connected: true,
            line: String::new(),
            is_text: false,
            arrivals: VecDeque::new(),
            since: now,
        }
    }

    /// Says whether the board is there. One that was away may have another model and seed.
    pub fn set_connected(&mut self, connected: bool, now: Instant) {
        *self = Status {
            connected,
            ..Status::new(now)
        };
    }

    /// Whether the board has said what its model is.
    pub fn knows_model(&self) -> bool {
        self.model.is_some()
    }

    /// Whether a line of the console has come in part: nothing should come in between.
    pub fn is_mid_talk(&self) -> bool {
        self.connected && !self.is_text && !self.line.is_empty()
    }

    /// Takes note of what the board prints.
    pub fn observe(&mut self, text: &str, now: Instant) {
        let mut count = 0;
        for c in text.chars() {
            if c == '\n' {
                if !self.is_text {
                    let line = std::mem::take(&mut self.line);
                    self.read(&line);
                }
                self.line.clear();
                self.is_text = false;
            } else if !self.is_text {
                self.line.push(c);
                let may_be_talk =
                    self.line.starts_with(TALK) || TALK.starts_with(self.line.as_str());
                if !may_be_talk || self.line.len() > LINE_BYTES {
                    self.is_text = true;
                }
            }
            count += usize::from(self.is_text);
        }
        self.arrivals.push_back((now, count));
        self.forget(now);
    }

    fn forget(&mut self, now: Instant) {
        while let Some(&(time, _)) = self.arrivals.front()
            && now.duration_since(time) > WINDOW
        {
            self.arrivals.pop_front();
        }
    }

    fn read(&mut self, line: &str) {
        let Some(line) = line.strip_prefix(TALK) else {
            return;
        };
        if let Some(model) = line.strip_prefix("model: ") {
            self.model = model.split(',').next().map(str::to_owned);
        } else if let Some((_, board)) = line
            .strip_prefix("Inkling ")
            .and_then(|greeting| greeting.split_once(" on "))
        {
            self.board = Some(board.to_owned());
        } else if line.starts_with("no model") {
            self.model = Some("no model".into());
        }
        let values = [
            ("seed ", &mut self.seed),
            ("temperature ", &mut self.temperature),
        ];
        for (name, value) in values {
            // After a colon, a comma, or at the start.
            let parts = line.split(", ").flat_map(|part| part.rsplit(": ").next());
            if let Some(found) = parts.filter_map(|part| part.strip_prefix(name)).next() {
                *value = Some(found.to_owned());
            }
        }
    }

    /// Characters per second of late.
    fn speed(&mut self, now: Instant) -> f64 {
        self.forget(now);
        let count: usize = self.arrivals.iter().map(|(_, count)| count).sum();
        let time = now.duration_since(self.since).min(WINDOW);
        count as f64 / time.as_secs_f64().max(0.5)
    }

    /// The line for the bottom of the terminal.
    pub fn line(&mut self, now: Instant) -> String {
        if !self.connected {
            return "unplugged: waiting for the board".into();
        }
        let speed = format!("{:.0} characters/s", self.speed(now));
        let parts = [
            self.board.clone(),
            Some(speed),
            self.temperature
                .as_ref()
                .map(|value| format!("temperature {value}")),
            self.seed.as_ref().map(|value| format!("seed {value}")),
            self.model.clone(),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" · ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_board_tells_what_the_line_shows() {
        let start = Instant::now();
        let mut status = Status::new(start);
        status.observe("# Inkling 0.1.0 on pico\n# model: tiny, 65 sym", start);
        assert!(status.is_mid_talk());
        status.observe(
            "bols, 1 x 88 units\n# start: seed 7, temperature 0.8\nAB",
            start,
        );
        assert!(!status.is_mid_talk());
        let later = start + Duration::from_secs(1);
        status.observe("#no talk\nseed 9\n", later);
        assert_eq!(
            status.line(later),
            "pico · 16 characters/s · temperature 0.8 · seed 7 · tiny"
        );
        status.observe(
            "# temperature 0.5, top-k 3\n# reset to seed 9\n# seed 11\n",
            later,
        );
        assert!(status.line(later).contains("temperature 0.5 · seed 11 "));
        status.observe(
            "# passage: seed 12, 4 of 9 characters\n# settings: temperature 0.1, rate 40\n",
            later,
        );
        assert!(status.line(later).contains("temperature 0.1 · seed 12 "));
        let silent = later + 2 * WINDOW;
        assert!(status.line(silent).contains(" 0 characters/s"));
        status.set_connected(false, silent);
        assert_eq!(status.line(silent), "unplugged: waiting for the board");
        assert!(!status.knows_model());
    }

    #[test]
    fn endless_lines_of_noise_are_not_kept() {
        let start = Instant::now();
        let mut status = Status::new(start);
        status.observe(&format!("# {}", "x".repeat(10_000)), start);
        assert!(status.line.len() <= LINE_BYTES + 1);
    }
}
