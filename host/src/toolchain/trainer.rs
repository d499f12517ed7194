//! The program that trains: built from the checkout that this one was built from, lying beside it, or built
//! from the checkout that somebody works in.

use std::ffi::OsString;
use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{SETUP, cargo, libtorch};
use crate::{note, paths};

/// The name of the program.
const NAME: &str = "inkling-trainer";

/// The package that it is in.
const PACKAGE: &str = "trainer";

/// Why training could not be started.
#[derive(Debug, thiserror::Error)]
pub enum TrainerError {
    /// The libtorch that the checkout is set up with is gone or damaged.
    #[error("training needs libtorch, and {fault}; run: {mend}")]
    Libtorch {
        /// What is wrong.
        fault: String,
        /// What mends it.
        mend: String,
    },
    /// Cargo could not build it; it has printed why.
    #[error("the program that trains could not be built; `{SETUP}` installs what it needs")]
    Build,
    /// There is no such program.
    #[error(
        "training is done by the program {NAME}, and there is none at {}; install it beside this one, \
         or train in a checkout of Inkling", .0.display()
    )]
    Missing(PathBuf),
    /// A program is there and does not start.
    #[error("cannot start {}: {reason}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
}

/// Ends this program and is the trainer from then on, with these options.
///
/// # Errors
/// When libtorch is missing or the trainer cannot be built or started.
pub fn become_it(options: impl IntoIterator<Item = OsString>) -> Result<(), TrainerError> {
    let program = find()?;
    let mut command = Command::new(&program);
    command.args(options);
    Err(TrainerError::Start {
        reason: replace_with(&mut command),
        program,
    })
}

/// Where the trainer is, built if need be.
fn find() -> Result<PathBuf, TrainerError> {
    let me = std::env::current_exe().unwrap_or_default();
    match cargo::profile_of(&me) {
        Some(profile) => {
            let checkout = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
            build(&checkout, &profile, beside(&me).is_file())
        }
        None => {
            let program = beside(&me);
            let project = paths::project_dir();
            if program.is_file() {
                Ok(program)
            } else if paths::is_checkout(&project) {
                let built = project.join("target/debug").join(program_name());
                build(&project, "dev", built.is_file())
            } else {
                Err(TrainerError::Missing(program))
            }
        }
    }
}

fn program_name() -> String {
    format!("{NAME}{}", std::env::consts::EXE_SUFFIX)
}

fn beside(program: &Path) -> PathBuf {
    program.with_file_name(program_name())
}

/// Has cargo build it in a checkout; with nothing to build that takes a fraction of a second.
fn build(checkout: &Path, profile: &str, was_built: bool) -> Result<PathBuf, TrainerError> {
    if let Some((fault, mend)) = libtorch::broken() {
        return Err(TrainerError::Libtorch { fault, mend });
    }
    if !was_built {
        note!("building the program that trains: a few minutes, once");
        if libtorch::source() == libtorch::Source::Nowhere {
            note!("libtorch: {}", libtorch::check().detail);
        }
    }
    let mut cargo = cargo::cargo();
    cargo
        .current_dir(checkout)
        .args(["build", "--package", PACKAGE, "--bin", NAME])
        .args(["--profile", profile])
        .arg("--message-format=json-render-diagnostics")
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    // What is done on the way to the training is of no interest when there is nothing to do.
    if !io::stderr().is_terminal() || was_built {
        cargo.arg("--quiet");
    }
    let output = cargo.output().map_err(|reason| TrainerError::Start {
        program: "cargo".into(),
        reason,
    })?;
    match cargo::executable(&output.stdout) {
        Some(program) if output.status.success() => Ok(program),
        _ => Err(TrainerError::Build),
    }
}

/// Puts a program in the place of this one: signals then reach it as they would this one.
#[cfg(unix)]
fn replace_with(command: &mut Command) -> io::Error {
    std::os::unix::process::CommandExt::exec(command)
}

/// Runs a program and ends as it ends.
#[cfg(not(unix))]
fn replace_with(command: &mut Command) -> io::Error {
    match command.status() {
        Ok(status) => std::process::exit(status.code().unwrap_or(1)),
        Err(error) => error,
    }
}
