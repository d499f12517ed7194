//! How a training shows itself: a bar on a terminal, plain lines elsewhere, JSON for scripts.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use console::{Term, measure_text_width};
use indicatif::style::ProgressTracker;
use indicatif::{HumanDuration, ProgressBar, ProgressState, ProgressStyle};

use crate::Observer;
use crate::run::events::{Event, Step};
use host::evaluate;
use host::note;
use host::output;
use host::words::count;

/// Ticks of the bar.
const TICKS: u64 = 1000;

/// Columns of the bar itself.
const BAR_COLUMNS: usize = 12;

/// Columns of what stands before the figures: the bar, the percentage and blanks around it.
const BEFORE_FIGURES: usize = BAR_COLUMNS + " 100%  ".len();

/// What fits where the program runs.
pub fn choose(json: bool) -> Box<dyn Observer> {
    if json {
        Box::new(JsonLines)
    } else if io::stderr().is_terminal() {
        Box::new(Bar::new())
    } else {
        Box::new(Lines::default())
    }
}

/// One line of JSON per event, on standard output.
struct JsonLines;

impl Observer for JsonLines {
    fn observe(&mut self, event: &Event) {
        if let Ok(line) = serde_json::to_string(event) {
            // A reader that has gone away is no reason to stop training.
            let _ = writeln!(output::stdout(), "{line}");
        }
    }
}

/// Plain lines on standard output.
#[derive(Default)]
struct Lines {
    heading: Heading,
}

impl Observer for Lines {
    fn observe(&mut self, event: &Event) {
        self.heading.hear(event);
        match event {
            Event::Step(step) => print_line(&self.heading.figures(step)),
            Event::Checkpoint { .. } => {}
            other => print_line(&describe(other)),
        }
    }
}

/// A bar on standard error, with everything else above it.
struct Bar {
    bar: ProgressBar,
    heading: Heading,
    figures: Arc<Mutex<Figures>>,
}

impl Bar {
    fn new() -> Self {
        let figures = Arc::<Mutex<Figures>>::default();
        let template = format!("{{bar:{BAR_COLUMNS}.cyan/dim}} {{percent:>3}}%  {{figures}}");
        let mut bar = ProgressBar::new(TICKS);
        if let Ok(style) = ProgressStyle::with_template(&template) {
            let fitting = Fitting(Arc::clone(&figures));
            bar = bar.with_style(style.progress_chars("━━─").with_key("figures", fitting));
        }
        Self {
            bar: output::bar(bar),
            heading: Heading::default(),
            figures,
        }
    }

    fn show(&self, figures: Figures) {
        *self.figures.lock().unwrap_or_else(PoisonError::into_inner) = figures;
        self.bar.tick();
    }
}

impl Observer for Bar {
    fn observe(&mut self, event: &Event) {
        self.heading.hear(event);
        match event {
            Event::Step(step) => {
                self.bar.set_position((step.progress * TICKS as f64) as u64);
                self.show(if step.progress < 1.0 {
                    Figures::of(&self.heading, step)
                } else {
                    Figures::words("measuring on text that was never trained on")
                });
            }
            Event::Sample { step, text } => {
                note!("── at step {step}, it writes:\n{text}\n");
            }
            Event::Note { text } => note!("note: {text}"),
            Event::Validation { .. } | Event::Checkpoint { .. } => {}
            Event::End { .. } => {
                self.bar.finish_and_clear();
                print_line(&describe(event));
            }
            Event::Start { .. } => {
                note!("{}", describe(event));
                self.show(Figures::words("making the first steps"));
            }
        }
    }
}

/// What stands behind the bar: parts in their order, each with its rank. What does not fit the terminal
/// is left out, the highest ranks first.
#[derive(Clone, Default)]
struct Figures(Vec<(u8, String)>);

impl Figures {
    fn words(text: &str) -> Self {
        Self(vec![(0, text.to_owned())])
    }

    /// One line about some steps.
    fn of(heading: &Heading, step: &Step) -> Self {
        let mut parts = vec![
            (3, format!("step {}", step.step)),
            (0, format!("loss {:.3}", step.loss_nats)),
        ];
        parts.extend(
            heading
                .validation
                .map(|loss| (2, format!("validation {loss:.3}"))),
        );
        parts.push((4, speed(step.characters_per_second)));
        parts.push((1, format!("{} left", duration(step.seconds_left))));
        Self(parts)
    }

    fn fitting(&self, columns: usize) -> String {
        let ranks = self.0.iter().map(|&(rank, _)| rank);
        let mut last = ranks.max().unwrap_or(0);
        loop {
            let parts = self.0.iter().filter(|&&(rank, _)| rank <= last);
            let parts: Vec<_> = parts.map(|(_, part)| part.as_str()).collect();
            let line = parts.join("  ");
            if last == 0 || measure_text_width(&line) <= columns {
                return line;
            }
            last -= 1;
        }
    }
}

/// Has the bar show as many figures as fit whenever it is drawn: terminals change their size.
#[derive(Clone)]
struct Fitting(Arc<Mutex<Figures>>);

impl ProgressTracker for Fitting {
    fn clone_box(&self) -> Box<dyn ProgressTracker> {
        Box::new(self.clone())
    }

