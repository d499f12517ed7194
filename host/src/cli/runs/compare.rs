//! `inkling runs compare`: the settings that differ, and how the losses fell.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use indicatif::HumanCount;
use serde::Serialize;

use crate::evaluate::bits;
use crate::name::Name;
use crate::output::{self, name_cell, table};
use crate::report::chart::{self, Paper, STEEP_PART, Series};
use crate::report::{Point, Report, ReportError};
use crate::runs::RunError;
use crate::{note, paths};

/// Heights of a curve in a row of text.
const HEIGHTS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The columns of such a curve.
const CURVE_COLUMNS: usize = 30;

/// Options of `runs compare`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Their names
    #[arg(required = true, num_args = 2.., value_name = "NAME")]
    names: Vec<Name>,
    /// Also draw the validation losses to this file
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Print JSON
    #[arg(long, conflicts_with = "svg")]
    json: bool,
}

/// What `--json` prints.
#[derive(Debug, Serialize)]
struct Comparison<'a> {
    /// Each setting that differs, with its value in each run.
    settings: BTreeMap<String, Vec<Option<String>>>,
    runs: Vec<Compared<'a>>,
}

#[derive(Debug, Serialize)]
struct Compared<'a> {
    name: &'a Name,
    text: &'a str,
    text_sha256: &'a str,
    parameters: i64,
    steps: u64,
    seconds: f64,
    loss_nats: Option<f64>,
    curve: &'a [Point],
}

/// Runs it.
pub fn run(args: &Args) -> Result<()> {
    let reports = args.names.iter().map(read).collect::<Result<Vec<_>>>()?;
    if args.json {
        writeln!(output::stdout(), "{}", as_json(&args.names, &reports)?)?;
        return Ok(());
    }
    let mut out = output::prose();
    for line in in_words(&args.names, &reports) {
        writeln!(out, "{line}")?;
    }
    let digests = reports.iter().map(|report| &report.text.sha256);
    if !digests.clone().zip(digests.skip(1)).all(|(a, b)| a == b) {
        note!("note: the texts differ, so the losses say little about each other");
    }
    if let Some(file) = &args.svg {
        let svg = draw(&args.names, &reports)?;
        paths::write_atomic(file, svg.as_bytes())
            .with_context(|| format!("cannot write {}", file.display()))?;
        writeln!(out, "\nthe curves are in {}", file.display())?;
    }
    Ok(())
}

fn read(name: &Name) -> Result<Report> {
    let folder = paths::run_dir(name);
    ensure!(folder.is_dir(), RunError::Missing(name.to_string()));
    let report = Report::read(&folder);
    report.with_context(|| {
        format!("the run '{name}' has no report yet: it comes with the first measurement")
    })
}

/// What differs between runs of these names, and their curves, as JSON.
///
/// # Errors
/// When a number of a report has no place in JSON.
pub fn as_json(names: &[Name], reports: &[Report]) -> serde_json::Result<String> {
    let runs = names.iter().zip(reports);
    serde_json::to_string_pretty(&Comparison {
        settings: differing(reports),
        runs: runs.map(|(name, report)| compared(name, report)).collect(),
    })
}

fn compared<'a>(name: &'a Name, report: &'a Report) -> Compared<'a> {
    Compared {
        name,
        text: &report.text.description,
        text_sha256: &report.text.sha256,
        parameters: report.parameters,
        steps: report.step,
        seconds: report.seconds,
        loss_nats: report.loss_nats(),
        curve: &report.curve,
    }
}

/// The settings that are not the same in all runs.
fn differing(reports: &[Report]) -> BTreeMap<String, Vec<Option<String>>> {
    let all: Vec<_> = reports
        .iter()
        .map(|report| settings(&report.recipe))
        .collect();
    let names = all.iter().flat_map(BTreeMap::keys);
    let mut differing = BTreeMap::new();
    for name in names {
        let values: Vec<_> = all.iter().map(|one| one.get(name).cloned()).collect();
        if values.iter().any(|value| *value != values[0]) {
            differing.insert(name.clone(), values);
        }
    }
    differing
}

/// A recipe as names and values: `optimizer.learning_rate` and `0.01`.
fn settings(recipe: &str) -> BTreeMap<String, String> {
    fn add(prefix: &str, value: &toml::Value, all: &mut BTreeMap<String, String>) {
        match value.as_table() {
            Some(table) => {
                for (name, value) in table {
                    let separator = if prefix.is_empty() { "" } else { "." };
                    add(&format!("{prefix}{separator}{name}"), value, all);
                }
            }
            None => {
                all.insert(prefix.to_owned(), value.to_string());
            }
        }
    }
    let mut all = BTreeMap::new();
    if let Ok(recipe) = recipe.parse::<toml::Table>() {
        add("", &toml::Value::Table(recipe), &mut all);
    }
    all
}

