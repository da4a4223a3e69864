//! How a model heals: schedule, checkpoint, and the loop.

#![forbid(unsafe_code)]

mod optimizer;
pub mod schedule;

pub use optimizer::Optimizer;
