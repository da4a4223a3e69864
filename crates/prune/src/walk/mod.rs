//! Runs calibration text through a model block by block: load one block, run the text through it,
//! let a visitor look, drop it. No code here holds a whole model.
//!
//! In memory are the weights of one block, the residual stream of all calibration tokens, and the
//! activations of one batch.

mod embedding;
mod stream;
mod visit;
mod walker;

pub(crate) use stream::ResidualStream;
pub use visit::{Inlet, Read, Seen, Visit};
pub use walker::walk;
pub(crate) use walker::{BATCH, Walker};
