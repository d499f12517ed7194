//! Gives the linker the board's memory map and the firmware its model image, and what the table of boards
//! says of the board.
//!
//! Does nothing unless a board feature is on: the PC and the tests need neither.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use inkling_boards::{BOARDS, Board, DEFAULT_MODEL};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=link");
    if env::var_os("CARGO_FEATURE_BOARD").is_none() {
        return Ok(());
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    let board = board()?;
    copy_model(&out)?;
    write_facts(board, &out)?;
    write_memory_map(board, &out)?;
    println!("cargo:rustc-link-search={}", out.display());
    println!("cargo:rerun-if-env-changed=DEFMT_LOG");
    if env::var_os("DEFMT_LOG").is_none() {
        println!("cargo:rustc-env=DEFMT_LOG=info");
    }
    Ok(())
}

/// The one board whose feature is on.
fn board() -> Result<&'static Board, Box<dyn Error>> {
    let is_chosen = |board: &&Board| {
        let feature = board.name.replace('-', "_").to_uppercase();
        env::var_os(format!("CARGO_FEATURE_{feature}")).is_some()
    };
    let chosen: Vec<_> = BOARDS.iter().filter(is_chosen).collect();
    match chosen[..] {
        [board] => Ok(board),
        _ => {
            let names: Vec<_> = BOARDS.iter().map(|board| board.name).collect();
            let count = chosen.len();
            Err(format!(
                "enable one board feature, not {count}: {}",
                names.join(", ")
            )
            .into())
        }
    }
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
    let usual = || format!("../weights/{DEFAULT_MODEL}.img").into();
    let model = env::var_os("INKLING_MODEL").map_or_else(usual, PathBuf::from);
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

/// Writes the constants that `board::facts` includes.
fn write_facts(board: &Board, out: &Path) -> Result<(), Box<dyn Error>> {
    let Board {
        name,
        ticks_per_second,
        model_words,
        copied_bytes,
        flash_bytes,
        ..
    } = board;
    let flash = board.link.flash.address;
    let has_region = board.model_region.is_some();
    let facts = format!(
        "/// The board's name.\n\
         pub const NAME: &str = {name:?};\n\
         /// How fast its clock runs.\n\
         pub const TICKS_PER_SECOND: u32 = {ticks_per_second};\n\
         /// Words that a model can work in; none where there is room for any.\n\
         pub const MODEL_WORDS: Option<usize> = {model_words:?};\n\
         /// Images of up to so many bytes are copied to RAM.\n\
         pub const COPIED_BYTES: usize = {copied_bytes};\n\
         /// Where the processor reads the beginning of the flash.\n\
         pub const FLASH_ADDRESS: u32 = {flash:#x};\n\
         /// Bytes of the flash.\n\
         pub const FLASH_BYTES: usize = {flash_bytes:#x};\n\
         /// Whether a part of it is set aside for models.\n\
         pub const HAS_MODEL_REGION: bool = {has_region};\n"
    );
    fs::write(out.join("facts.rs"), facts)?;
    Ok(())
}

/// Writes the memory map and the sections that all boards have, and tells the linker of them.
fn write_memory_map(board: &Board, out: &Path) -> Result<(), Box<dyn Error>> {
    let copy = |name: &str| {
        fs::copy(Path::new("link").join(name), out.join(name))
            .map_err(|error| format!("cannot read firmware/link/{name} ({error})"))
    };
    copy("inkling.x")?;
    if let Some(script) = board.link.script {
        copy(script)?;
    }
    // An abstraction layer that brings a map has the name of the usual one.
    let (name, mut arguments) = match board.link.mapped_by_hal {
        true => ("board.x", vec!["-Tlinkall.x", "-Tboard.x"]),
        false => ("memory.x", vec!["-Tlink.x", "-Tinkling.x", "--nmagic"]),
    };
    fs::write(out.join(name), board.memory_map())?;
    if env::var_os("CARGO_FEATURE_DEFMT").is_some() {
        arguments.push("-Tdefmt.x");
    }
    for argument in arguments {
        println!("cargo:rustc-link-arg-bins={argument}");
    }
    Ok(())
}
