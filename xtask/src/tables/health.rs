//! The table of what models write by themselves for very long.

use serde::Deserialize;

/// What a model wrote at one temperature, of `inkling health --json`.
#[derive(Debug, Clone, Deserialize)]
pub struct Health {
    model: String,
    temperature: f64,
    characters: u64,
    healthy: bool,
    surprisal_nats: f64,
}

/// A row per model, a column per temperature.
pub fn table(all: &[Health]) -> String {
    let mut models: Vec<&str> = all.iter().map(|health| &*health.model).collect();
    models.dedup();
    let first = models.first().copied().unwrap_or_default();
    let heads = of(all, first).map(|health| format!(" at {:.1} |", health.temperature));
    let heads: String = heads.collect();
    let lines = " ---: |".repeat(of(all, first).count());
    let mut table = format!("| model |{heads}\n| --- |{lines}\n");
    for model in models {
        let cells = of(all, model).map(|health| {
            let verdict = match health.healthy {
                true => "healthy",
                false => "**not healthy**",
            };
            let millions = health.characters as f64 / 1e6;
            let nats = health.surprisal_nats;
            format!(" {verdict} over {millions} million, {nats:.2} nats |")
        });
        table += &format!("| `{model}` |{}\n", cells.collect::<String>());
    }
    table
}

fn of<'a>(all: &'a [Health], model: &'a str) -> impl Iterator<Item = &'a Health> {
    all.iter().filter(move |health| health.model == model)
}
