//! The report as one HTML file: no script, nothing loaded from elsewhere, light or dark as the reader's
//! system is. Whatever a text or a model wrote is escaped.

use indicatif::HumanCount;
use inkling_engine::spelling::{Digit, digit};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::chart::{self, Paper};
use super::{Export, Report, ReportError, Sample, State};
use crate::compare::{Comparison, Writing};
use crate::evaluate::bits;

/// So many of the most frequent symbols are shown.
const SHOWN_SYMBOLS: usize = 16;

const STYLE: &str = "
:root { color-scheme: light dark; --faint: color-mix(in srgb, CanvasText 14%, Canvas); }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
h1 { margin-bottom: 0; overflow-wrap: anywhere; } h2 { margin-top: 2.2rem; }
figure { margin: 0; } figure.phone { display: none; }
svg { width: 100%; height: auto; } svg text { fill: CanvasText; }
table { border-collapse: collapse; } th, td { text-align: left; padding: .3rem .9rem .3rem 0;
border-bottom: 1px solid var(--faint); vertical-align: top; overflow-wrap: break-word; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; } td.n { white-space: nowrap; }
table.boards td.n { white-space: normal; } table.boards td:first-child { white-space: nowrap; }
pre { background: var(--faint); padding: .8rem 1rem; border-radius: .4rem; white-space: pre-wrap;
overflow-wrap: anywhere; } summary { cursor: pointer; padding: .2rem 0; }
code { overflow-wrap: anywhere; }
@media (max-width: 38rem) {
figure.wide { display: none; } figure.phone { display: block; max-width: 30rem; }
}
@media (max-width: 56rem) {
table.cards thead { display: none; } table.cards, table.cards tbody { display: block; }
table.cards tr { display: block; padding: .6rem 0; border-bottom: 2px solid var(--faint); }
table.cards td, table.cards td.n { display: flex; justify-content: space-between; gap: 1rem;
text-align: right; white-space: normal; padding: .1rem 0; border: 0; }
table.cards td::before { content: attr(data-title); text-align: left; opacity: .7; flex: none; }
table.cards td:first-child { font-weight: bold; overflow-wrap: anywhere; }
table.pairs th, table.pairs td { display: block; padding: 0; border: 0; }
table.pairs td { padding-bottom: .6rem; }
}
";

/// The whole page.
pub fn render(report: &Report) -> Result<String, ReportError> {
    let wide = chart::draw(&report.curve, Paper::Clear)?;
    let narrow = chart::draw(&report.curve, Paper::Phone)?;
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
                figure.wide { (PreEscaped(wide)) }
                figure.phone { (PreEscaped(narrow)) }
                h2 { "Size and loss" }
                (losses(report))
                @if let Some(comparison) = &report.comparison { (beside(comparison)) }
                (boards(&report.exports))
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
    let speed = report
        .characters_per_second()
        .map_or(String::new(), |speed| {
            format!(", {} characters a second", HumanCount(speed.round() as u64))
        });
    let backend = report
        .backend
        .map_or(String::new(), |backend| format!(" by {}", backend.name()));
    format!(
        "{state}: {} steps in {:.1} minutes on {}{backend}{speed}, {} weights.",
        HumanCount(report.step),
        report.seconds / 60.0,
        report.device,
        number(report.parameters)
    )
}

/// A count with its thousands set apart.
fn number(count: impl TryInto<u64>) -> String {
    HumanCount(count.try_into().unwrap_or(0)).to_string()
}

/// A cell with a figure, and its title for where there is no room for a head.
fn figure(title: &str, value: Option<String>) -> Markup {
    html! { td.n data-title=(title) { (value.unwrap_or_else(|| "–".to_owned())) } }
}

