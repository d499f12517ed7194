//! `export`: from the float weights of a run to a model image.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use inkling_engine::format::Planes;

use super::model::{TextArgs, bar, folder_of};
use crate::evaluate::bits;
use crate::export::{Exported, export, export_stored, may_write};
use crate::image;
use crate::name::Name;
use crate::note;
use crate::output::{self, Output};
use crate::paths;
use crate::quantize::{InputForm, trits};
use crate::report::{Export, Report};
use crate::runs;
use crate::starts;
use crate::stored::is_stored;

/// Options of `export`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The run: its name, its folder, or its weights.safetensors; or the MODEL.safetensors that an
    /// export wrote, whose image is made again
    run: PathBuf,
    /// Trits per recurrent weight, 1 to 5 [default: those of the run's recipe]
    #[arg(long, value_name = "TRITS", value_parser = parse_planes)]
    planes: Option<u8>,
    /// Trits per weight of the input matrix [default: those of the run's recipe]
    #[arg(long, value_name = "TRITS", value_parser = parse_planes)]
    input_planes: Option<u8>,
    /// Trits per weight of the output layer [default: those of the run's recipe]
    #[arg(long, value_name = "TRITS", value_parser = parse_planes)]
    output_planes: Option<u8>,
    /// Keep what each symbol adds to the gates as a table (fast), or as an embedding and a matrix
    #[arg(long, value_enum, default_value_t)]
    inputs: InputForm,
    /// Name of the model: the files are NAME.img, NAME.safetensors and NAME.md [default: the run's]
    #[arg(long)]
    name: Option<Name>,
    /// Write NAME.float.safetensors as well, in half precision: for `train --from NAME` to start with
    #[arg(long)]
    float: bool,
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

/// Reads a number of trits.
pub fn parse_planes(text: &str) -> Result<u8, String> {
    let count = text.parse().ok();
    count
        .filter(|count| trits::PLANES.contains(count))
        .ok_or_else(|| "weights have 1 to 5 trits".to_owned())
}

/// Runs `export`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    if is_stored(&args.run) {
        return export_again(args);
    }
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
            "note: this run has gone on to step {step} since its weights were written; `inkling train --resume` \
             to its end makes new ones"
        );
    }
    let alphabet: String = float.alphabet.iter().collect();
    let validation = args
        .text
        .validation(&alphabet, Some((folder_of(&weights), &float)))?;
    let wanted = float.planes();
    let planes = Planes {
        recurrent: args.planes.unwrap_or(wanted.recurrent),
        input: args.input_planes.unwrap_or(wanted.input),
        output: args.output_planes.unwrap_or(wanted.output),
    };
    let kept = (planes, args.inputs);
    let folder = args.output.clone().unwrap_or_else(paths::weights_dir);
    ensure!(
        args.overwrite || may_write(&folder, &name, &float),
        "{} has another model '{name}'; choose another name with --name, or replace it with --overwrite",
        folder.display()
    );
    let bar = bar(validation.as_read().len(), "measuring");
    let exported = export(&float, &name, kept, &folder, Some(&validation), |done| {
        bar.set_position(done);
    })
    .with_context(|| format!("could not export {name}"))?;
    bar.finish_and_clear();
    let start = args.float.then(|| starts::save(&float, &name, &folder));
    let start = start.transpose()?;
    if let Some(run_dir) = weights.parent() {
        Report::add_export(run_dir, Export::of(&exported))?;
    }
    if args.json {
        writeln!(output::stdout(), "{}", serde_json::to_string(&exported)?)?;
    } else {
        let mut out = output::prose();
        print_export(&mut out, &exported)?;
        if let Some(start) = start {
            writeln!(out, "{} (to start from)", start.display())?;
        }
    }
    Ok(())
}

/// Makes the image of a model's tensors again.
fn export_again(args: &Args) -> anyhow::Result<()> {
    ensure!(
        (args.planes, args.input_planes, args.output_planes) == (None, None, None)
            && args.inputs == InputForm::Smallest,
        "the tensors of {} are quantized already: leave --planes and --inputs out, or export the run",
        args.run.display()
    );
    let folder = match &args.output {
        Some(folder) => folder.clone(),
        None => folder_of(&args.run).to_owned(),
    };
    let image = export_stored(&args.run, args.name.as_ref(), &folder)?;
    let bytes = image::open(&image)?.bytes().len();
    if args.json {
        let report = serde_json::json!({ "image": image, "image_bytes": bytes });
        writeln!(output::stdout(), "{report}")?;
    } else {
        writeln!(output::prose(), "{} ({bytes} bytes)", image.display())?;
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