    fn tick(&mut self, _: &ProgressState, _: Instant) {}

    fn reset(&mut self, _: &ProgressState, _: Instant) {}

    fn write(&self, _: &ProgressState, w: &mut dyn fmt::Write) {
        let columns = output::width_of(&Term::stderr()) - 1;
        let figures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = columns.saturating_sub(BEFORE_FIGURES);
        // Nobody can be told that a line could not be composed.
        let _ = w.write_str(&figures.fitting(room));
    }
}

/// What stays true between events: the number of steps, the last validation loss.
#[derive(Default)]
struct Heading {
    steps: Option<u64>,
    validation: Option<f64>,
}

impl Heading {
    fn hear(&mut self, event: &Event) {
        match event {
            Event::Start { steps, .. } => self.steps = *steps,
            Event::Validation { loss_nats, .. } => self.validation = Some(*loss_nats),
            _ => {}
        }
    }

    /// One line about some steps.
    fn figures(&self, step: &Step) -> String {
        let of = self
            .steps
            .map_or(String::new(), |steps| format!("/{steps}"));
        let validation = self
            .validation
            .map_or(String::new(), |loss| format!(", validation {loss:.3}"));
        format!(
            "step {}{of}  loss {:.3}{validation}  {}  {} left",
            step.step,
            step.loss_nats,
            speed(step.characters_per_second),
            duration(step.seconds_left)
        )
    }
}

/// An event in words.
fn describe(event: &Event) -> String {
    match event {
        Event::Start {
            name,
            corpus,
            training_characters,
            symbols,
            hidden,
            layers,
            parameters,
            device,
            backend,
            step,
            ..
        } => {
            let verb = if *step > 0 { "resuming" } else { "training" };
            let depth = if *layers == 1 {
                String::new()
            } else {
                format!("{}, ", count(*layers, "layer"))
            };
            let backend = backend.name();
            format!(
                "{verb} '{name}' on {corpus} ({}, {symbols} different): \
                 {depth}hidden size {hidden}, {parameters} weights; backend {backend} on {device}",
                count(*training_characters, "character")
            )
        }
        Event::Note { text } => format!("note: {text}"),
        Event::Step(step) => Heading::default().figures(step),
        Event::Validation {
            step,
            loss_nats,
            best,
        } => {
            let best = if *best { ", the best so far" } else { "" };
            format!("step {step}  validation loss {loss_nats:.4} nats/char{best}")
        }
        Event::Sample { step, text } => format!("at step {step}, it writes:\n{text}\n"),
        Event::Checkpoint { step, path } => format!("step {step}  checkpoint in {path}"),
        Event::End {
            step,
            seconds,
            characters_per_second,
            interrupted,
            validation_loss_nats,
            weights,
            report,
        } => {
            let verb = if *interrupted {
                "interrupted after"
            } else {
                "trained"
            };
            let mut text = format!(
                "{verb} {} in {}, {}",
                count(*step, "step"),
                duration(*seconds),
                speed(*characters_per_second)
            );
            if let Some(loss) = validation_loss_nats {
                let bits = evaluate::bits(*loss);
                text += &format!("\nvalidation loss {loss:.4} nats/char ({bits:.3} bits/char)");
            }
            if let Some(path) = weights {
                text += &format!("\nfloat weights in {path}");
            }
            text += &format!("\nreport with curve and samples in {report}");
            text
        }
    }
}

/// Characters per second as people read them.
fn speed(characters_per_second: f64) -> String {
    format!("{:.0}k chars/s", characters_per_second / 1000.0)
}

/// Seconds as people read them.
fn duration(seconds: f64) -> String {
    let duration = Duration::try_from_secs_f64(seconds).unwrap_or_default();
    match duration.as_secs() {
        0..60 => format!("{:.0} s", seconds),
        whole @ 60..6000 => format!("{}:{:02} min", whole / 60, whole % 60),
        _ => HumanDuration(duration).to_string(),
    }
}

/// A reader that has gone away is no reason to stop training.
fn print_line(line: &str) {
    let _ = writeln!(output::prose(), "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step() -> Step {
        Step {
            step: 10_000,
            progress: 0.5,
            loss_nats: 1.4842,
            learning_rate: 0.01,
            characters_per_second: 339_000.0,
            seconds_left: 5_999.0,
        }
    }

    #[test]
    fn the_bar_fits_a_terminal_of_80_columns_also_once_there_is_a_validation_loss() {
        let heading = Heading {
            steps: Some(10_000),
            validation: Some(1.5123),
        };
        let figures = Figures::of(&heading, &step());
        let fitting = |columns: usize| figures.fitting(columns - BEFORE_FIGURES);
        assert_eq!(
            fitting(79),
            "step 10000  loss 1.484  validation 1.512  99:59 min left"
        );
        assert_eq!(
            fitting(100),
            "step 10000  loss 1.484  validation 1.512  339k chars/s  99:59 min left"
        );
        assert_eq!(fitting(50), "loss 1.484  99:59 min left");
        for columns in BEFORE_FIGURES + 10..120 {
            assert!(BEFORE_FIGURES + fitting(columns).len() <= columns);
        }
    }
}
