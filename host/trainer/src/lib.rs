//! Training: from a [`Corpus`](host::corpus::Corpus) to `runs/NAME/weights.safetensors`.
//!
//! A crate of its own, since it is the only part of Inkling that needs libtorch: every other command
//! builds and runs without. Its rooms follow the way of the data:
//!
//! - `data` cuts the text into windows and draws what is dropped in them, as slices;
//! - `rounding` makes of the float weights those that an image can hold (quantization-aware training);
//! - `backend` computes with them the loss of a window and its gradient, by
//!   [`native`](host::recipe::BackendKind::Native) or [`libtorch`](host::recipe::BackendKind::Libtorch);
//! - [`run`] changes the weights by it, measures, and writes a run's files: [`Trainer`] holds everything
//!   that changes from step to step, [`run::run`] drives it and tells an [`Observer`], and
//!   [`run::checkpoint`] makes an interrupted run go on as if nothing had happened;
//! - [`cli`] is the command line. [`Recipe`](host::recipe::Recipe) says how all of it is done.
//!
//! The weights, their moving average and the optimizer are libtorch's whatever the backend: flat tensors,
//! of which every operation is one call, that lie where the backend computes.

mod backend;
pub mod cli;
mod data;
mod error;
mod rounding;
pub mod run;
mod shape;

pub use error::TrainError;
pub use host::checkpoint::Job;
pub use run::events::Observer;
pub use run::trainer::Trainer;
pub use shape::Shape;
