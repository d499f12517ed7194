//! Gives the linker the board's memory map and the firmware its model image.
//!
//! Does nothing unless a board feature is on: the PC and the tests need neither.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

/// The model that is linked if `INKLING_MODEL` names no other; relative to this crate.
const DEFAULT_MODEL: &str = "../weights/shakespeare-64k.img";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=memory");
    if env::var_os("CARGO_FEATURE_BOARD").is_none() {
        return Ok(());
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    copy_model(&out)?;
    copy_memory_map(&out)?;
    println!("cargo:rustc-link-search={}", out.display());
    // The abstraction layer of Espressif's chips brings its own memory map, which boards add to.
    let mut arguments = match env::var_os("CARGO_FEATURE_ESP32C3") {
        Some(_) => vec!["-Tlinkall.x", "-Tboard.x"],
        None => vec!["-Tlink.x", "-Tinkling.x", "--nmagic"],
    };
    if env::var_os("CARGO_FEATURE_DEFMT").is_some() {
        arguments.push("-Tdefmt.x");
    }
    for argument in arguments {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    println!("cargo:rerun-if-env-changed=DEFMT_LOG");
    if env::var_os("DEFMT_LOG").is_none() {
        println!("cargo:rustc-env=DEFMT_LOG=info");
    }
    Ok(())
}

/// Copies the model image to where `board::image` includes it from; with `INKLING_MODEL_ROOM`, leaves
/// so many bytes of room for one that is put into the linked file later.
fn copy_model(out: &Path) -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-env-changed=INKLING_MODEL");
    println!("cargo:rerun-if-env-changed=INKLING_MODEL_ROOM");
    if let Ok(room) = env::var("INKLING_MODEL_ROOM") {
        fs::write(out.join("model.img"), vec![0; room.parse()?])?;
        return Ok(());
    }
    let model = env::var_os("INKLING_MODEL").map_or_else(|| DEFAULT_MODEL.into(), PathBuf::from);
    println!("cargo:rerun-if-changed={}", model.display());
    let bytes = fs::read(&model).map_err(|error| {
        format!(
            "cannot read the model image {} ({error}): set INKLING_MODEL to the path of one",
            model.display()
        )
    })?;
    fs::write(out.join("model.img"), bytes)?;
    Ok(())
}

/// Copies `memory/BOARD.x` of the one board whose feature is on, and the sections that all boards have.
fn copy_memory_map(out: &Path) -> Result<(), Box<dyn Error>> {
    let mut boards = Vec::new();
    for entry in fs::read_dir("memory")? {
        let path = entry?.path();
        let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) else {
            continue;
        };
        let feature = name.replace('-', "_").to_uppercase();
        if env::var_os(format!("CARGO_FEATURE_{feature}")).is_some() {
            boards.push(path);
        }
    }
    let [board] = boards.as_slice() else {
        return Err(format!("enable one board feature, not {}", boards.len()).into());
    };
    let name = match env::var_os("CARGO_FEATURE_ESP32C3") {
        Some(_) => "board.x",
        None => "memory.x",
    };
    fs::copy(board, out.join(name))?;
    fs::copy("memory/inkling.x", out.join("inkling.x"))?;
    Ok(())
}
