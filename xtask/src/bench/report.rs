//! Bench reports as people read them, and as tables for the README.

use host::device::bench::BenchReport;
use host::device::board::Unit;

/// The report as people read it.
pub fn text(report: &BenchReport) -> String {
    let parts = report.parts;
    let mut text = format!(
        "{} on {} ({}): hidden {}, layers {}, symbols {}, weights: {}\n",
        report.model,
        report.board,
        report.core,
        report.hidden,
        report.layers,
        report.symbols,
        report.weights,
    );
    let total = report.instructions_per_char;
    let per_character = format!("{} per character", report.unit.name());
    for (name, instructions) in [
        (per_character.as_str(), total),
        ("  inputs", parts.inputs),
        ("  tables", parts.tables),
        ("  recurrent product", parts.recurrent_product),
        ("  activations", parts.activations),
        ("  output product", parts.output_product),
        ("  sampling", parts.sampling),
    ] {
        let share = 100.0 * instructions / total;
        text += &format!("{name:<28}{instructions:>9.0}{share:>6.1} %\n");
    }
    for (name, product) in [
        ("each recurrent product", report.products.recurrent),
        ("each output product", report.products.output),
    ] {
        text += &format!("{name:<28}{:>9.2}\n", product.instructions_each);
    }
    for (name, bytes) in [
        ("bytes of flash", report.flash_bytes),
        ("  program", report.code_bytes),
        ("bytes of RAM", report.ram_bytes),
        ("  static", report.static_ram_bytes),
        ("  deepest stack", report.stack_bytes),
    ] {
        text += &format!("{name:<28}{bytes:>9}\n");
    }
    text
}

/// Tables for the README: every core with one shape, then every shape on one core.
pub fn markdown(reports: &[BenchReport]) -> String {
    let Some(first) = reports.first() else {
        return String::new();
    };
    let same_shape = reports
        .iter()
        .filter(|report| report.hidden == first.hidden);
    let mut text = table(same_shape);
    let mut others = reports
        .iter()
        .filter(|report| report.hidden != first.hidden);
    if let Some(other) = others.next() {
        let mut of_one_board: Vec<_> = reports
            .iter()
            .filter(|report| report.board == other.board)
            .collect();
        of_one_board.sort_by_key(|report| report.hidden);
        text += "\n";
        text += &table(of_one_board);
    }
    text
}

fn table<'r>(reports: impl IntoIterator<Item = &'r BenchReport>) -> String {
    let mut text = "\
        | core | board | hidden | inputs | instructions per character | from inputs | tables | recurrent product \
        | activations | output product | sampling | per multiply-accumulate: recurrent, output \
        | program in flash | static RAM | deepest stack |\n"
        .to_owned();
    text += "| --- | --- |";
    text += &" ---: |".repeat(13);
    text += "\n";
    for report in reports {
        let parts = report.parts;
        let cells = [
            report.core.into(),
            format!("`{}`", report.board),
            report.hidden.to_string(),
            report.input_form.to_string(),
            format!(
                "**{}**{}",
                grouped(report.instructions_per_char),
                unit(report)
            ),
            grouped(parts.inputs),
            grouped(parts.tables),
            grouped(parts.recurrent_product),
            grouped(parts.activations),
            grouped(parts.output_product),
            grouped(parts.sampling),
            format!(
                "{:.2}, {:.2}",
                report.products.recurrent.instructions_each,
                report.products.output.instructions_each
            ),
            grouped(report.code_bytes as f64),
            grouped(report.static_ram_bytes as f64),
            grouped(report.stack_bytes as f64),
        ];
        text += &format!("| {} |\n", cells.join(" | "));
    }
    text
}

/// What is not what the heading says.
fn unit(report: &BenchReport) -> &'static str {
    match report.unit {
        Unit::Instructions => "",
        Unit::Cycles => " cycles",
    }
}

/// A whole number with its thousands set apart.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use host::device::bench;
    use host::quantize::InputForm;

    use super::*;

    fn report() -> BenchReport {
        let product = |multiply_accumulates, instructions_each| bench::Product {
            multiply_accumulates,
            instructions_each,
        };
        BenchReport {
            board: "mps2-an386",
            core: "Cortex-M4F",
            model: "demo".into(),
            hidden: 128,
            layers: 1,
            symbols: 65,
            weights: "recurrent 1 trit".into(),
            input_form: InputForm::Folded,
            unit: Unit::Instructions,
            instructions_per_char: 80_000.0,
            parts: bench::Parts {
                inputs: 4_000.0,
                tables: 2_000.0,
                recurrent_product: 60_000.4,
                activations: 6_000.0,
                output_product: 7_000.0,
                sampling: 1_000.0,
            },
            products: bench::Products {
                recurrent: product(65_536, 0.9155),
                output: product(8_320, 0.8413),
            },
            characters: 1_000,
            image_bytes: 110_320,
            flash_bytes: 140_000,
            code_bytes: 29_680,
            ram_bytes: 9_000,
            static_ram_bytes: 3_000,
            stack_bytes: 6_000,
        }
    }

    #[test]
    fn parts_stand_below_their_total_with_their_share() {
        let text = text(&report());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..4],
            [
                "demo on mps2-an386 (Cortex-M4F): hidden 128, layers 1, symbols 65, weights: recurrent 1 trit",
                "instructions per character      80000 100.0 %",
                "  inputs                         4000   5.0 %",
                "  tables                         2000   2.5 %",
            ]
        );
        assert_eq!(lines[8], "each recurrent product           0.92");
        assert_eq!(lines[10], "bytes of flash                 140000");
    }

    #[test]
    fn tables_have_a_row_for_each_report_and_one_for_each_size_of_the_other_ones() {
        let other_size = BenchReport {
            hidden: 64,
            ..report()
        };
        let other_board = BenchReport {
            board: "microbit",
            ..report()
        };
        let text = markdown(&[report(), other_board, other_size]);
        let rows: Vec<&str> = text.lines().collect();
        let columns = rows[0].matches('|').count();
        assert!(
            rows[1..4]
                .iter()
                .all(|row| row.matches('|').count() == columns)
        );
        assert!(
            rows[2]
                .starts_with("| Cortex-M4F | `mps2-an386` | 128 | folded | **80,000** | 4,000 |")
        );
        assert!(rows[3].starts_with("| Cortex-M4F | `microbit` | 128 |"));
        assert_eq!(rows[4], "");
        assert!(rows[7].starts_with("| Cortex-M4F | `mps2-an386` | 64 |"));
        assert!(rows[8].starts_with("| Cortex-M4F | `mps2-an386` | 128 |"));
        assert_eq!(rows.len(), 9);
    }
}
