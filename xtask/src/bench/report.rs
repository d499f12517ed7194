//! Bench reports as people read them.

use host::device::bench::BenchReport;

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

#[cfg(test)]
mod tests {
    use host::device::bench;
    use host::device::board::Unit;
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
}
