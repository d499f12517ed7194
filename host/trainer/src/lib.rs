//! Training: from a [`Corpus`](host::corpus::Corpus) to `runs/NAME/weights.safetensors`.
//!
//! A crate of its own, since it is the only part of Inkling that needs libtorch: every other command
//! builds and runs without. [`Recipe`](host::recipe::Recipe) says how, [`Trainer`] holds everything
//! that changes from step to step, [`run`](run::run) drives it and tells an [`Observer`], and
//! [`checkpoint`](run::checkpoint) makes an interrupted run go on as if nothing had happened.

mod backend;
pub mod cli;
mod data;
mod error;
mod rounding;
pub mod run;
mod shape;

pub use error::TrainError;
pub use run::events::Observer;
pub use run::trainer::{Job, Trainer};
pub use shape::Shape;
