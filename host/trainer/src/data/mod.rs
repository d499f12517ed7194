//! What each step learns from: windows of the text, and what is drawn at random.

pub mod batches;
pub mod random;
