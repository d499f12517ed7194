//! Whether a model can write for ever: no cell stuck at an end of its range, no decay into repetition,
//! no deserts of one symbol.
//!
//! The engine writes a long text, which is looked at in windows and compared with the figures of the
//! text that the model was trained on, as far as they are known: a list repeats itself more than a novel.

use std::collections::HashMap;
use std::path::Path;

use inkling_engine::format::STREAK_LEVELS;
use inkling_engine::{Model, Settings, Thousandths};
use serde::{Serialize, Serializer};

use crate::corpus::REPLACEMENT;
use crate::evaluate::bits;
use crate::figures::{Figures, StreakCounter, TRAINING_LOSS_KEY, WINDOW, repeated};
use crate::predict::surprise;
use crate::tensors;
use crate::writing::Author;

mod cells;

use cells::Cells;
pub use cells::{AT_END_KEY, AtEnd};

/// A window of which this share was written before, within it, runs in a circle, whatever the text:
/// fewer than 500 of its 10,000 pieces are new.
const MOST_REPEATED: f64 = 0.95;

/// The part of what is new in the text, window for window, that must be new in what is written.
const LEAST_NEW: f64 = 0.6;

/// How far the share of repeated pieces may rise from the first tenth of the text to the last.
const MOST_DECAY: f64 = 0.2;

/// A window whose surprisal is this part of the usual one, or less, knows what comes by heart.
const LEAST_SURPRISAL: f64 = 0.4;

/// How far the mean surprisal may be from the loss on text of people, at temperature 1.
const MOST_DISTANCE: f64 = 0.25;

/// A cell that was at an end of its range for so many characters, and for a good part of all, is stuck,
/// unless [that is how it reads its text](AtEnd).
const STUCK: u64 = WINDOW as u64;

/// That part: what leaves the end sooner is memory.
const STUCK_PART: u64 = 4;

/// How many times as long as the longest one of its text a streak of one symbol may be, and how many
/// times as frequent streaks may be.
const MOST_STREAKS: f64 = 3.0;

/// Streaks of a level that are too few to be compared.
const FEW_STREAKS: u64 = 10;

/// What is known of the text that a model was trained on.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The model's loss on text that it was not trained on, in nats per character.
    pub loss: Option<f64>,
    /// That on the text it was trained on.
    pub training_loss: Option<f64>,
    /// What the text is like.
    pub figures: Option<Figures>,
    /// What cells are like while the model reads it.
    pub at_end: Option<AtEnd>,
}

impl Known {
    /// What is on record beside the image at `path`, of a model of so many symbols.
    #[must_use]
    pub fn on_record(path: &Path, symbols: usize) -> Self {
        let metadata = tensors::metadata_of(&path.with_extension("safetensors"));
        let metadata: HashMap<String, String> = metadata.unwrap_or_default().into_iter().collect();
        let number = |key| metadata.get(key).and_then(|text| text.parse().ok());
        Self {
            loss: number("engine_loss_nats"),
            training_loss: number(TRAINING_LOSS_KEY),
            figures: Figures::in_metadata(&metadata, symbols),
            at_end: metadata
                .get(AT_END_KEY)
                .and_then(|json| serde_json::from_str(json).ok()),
        }
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Health {
    /// The temperature it was written at.
    #[serde(serialize_with = "decimal")]
    pub temperature: Thousandths,
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
    /// The mean share in the text it was trained on, if that is known.
    pub repeated_in_its_text: Option<f64>,
    /// The longest streak of one character, and the longest one of that character in its text.
    pub longest_streak: Streak,
    /// The share of cells at an end of their range, over all characters.
    pub cells_at_end: f64,
    /// The longest time that one cell was there, in characters.
    pub longest_at_end: u64,
    /// Whether all is well.
    pub healthy: bool,
    /// What is not, one sentence each.
    pub findings: Vec<String>,
}

/// So many times the same character.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Streak {
    /// Which one.
    pub character: char,
    /// How often.
    pub length: u32,
    /// The most often in the text that the model was trained on, if that is known.
    pub in_its_text: Option<u32>,
}

fn decimal<S: Serializer>(number: &Thousandths, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(f64::from(number.0) / 1_000.0)
}

/// One window in numbers.
#[derive(Debug, Clone, Copy)]
struct Window {
    surprisal: f64,
    repeated: f64,
}

/// What a text was seen to be.
struct Seen<'a> {
    windows: &'a [Window],
    cells: &'a Cells,
    streaks: &'a StreakCounter,
    /// The longest streak.
    longest: Streak,
}

