//! `page`: the page in a browser of this machine.

use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, bail};

use crate::page::{Folders, Host};
use crate::{note, output};

/// Options of `page`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The page lets the models of weights/ write, byte for byte as `sample` does, shows what else each
character could have been, and talks to boards. It is served to this machine only, and asks for
nothing elsewhere. Ctrl-C ends it. In a checkout, `cargo xtask page` builds it first.")]
pub struct Args {
    /// The port to listen at; 0 takes one that is free
    #[arg(long, default_value_t = 8017)]
    port: u16,
    /// Serve a page that was built to another folder [default: dist/page, or page beside this program]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Only print the address, and open no browser
    #[arg(long)]
    no_open: bool,
}

/// Runs `page`.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let Some(folders) = Folders::find(args.folder.as_deref()) else {
        if let Some(folder) = &args.folder {
            bail!(
                "there is no page in {}: it has no index.html",
                folder.display()
            );
        }
        bail!("the page is not built yet: in a checkout of the project, run `cargo xtask page`");
    };
    let host = Host::start(folders, args.port).with_context(|| {
        format!(
            "cannot listen at port {}: name another one with --port, or 0 for any",
            args.port
        )
    })?;
    let address = host.address();
    let mut out = output::stdout();
    writeln!(out, "{address}")?;
    out.flush()?;
    if !args.no_open && open::that_detached(&address).is_err() {
        note!("no browser could be opened: open the address above in one");
    }
    host.serve();
    Ok(())
}
