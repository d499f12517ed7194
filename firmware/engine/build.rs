//! Says which kernels the core has instructions for: `cfg(thumb2)` or `cfg(thumb1)`.

use std::env;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-check-cfg=cfg(thumb1, thumb2)");
    let target = env::var("TARGET")?;
    match target.split('-').next() {
        Some("thumbv6m") => println!("cargo:rustc-cfg=thumb1"),
        Some(name) if name.starts_with("thumbv") => println!("cargo:rustc-cfg=thumb2"),
        _ => {}
    }
    Ok(())
}
