//! Tells the programs and tests of this package where libtorch is, so that they start without
//! `LD_LIBRARY_PATH`.

// So do build scripts talk to cargo.
#![allow(clippy::disallowed_macros)]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Set by the build script of torch-sys, wherever it found or downloaded libtorch.
    let Ok(lib) = std::env::var("DEP_TCH_LIBTORCH_LIB") else {
        return;
    };
    // Windows has no run-time path in programs: it looks in PATH.
    if std::env::var("CARGO_CFG_TARGET_FAMILY").is_ok_and(|family| family == "unix") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{lib}");
    }
    // Nothing names a symbol of CUDA's part: the linker would leave it out, and libtorch then knows no GPU.
    if std::path::Path::new(&lib).join("libtorch_cuda.so").exists() {
        println!("cargo::rustc-link-arg=-Wl,--no-as-needed,-ltorch_cuda,--as-needed");
    }
}
