//! `export`: from the float weights of a run to a model image.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use firmware::kernels::Bits;

use super::model::{TextArgs, bar, folder_of};
use crate::evaluate::bits;
use crate::export::{Exported, export, may_write};
use crate::name::Name;
use crate::note;
use crate::output::{self, Output};
use crate::paths;
use crate::quantize::Widths;
use crate::report::{Export, Report};
use crate::runs;

/// Options of `export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run: its name, its folder, or its weights.safetensors
    run: PathBuf,
    /// Bits per input and recurrent weight [default: those of the run's recipe]
    #[arg(long, value_parser = parse_bits)]
    bits: Option<Bits>,
    /// Bits per weight of the output layer [default: those of the run's recipe]
    #[arg(long, value_name = "BITS", value_parser = parse_bits)]
    output_bits: Option<Bits>,
    /// Name of the model: the files are NAME.img, NAME.safetensors and NAME.md [default: the run's]
    #[arg(long)]
    name: Option<Name>,
    /// Replace a model of that name, whatever it was made of
    #[arg(long)]
    overwrite: bool,
    /// Where the files go [default: weights/]
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    #[command(flatten)]
    text: TextArgs,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Reads 8 or 4.
pub fn parse_bits(text: &str) -> Result<Bits, String> {
    let count = text.parse().ok();
    count
        .and_then(Bits::from_count)
        .ok_or_else(|| "weights have 8 or 4 bits".to_owned())
}

/// Runs `export`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let (weights, float) = runs::load_weights(&args.run)?;
    let name = match (&args.name, &float.name) {
        (Some(name), _) | (None, Some(name)) => name.clone(),
        (None, None) => bail!(
            "{} tells no name that can be used; give the model one with --name",
            weights.display()
        ),
    };
    if let Some(step) = runs::newer_checkpoint(&weights, &float) {
        note!(
            "note: this run has gone on to step {step} since its weights were written; `host train --resume` \
             to its end makes new ones"
        );
    }
    let alphabet: String = float.alphabet.iter().collect();
    let validation = args
        .text
        .validation(&alphabet, Some((folder_of(&weights), &float)))?;
    let wanted = float.widths();
    let widths = Widths {
        recurrent: args.bits.unwrap_or(wanted.recurrent),
        output: args.output_bits.unwrap_or(wanted.output),
    };
    let folder = args.output.clone().unwrap_or_else(paths::weights_dir);
    ensure!(
        args.overwrite || may_write(&folder, &name, &float),
        "{} has another model '{name}'; choose another name with --name, or replace it with --overwrite",
        folder.display()
    );
    let bar = bar(validation.len(), "measuring");
    let exported = export(&float, &name, widths, &folder, Some(&validation), |done| {
        bar.set_position(done);
    })
    .with_context(|| format!("could not export {name}"))?;
    bar.finish_and_clear();
    if let Some(run_dir) = weights.parent() {
        Report::add_export(run_dir, Export::of(&exported, widths))?;
    }
    let mut out = output::stdout();
    if args.json {
        writeln!(out, "{}", serde_json::to_string(&exported)?)?;
    } else {
        print_export(&mut out, &exported)?;
    }
    Ok(())
}

/// Says what was written and how good it is.
pub fn print_export(out: &mut Output, exported: &Exported) -> std::io::Result<()> {
    writeln!(
        out,
        "{} ({} bytes)",
        exported.image.display(),
        exported.image_bytes
    )?;
    if let Some(losses) = exported.losses {
        writeln!(
            out,
            "engine loss {:.4} nats/char ({:.4} bits/char), float {:.4}, gap {:+.4}",
            losses.engine_loss_nats,
            bits(losses.engine_loss_nats),
            losses.float_loss_nats,
            losses.gap_nats
        )?;
    }
    Ok(())
}
