//! Whether a model can write for ever: no cell stuck at an end of its range, no decay into repetition.
//!
//! The engine writes a long text, which is looked at in windows. What a healthy model's windows have in
//! common is measured on the text itself, so that one rule fits every language and temperature.

use std::collections::HashSet;
use std::path::Path;

use firmware::image::Model;
use firmware::sampler::{Sampler, Settings};
use safetensors::SafeTensors;
use serde::Serialize;

use crate::engine::engine;
use crate::evaluate::{bits, is_at_end, surprise};

/// Characters of a window; a last one that is not whole is left out.
pub const WINDOW: usize = 10_000;

/// Length of the pieces of text that are looked for again.
const PIECE: usize = 8;

/// A window of which this share was written before, within it, runs in a circle: fewer than 500 of its
/// 10,000 pieces are new.
const MOST_REPEATED: f64 = 0.95;

/// How far the share of repeated pieces may rise from the first tenth of the text to the last.
const MOST_DECAY: f64 = 0.2;

/// A window whose surprisal is this part of the usual one, or less, knows what comes by heart.
const LEAST_SURPRISAL: f64 = 0.4;

/// How far the mean surprisal may be from the loss on text of people, at temperature 1.
const MOST_DISTANCE: f64 = 0.25;

/// A cell that was at an end of its range for so many characters is stuck.
const STUCK: u64 = WINDOW as u64;

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Health {
    /// Characters written.
    pub characters: u64,
    /// Mean surprisal of the text, in nats per character, by the model's own distribution at
    /// temperature 1.
    pub surprisal_nats: f64,
    /// The least and the most surprising window.
    pub surprisal_range_nats: [f64; 2],
    /// The mean share of 8-character pieces that occurred before in their window.
    pub repeated: f64,
    /// That of the most repetitive window.
    pub repeated_most: f64,
    /// Mean shares of the first and the last tenth of the text.
    pub repeated_first_and_last: [f64; 2],
    /// The share of cells at an end of their range, over all characters.
    pub cells_at_end: f64,
    /// The longest time that one cell was there, in characters.
    pub longest_at_end: u64,
    /// Whether all is well.
    pub healthy: bool,
    /// What is not, one sentence each.
    pub findings: Vec<String>,
}

/// One window in numbers.
#[derive(Debug, Clone, Copy)]
struct Window {
    surprisal: f64,
    repeated: f64,
}

/// Lets a model write at least one window and looks at it. `loss` is that on text of people, where it is
/// known and the temperature is 1. `progress` is told how many characters are written.
#[must_use]
pub fn examine(
    model: Model<'_>,
    settings: Settings,
    seed: u64,
    length: usize,
    loss: Option<f64>,
    mut progress: impl FnMut(u64),
) -> Health {
    let mut lstm = engine(model);
    let unwritten = model.alphabet().unwritten();
    let mut sampler = Sampler::new(settings, seed).without(unwritten);
    // A text without what stands for rare characters has another surprisal than text of people with it.
    let loss = loss.filter(|_| unwritten.is_none());
    let mut last = model.alphabet().start();
    let mut cells = Cells::new(lstm.cells().count());
    let mut windows = Vec::new();
    let mut text = Vec::with_capacity(WINDOW);
    for window in 0..(length / WINDOW).max(1) {
        text.clear();
        let mut surprisal = 0.0;
        for _ in 0..WINDOW {
            lstm.step(last);
            let logits = lstm.logits();
            last = sampler.sample(logits);
            surprisal += surprise(logits, last);
            text.push(last);
            cells.look(lstm.cells());
        }
        windows.push(Window {
            surprisal: surprisal / WINDOW as f64,
            repeated: repeated(&text),
        });
        progress(((window + 1) * WINDOW) as u64);
    }
    judge(&windows, &cells, loss)
}

/// The engine's loss that was measured when the image at `path` was exported, if that is on record
/// beside it.
#[must_use]
pub fn recorded_loss(path: &Path) -> Option<f64> {
    let bytes = std::fs::read(path.with_extension("safetensors")).ok()?;
    let (_, header) = SafeTensors::read_metadata(&bytes).ok()?;
    let loss = header.metadata().as_ref()?.get("engine_loss_nats")?;
    loss.parse().ok()
}

/// The share of pieces of `text` that occurred before in it.
fn repeated(text: &[u8]) -> f64 {
    let pieces = text.windows(PIECE);
    let count = pieces.len().max(1);
    let different: HashSet<&[u8]> = pieces.collect();
    1.0 - different.len() as f64 / count as f64
}

/// How long each cell has been at an end of its range.
#[derive(Debug)]
struct Cells {
    now: Vec<u64>,
    longest: u64,
    at_end: u64,
    looks: u64,
}

impl Cells {
    fn new(count: usize) -> Self {
        Self {
            now: vec![0; count],
            longest: 0,
            at_end: 0,
            looks: 0,
        }
    }

    fn look(&mut self, cells: impl Iterator<Item = i16>) {
        self.looks += 1;
        for (now, cell) in self.now.iter_mut().zip(cells) {
            if is_at_end(cell) {
                *now += 1;
                self.at_end += 1;
                self.longest = self.longest.max(*now);
            } else {
                *now = 0;
            }
        }
    }
}

