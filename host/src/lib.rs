//! The PC side of Inkling: from a text to trained weights, to a model image, to a board.
//!
//! The flow, in the order of the modules: [`corpus`] turns a text into symbols, the crate `trainer`
//! turns symbols into float weights as a [`recipe`] says and keeps them in [`runs`], [`quantize`] folds and rounds them, [`image`] writes
//! the file that `inkling_engine::image` reads, and [`device`] brings it to an emulated or real board.
//! [`cli`] is the command line over all of it.

pub mod checkpoint;
pub mod cli;
pub mod compare;
pub mod corpus;
pub mod device;
pub mod engine;
pub mod evaluate;
pub mod export;
pub mod figures;
pub mod health;
pub mod identity;
pub mod image;
pub mod name;
pub mod output;
pub mod page;
pub mod paths;
pub mod predict;
pub mod quantize;
pub mod recipe;
pub mod report;
pub mod runs;
pub mod starts;
pub mod stored;
pub mod synthetic;
pub mod tensors;
pub mod toolchain;
pub mod words;
pub mod wrap;
pub mod writing;
