//! libtorch out of the wheels of PyTorch: the CPU part only, and no Python.
//!
//! The wheel on PyPI is built with CUDA. Without its `libtorch_cuda*.so` the rest is a CPU build
//! that needs nothing of CUDA but two small libraries that `libtorch_cpu.so` names.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use host::paths;
use host::toolchain::libtorch::{self, Source, VERSION};

use super::wheel::{self, Wheel};
use super::{partial_dir, say};

const NAME: &str = "libtorch";

const WHEELS: [Wheel; 3] = [
    Wheel {
        name: "torch",
        version: VERSION,
        sha256: "60fcdcb2f3876e21146cb4524ef06397d727ca9ad5f020818547e25075fe3cb7",
        bytes: 526_574_961,
    },
    Wheel {
        name: "nvidia-cuda-runtime",
        version: "13.5.37",
        sha256: "df2b79a8852f10d1fef8c848489c49eebb5754051bf870202a862831412b179d",
        bytes: 2_504_024,
    },
    Wheel {
        name: "nvidia-cuda-cupti",
        version: "13.5.25",
        sha256: "9dcca41c12a734192b14e7128ae116bc9ce1b9da686e2ebf48ae7a4415f76650",
        bytes: 12_592_974,
    },
];

const LIBRARIES: [&str; 6] = [
    "torch/lib/libtorch_cpu.so",
    "torch/lib/libtorch.so",
    "torch/lib/libc10.so",
    "torch/lib/libgomp.so.1",
    "nvidia/cu13/lib/libcudart.so.13",
    "nvidia/cu13/lib/libcupti.so.13",
];

/// Installs libtorch where it is missing, and tells cargo where it is.
pub fn install(cache: &Path) -> anyhow::Result<()> {
    match libtorch::source() {
        Source::Python => return Ok(()),
        Source::Environment(dir) => {
            return libtorch::fault(&dir).map_or(Ok(()), |fault| {
                anyhow::bail!(
                    "LIBTORCH is set, but {fault}: unset it, or set it to libtorch {VERSION}"
                )
            });
        }
        Source::Setup(dir) if libtorch::fault(&dir).is_none() => return Ok(()),
        Source::Nowhere if !libtorch::HAS_WHEELS => {
            say(NAME, libtorch::UNCHECKED);
            return Ok(());
        }
        Source::Setup(_) | Source::Nowhere => {}
    }
    let target = libtorch::install_dir();
    if libtorch::fault(&target).is_some() {
        unpack_wheels(cache, &target)?;
    }
    paths::write_atomic(
        &libtorch::setup_file(),
        libtorch::setup_text(&target).as_bytes(),
    )
    .context("cannot write .cargo/setup.toml")
}

fn unpack_wheels(cache: &Path, target: &Path) -> anyhow::Result<()> {
    let size = wheel::size(&WHEELS);
    say(
        NAME,
        &format!("{VERSION}: downloading {size} from PyPI (490 MB unpacked)"),
    );
    let partial = partial_dir(cache)?;
    let wheels = wheel::download(&WHEELS, partial.path())?;
    say(NAME, "unpacking");
    let unpacked = partial.path().join(NAME);
    for wheel in wheels {
        wheel::unpack(&wheel, &unpacked, wanted)?;
    }
    // torch-sys reads the version from here.
    fs::write(unpacked.join("build-version"), format!("{VERSION}+cpu\n"))?;
    if target.exists() {
        fs::remove_dir_all(target)?;
    }
    fs::rename(&unpacked, target)
        .with_context(|| format!("cannot move libtorch to {}", target.display()))
}

/// Where a file of a wheel belongs in the folder that torch-sys expects.
fn wanted(name: &str) -> Option<PathBuf> {
    if LIBRARIES.contains(&name) {
        let file = Path::new(name).file_name()?;
        Some(Path::new("lib").join(file))
    } else {
        let header = name.strip_prefix("torch/include/")?;
        let safe = Path::new(header)
            .components()
            .all(|part| matches!(part, std::path::Component::Normal(_)));
        safe.then(|| Path::new("include").join(header))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_headers_and_the_cpu_libraries_are_unpacked() {
        let place = |name| wanted(name).map(|path| path.display().to_string());
        assert_eq!(
            place("torch/lib/libc10.so").as_deref(),
            Some("lib/libc10.so")
        );
        assert_eq!(
            place("nvidia/cu13/lib/libcudart.so.13").as_deref(),
            Some("lib/libcudart.so.13")
        );
        assert_eq!(
            place("torch/include/ATen/A.h").as_deref(),
            Some("include/ATen/A.h")
        );
        assert_eq!(place("torch/lib/libtorch_cuda.so"), None);
        assert_eq!(place("torch/nn/__init__.py"), None);
        assert_eq!(place("torch/include/../../evil.h"), None);
    }
}