fn losses(report: &Report) -> Markup {
    let so_far = report.loss_nats().filter(|_| report.exports.is_empty());
    html! {
        table.cards {
            thead { tr {
                th { "model" } th { "weights" } th.n { "bytes of flash" }
                th.n { "engine, nats/char" } th.n { "float, nats/char" } th.n { "gap" }
                th.n { "bits/char" } th.n { "perplexity" }
            } }
            tbody {
                @for export in &report.exports { (exported(export)) }
                @if let Some(loss) = so_far {
                    tr {
                        td data-title="model" {
                            @if report.float_loss_nats.is_some() { "as trained" } @else { "so far" }
                        }
                        td data-title="weights" { "–" }
                        (figure("bytes of flash", None)) (figure("engine, nats/char", None))
                        (figure("float, nats/char", Some(format!("{loss:.4}")))) (figure("gap", None))
                        (in_other_units(Some(loss)))
                    }
                }
            }
        }
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
    let loss = |value: Option<f64>| value.map(|value| format!("{value:.4}"));
    let engine = export.engine_loss_nats;
    let gap = engine
        .zip(export.float_loss_nats)
        .map(|(engine, float)| format!("{:+.4}", engine - float));
    html! {
        tr {
            td data-title="model" { (export.name) }
            td data-title="weights" { (export.weights) }
            (figure("bytes of flash", Some(number(export.image_bytes))))
            (figure("engine, nats/char", loss(engine)))
            (figure("float, nats/char", loss(export.float_loss_nats)))
            (figure("gap", gap))
            (in_other_units(engine))
        }
    }
}

/// What the models can expect of the boards that people own.
fn boards(exports: &[Export]) -> Markup {
    let owned = |export: &Export| {
        let boards = export.boards.clone().into_iter();
        boards.filter(|board| board.characters_per_second.is_some())
    };
    html! {
        @if exports.iter().any(|export| owned(export).next().is_some()) {
            h2 { "On boards" }
            @for export in exports {
                @if exports.len() > 1 { h3 { (export.name) } }
                table.boards {
                    thead { tr {
                        th { "board" } th.n { "flash left" } th.n { "characters/s" }
                    } }
                    tbody { @for board in owned(export) { tr {
                        td { (board.board) }
                        (figure("flash left", Some(board.room().replace(" KiB", "\u{a0}KiB"))))
                        (figure("characters/s", Some(board.speed())))
                    } } }
                }
            }
            p {
                "Speeds are estimates from counted instructions; the text of a slow serial line comes no \
                 faster than that allows."
            }
        }
    }
}

/// Two cells: bits per character and perplexity.
fn in_other_units(nats: Option<f64>) -> Markup {
    html! {
        (figure("bits/char", nats.map(|nats| format!("{:.4}", bits(nats)))))
        (figure("perplexity", nats.map(|nats| format!("{:.3}", nats.exp()))))
    }
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
                p { "After step " (number(last.step)) ":" }
                pre { (last.text) }
                @for sample in earlier.iter().rev() {
                    details { summary { "After step " (number(sample.step)) } pre { (sample.text) } }
                }
            }
        }
    }
}

fn text(report: &Report) -> Markup {
    let text = &report.text;
    let total = text.total().max(1.0);
    html! {
        table.pairs { tbody {
            tr { th { "text" } td { (text.description) } }
            tr { th { "characters to learn from" } td { (number(text.training_characters)) } }
            tr { th { "characters to measure on" } td { (number(text.validation_characters)) } }
            tr { th { "symbols" } td { (text.symbols.len()) } }
            tr {
                th { "most frequent" }
                td {
                    @for (symbol, count) in text.symbols.iter().take(SHOWN_SYMBOLS) {
                        code { (match digit((*symbol).into()) {
                            Some(Digit::First(value)) => format!("first digit {value}"),
                            Some(Digit::Next(value)) => format!("digit {value}"),
                            None => format!("{symbol:?}"),
                        }) }
                        (format!(" {:.1} % ", 100.0 * *count as f64 / total))
                    }
                }
            }
            tr { th { "SHA-256" } td { code { (text.sha256) } } }
        } }
    }
}

#[cfg(test)]
mod tests {
    use inkling_engine::format::Dimensions;

    use super::*;
    use crate::device::{BOARDS, Prospect, bench::SHAPE_PLANES};
    use crate::recipe::Recipe;
    use crate::report::{Point, TextStatistics};

