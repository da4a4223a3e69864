//! Counts floating-point operations from a configuration alone.

use crate::count::Count;

impl Count {
    /// Floating-point operations of one training step per token, forward and backward: six for
    /// every parameter that is multiplied (Kaplan et al. 2020). Attention scores are not counted.
    pub fn training_flops_per_token(&self) -> u64 {
        // Cannot overflow: `Count::check` refuses totals whose eightfold does not fit.
        // Two forward (multiply and add), four backward (gradients of inputs and of weights).
        6 * (self.total - self.looked_up)
    }

    /// Floating-point operations of a forward pass per token, as of a teacher: two for every
    /// parameter that is multiplied.
    pub fn forward_flops_per_token(&self) -> u64 {
        2 * (self.total - self.looked_up)
    }
}
