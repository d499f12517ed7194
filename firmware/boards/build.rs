//! Reads the table of boards once, so that a fault in it ends the build instead of the program.

use std::process::ExitCode;

#[allow(dead_code, reason = "a check needs less than the library")]
#[path = "src/board.rs"]
mod board;
#[allow(dead_code, reason = "a check needs less than the library")]
#[path = "src/table.rs"]
mod table;

fn main() -> ExitCode {
    println!("cargo:rerun-if-changed=../boards.toml");
    println!("cargo:rerun-if-changed=src");
    println!("cargo:rerun-if-changed=build.rs");
    match table::parse(include_str!("../boards.toml")) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("firmware/boards.toml: {error}");
            ExitCode::FAILURE
        }
    }
}
