//! The tables, each of one file of results, or of the review of build scripts.
//!
//! `docs/results/README.md` says which command made which file.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, bail};
use serde::Deserialize;

use super::read;
use crate::supply;

const RESULTS: &str = "docs/results";

/// A table by its name.
///
/// # Errors
/// When there is no such table, or no such file of results.
pub fn table(name: &str) -> anyhow::Result<String> {
    let file = |name: &str| format!("{RESULTS}/{name}.json");
    let device = || rows::<Device>(file("device"));
    Ok(match name {
        "build scripts" => supply::build_scripts::table()?,
        "models" => models(&blocks(&format!("{RESULTS}/blocks.jsonl"))?)?,
        "corpora" => corpora(&rows("weights/corpora.json".into())?),
        "instructions" => instructions(&device()?),
        "parts" => parts(&device()?),
        "sizes" => sizes(&device()?),
        "written" => written(&device()?, &rows(file("engine"))?),
        "memory" => memory(&rows(file("boards"))?),
        "health" => super::health::table(&rows(file("health"))?),
        "recipes" => recipes(&rows(file("recipes"))?),
        "training" => training(&read(file("train"))?),
        _ => bail!("there are no results of that name"),
    })
}

fn rows<T: serde::de::DeserializeOwned>(path: String) -> anyhow::Result<Vec<T>> {
    read(path)
}

/// A measured board and model, of `bench device --all --json`.
#[derive(Debug, Clone, Deserialize)]
pub struct Device {
    board: String,
    core: String,
    model: String,
    hidden: usize,
    input_form: String,
    unit: String,
    instructions_per_char: f64,
    parts: Parts,
    products: Products,
}

#[derive(Debug, Clone, Deserialize)]
struct Parts {
    inputs: f64,
    tables: f64,
    recurrent_product: f64,
    activations: f64,
    output_product: f64,
    sampling: f64,
}

#[derive(Debug, Clone, Deserialize)]
struct Products {
    recurrent: Product,
    output: Product,
}

#[derive(Debug, Clone, Deserialize)]
struct Product {
    instructions_each: f64,
}

/// The models that are made up, to be measured, have no name of a model that ships.
fn is_made_up(report: &Device) -> bool {
    !report.model.starts_with("shakespeare-")
}

/// All tables of what boards need for a character.
pub fn of_boards(reports: &[Device]) -> String {
    [instructions, parts, sizes]
        .map(|table| table(reports))
        .join("\n")
}

/// The reports of the shape that every board was measured with.
fn of_first_shape(reports: &[Device]) -> impl Iterator<Item = &Device> {
    let hidden = reports.first().map(|report| report.hidden);
    reports
        .iter()
        .filter(move |report| is_made_up(report) && Some(report.hidden) == hidden)
}

/// What a character takes on each core, by the form of the inputs.
fn instructions(reports: &[Device]) -> String {
    let rows = pairs(of_first_shape(reports));
    let rows = rows.iter().map(|[embedded, folded]| {
        let count = |report: &Device| match report.unit.as_str() {
            "cycles" => format!("{} cycles", grouped(report.instructions_per_char)),
            _ => grouped(report.instructions_per_char),
        };
        vec![
            embedded.core.clone(),
            format!("`{}`", embedded.board),
            count(embedded),
            count(folded),
            format!("{:.2}", embedded.products.recurrent.instructions_each),
            format!("{:.2}", embedded.products.output.instructions_each),
        ]
    });
    markdown(
        &[
            "core",
            "board",
            ">embedding",
            ">folded",
            ">per recurrent weight",
            ">per output weight",
        ],
        rows,
    )
}

/// What a character's instructions go into on each core.
fn parts(reports: &[Device]) -> String {
    let rows = pairs(of_first_shape(reports));
    let rows = rows.iter().map(|[embedded, _]| {
        let parts = &embedded.parts;
        let figures = [
            parts.inputs,
            parts.tables,
            parts.recurrent_product,
            parts.activations,
            parts.output_product,
            parts.sampling,
        ];
        let name = format!("`{}`", embedded.board);
        std::iter::once(name)
            .chain(figures.map(grouped))
            .collect::<Vec<_>>()
    });
    markdown(
        &[
            "board",
            ">inputs",
            ">tables",
            ">recurrent product",
            ">activations",
            ">output product",
            ">sampling",
        ],
        rows,
    )
}

