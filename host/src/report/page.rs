//! The report as one HTML file: no script, nothing loaded from elsewhere, light or dark as the reader's
//! system is. Whatever a text or a model wrote is escaped.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Export, Report, ReportError, Sample, State, chart};
use crate::compare::{Comparison, Writing};
use crate::evaluate::bits;

/// So many of the most frequent symbols are shown.
const SHOWN_SYMBOLS: usize = 16;

const STYLE: &str = "
:root { color-scheme: light dark; --faint: color-mix(in srgb, CanvasText 14%, Canvas); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; } h2 { margin-top: 2.2rem; }
svg { width: 100%; height: auto; } svg text { fill: CanvasText; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .3rem .9rem .3rem 0;
border-bottom: 1px solid var(--faint); vertical-align: top; } td.n, th.n { text-align: right;
font-variant-numeric: tabular-nums; } div.wide { overflow-x: auto; }
pre { background: var(--faint); padding: .8rem 1rem; border-radius: .4rem; white-space: pre-wrap;
overflow-wrap: anywhere; } summary { cursor: pointer; padding: .2rem 0; }
code { overflow-wrap: anywhere; }
";

/// The whole page.
pub fn render(report: &Report) -> Result<String, ReportError> {
    let curve = chart::draw(&report.curve, chart::Paper::Clear)?;
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (report.name) " – Inkling" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (report.name) }
                p { (headline(report)) }
                @for note in &report.notes { p { strong { "Note: " } (note) "." } }
                h2 { "Learning curve" }
                figure style="margin:0" { (PreEscaped(curve)) }
                h2 { "Size and loss" }
                (losses(report))
                @if let Some(comparison) = &report.comparison { (beside(comparison)) }
                h2 { "What it writes" }
                @for export in &report.exports { (written(export)) }
                (samples(&report.samples))
                h2 { "Text" }
                (text(report))
                h2 { "Settings" }
                p { "As a recipe: save it as a TOML file and train with " code { "--recipe FILE" } "." }
                pre { (report.recipe.trim()) }
            }
        }
    };
    Ok(page.into_string())
}

fn headline(report: &Report) -> String {
    let state = match report.state {
        State::Training => format!("Training, {:.0} % done", 100.0 * report.done),
        State::Interrupted => format!("Interrupted, {:.0} % done", 100.0 * report.done),
        State::Diverged => "Stopped, for the loss exploded: try a lower learning rate".to_owned(),
        State::Finished => "Trained".to_owned(),
    };
    format!(
        "{state}: {} steps in {:.1} minutes on {}, {} weights.",
        report.step,
        report.seconds / 60.0,
        report.device,
        report.parameters
    )
}

fn losses(report: &Report) -> Markup {
    let measured = report.curve.iter().rev();
    let latest = measured
        .filter_map(|point| point.validation_loss_nats)
        .next();
    html! {
        div.wide { table {
            thead { tr {
                th { "model" } th { "weights" } th.n { "flash, bytes" }
                th.n { "engine, nats/char" } th.n { "float, nats/char" } th.n { "gap" }
                th.n { "bits/char" } th.n { "perplexity" }
            } }
            tbody {
                @for export in &report.exports { (exported(export)) }
                @if let (true, Some(loss)) = (report.exports.is_empty(), report.float_loss_nats.or(latest)) {
                    tr {
                        td { @if report.float_loss_nats.is_some() { "as trained" } @else { "so far" } }
                        td { "–" } td.n { "–" } td.n { "–" } td.n { (format!("{loss:.4}")) }
                        td.n { "–" } (in_other_units(loss))
                    }
                }
            }
        } }
        p {
            "Losses are on text that was never trained on. The engine's is what a board has; guessing by \
             the frequency of symbols alone would lose "
            (format!("{:.3}", report.text.guessing_loss_nats())) " nats per character."
        }
    }
}

/// What a reader knows, beside it.
fn beside(comparison: &Comparison) -> Markup {
    let Comparison {
        compressors,
        written,
        unseen,
    } = comparison;
    let bits = |bits: f64| html! { td.n { (format!("{bits:.3}")) } };
    let words = |writing: &Writing| {
        let known = writing
            .known_words
            .map(|share| format!("{:.1} %", 100.0 * share));
        html! { td.n { (known.unwrap_or_else(|| "–".to_owned())) } }
    };
    html! {
        table { tbody {
            tr { th { "gzip, bits/char on the same part" } (bits(compressors.gzip_bits)) }
            tr { th { "xz" } (bits(compressors.xz_bits)) }
            tr { th { "PPMd" } (bits(compressors.ppmd_bits)) }
        } }
        table {
            thead { tr { th {} th.n { "the model" } th.n { "the unseen text" } } }
            tbody {
                tr { th { "words that the text has" } (words(written)) (words(unseen)) }
                tr {
                    th { "characters in a row that the text has, mean" }
                    td.n { (format!("{:.1}", written.mean_copy)) }
                    td.n { (format!("{:.1}", unseen.mean_copy)) }
                }
                tr { th { "most" } td.n { (written.longest_copy) } td.n { (unseen.longest_copy) } }
            }
        }
    }
}

fn exported(export: &Export) -> Markup {
    let number = |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.4}"));
    let engine = export.engine_loss_nats;
    let gap = engine
        .zip(export.float_loss_nats)
        .map(|(engine, float)| format!("{:+.4}", engine - float));
    html! {
        tr {
            td { (export.name) } td { (export.weights) } td.n { (export.image_bytes) }
            td.n { (number(engine)) } td.n { (number(export.float_loss_nats)) } td.n { (gap.unwrap_or_else(|| "–".to_owned())) }
            @if let Some(loss) = engine { (in_other_units(loss)) } @else { td.n { "–" } td.n { "–" } }
        }
    }
}

/// Two cells: bits per character and perplexity.
fn in_other_units(nats: f64) -> Markup {
    html! { td.n { (format!("{:.4}", bits(nats))) } td.n { (format!("{:.3}", nats.exp())) } }
}

/// What an exported model writes.
fn written(export: &Export) -> Markup {
    html! {
        @for sample in &export.samples {
            p {
                (export.name) " at temperature " (sample.temperature)
                @if !sample.prompt.is_empty() { ", behind a beginning from the text" }
                ":"
            }
            pre { strong { (sample.prompt) } (sample.text) }
        }
    }
}

fn samples(samples: &[Sample]) -> Markup {
    html! {
        @match samples.split_last() {
            None => p { "Nothing yet." },
            Some((last, earlier)) => {
                p { "After step " (last.step) ":" }
                pre { (last.text) }
                @for sample in earlier.iter().rev() {
                    details { summary { "After step " (sample.step) } pre { (sample.text) } }
                }
            }
        }
    }
}

fn text(report: &Report) -> Markup {
    let text = &report.text;
    let total = text.training_characters.max(1) as f64;
    html! {
        table { tbody {
            tr { th { "text" } td { (text.description) } }
            tr { th { "characters to learn from" } td { (text.training_characters) } }
            tr { th { "characters to measure on" } td { (text.validation_characters) } }
            tr { th { "symbols" } td { (text.symbols.len()) } }
            tr {
                th { "most frequent" }
                td {
                    @for (symbol, count) in text.symbols.iter().take(SHOWN_SYMBOLS) {
                        code { (format!("{symbol:?}")) }
                        (format!(" {:.1} % ", 100.0 * *count as f64 / total))
                    }
                }
            }
            tr { th { "SHA-256" } td { code { (text.sha256) } } }
        } }
    }
}
