//! The build scripts of dependencies: programs of others that run while this project is built.
//!
//! `build-scripts.toml` says what each does, as somebody read it, and keeps the digest of what was read: a
//! script that is new or changed fails a test until it has been read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde::Deserialize;

/// What was read, from the project's root.
const REVIEW: &str = "xtask/build-scripts.toml";

/// The digests of scripts by the names of their crates.
type Scripts = BTreeMap<String, BTreeSet<String>>;

/// `build-scripts.toml`.
#[derive(Debug, Deserialize)]
struct Review {
    kind: Vec<Kind>,
}

/// Scripts that do the same.
#[derive(Debug, Deserialize)]
struct Kind {
    /// What, as a sentence.
    does: String,
    scripts: Scripts,
}

/// The table of the book.
///
/// # Errors
/// When the review cannot be read.
pub fn table() -> anyhow::Result<String> {
    let mut table = String::from("| what the script does | crates |\n| --- | --- |\n");
    for Kind { does, scripts } in read()?.kind {
        let names: Vec<_> = scripts.keys().map(|name| format!("`{name}`")).collect();
        table += &format!("| {does} | {} |\n", names.join(", "));
    }
    Ok(table)
}

fn read() -> anyhow::Result<Review> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join(REVIEW));
    toml::from_str(&text.with_context(|| format!("cannot read {REVIEW}"))?)
        .with_context(|| format!("{REVIEW} cannot be understood"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde::Deserialize;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::command::Invocation;

    /// A sentence for each script that nobody has read as it is, and for each that is there no more.
    fn faults(found: &Scripts, review: &Review) -> Vec<String> {
        let mut reviewed = Scripts::new();
        for (name, digests) in review.kind.iter().flat_map(|kind| &kind.scripts) {
            let known = reviewed.entry(name.clone()).or_default();
            known.extend(digests.iter().cloned());
        }
        let pairs = |scripts: &Scripts| -> BTreeSet<(String, String)> {
            let of_crate = |(name, digests): (&String, &BTreeSet<String>)| {
                let name = name.clone();
                let digests = digests.clone().into_iter();
                digests.map(move |digest| (name.clone(), digest))
            };
            scripts.iter().flat_map(of_crate).collect()
        };
        let (found, reviewed) = (pairs(found), pairs(&reviewed));
        let unread = found
            .difference(&reviewed)
            .map(|(name, digest)| format!("nobody has read this script of {name}: {digest}"));
        let gone = reviewed
            .difference(&found)
            .map(|(name, digest)| format!("no {name} has this script any more: {digest}"));
        unread.chain(gone).collect()
    }

    /// What `cargo metadata` tells of a crate.
    #[derive(Debug, Deserialize)]
    struct Package {
        name: String,
        /// None for the crates of this project.
        source: Option<String>,
        targets: Vec<Target>,
    }

    #[derive(Debug, Deserialize)]
    struct Target {
        kind: Vec<String>,
        src_path: PathBuf,
    }

    /// The scripts of all dependencies, on whatever system and with whatever features.
    fn found() -> anyhow::Result<Scripts> {
        #[derive(Deserialize)]
        struct Metadata {
            packages: Vec<Package>,
        }
        let command = "cargo metadata --locked --all-features --format-version 1";
        let metadata: Metadata = serde_json::from_str(&Invocation::parse(command).read()?)?;
        let mut found = Scripts::new();
        let others = metadata.packages.into_iter();
        for package in others.filter(|package| package.source.is_some()) {
            let is_script =
                |target: &&Target| target.kind.iter().any(|kind| kind == "custom-build");
            for target in package.targets.iter().filter(is_script) {
                let mut digest = Sha256::new();
                take_in(&target.src_path, &mut digest)?;
                let digest = digest.finalize();
                let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                found
                    .entry(package.name.clone())
                    .or_default()
                    .insert(digest);
            }
        }
        Ok(found)
    }

    /// Takes in a file and the modules that it consists of.
    fn take_in(path: &Path, digest: &mut Sha256) -> anyhow::Result<()> {
        let text = fs::read_to_string(path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        digest.update(&text);
        let folder = path.parent().unwrap_or(Path::new(""));
        for module in modules(&text) {
            let place = folder.join(module);
            // What is not there is behind a `cfg` of the crate's own repository.
            if place.is_file() {
                take_in(&place, digest)?;
            }
        }
        Ok(())
    }

    /// The files of the modules that a file declares.
    fn modules(text: &str) -> Vec<String> {
        let mut modules = Vec::new();
        let mut path = None;
        for line in text.lines().map(str::trim) {
            let named = line.strip_prefix("#[path = \"");
            if let Some(named) = named.and_then(|rest| rest.strip_suffix("\"]")) {
                path = Some(named.to_owned());
            } else if let Some(name) = line.strip_prefix("mod ")
                && let Some(name) = name.strip_suffix(';')
            {
                modules.push(path.take().unwrap_or_else(|| format!("{name}.rs")));
            } else if let Some(file) = line.strip_prefix("include!(\"")
                && let Some((file, _)) = file.split_once('"')
            {
                modules.push(file.to_owned());
            }
        }
        modules
    }

    #[test]
    fn every_build_script_of_others_was_read_as_it_is() {
        let faults = faults(&found().expect("found"), &read().expect("read"));
        assert!(
            faults.is_empty(),
            "read these scripts, and put what they do into {REVIEW}:\n{}",
            faults.join("\n")
        );
    }

    #[test]
    fn a_script_that_is_new_changed_or_gone_is_told() {
        let review =
            "[[kind]]\ndoes = \"\"\n[kind.scripts]\nowl = [\"1\"]\ncrow = [\"2\", \"3\"]\n";
        let review = toml::from_str(review).expect("sound");
        let set = |digests: &[&str]| digests.iter().map(|&digest| digest.to_owned()).collect();
        let found = |owl: &[&str], crow: &[&str]| {
            Scripts::from([("owl".into(), set(owl)), ("crow".into(), set(crow))])
        };
        assert!(faults(&found(&["1"], &["2", "3"]), &review).is_empty());
        let told = faults(&found(&["1", "4"], &["2"]), &review);
        assert_eq!(
            told,
            [
                "nobody has read this script of owl: 4",
                "no crow has this script any more: 3"
            ]
        );
        let owl: Scripts = [("owl".into(), set(&["1"]))].into();
        assert_eq!(faults(&owl, &review).len(), 2);
    }

    #[test]
    fn a_script_is_all_of_its_files() {
        let text = "#[path = \"src/gen.rs\"]\nmod generated;\nmod version;\nmod inline {}\n";
        assert_eq!(modules(text), ["src/gen.rs", "version.rs"]);
        let folder = tempfile::tempdir().expect("a folder");
        let main = folder.path().join("build.rs");
        let digest = || {
            let mut digest = Sha256::new();
            take_in(&main, &mut digest).expect("read");
            digest.finalize()
        };
        fs::write(&main, "mod a;\n").expect("written");
        let without = digest();
        fs::write(folder.path().join("a.rs"), "fn f() {}").expect("written");
        assert_ne!(digest(), without);
    }
}