/// What a character takes by the hidden size, on the one board that was measured with several.
fn sizes(reports: &[Device]) -> String {
    let first = reports.first().map(|report| report.hidden);
    let board = reports
        .iter()
        .find(|report| is_made_up(report) && Some(report.hidden) != first)
        .map(|report| report.board.clone());
    let of_board = reports
        .iter()
        .filter(|report| is_made_up(report) && Some(&report.board) == board.as_ref());
    let mut rows = pairs(of_board);
    rows.sort_by_key(|[embedded, _]| embedded.hidden);
    let rows = rows.iter().map(|[embedded, folded]| {
        vec![
            embedded.hidden.to_string(),
            grouped(embedded.instructions_per_char),
            grouped(folded.instructions_per_char),
        ]
    });
    markdown(&[">hidden size", ">embedding", ">folded"], rows)
}

/// The two forms of each board and size, side by side.
fn pairs<'r>(reports: impl Iterator<Item = &'r Device>) -> Vec<[&'r Device; 2]> {
    let reports: Vec<&Device> = reports.collect();
    let folded = |of: &Device| {
        let same = |report: &&&Device| {
            report.input_form == "folded"
                && (&report.board, report.hidden) == (&of.board, of.hidden)
        };
        reports.iter().find(same).copied()
    };
    let embedded = reports
        .iter()
        .filter(|report| report.input_form == "embedded");
    embedded
        .filter_map(|report| Some([*report, folded(report)?]))
        .collect()
}

/// How fast a PC writes, of `bench engine --json`.
#[derive(Debug, Deserialize)]
struct Engine {
    model: String,
    image_bytes: usize,
    characters_per_second: f64,
}

/// What the models that ship take on a board and on a PC.
fn written(device: &[Device], engine: &[Engine]) -> String {
    let rows = engine.iter().map(|pc| {
        let board = device.iter().find(|report| report.model == pc.model);
        vec![
            format!("`{}`", pc.model),
            grouped(pc.image_bytes as f64),
            board.map_or("-".into(), |report| grouped(report.instructions_per_char)),
            grouped(pc.characters_per_second),
        ]
    });
    markdown(
        &[
            "model",
            ">bytes",
            ">instructions per character, Cortex-M4F",
            ">characters per second, one core of a PC",
        ],
        rows,
    )
}

/// What a board takes, of `cargo xtask boards --json`.
#[derive(Debug, Deserialize)]
struct Board {
    board: String,
    core: String,
    program_bytes: u64,
    flash_bytes: u64,
    static_ram_bytes: u64,
    stack_bytes: u64,
}

/// What the program takes of each board.
fn memory(boards: &[Board]) -> String {
    let rows = boards.iter().map(|board| {
        let bytes = [
            board.program_bytes,
            board.flash_bytes,
            board.static_ram_bytes,
            board.stack_bytes,
        ];
        let names = [format!("`{}`", board.board), board.core.clone()];
        let bytes = bytes.map(|bytes| grouped(bytes as f64));
        names.into_iter().chain(bytes).collect::<Vec<_>>()
    });
    markdown(
        &[
            "board",
            "core",
            ">program",
            ">flash for program and model",
            ">static RAM",
            ">left for the stack",
        ],
        rows,
    )
}

/// What a text gave, of `bench corpora --record`.
#[derive(Debug, Deserialize)]
struct Corpus {
    corpus: String,
    budget: String,
    characters: usize,
    symbols: usize,
    hidden: usize,
    steps: u64,
    seconds: f64,
    bits_per_char: f64,
    xz_bits: f64,
    ppmd_bits: f64,
}

/// What texts of many kinds gave, beside compressors.
fn corpora(corpora: &[Corpus]) -> String {
    let rows = corpora.iter().map(|corpus| {
        vec![
            corpus.corpus.clone(),
            grouped(corpus.characters as f64),
            corpus.symbols.to_string(),
            corpus.budget.clone(),
            corpus.hidden.to_string(),
            grouped(corpus.steps as f64),
            format!("{:.1}", corpus.seconds / 60.0),
            format!("{:.3}", corpus.bits_per_char),
            format!("{:.3}", corpus.ppmd_bits),
            format!("{:.3}", corpus.xz_bits),
        ]
    });
    markdown(
        &[
            "text",
            ">characters",
            ">symbols",
            ">budget",
            ">hidden size",
            ">steps",
            ">minutes",
            ">bits/char",
            ">PPMd",
            ">xz",
        ],
        rows,
    )
}

