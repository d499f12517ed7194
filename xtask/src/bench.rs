//! `cargo xtask bench`: figures that can be compared between machines and versions.

use std::path::{Path, PathBuf};

use host::{device, paths};
use serde_json::Value;

/// What to measure.
#[derive(Debug, clap::Subcommand)]
pub enum Task {
    /// Count the instructions that a board needs for one character
    Device(Device),
}

/// Options of `bench device`.
#[derive(Debug, clap::Args)]
pub struct Device {
    /// The emulated board
    #[arg(long, default_value = device::DEFAULT_BOARD)]
    board: String,

    /// The model image [default: weights/shakespeare-64k.img]
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// Runs `bench`.
pub fn run(task: &Task) -> anyhow::Result<()> {
    match task {
        Task::Device(args) => run_device(args),
    }
}

fn run_device(args: &Device) -> anyhow::Result<()> {
    let model = args
        .model
        .clone()
        .unwrap_or_else(|| paths::weights_dir().join("shakespeare-64k.img"));
    let report = measure(&args.board, &model)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        println!("{}", table(&report));
    }
    Ok(())
}

/// The report of the benchmark firmware on a board, as JSON.
pub fn measure(board: &str, model: &Path) -> anyhow::Result<Value> {
    let report = device::bench::run(device::find(board)?, model)?;
    Ok(serde_json::to_value(report)?)
}

/// One line for each figure; the parts of a figure stand below it, indented.
fn table(report: &Value) -> String {
    fn add(lines: &mut Vec<String>, indent: usize, name: &str, value: &Value) {
        let name = format!("{:indent$}{}", "", name.replace('_', " "));
        match value {
            Value::Object(parts) => {
                lines.push(name);
                for (part, value) in parts {
                    add(lines, indent + 2, part, value);
                }
            }
            Value::String(text) => lines.push(format!("{name:<28} {text}")),
            Value::Number(number) => match number.as_f64() {
                Some(float) if number.is_f64() => lines.push(format!("{name:<28} {float:.1}")),
                _ => lines.push(format!("{name:<28} {number}")),
            },
            other => lines.push(format!("{name:<28} {other}")),
        }
    }
    let mut lines = Vec::new();
    for (name, value) in report.as_object().into_iter().flatten() {
        add(&mut lines, 0, name, value);
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_indented_below_their_figure() {
        let report = serde_json::json!({
            "board": "mps2-an386",
            "parts": { "recurrent_product": 61_000.25 },
        });
        let text = table(&report);
        assert_eq!(
            text.lines().collect::<Vec<_>>(),
            [
                "board                        mps2-an386",
                "parts",
                "  recurrent product          61000.2",
            ]
        );
    }
}
