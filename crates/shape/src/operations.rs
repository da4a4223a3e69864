//! Floating-point operations from a configuration alone.

use crate::count::Count;

impl Count {
    /// Floating-point operations of one training step for one token, forward and backward: six for
    /// every parameter that is multiplied (Kaplan et al. 2020), attention scores left out.
    pub fn training_flops_per_token(&self) -> u64 {
        // Cannot overflow: a count holds only totals of which eight times fit.
        6 * (self.total - self.looked_up)
    }
}
