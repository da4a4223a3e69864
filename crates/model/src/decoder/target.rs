//! Where gradients go.

use crate::backend::Backend;

/// Where the gradients of the weights go, in the order of the weights.
pub struct GradientTarget<'a, B: Backend> {
    /// As long as the weights.
    pub(crate) buffer: &'a mut B::Buffer,
    /// Add to what the buffer holds, rather than replace it.
    pub(crate) add: bool,
}

impl<'a, B: Backend> GradientTarget<'a, B> {
    /// Gradients go to `buffer`, which is as long as the weights; with `add` they are added to what
    /// it holds.
    pub fn new(buffer: &'a mut B::Buffer, add: bool) -> Self {
        Self { buffer, add }
    }
}
