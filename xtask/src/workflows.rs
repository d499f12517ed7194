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
