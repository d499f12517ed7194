//! `bench page`: how many characters a second the page's modules of WebAssembly write in node, beside this
//! PC's own kernel.

use std::collections::BTreeMap;

use comfy_table::{CellAlignment, Table, presets};
use serde::Deserialize;

use super::{engine, shipped};
use crate::command::Invocation;
use crate::page;

/// Rounds per model and module; the fastest counts, the others were disturbed.
const ROUNDS: u32 = 5;

/// Options of `bench page`.
#[derive(Debug, clap::Args)]
pub struct Page {
    /// The models: names of some in weights/ [default: all that ship]
    models: Vec<String>,

    /// Characters per round
    #[arg(long, default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..))]
    characters: u32,

    /// Print the figures as JSON
    #[arg(long)]
    json: bool,
}

/// Characters a second of a model's modules.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Speeds {
    engine: f64,
    engine_vectors: f64,
}

/// Runs `bench page`.
pub fn run(args: &Page) -> anyhow::Result<()> {
    let models = match args.models.as_slice() {
        [] => shipped().collect(),
        models => models.to_vec(),
    };
    page::build_for_tests()?;
    let script = page::bundle_for_node("tests/bench.ts")?;
    let printed = Invocation::new("node")
        .args([script.display().to_string()])
        .args([args.characters.to_string(), ROUNDS.to_string()])
        .args(models.clone())
        .env("INKLING_PAGE", page::FOR_TESTS)
        .read()?;
    let speeds: BTreeMap<String, Speeds> = serde_json::from_str(&printed)?;
    let mut rows = Vec::new();
    for model in &models {
        if let Some(Speeds {
            engine: plain,
            engine_vectors: vectors,
        }) = speeds.get(model)
        {
            let native = engine::speed(model.into(), args.characters)?;
            rows.push((model, *plain, *vectors, native));
        }
    }
    if args.json {
        let rows = rows.iter().map(|(model, plain, vectors, native)| {
            serde_json::json!({
                "model": model,
                "webassembly_characters_per_second": plain,
                "vectors_characters_per_second": vectors,
                "pc_characters_per_second": native,
            })
        });
        let rows: Vec<_> = rows.collect();
        println!("{}", serde_json::to_string_pretty(&rows)?);
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header([
        "characters/s",
        "WebAssembly",
        "with vectors",
        "this PC's kernel",
    ]);
    for (model, plain, vectors, native) in rows {
        let figure = |speed: f64| format!("{speed:.0}");
        table.add_row([
            model.clone(),
            figure(plain),
            figure(vectors),
            figure(native),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    println!("{table}");
    Ok(())
}
