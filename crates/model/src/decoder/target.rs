//! Where gradients go.

use crate::backend::Backend;

/// Where the gradients of the weights go, in the order of the weights.
pub struct Target<'a, B: Backend> {
    /// As long as the weights.
    pub buffer: &'a mut B::Buffer,
    /// Add to what the buffer holds, rather than replace it.
    pub add: bool,
}
