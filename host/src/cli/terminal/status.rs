//! What the console shows of itself, gathered for a line at the bottom of the terminal.
//!
//! Reads the lines that are the board's own; all else is text and is counted for the speed.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use firmware::protocol::{PASSAGE, PAUSED, Said, Start};

/// Stands between the parts of the line.
pub const SEPARATOR: &str = " · ";

/// What the speed is measured over.
const WINDOW: Duration = Duration::from_secs(3);

/// What is known of the board.
#[derive(Debug)]
pub struct Status {
    board: Option<String>,
    model: Option<String>,
    seed: Option<String>,
    temperature: Option<String>,
    connected: bool,
    is_paused: bool,
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
            is_paused: false,
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

    /// Takes note of so many characters of text.
    pub fn count(&mut self, characters: usize, now: Instant) {
        self.arrivals.push_back((now, characters));
        self.forget(now);
    }

    fn forget(&mut self, now: Instant) {
        while let Some(&(time, _)) = self.arrivals.front()
            && now.duration_since(time) > WINDOW
        {
            self.arrivals.pop_front();
        }
    }

    /// Takes note of a line of the board's own.
    pub fn hear(&mut self, line: &str) {
        if let Some(progress) = line.strip_prefix(PASSAGE) {
            self.is_paused = progress.ends_with(PAUSED);
        }
        match Said::read(line) {
            Said::Greeting(board) => {
                self.board = Some(board.to_owned());
                self.is_paused = false;
            }
            Said::Paused => self.is_paused = true,
            Said::Resumed => self.is_paused = false,
            Said::Model { name, .. } => self.model = Some(name.to_owned()),
            Said::NoModel(_) => self.model = Some("no model".into()),
            Said::Start(Start { seed, settings }) => {
                self.seed = Some(seed.to_string());
                self.temperature = Some(settings.temperature.to_string());
            }
            Said::Seed(seed) => self.seed = Some(seed.to_string()),
            Said::Settings(settings) => self.temperature = Some(settings.temperature.to_string()),
            _ => {}
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
        let pace = match self.is_paused {
            true => PAUSED.to_owned(),
            false => format!("{:.0} characters/s", self.speed(now)),
        };
        let parts = [
            self.board.clone(),
            Some(pace),
            self.temperature
                .as_ref()
                .map(|value| format!("temperature {value}")),
            self.seed.as_ref().map(|value| format!("seed {value}")),
            self.model.clone(),
        ];
        parts
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(SEPARATOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_board_tells_what_the_line_shows() {
        let start = Instant::now();
        let mut status = Status::new(start);
        for line in [
            "Inkling 0.1.0 on pico",
            "model: tiny, 65 symbols, 1 x 88 units",
            "start: seed 7, temperature 0.8",
        ] {
            status.hear(line);
        }
        let later = start + Duration::from_secs(1);
        status.count(16, later);
        assert_eq!(
            status.line(later),
            "pico · 16 characters/s · temperature 0.8 · seed 7 · tiny"
        );
        for line in ["temperature 0.5, top-k 3", "reset to seed 9", "seed 11"] {
            status.hear(line);
        }
        assert!(status.line(later).contains("temperature 0.5 · seed 11 "));
        for line in [
            "passage: seed 12, 4 of 9 characters",
            "settings: temperature 0.1, rate 40",
        ] {
            status.hear(line);
        }
        assert!(status.line(later).contains("temperature 0.1 · seed 12 "));
        for (line, is_paused) in [
            ("paused", true),
            ("passage: seed 12, 4 of 9 characters, 3 characters/s", false),
            (
                "passage: seed 12, 4 of 9 characters, 3 characters/s, paused",
                true,
            ),
            ("resumed", false),
            ("paused", true),
            ("Inkling 0.1.0 on pico", false),
        ] {
            status.hear(line);
            let shown = status.line(later);
            assert_eq!(shown.contains(" · paused · "), is_paused, "{line}");
            assert_eq!(shown.contains("characters/s"), !is_paused, "{line}");
        }
        let silent = later + 2 * WINDOW;
        assert!(status.line(silent).contains(" 0 characters/s"));
        status.set_connected(false, silent);
        assert_eq!(status.line(silent), "unplugged: waiting for the board");
        assert!(!status.knows_model());
    }
}
