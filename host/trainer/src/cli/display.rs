//! How a training shows itself: a bar on a terminal, plain lines elsewhere, JSON for scripts.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use console::style;
use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

use crate::Observer;
use crate::events::{Event, Step};
use host::evaluate;
use host::output::{self, clean};
use host::words::count;

/// Ticks of the bar.
const TICKS: u64 = 1000;

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
            print_line(&line);
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
}

impl Bar {
    fn new() -> Self {
        let bar = ProgressBar::new(TICKS);
        if let Ok(style) = ProgressStyle::with_template("{bar:24.cyan/dim} {percent:>3}%  {msg}") {
            bar.set_style(style.progress_chars("━━─"));
        }
        Self {
            bar,
            heading: Heading::default(),
        }
    }
}

impl Observer for Bar {
    fn observe(&mut self, event: &Event) {
        self.heading.hear(event);
        match event {
            Event::Step(step) => {
                self.bar.set_position((step.progress * TICKS as f64) as u64);
                self.bar.set_message(if step.progress < 1.0 {
                    self.heading.figures(step)
                } else {
                    "measuring the loss on text that was never trained on".to_owned()
                });
            }
            Event::Sample { step, text } => {
                let title = style(format!("── at step {step}, it writes:")).dim();
                self.bar.println(format!("{title}\n{}\n", clean(text)));
            }
            Event::Note { text } => {
                self.bar
                    .println(format!("{} {}", style("note:").yellow(), clean(text)))
            }
            Event::Validation { .. } | Event::Checkpoint { .. } => {}
            Event::End { .. } => {
                self.bar.finish_and_clear();
                print_line(&describe(event));
            }
            Event::Start { .. } => {
                self.bar.println(clean(&describe(event)));
                self.bar.set_message("making the first steps");
            }
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
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
            "step {}{of}  loss {:.3}{validation}  {:.0}k chars/s  {} left",
            step.step,
            step.loss_nats,
            step.characters_per_second / 1000.0,
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
            step,
            ..
        } => {
            let verb = if *step > 0 { "resuming" } else { "training" };
            let depth = if *layers == 1 {
                String::new()
            } else {
                format!("{layers} × ")
            };
            format!(
                "{verb} '{name}' on {corpus} ({}, {symbols} different): \
                 {depth}{hidden} cells, {parameters} weights, {device}",
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
                "{verb} {} in {}, {:.0}k chars/s",
                count(*step, "step"),
                duration(*seconds),
                characters_per_second / 1000.0
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
    let _ = writeln!(output::stdout(), "{line}");
}
