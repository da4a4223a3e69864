//! Sparse pruning: weights of linear layers become zero, shapes stay. Each score has a file. The
//! other files say which weights are pruned, what is known of their inputs, and in which order
//! blocks are pruned and written.

mod bench;
mod factor;
mod magnitude;
mod mask;
mod method;
mod plan;
mod run;
mod score;
mod sparsegpt;
mod stats;
mod wanda;
mod write;

pub use bench::{ArrayId, MachineBench, Operand, Workbench};
pub use magnitude::Magnitude;
pub use mask::{ZeroRule, zero_lowest};
pub use method::SparseMethod;
pub use plan::SparsePlan;
pub(crate) use run::{Ran, SparseRun};
pub use score::{Linear, Sparsified, Sparsify};
pub use sparsegpt::SparseGpt;
pub use stats::{LinearStats, Statistics};
pub use wanda::Wanda;
pub(crate) use write::write;

/// Every sparse score, for any pattern. To add one, write a file here and add a line below.
pub(crate) const SCORES: &[&dyn Sparsify] = &[&Magnitude, &Wanda, &SparseGpt];
