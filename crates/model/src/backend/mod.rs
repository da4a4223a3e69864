//! What the network asks of a machine: a short list of operations on flat buffers.
//!
//! The decoder is written once, against [`Backend`]. Buffers are opaque, copies to and from the
//! host are explicit, and every operation names the view of the buffer it works on, so that a
//! device with memory of its own can stand behind the same list.

pub mod cpu;
mod operands;
mod operations;
pub mod profiled;
mod scalar;
mod view;

pub use operands::{AdamWStep, Heads, IGNORED, Rotation, SequenceRows};
pub use operations::Backend;
pub(crate) use operations::operations;
pub use scalar::Scalar;
pub use view::{Area, View, ViewMut};