    fn report() -> Report {
        let dimensions = Dimensions {
            hidden: 220,
            symbols: 65,
            layers: 1,
            embedding: 30,
            planes: SHAPE_PLANES,
        };
        let point = |n: u32| Point {
            step: u64::from(100 * n),
            seconds: 1.0,
            loss_nats: Some(1.5 + 1.0 / f64::from(n)),
            validation_loss_nats: n.is_multiple_of(10).then_some(1.6),
        };
        Report {
            name: "<owls>".to_owned(),
            state: State::Finished,
            step: 10_000,
            done: 1.0,
            seconds: 100.0,
            parameters: 1_234_567,
            device: "cpu".to_owned(),
            backend: None,
            recipe: Recipe::find("quick").expect("a recipe").to_toml(),
            text: TextStatistics {
                description: "owls.txt".to_owned(),
                sha256: "0".repeat(64),
                training_characters: 1_003_854,
                validation_characters: 111_540,
                symbols: vec![('e', 600_000), (' ', 403_854)],
            },
            notes: Vec::new(),
            curve: (1..100).map(point).collect(),
            samples: vec![Sample {
                step: 10_000,
                text: "Hoo.".to_owned(),
            }],
            float_loss_nats: Some(1.5),
            exports: vec![Export {
                name: "owls".to_owned(),
                weights: "recurrent 1 trit".to_owned(),
                image_bytes: 63_376,
                engine_loss_nats: Some(1.5),
                float_loss_nats: Some(1.5),
                samples: Vec::new(),
                boards: BOARDS
                    .iter()
                    .map(|board| Prospect::of(board, &dimensions))
                    .collect(),
            }],
            comparison: None,
        }
    }

    #[test]
    fn counts_have_their_thousands_set_apart() {
        let page = render(&report()).expect("a page");
        for count in [
            "1,234,567 weights",
            "10,000 steps",
            "1,003,854",
            "63,376",
            "After step 10,000",
        ] {
            assert!(page.contains(count), "{count}");
        }
        assert!(!page.contains("<owls>"));
    }

    #[test]
    fn a_report_of_absurd_numbers_is_shown_all_the_same() {
        let mut absurd = report();
        absurd.text.symbols = vec![('e', u64::MAX), (' ', u64::MAX)];
        absurd.recipe = absurd
            .recipe
            .lines()
            .map(|line| match line.split_once(" = ") {
                Some((name @ ("batch" | "seq_len"), _)) => format!("{name} = {}\n", i64::MAX),
                _ => format!("{line}\n"),
            })
            .collect();
        assert_eq!(
            Recipe::from_toml(&absurd.recipe)
                .expect("a recipe")
                .data
                .batch,
            i64::MAX
        );
        absurd.parameters = i64::MIN;
        absurd.step = u64::MAX;
        for (low, high) in [
            (f64::MIN, f64::MAX),
            (0.0, f64::MAX),
            (0.0, f64::MIN_POSITIVE),
            (1e15, 1e15),
            (-1e-300, 1e300),
            (f64::MAX, f64::MAX),
        ] {
            for steps in [
                [1, u64::MAX],
                [0, 0],
                [u64::MAX, 1],
                [u64::MAX - 1, u64::MAX],
            ] {
                for (point, (step, loss)) in absurd
                    .curve
                    .iter_mut()
                    .zip(steps.into_iter().zip([low, high]))
                {
                    point.step = step;
                    point.loss_nats = Some(loss);
                    point.validation_loss_nats = Some(loss);
                }
                absurd.curve.truncate(2);
                absurd.float_loss_nats = Some(high);
                // It is drawn, or refused in a sentence.
                let _ = render(&absurd);
            }
        }
    }

    #[test]
    fn the_page_tells_the_speed_of_training_and_of_each_board() {
        let page = render(&report()).expect("a page");
        assert!(page.contains("409,600 characters a second"), "{page}");
        for board in BOARDS.iter() {
            let cell = format!("<td>{}</td>", board.name);
            assert_eq!(
                page.contains(&cell),
                board.flasher.is_some(),
                "{}",
                board.name
            );
        }
    }

    #[test]
    fn tables_are_lists_on_a_phone_and_say_what_each_figure_is() {
        let page = render(&report()).expect("a page");
        let tables = page.split("<table class=\"cards\">").skip(1);
        for table in tables.map(|table| table.split("</table>").next().unwrap_or_default()) {
            let head = table.split("</thead>").next().unwrap_or_default();
            assert_eq!(
                table.matches("<td").count(),
                table.matches("data-title").count()
            );
            for title in table.split("data-title=\"").skip(1) {
                let title = title.split('"').next().unwrap_or_default();
                assert!(
                    head.contains(&format!(">{title}</th>")),
                    "{title} in {head}"
                );
            }
        }
        assert_eq!(page.matches("<svg").count(), 2);
    }
}
