//! What the network needs from a backend: a short list of operations on flat buffers.
//!
//! The decoder is written once, against [`Backend`]. Buffers are opaque, and copies to and from the
//! host are explicit. Every operation names the view of the buffer that it works on. So a device
//! with its own memory can implement the same list.

pub mod cpu;
mod operands;
mod operations;
pub mod profiled;
mod scalar;
mod view;

pub use operands::{AdamWStep, Heads, IGNORED, Mixture, Rotation, SequenceRows, TopShares};
pub use operations::Backend;
pub(crate) use operations::operations;
pub use scalar::Scalar;
pub use view::{Area, View, ViewMut};
