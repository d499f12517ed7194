//! The functions of the fuzz targets on what they begin with, and on that with a few changes: all that can be
//! done without a fuzzer.

use std::fs;
use std::path::Path;

use inkling_engine::sampler::Rng;

use super::functions::{console, files, image, runs, session, store};
use super::seeds::TARGETS;
use super::*;

/// How often an input is changed, and how often where each takes long or longer.
const CHANGES: usize = 200;
const SOME_CHANGES: usize = 20;
const FEW_CHANGES: usize = 4;

/// For each target what it calls, and how its program has to name that.
macro_rules! functions {
    ($($target:literal: $module:ident::$function:ident,)*) => {
        const FUNCTIONS: &[(&str, &str, fn(&[u8]))] = &[$((
            $target,
            concat!("inkling_fuzz::", stringify!($module), "::", stringify!($function), "(bytes)"),
            $module::$function,
        ),)*];
    };
}

functions! {
    "image_bytes": image::raw,
    "image": image::sound,
    "console": console::typed,
    "protocol": console::heard,
    "session": session::session,
    "store": store::store,
    "uf2": files::uf2_file,
    "hex": files::hex_file,
    "elf": files::elf_file,
    "weights": files::weights,
    "integers": files::integers,
    "recipe": files::recipe,
    "checkpoint": runs::checkpoint,
    "report": runs::report,
}

/// The targets as cargo builds them: the name of each, and what its program calls.
fn programs() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let programs = manifest["bin"].as_array().unwrap().iter();
    let read = |program: &toml::Value| {
        let [name, path] = ["name", "path"].map(|key| program[key].as_str().unwrap());
        let source = fs::read_to_string(folder.join(path)).unwrap();
        (name.to_owned(), source)
    };
    programs.map(read).collect()
}

#[test]
fn every_fuzz_target_has_inputs_to_begin_with() {
    let known: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    let tested: Vec<_> = FUNCTIONS.iter().map(|(name, ..)| *name).collect();
    assert_eq!(tested, known);
    let programs = programs();
    let built: Vec<_> = programs.iter().map(|(name, _)| name).collect();
    assert_eq!(built, known);
    for ((name, source), (_, call, _)) in programs.iter().zip(FUNCTIONS) {
        assert!(source.contains(call), "{name} does not call {call}");
    }
    for target in &TARGETS {
        let seeds = target.seeds().unwrap();
        assert!(seeds.len() > 1, "{}", target.name);
        assert!(seeds.iter().all(|seed| !seed.is_empty()), "{}", target.name);
    }
}

/// An input with a change such as fuzzers make.
fn changed(seeds: &[Vec<u8>], random: &mut Rng) -> Vec<u8> {
    let mut below = |count: usize| random.next_u32() as usize % count.max(1);
    let mut bytes = seeds[below(seeds.len())].clone();
    for _ in 0..1 + below(3) {
        let at = below(bytes.len());
        let end = (at + 1 + below(16)).min(bytes.len());
        match below(6) {
            0 => bytes.truncate(at.max(1)),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            3 => {
                let other = &seeds[below(seeds.len())];
                let from = below(other.len());
                bytes.splice(at.., other[from..].iter().copied());
            }
            4 => bytes[at] = [0, 0xFF, 0x80, b'0', b'9', b'-'][below(6)],
            _ => bytes[at] = below(256) as u8,
        }
        if bytes.is_empty() {
            bytes.push(0);
        }
    }
    bytes
}

/// The same inputs each time; `cargo xtask fuzz` looks for others.
#[test]
fn sound_and_slightly_changed_inputs_stop_no_reader() {
    for ((name, _, function), target) in FUNCTIONS.iter().zip(&TARGETS) {
        let seeds = target.seeds().unwrap();
        for seed in &seeds {
            function(seed);
        }
        let changes = match *name {
            "image_bytes" | "image" => FEW_CHANGES,
            "store" => SOME_CHANGES,
            _ => CHANGES,
        };
        let mut random = Rng::new(1);
        for _ in 0..changes * seeds.len() {
            function(&changed(&seeds, &mut random));
        }
    }
}

#[test]
fn an_unknown_target_is_refused_with_how_to_list_them() {
    let error = chosen(&["owl".to_owned()]).expect_err("no such target");
    assert!(
        error.to_string().contains("cargo xtask fuzz --list"),
        "{error}"
    );
}