/// A training with a recipe that no shipped model was made with.
#[derive(Debug, Deserialize)]
struct Recipe {
    recipe: String,
    hidden: usize,
    image_bytes: u64,
    seconds: f64,
    engine_loss_nats: f64,
    float_loss_nats: f64,
}

fn recipes(recipes: &[Recipe]) -> String {
    let rows = recipes.iter().map(|recipe| {
        vec![
            format!("`{}`", recipe.recipe),
            recipe.hidden.to_string(),
            grouped(recipe.image_bytes as f64),
            format!("{:.0} s", recipe.seconds),
            format!("{:.4}", recipe.engine_loss_nats),
            format!("{:.4}", recipe.float_loss_nats),
        ]
    });
    markdown(
        &[
            "recipe",
            ">hidden size",
            ">image, bytes",
            ">training and export",
            ">engine loss",
            ">float loss",
        ],
        rows,
    )
}

/// The speeds of training by their names, of `bench train --json`, and how often others go into ours.
fn training(figures: &BTreeMap<String, serde_json::Value>) -> String {
    const SPEED: &str = "characters_per_second";
    let who = |name: &str| match name {
        "" => "Inkling".to_owned(),
        "pytorch_lstm" => "PyTorch's `nn.LSTM`".to_owned(),
        "tutorial_loop" => "the tutorial's loop".to_owned(),
        other => other.replace('_', " "),
    };
    let rows = figures.iter().filter_map(|(name, value)| {
        let value = value.as_f64()?;
        Some(match name.strip_prefix("times_") {
            Some(other) => vec![
                format!("that is so many times {}", who(other)),
                format!("{value:.2}"),
            ],
            None => {
                let name = name.strip_suffix(SPEED)?.trim_end_matches('_');
                vec![
                    format!("characters per second: {}", who(name)),
                    grouped(value),
                ]
            }
        })
    });
    markdown(&["training", ">figure"], rows)
}

/// The losses of models over blocks of 256 characters, by their names.
fn blocks(path: &str) -> anyhow::Result<BTreeMap<String, f64>> {
    #[derive(Deserialize)]
    struct Blocks {
        model: String,
        block_loss_nats: f64,
    }
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
    let mut losses = BTreeMap::new();
    for line in text.lines() {
        let Blocks {
            model,
            block_loss_nats,
        } = serde_json::from_str(line).with_context(|| format!("a line of {path}"))?;
        losses.insert(model, block_loss_nats);
    }
    Ok(losses)
}

/// The models that ship, out of their cards.
fn models(blocks: &BTreeMap<String, f64>) -> anyhow::Result<String> {
    let mut models = Vec::new();
    for entry in fs::read_dir("weights").context("cannot read weights/")? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        if !name.starts_with("shakespeare-") || path.extension() != Some("md".as_ref()) {
            continue;
        }
        let text = fs::read_to_string(&path)?;
        let card = Card::read(&name, &text);
        models.push(card.with_context(|| format!("{} is no card", path.display()))?);
    }
    models.sort_by_key(|model| model.bytes);
    let rows = models.into_iter().map(|model| {
        let block_loss = blocks.get(&model.name);
        vec![
            format!("`{}`", model.name),
            grouped(model.bytes as f64),
            model.hidden,
            model.steps,
            model.engine_loss,
            model.bits,
            model.float_loss,
            block_loss.map_or("-".into(), |loss| format!("{loss:.4}")),
        ]
    });
    Ok(markdown(
        &[
            "model",
            ">image, bytes",
            ">hidden size",
            ">steps",
            ">loss, nats/char",
            ">bits/char",
            ">float loss",
            ">in blocks of 256",
        ],
        rows,
    ))
}

/// What a model's card says.
#[derive(Debug, PartialEq)]
struct Card {
    name: String,
    bytes: u64,
    hidden: String,
    steps: String,
    engine_loss: String,
    bits: String,
    float_loss: String,
}

impl Card {
    fn read(name: &str, text: &str) -> anyhow::Result<Card> {
        let field = |name: &str| {
            let start = format!("| {name} | ");
            let line = text.lines().find_map(|line| line.strip_prefix(&start));
            let value = line.and_then(|line| line.strip_suffix(" |"));
            value.with_context(|| format!("it has no {name}"))
        };
        let first_word = |text: &str| text.split(' ').next().unwrap_or_default().to_owned();
        let (nats, bits) = field("engine loss")?
            .split_once(", ")
            .context("its loss is not in nats and bits")?;
        Ok(Card {
            name: name.to_owned(),
            bytes: first_word(field("image")?).parse()?,
            hidden: field("hidden size")?.to_owned(),
            steps: grouped(field("steps")?.parse()?),
            engine_loss: first_word(nats),
            bits: first_word(bits),
            float_loss: first_word(field("float loss")?),
        })
    }
}