/// Lets a model write at least one window and looks at it. `progress` is told how many characters are
/// written.
#[must_use]
pub fn examine(
    model: Model<'_>,
    settings: Settings,
    seed: u64,
    length: usize,
    known: &Known,
    mut progress: impl FnMut(u64),
) -> Health {
    let alphabet = model.alphabet();
    let mut author = Author::of_image(model, settings);
    author.restart(seed);
    let mut cells = Cells::new(author.predictor().cells().count());
    let mut streaks = StreakCounter::new(alphabet.len());
    let mut windows = Vec::new();
    let mut text = Vec::with_capacity(WINDOW);
    for window in 0..(length / WINDOW).max(1) {
        text.clear();
        let mut surprisal = 0.0;
        for _ in 0..WINDOW {
            let mut first = None;
            let character = author.write_watched(|logits, symbol| {
                surprisal += surprise(logits, symbol);
                first.get_or_insert(symbol);
            });
            text.push(character);
            streaks.see(first.unwrap_or_default(), character);
            cells.look(author.predictor().cells());
        }
        windows.push(Window {
            surprisal: surprisal / WINDOW as f64,
            repeated: repeated(&text),
        });
        progress(((window + 1) * WINDOW) as u64);
    }
    let lengths = streaks.longest.iter().zip(&streaks.longest_of);
    let (symbol, (&length, &character)) = lengths
        .enumerate()
        .max_by_key(|&(_, (&length, _))| length)
        .unwrap_or((0, (&0, &char::REPLACEMENT_CHARACTER)));
    let in_text = known.figures.as_ref().map(|figures| &figures.longest);
    let seen = Seen {
        windows: &windows,
        cells: &cells,
        streaks: &streaks,
        longest: Streak {
            character,
            length,
            in_its_text: in_text.and_then(|longest| longest.get(symbol).copied()),
        },
    };
    let mut known = known.clone();
    // At other temperatures a text has another surprisal than text of people; and one without what
    // stands for rare characters has another than text with it.
    if settings.temperature != Thousandths::ONE || alphabet.knows(REPLACEMENT) {
        (known.loss, known.training_loss) = (None, None);
    }
    judge(settings.temperature, &seen, &known)
}

fn judge(temperature: Thousandths, seen: &Seen<'_>, known: &Known) -> Health {
    let &Seen { windows, cells, .. } = seen;
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
    let [_, repeated_most] = extremes(repeated_of);
    let figures = known.figures.as_ref();
    let mut health = Health {
        temperature,
        characters: cells.looks,
        surprisal_nats: mean(surprisal_of, windows),
        surprisal_range_nats: extremes(surprisal_of),
        repeated: mean(repeated_of, windows),
        repeated_most,
        repeated_first_and_last: [first, last],
        repeated_in_its_text: figures.and_then(|figures| figures.repeated),
        longest_streak: seen.longest.clone(),
        cells_at_end: cells.share_at_end(),
        longest_at_end: cells.longest,
        healthy: true,
        findings: Vec::new(),
    };
    let mut findings = Vec::new();
    let stuck = STUCK.max(cells.looks / STUCK_PART);
    let too_long = known.at_end.map_or(Some(stuck), AtEnd::too_long);
    if too_long.is_some_and(|too_long| cells.longest >= too_long.max(stuck)) {
        findings.push(format!(
            "a cell was at an end of its range for {} characters without a break",
            cells.longest
        ));
    }
    findings.extend(repetition(&health, figures));
    if last - first > MOST_DECAY {
        findings.push(format!(
            "it repeats itself more and more: from {:.1} % of the first tenth to {:.1} % of the last",
            100.0 * first,
            100.0 * last
        ));
    }
    findings.extend(deserts(
        &seen.longest,
        seen.streaks,
        health.characters,
        figures,
    ));
    findings.extend(surprisal(&health, known));
    health.healthy = findings.is_empty();
    health.findings = findings;
    health
}

