//! Tests that the workflows of the public forge are sound: YAML, with commands that there are.

use std::fs;

use clap::CommandFactory;
use yaml_rust2::{Yaml, YamlLoader};

use crate::Cli;

/// The lines that the steps of a workflow run.
fn lines(workflow: &Yaml) -> Vec<String> {
    let jobs = workflow["jobs"].as_hash().expect("jobs");
    let steps = jobs.values().flat_map(|job| {
        assert!(
            !job["runs-on"].is_badvalue(),
            "a job runs somewhere: {job:?}"
        );
        job["steps"].as_vec().expect("steps")
    });
    let scripts = steps.filter_map(|step| {
        let has_either = step["run"].is_badvalue() != step["uses"].is_badvalue();
        assert!(has_either, "a step runs or uses something: {step:?}");
        step["run"].as_str()
    });
    let lines = scripts.flat_map(str::lines).map(str::trim);
    lines.map(str::to_owned).collect()
}

/// Looks whether cargo knows the command, and this project its package or chore.
fn check(command: &str) {
    let words: Vec<&str> = command.split_whitespace().collect();
    match words.get(1).copied() {
        Some("xtask") => {
            let arguments = words.iter().skip(1).copied();
            let parsed = Cli::command().try_get_matches_from(arguments);
            assert!(parsed.is_ok(), "`{command}`: {parsed:?}");
        }
        Some("build" | "run") => {
            let package = words.iter().skip_while(|word| **word != "--package").nth(1);
            let manifest = match package {
                Some(&"host") => "host/Cargo.toml",
                Some(&"book") => "xtask/book/Cargo.toml",
                other => panic!("`{command}`: no package {other:?} is expected here"),
            };
            assert!(fs::exists(manifest).expect("readable"), "{manifest}");
            assert!(words.contains(&"--locked"), "`{command}`");
        }
        other => panic!("`{command}`: no subcommand {other:?} is expected here"),
    }
}

/// What stands for a tag's version in the comparison below.
const TAG: &str = "v1.2.3";

/// A template of `cargo binstall`, filled in for a target.
fn filled(template: &str, target: &str, suffix: &str) -> String {
    template
        .replace("{ version }", TAG.trim_start_matches('v'))
        .replace("{ target }", target)
        .replace("{ archive-suffix }", suffix)
        .replace("{ bin }", "inkling")
        .replace(
            "{ binary-ext }",
            if target.contains("windows") {
                ".exe"
            } else {
                ""
            },
        )
}

#[test]
fn what_cargo_binstall_looks_for_is_what_a_release_makes() {
    crate::enter_project().expect("the project");
    let manifest = fs::read_to_string("host/Cargo.toml").expect("a manifest");
    let manifest: toml::Table = manifest.parse().expect("TOML");
    let metadata = &manifest["package"]["metadata"]["binstall"];
    let said = |key: &str| metadata[key].as_str().expect("text");
    let (address, place) = (said("pkg-url"), said("bin-dir"));
    let (folder, file) = place.split_once('/').expect("a file in a folder");
    assert!(address.starts_with(&format!("{{ repo }}/releases/download/{}", "v{ version }/")));

    let text = fs::read_to_string(".github/workflows/release.yml").expect("a workflow");
    let workflow = &YamlLoader::load_from_str(&text).expect("YAML")[0];
    let job = &workflow["jobs"]["command-line"];
    let steps = job["steps"].as_vec().expect("steps");
    let scripts: Vec<&str> = steps
        .iter()
        .filter_map(|step| step["run"].as_str())
        .collect();
    let packing = scripts
        .iter()
        .find(|script| script.contains("folder="))
        .expect("a step that packs");
    let line = |start: &str| {
        let mut lines = packing.lines().map(str::trim);
        let found = lines.find(|line| line.starts_with(start));
        found.unwrap_or_else(|| panic!("no line {start}: {packing}"))
    };
    let named = line("folder=")
        .trim_start_matches("folder=")
        .trim_matches('"');
    let (windows, others) = (line("Windows) 7z"), line("*) tar"));
    let targets = job["strategy"]["matrix"]["include"]
        .as_vec()
        .expect("targets");
    for target in targets {
        let target = target["target"].as_str().expect("a target");
        let own = metadata.get("overrides").and_then(|all| all.get(target));
        let form = own.unwrap_or(metadata)["pkg-fmt"].as_str().expect("a form");
        let suffix = match form {
            "tgz" => ".tar.gz",
            "zip" => ".zip",
            other => panic!("{target}: no form {other:?} is expected here"),
        };
        let made = named
            .replace("${GITHUB_REF_NAME//\\//-}", TAG)
            .replace("${{ matrix.target }}", target);
        assert_eq!(filled(folder, target, suffix), made);
        let archive = filled(address, target, suffix);
        assert!(archive.ends_with(&format!("/{made}{suffix}")), "{archive}");
        let packs = if target.contains("windows") {
            windows
        } else {
            others
        };
        assert!(
            packs.contains(&format!("\"$folder{suffix}\" \"$folder\"")),
            "{packs}"
        );
        // The program lies in that folder, not deeper.
        assert!(!filled(file, target, suffix).contains('/'));
        assert!(line("cp \"target/").ends_with("inkling$suffix\" \"$folder/\""));
    }
    assert_eq!(targets.len(), 4);
}

#[test]
fn every_command_of_the_workflows_exists() {
    crate::enter_project().expect("the project");
    let mut commands = 0;
    for name in ["ci.yml", "release.yml"] {
        let text = fs::read_to_string(format!(".github/workflows/{name}")).expect("a workflow");
        let documents = YamlLoader::load_from_str(&text).expect("YAML");
        for line in documents.iter().flat_map(lines) {
            if line.starts_with("cargo ") {
                check(&line);
                commands += 1;
            }
        }
    }
    assert_eq!(commands, 6);
}
