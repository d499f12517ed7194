//! `cargo xtask bench`: figures that can be compared between machines and versions.

use std::path::PathBuf;

use host::device::{self, bench, bench::BenchReport};
use host::paths;

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
    let report = bench::run(device::find(&args.board)?, &model)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", text(&report));
    }
    Ok(())
}

/// The report as people read it.
fn text(report: &BenchReport) -> String {
    let parts = report.parts;
    let mut text = format!(
        "{} on {} ({}): hidden {}, layers {}, symbols {}, int{}\n",
        report.model,
        report.board,
        report.core,
        report.hidden,
        report.layers,
        report.symbols,
        report.weight_bits,
    );
    let total = report.instructions_per_char;
    for (name, instructions) in [
        ("instructions per character", total),
        ("  input row", parts.input_row),
        ("  recurrent product", parts.recurrent_product),
        ("  activations", parts.activations),
        ("  output product", parts.output_product),
        ("  sampling", parts.sampling),
    ] {
        let share = 100.0 * instructions / total;
        text += &format!("{name:<28}{instructions:>9.0}{share:>6.1} %\n");
    }
    for (name, bytes) in [
        ("bytes of flash", report.flash_bytes),
        ("bytes of RAM, with stack", report.ram_bytes),
    ] {
        text += &format!("{name:<28}{bytes:>9}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_stand_below_their_total_with_their_share() {
        let text = text(&BenchReport {
            board: "mps2-an386",
            core: "Cortex-M4F",
            model: "demo".into(),
            hidden: 128,
            layers: 1,
            symbols: 65,
            weight_bits: 8,
            instructions_per_char: 80_000.0,
            parts: bench::Parts {
                input_row: 4_000.0,
                recurrent_product: 60_000.4,
                activations: 8_000.0,
                output_product: 7_000.0,
                sampling: 1_000.0,
            },
            characters: 1_000,
            image_bytes: 110_320,
            flash_bytes: 140_000,
            ram_bytes: 9_000,
            static_ram_bytes: 3_000,
            stack_bytes: 6_000,
        });
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..4],
            [
                "demo on mps2-an386 (Cortex-M4F): hidden 128, layers 1, symbols 65, int8",
                "instructions per character      80000 100.0 %",
                "  input row                      4000   5.0 %",
                "  recurrent product             60000  75.0 %",
            ]
        );
        assert_eq!(lines[7], "bytes of flash                 140000");
    }
}
