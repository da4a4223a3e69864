//! What a command prints, and where.

mod hint;
pub(crate) mod interrupt;
mod observer;
mod output;
mod problem;
mod progress;

pub(crate) use observer::TerminalObserver;
pub use output::{Exit, Output};
pub(crate) use problem::{hinted, usage};