/// A row per run, the settings that differ, and the curves, in lines.
#[must_use]
pub fn in_words(names: &[Name], reports: &[Report]) -> Vec<String> {
    let settings = differing(reports);
    let mut rows = table(
        &[
            "run",
            "steps",
            "minutes",
            "weights",
            "nats/char",
            "bits/char",
        ],
        1..6,
    );
    for (name, report) in names.iter().zip(reports) {
        let loss = report.loss_nats();
        let number =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.4}"));
        rows.add_row([
            name_cell(name.as_str()),
            report.step.to_string(),
            format!("{:.1}", report.seconds / 60.0),
            HumanCount(report.parameters.unsigned_abs()).to_string(),
            number(loss),
            number(loss.map(bits)),
        ]);
    }
    let mut lines = vec![rows.trim_fmt(), String::new()];
    if settings.is_empty() {
        lines.push("all settings are the same".to_owned());
    } else {
        lines.push("settings that differ, in the order of the runs:".to_owned());
    }
    for (name, values) in &settings {
        let values = values.iter().map(|value| value.as_deref().unwrap_or("-"));
        let values = output::one_line(&values.collect::<Vec<_>>().join(", "));
        lines.push(format!("  {name:<32}  {values}"));
    }
    lines.push(String::new());
    lines.push("validation losses, each over its own steps, in nats/char:".to_owned());
    let curves: Vec<_> = reports
        .iter()
        .map(|report| Series::validation("", &report.curve).points)
        .collect();
    for (name, curve) in names.iter().zip(in_rows(&curves)) {
        lines.push(format!("  {:<28}  {curve}", name_cell(name.as_str())));
    }
    lines
}

/// Curves as rows of text, each over its own steps, all on the same scale of losses. Their beginnings are
/// left out: they would flatten the rest.
fn in_rows(curves: &[Vec<(f64, f64)>]) -> Vec<String> {
    let end = |curve: &[(f64, f64)]| curve.last().map_or(0.0, |&(step, _)| step);
    let late = |curve: &[(f64, f64)]| {
        let start = STEEP_PART * end(curve);
        let late = curve.iter().filter(|point| point.0 >= start);
        late.map(|point| point.1).collect::<Vec<_>>()
    };
    let losses: Vec<f64> = curves.iter().flat_map(|curve| late(curve)).collect();
    let low = losses.iter().copied().fold(f64::INFINITY, f64::min);
    let high = losses.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let height = |loss: f64| {
        let part = (loss - low) / (high - low).max(f64::MIN_POSITIVE);
        let top = HEIGHTS.len() - 1;
        HEIGHTS[((part * top as f64).round() as usize).min(top)]
    };
    let row = |curve: &Vec<(f64, f64)>| {
        let ends = curve.first().zip(curve.last());
        let Some((&(_, first), &(last_step, last))) = ends else {
            return "nothing measured yet".to_owned();
        };
        let columns = (1..=CURVE_COLUMNS).filter_map(|column| {
            let step = last_step * column as f64 / CURVE_COLUMNS as f64;
            let before = curve.iter().rev().find(|point| point.0 <= step);
            before.map(|&(_, loss)| height(loss))
        });
        let columns: String = columns.collect();
        format!("{columns}  {first:.3} to {last:.3}")
    };
    curves.iter().map(row).collect()
}

/// The validation losses in one picture.
///
/// # Errors
/// When it cannot be drawn.
pub fn draw(names: &[Name], reports: &[Report]) -> Result<String, ReportError> {
    let series = names.iter().zip(reports);
    let series: Vec<_> = series
        .map(|(name, report)| Series::validation(name.as_str(), &report.curve))
        .collect();
    chart::draw_series(&series, Paper::White)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_named_by_their_place_in_the_recipe() {
        let settings = settings("seed = 1\n[optimizer]\nlearning_rate = 0.01\n");
        assert_eq!(settings["seed"], "1");
        assert_eq!(settings["optimizer.learning_rate"], "0.01");
    }

    #[test]
    fn curves_are_drawn_on_one_scale_without_their_steep_beginnings() {
        let falling = (1..=30).map(|n| (f64::from(n), 4.0 - f64::from(n) / 10.0));
        let steep = [(1.0, 90.0), (60.0, 3.8), (100.0, 1.0)];
        let rows = in_rows(&[falling.collect(), steep.into(), vec![]]);
        assert!(rows[0].starts_with('█'), "{rows:?}");
        assert!(rows[0].ends_with("▁  3.900 to 1.000"), "{rows:?}");
        assert!(rows[1].ends_with("█▁  90.000 to 1.000"), "{rows:?}");
        let columns = CURVE_COLUMNS + "  3.900 to 1.000".len();
        assert_eq!(rows[0].chars().count(), columns);
        assert_eq!(rows[2], "nothing measured yet");
        assert_eq!(in_rows(&[vec![(5.0, 1.0)]]), ["▁  1.000 to 1.000"]);
    }
}