fn judge(windows: &[Window], cells: &Cells, loss: Option<f64>) -> Health {
    let mean = |of: fn(&Window) -> f64, windows: &[Window]| {
        windows.iter().map(of).sum::<f64>() / windows.len().max(1) as f64
    };
    let extremes = |of: fn(&Window) -> f64| {
        let values = windows.iter().map(of);
        values.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], value| {
            [low.min(value), high.max(value)]
        })
    };
    let surprisal_of = |window: &Window| window.surprisal;
    let repeated_of = |window: &Window| window.repeated;
    let tenth = windows.len().div_ceil(10);
    let first = mean(repeated_of, &windows[..tenth]);
    let last = mean(repeated_of, &windows[windows.len() - tenth..]);
    let surprisal = mean(surprisal_of, windows);
    let surprisal_range = extremes(surprisal_of);
    let [_, repeated_most] = extremes(repeated_of);

    let mut findings = Vec::new();
    if cells.longest >= STUCK {
        findings.push(format!(
            "a cell was at an end of its range for {} characters without a break",
            cells.longest
        ));
    }
    if repeated_most > MOST_REPEATED {
        findings.push(format!(
            "it runs in a circle: {:.1} % of a window of {WINDOW} characters are repetitions",
            100.0 * repeated_most
        ));
    }
    if last - first > MOST_DECAY {
        findings.push(format!(
            "it repeats itself more and more: from {:.1} % of the first tenth to {:.1} % of the last",
            100.0 * first,
            100.0 * last
        ));
    }
    if surprisal_range[0] < LEAST_SURPRISAL * surprisal {
        findings.push(format!(
            "it falls into what it knows by heart: a window with {:.3} instead of {surprisal:.3} nats \
             per character",
            surprisal_range[0]
        ));
    }
    if let Some(loss) = loss
        && (surprisal - loss).abs() > MOST_DISTANCE * loss
    {
        findings.push(format!(
            "its text is not as surprising as text of people: {surprisal:.3} instead of about \
             {loss:.3} nats per character"
        ));
    }
    Health {
        characters: cells.looks,
        surprisal_nats: surprisal,
        surprisal_range_nats: surprisal_range,
        repeated: mean(repeated_of, windows),
        repeated_most,
        repeated_first_and_last: [first, last],
        cells_at_end: cells.at_end as f64 / (cells.looks * cells.now.len() as u64).max(1) as f64,
        longest_at_end: cells.longest,
        healthy: findings.is_empty(),
        findings,
    }
}

impl std::fmt::Display for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [low, high] = self.surprisal_range_nats;
        let [first, last] = self.repeated_first_and_last;
        writeln!(f, "written      {} characters", self.characters)?;
        writeln!(
            f,
            "surprisal    {:.4} nats/char ({:.4} bits/char); in windows from {low:.3} to {high:.3}",
            self.surprisal_nats,
            bits(self.surprisal_nats)
        )?;
        writeln!(
            f,
            "repetition   {:.1} % of 8-character pieces; in windows at most {:.1} %; first tenth \
             {:.1} %, last {:.1} %",
            100.0 * self.repeated,
            100.0 * self.repeated_most,
            100.0 * first,
            100.0 * last
        )?;
        writeln!(
            f,
            "cells        {:.4} % at an end of their range, none longer than {} characters",
            100.0 * self.cells_at_end,
            self.longest_at_end
        )?;
        match self.healthy {
            true => write!(f, "verdict      healthy"),
            false => write!(f, "verdict      not healthy: {}", self.findings.join("; ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Window = Window {
        surprisal: 1.5,
        repeated: 0.3,
    };

    fn verdict(windows: &[Window], longest: u64, loss: Option<f64>) -> String {
        let cells = Cells {
            longest,
            ..Cells::new(4)
        };
        let health = judge(windows, &cells, loss);
        assert_eq!(health.healthy, health.findings.is_empty());
        health.findings.join("; ")
    }

    #[test]
    fn each_kind_of_decline_is_found_and_nothing_else() {
        let mut windows = [FRESH; 100];
        assert_eq!(verdict(&windows, STUCK - 1, Some(1.6)), "");
        assert!(verdict(&windows, STUCK, None).contains("without a break"));
        assert!(verdict(&windows, 0, Some(2.2)).contains("as surprising as"));
        windows[50].repeated = 0.96;
        assert!(verdict(&windows, 0, None).starts_with("it runs in a circle: 96.0 %"));
        windows[50] = FRESH;
        for window in &mut windows[80..] {
            window.repeated = 0.6;
        }
        let found = verdict(&windows, 0, None);
        assert!(
            found.starts_with("it repeats itself more and more: from 30.0 %"),
            "{found}"
        );
        windows = [FRESH; 100];
        windows[3].surprisal = 0.1;
        assert!(verdict(&windows, 0, None).starts_with("it falls into what it knows by heart"));
    }

    #[test]
    fn repetition_is_the_share_of_pieces_seen_before() {
        let text: Vec<u8> = (0..=255).collect();
        assert_eq!(repeated(&text), 0.0);
        let twice = text.repeat(2);
        let pieces = (twice.len() - PIECE + 1) as f64;
        assert!((repeated(&twice) - (1.0 - 256.0 / pieces)).abs() < 1e-12);
        assert!(repeated(&[7; WINDOW]) > MOST_REPEATED);
    }

    #[test]
    fn a_cell_is_timed_from_when_it_reaches_an_end_to_when_it_leaves() {
        let mut cells = Cells::new(2);
        for value in [0, i16::MAX, i16::MIN, 5, i16::MAX] {
            cells.look([value, 0].into_iter());
        }
        assert_eq!((cells.longest, cells.at_end, cells.looks), (2, 3, 5));
    }
}
