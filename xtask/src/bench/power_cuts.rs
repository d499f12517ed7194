//! `cargo xtask bench power-cuts`: what an emulated Pico writes with after power has failed at any moment of an
//! upload.

use std::collections::BTreeMap;

use anyhow::bail;
use host::device::cuts::{Cut, Cuts, Found, Moment, Purpose};
use host::device::{self, Firmware, Program};

/// Options of `bench power-cuts`.
#[derive(Debug, clap::Args)]
pub struct PowerCuts {
    /// The board, which takes models and has a flash where it is emulated
    #[arg(long, default_value = "pico")]
    board: String,
    /// Send the model to the slot of the one in use instead, which loses it: shows that the count can
    #[arg(long)]
    spoil: bool,
    /// Only every Nth cut
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    every: u32,
}

/// How many cuts of a kind were tried, and how many lost both models.
#[derive(Debug, Default)]
struct Count {
    old: usize,
    new: usize,
    lost: usize,
}

/// Tries them, and prints the table in Markdown.
pub fn run(args: &PowerCuts) -> anyhow::Result<()> {
    let firmware = Firmware::with_room(device::find(&args.board)?, Program::Console)?;
    eprintln!("recording an upload");
    let cuts = Cuts::record(firmware)?;
    let all = cuts.all();
    let mut counts: BTreeMap<(Purpose, Moment), Count> = BTreeMap::new();
    for (index, &cut) in all.iter().enumerate().step_by(args.every as usize) {
        eprint!("\rcut {} of {}", index + 1, all.len());
        let found = match args.spoil {
            true => cuts.start_after_spoiling(cut)?,
            false => cuts.start_after(cut)?,
        };
        let Cut {
            purpose, moment, ..
        } = cut;
        let count = counts.entry((purpose, moment)).or_default();
        *match found {
            Found::Old => &mut count.old,
            Found::New => &mut count.new,
            Found::Lost => &mut count.lost,
        } += 1;
    }
    eprintln!();
    println!("| power fails | cuts | old model | new model | lost |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    let mut lost = 0;
    for (
        (purpose, moment),
        Count {
            old,
            new,
            lost: gone,
        },
    ) in &counts
    {
        let cuts = old + new + gone;
        println!(
            "| {} {} | {cuts} | {old} | {new} | {gone} |",
            named(*moment),
            what(*purpose)
        );
        lost += gone;
    }
    if lost > 0 && !args.spoil {
        bail!("{lost} power cuts lost both models");
    }
    Ok(())
}

fn named(moment: Moment) -> &'static str {
    match moment {
        Moment::Before => "before",
        Moment::In => "in",
        Moment::After => "after",
    }
}

fn what(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::RecordErased => "erasing the record of the slot",
        Purpose::RoomMade => "erasing the slot",
        Purpose::ModelWritten => "writing the model",
        Purpose::RecordWritten => "writing the record",
    }
}
