//! Cargo, started by a program that cargo may have started itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::libtorch;

/// The cargo that started this program, else the one on the path.
#[must_use]
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    forget_package(&mut command);
    command
}

/// Takes from a command's environment what cargo tells only the package that it runs.
pub fn forget_package(command: &mut Command) {
    // Cargo gave this process what `.cargo/setup.toml` said when it started; the cargo started here
    // reads it anew.
    if !matches!(libtorch::source(), libtorch::Source::Environment(_)) {
        command.env_remove("LIBTORCH");
    }
    // Nor is it this package that is built there. Left in place, these make the build script of
    // ring, and in the end that of torch-sys, run again whenever another program is in between.
    for (name, _) in std::env::vars_os() {
        let is_of_package = ["CARGO_PKG_", "CARGO_MANIFEST_", "OUT_DIR"]
            .iter()
            .any(|prefix| name.to_string_lossy().starts_with(prefix));
        if is_of_package {
            command.env_remove(name);
        }
    }
}

/// The file that a build has linked, by the messages of `--message-format=json`.
#[must_use]
pub fn executable(messages: &[u8]) -> Option<PathBuf> {
    String::from_utf8_lossy(messages)
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

/// The profile of the build that `program` lies in, if it lies where cargo puts programs.
#[must_use]
pub fn profile_of(program: &Path) -> Option<String> {
    let folder = program.parent()?;
    let is_cargos = folder.join(".fingerprint").is_dir();
    let name = folder.file_name()?.to_str()?;
    let profile = if name == "debug" { "dev" } else { name };
    is_cargos.then(|| profile.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_profile_of_a_program_is_told_by_its_folder() {
        let target = tempfile::tempdir().unwrap();
        for (folder, profile) in [("debug", "dev"), ("release", "release"), ("own", "own")] {
            let folder = target.path().join(folder);
            assert_eq!(profile_of(&folder.join("host")), None);
            std::fs::create_dir_all(folder.join(".fingerprint")).unwrap();
            assert_eq!(profile_of(&folder.join("host")).as_deref(), Some(profile));
        }
    }

    #[test]
    fn the_linked_file_is_found_among_other_messages() {
        let messages =
            b"{\"reason\":\"x\",\"executable\":null}\nwarning\n{\"executable\":\"/a/b\"}\n";
        assert_eq!(executable(messages), Some("/a/b".into()));
        assert_eq!(executable(b""), None);
    }
}