/// A table; headings that start with `>` are those of columns of numbers.
fn markdown(
    headings: &[&str],
    rows: impl IntoIterator<Item = impl IntoIterator<Item = String>>,
) -> String {
    let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let names = headings
        .iter()
        .map(|heading| heading.trim_start_matches('>'));
    let rules = headings
        .iter()
        .map(|heading| match heading.starts_with('>') {
            true => "---:",
            false => "---",
        });
    let mut text = row(&names.map(str::to_owned).collect::<Vec<_>>());
    text += &row(&rules.map(str::to_owned).collect::<Vec<_>>());
    for cells in rows {
        text += &row(&cells.into_iter().collect::<Vec<_>>());
    }
    text
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
    use super::*;

    fn device(board: &str, hidden: usize, input_form: &str, instructions: f64) -> Device {
        let product = || Product {
            instructions_each: 0.714,
        };
        Device {
            board: board.into(),
            core: "Cortex-M4F".into(),
            model: "demo".into(),
            hidden,
            input_form: input_form.into(),
            unit: "instructions".into(),
            instructions_per_char: instructions,
            parts: Parts {
                inputs: 4_000.0,
                tables: 2_000.0,
                recurrent_product: 60_000.4,
                activations: 6_000.0,
                output_product: 7_000.0,
                sampling: 1_000.0,
            },
            products: Products {
                recurrent: product(),
                output: product(),
            },
        }
    }

    #[test]
    fn boards_are_compared_with_one_shape_and_sizes_on_one_board() {
        let both = |board, hidden| {
            [("embedded", 80_000.0), ("folded", 60_000.0)]
                .map(|(form, count)| device(board, hidden, form, count * hidden as f64 / 100.0))
        };
        let mut reports = [both("a", 100), both("b", 100), both("b", 64)].concat();
        reports.push(Device {
            model: "shakespeare-64k".into(),
            ..device("b", 220, "embedded", 1.0)
        });
        let rows = |text: String| text.lines().skip(2).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            rows(instructions(&reports)),
            [
                "| Cortex-M4F | `a` | 80,000 | 60,000 | 0.71 | 0.71 |",
                "| Cortex-M4F | `b` | 80,000 | 60,000 | 0.71 | 0.71 |",
            ]
        );
        assert_eq!(
            rows(sizes(&reports)),
            ["| 64 | 51,200 | 38,400 |", "| 100 | 80,000 | 60,000 |"]
        );
        assert_eq!(
            rows(parts(&reports))[1],
            "| `b` | 4,000 | 2,000 | 60,000 | 6,000 | 7,000 | 1,000 |"
        );
    }

    #[test]
    fn a_card_is_read_by_its_names() {
        let text = "| image | 63376 bytes |\n| hidden size | 220 |\n| steps | 10000 |\n\
            | engine loss | 1.4840 nats/char, 2.1409 bits/char |\n| float loss | 1.4839 nats/char |\n";
        let card = Card::read("owl", text).expect("a card");
        assert_eq!((card.bytes, card.steps.as_str()), (63_376, "10,000"));
        assert_eq!(
            [card.engine_loss, card.bits, card.float_loss],
            ["1.4840", "2.1409", "1.4839"]
        );
        assert!(Card::read("owl", "| image | 1 bytes |").is_err());
    }

    #[test]
    fn speeds_of_training_are_read_whatever_else_was_measured() {
        let figures = serde_json::json!({
            "characters_per_second": 339_000,
            "seconds_to_loss": null,
            "sizes": [],
            "times_pytorch_lstm": 1.89,
        });
        let figures = serde_json::from_value(figures).expect("figures by names");
        let rows: Vec<_> = training(&figures)
            .lines()
            .skip(2)
            .map(str::to_owned)
            .collect();
        assert_eq!(
            rows,
            [
                "| characters per second: Inkling | 339,000 |",
                "| that is so many times PyTorch's `nn.LSTM` | 1.89 |",
            ]
        );
    }

    #[test]
    fn thousands_are_set_apart() {
        let numbers = [0.0, 999.4, 1_000.0, 1_234_567.0];
        assert_eq!(numbers.map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