/// Whether it repeats itself more than its text, in a window or all the time.
fn repetition(health: &Health, figures: Option<&Figures>) -> Option<String> {
    let in_text = figures.and_then(|figures| figures.repeated.zip(figures.repeated_most));
    let (usual, most) = in_text.unwrap_or((0.0, 0.0));
    let limit = |share: f64| 1.0 - LEAST_NEW * (1.0 - share);
    let most_in_window = match in_text {
        // A list or a table may have whole windows with next to nothing new.
        Some(_) => limit(most).max(MOST_REPEATED),
        None => MOST_REPEATED,
    };
    if health.repeated_most > most_in_window {
        return Some(format!(
            "it runs in a circle: {:.1} % of a window of {WINDOW} characters are repetitions",
            100.0 * health.repeated_most
        ));
    }
    if in_text.is_some() && health.repeated > limit(usual) {
        return Some(format!(
            "it repeats itself: {:.1} % of what it writes was there before, within {WINDOW} characters, \
             and {:.1} % of its text",
            100.0 * health.repeated,
            100.0 * usual
        ));
    }
    None
}

/// Streaks of one symbol that are longer or more frequent than in its text.
fn deserts(
    longest: &Streak,
    streaks: &StreakCounter,
    characters: u64,
    figures: Option<&Figures>,
) -> Option<String> {
    let figures = figures?;
    let most = longest
        .in_its_text
        .unwrap_or(0)
        .max(STREAK_LEVELS[0].into());
    if f64::from(longest.length) > MOST_STREAKS * f64::from(most) {
        return Some(format!(
            "it writes deserts: {:?} {} times in a row, in its text {} at most",
            longest.character,
            longest.length,
            longest.in_its_text.unwrap_or(0)
        ));
    }
    let levels = STREAK_LEVELS
        .iter()
        .zip(streaks.streaks.iter().zip(figures.streaks));
    levels.rev().find_map(|(level, (&count, in_text))| {
        let usual = in_text as f64 * characters as f64 / figures.characters.max(1) as f64;
        (count > FEW_STREAKS && count as f64 > MOST_STREAKS * usual).then(|| {
            format!(
                "it writes deserts: {count} streaks of {level} and more of one character, where its \
                 text would have {usual:.0}"
            )
        })
    })
}

/// What is said of its surprisal.
fn surprisal(health: &Health, known: &Known) -> Vec<String> {
    let mut findings = Vec::new();
    let surprisal = health.surprisal_nats;
    let [least, _] = health.surprisal_range_nats;
    if least < LEAST_SURPRISAL * surprisal {
        findings.push(format!(
            "it falls into what it knows by heart: a window with {least:.3} instead of {surprisal:.3} \
             nats per character"
        ));
    }
    if let Some(loss) = known.loss {
        // A model that knows its text better than others writes as it knows it.
        let least = loss.min(known.training_loss.unwrap_or(loss));
        let most = loss.max(known.training_loss.unwrap_or(loss));
        if surprisal < (1.0 - MOST_DISTANCE) * least || surprisal > (1.0 + MOST_DISTANCE) * most {
            findings.push(format!(
                "its text is not as surprising as text of people: {surprisal:.3} instead of about \
                 {loss:.3} nats per character"
            ));
        }
    }
    findings
}

