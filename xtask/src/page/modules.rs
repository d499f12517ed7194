//! The page's modules of WebAssembly, each built by cargo with its own options.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use host::toolchain::PAGE_TARGET;

use super::flags;
use crate::command::Invocation;

/// What makes rustc use vectors.
pub const VECTORS: &str = "-Ctarget-feature=+simd128";

/// A module.
#[derive(Debug, Clone, Copy)]
pub struct Module {
    /// The name of its file, without `.wasm`.
    pub name: &'static str,
    /// Whether it computes with vectors.
    pub has_vectors: bool,
    /// Features of the crate `inkling-web`.
    pub features: &'static str,
}

/// Those that the page has.
pub const MODULES: [Module; 4] = [
    Module {
        name: "engine-vectors",
        has_vectors: true,
        features: "",
    },
    Module {
        name: "engine",
        has_vectors: false,
        features: "",
    },
    Module {
        name: "prompt",
        has_vectors: false,
        features: "prompt",
    },
    Module {
        name: "board",
        has_vectors: false,
        features: "board",
    },
];

/// Compares kernels, for tests.
pub const CHECKS: Module = Module {
    name: "checks",
    has_vectors: true,
    features: "checks",
};

/// Builds those of the page into a folder.
pub fn build(folder: &Path) -> anyhow::Result<()> {
    for module in MODULES {
        let file = module.build()?;
        let to = folder.join(module.name).with_extension("wasm");
        fs::copy(&file, to).with_context(|| format!("cannot copy {}", file.display()))?;
    }
    Ok(())
}

impl Module {
    /// Builds it; answers with its file.
    pub fn build(self) -> anyhow::Result<PathBuf> {
        // Flags differ, and cargo builds everything anew in a folder where they change.
        let target = Path::new("target/web").join(match self.has_vectors {
            true => "vectors",
            false => "plain",
        });
        let mut flags = flags(&target)?;
        if self.has_vectors {
            flags = format!("{flags} {VECTORS}");
        }
        Invocation::parse("cargo build --quiet --locked --package inkling-web --profile web")
            .args([
                "--target",
                PAGE_TARGET,
                "--features",
                self.features,
                "--target-dir",
            ])
            .args([target.display().to_string()])
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", flags)
            .run()?;
        let built = target.join(PAGE_TARGET).join("web/inkling_web.wasm");
        // The next one is built to the same place.
        let own = target.join(self.name).with_extension("wasm");
        fs::copy(&built, &own).with_context(|| format!("cannot copy {}", built.display()))?;
        Ok(own)
    }
}
