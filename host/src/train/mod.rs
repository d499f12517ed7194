//! Training: from a [`Corpus`](crate::corpus::Corpus) to `runs/NAME/weights.safetensors`.
//!
//! The only part of Inkling that needs libtorch. [`Recipe`] says how, [`Trainer`] holds everything
//! that changes from step to step, [`run`](run::run) drives it and tells an [`Observer`], and
//! [`checkpoint`] makes an interrupted run go on as if nothing had happened.

mod adam;
pub mod budget;
pub mod checkpoint;
mod error;
pub mod evaluate;
pub mod events;
mod feed;
mod native;
mod network;
mod random;
pub mod recipe;
mod rounding;
pub mod run;
mod store;
mod trainer;
mod weights;
mod workers;

pub use error::TrainError;
pub use events::Observer;
pub use recipe::Recipe;
pub use trainer::{Job, Trainer};
pub use weights::Shape;

/// The device called `name`: `auto`, `cpu` or `cuda`.
///
/// # Errors
/// When CUDA is asked for and cannot be used.
pub fn device(choice: DeviceChoice) -> Result<tch::Device, TrainError> {
    match choice {
        DeviceChoice::Auto => Ok(tch::Device::cuda_if_available()),
        DeviceChoice::Cpu => Ok(tch::Device::Cpu),
        DeviceChoice::Cuda if tch::Cuda::is_available() => Ok(tch::Device::Cuda(0)),
        DeviceChoice::Cuda => Err(TrainError::NoCuda),
    }
}

/// Where to compute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum DeviceChoice {
    /// The GPU if libtorch can use one (untested), else the CPU
    #[default]
    Auto,
    /// The CPU
    Cpu,
    /// The first GPU: untested, nobody has tried it yet
    Cuda,
}