impl std::fmt::Display for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [low, high] = self.surprisal_range_nats;
        let [first, last] = self.repeated_first_and_last;
        let Streak {
            character, length, ..
        } = self.longest_streak;
        writeln!(f, "temperature  {}", self.temperature)?;
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
        if let Some(share) = self.repeated_in_its_text {
            writeln!(f, "in its text  {:.1} % are repetitions", 100.0 * share)?;
        }
        write!(
            f,
            "streaks      {character:?} {length} times in a row at most"
        )?;
        match self.longest_streak.in_its_text {
            Some(most) => writeln!(f, ", in its text {most}")?,
            None => writeln!(f)?,
        }
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

    fn verdict(windows: &[Window], longest: u64, known: &Known) -> String {
        let mut cells = Cells::new(4);
        (cells.longest, cells.looks) = (longest, STUCK_PART * STUCK);
        let seen = Seen {
            windows,
            cells: &cells,
            streaks: &StreakCounter::new(2),
            longest: Streak {
                character: 'a',
                length: 2,
                in_its_text: None,
            },
        };
        let health = judge(Thousandths::ONE, &seen, known);
        assert_eq!(health.healthy, health.findings.is_empty());
        health.findings.join("; ")
    }

    fn known(loss: Option<f64>) -> Known {
        Known {
            loss,
            ..Known::default()
        }
    }

    #[test]
    fn each_kind_of_decline_is_found_and_nothing_else() {
        let mut windows = [FRESH; 100];
        let unknown = known(None);
        assert_eq!(verdict(&windows, STUCK - 1, &known(Some(1.6))), "");
        assert!(verdict(&windows, STUCK, &unknown).contains("without a break"));
        assert!(verdict(&windows, 0, &known(Some(2.2))).contains("as surprising as"));
        windows[50].repeated = 0.96;
        assert!(verdict(&windows, 0, &unknown).starts_with("it runs in a circle: 96.0 %"));
        windows[50] = FRESH;
        for window in &mut windows[80..] {
            window.repeated = 0.6;
        }
        let found = verdict(&windows, 0, &unknown);
        assert!(
            found.starts_with("it repeats itself more and more: from 30.0 %"),
            "{found}"
        );
        windows = [FRESH; 100];
        windows[3].surprisal = 0.1;
        assert!(verdict(&windows, 0, &unknown).starts_with("it falls into what it knows by heart"));
    }

    /// A text of which so much is repeated.
    fn text(repeated: f64, repeated_most: f64) -> Known {
        let figures = Figures {
            characters: 1_000_000,
            longest: vec![30, 3],
            streaks: [1_000, 100, 10, 0],
            density: 20,
            repeated: Some(repeated),
            repeated_most: Some(repeated_most),
        };
        Known {
            loss: None,
            training_loss: None,
            figures: Some(figures),
            at_end: None,
        }
    }

    #[test]
    fn a_cell_that_reads_its_text_at_an_end_of_its_range_may_write_there() {
        let read = |longest| Known {
            at_end: Some(AtEnd {
                longest,
                read: 100_000,
            }),
            ..Known::default()
        };
        let windows = [FRESH; 100];
        assert!(verdict(&windows, STUCK, &read(100)).contains("without a break"));
        assert_eq!(verdict(&windows, 3 * 20_000 - 1, &read(20_000)), "");
        assert!(verdict(&windows, 3 * 20_000, &read(20_000)).contains("without a break"));
        assert_eq!(verdict(&windows, 900_000, &read(60_000)), "");
    }

    #[test]
    fn how_much_may_be_repeated_follows_from_the_text() {
        let mut windows = [FRESH; 100];
        for window in &mut windows {
            window.repeated = 0.65;
        }
        let novel = verdict(&windows, 0, &text(0.1, 0.2));
        assert!(novel.starts_with("it repeats itself: 65.0 %"), "{novel}");
        assert_eq!(verdict(&windows, 0, &text(0.55, 0.8)), "");
        windows[7].repeated = 0.97;
        assert!(verdict(&windows, 0, &text(0.55, 0.8)).starts_with("it runs in a circle"));
        assert_eq!(verdict(&windows, 0, &text(0.55, 0.99)), "");
    }

    #[test]
    fn a_model_that_knows_its_text_by_heart_may_write_as_it_knows_it() {
        let by_heart = Known {
            loss: Some(3.0),
            training_loss: Some(1.4),
            ..Known::default()
        };
        assert_eq!(verdict(&[FRESH; 100], 0, &by_heart), "");
        assert!(verdict(&[FRESH; 100], 0, &known(Some(3.0))).contains("as surprising as"));
    }

    #[test]
    fn deserts_are_measured_by_the_text() {
        let known = text(0.3, 0.5);
        let said = |longest: u32, in_its_text, streaks| {
            let mut counter = StreakCounter::new(2);
            counter.streaks = streaks;
            let longest = Streak {
                character: ' ',
                length: longest,
                in_its_text: Some(in_its_text),
            };
            deserts(&longest, &counter, 1_000_000, known.figures.as_ref()).unwrap_or_default()
        };
        assert_eq!(said(40, 30, [1_500, 150, 10, 0]), "");
        assert!(said(1_156, 30, [0; 4]).contains("' ' 1156 times in a row, in its text 30"));
        let frequent = said(30, 30, [3_000, 150, 80, 0]);
        assert!(frequent.contains("80 streaks of 20 and more"), "{frequent}");
        assert!(
            frequent.ends_with("where its text would have 10"),
            "{frequent}"
        );
    }
}
