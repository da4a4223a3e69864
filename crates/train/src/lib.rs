//! Training that heals a pruned model: the schedule, the checkpoints and the loop.

#![forbid(unsafe_code)]

mod checkpoint;
mod error;
mod event;
mod limit;
pub mod memory;
pub mod milestones;
mod optimizer;
mod order;
pub mod schedule;
mod trainer;

pub use checkpoint::{checkpoint_weights, verify_checkpoint};
pub use error::{BoxError, Error, Result};
pub use event::Event;
pub use optimizer::Optimizer;
pub use trainer::{Begin, IsEnough, Job, Lessons, Listener, Outcome, Why, train, train_against};
