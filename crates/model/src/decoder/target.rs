//! The target of gradients.

use crate::backend::Backend;

/// Where the gradients of the weights are written, in the order of the weights.
pub struct GradientTarget<'a, B: Backend> {
    /// As long as the weights.
    pub(crate) buffer: &'a mut B::Buffer,
    /// Whether to add to the buffer instead of replacing its content.
    pub(crate) add: bool,
}

impl<'a, B: Backend> GradientTarget<'a, B> {
    /// Gradients are written to `buffer`, which is as long as the weights. With `add`, they are
    /// added to its content.
    pub fn new(buffer: &'a mut B::Buffer, add: bool) -> Self {
        Self { buffer, add }
    }
}
