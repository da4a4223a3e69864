//! The processor and the kernel that was chosen for it.

use ledger::Precision;
use pulp::Arch;

use super::kernel::{Engine, KernelChoice};

/// The processor, computing in `T` on the threads of the current rayon pool.
#[derive(Debug, Clone, Copy)]
pub struct Cpu<T: Engine> {
    pub(super) arch: Arch,
    pub(super) kernel: T::Choice,
}

impl<T: Engine> Cpu<T> {
    /// Looks at the processor's features once.
    pub fn new() -> Self {
        Cpu::with(Precision::F32)
    }

    /// With [`Precision::Bf16`], products round what they read to bf16 and sum in `f32`; everything
    /// else, and `f64`, stays as it is.
    pub fn with(precision: Precision) -> Self {
        Cpu { arch: Arch::new(), kernel: T::Choice::best(precision) }
    }
}

impl<T: Engine> Default for Cpu<T> {
    fn default() -> Self {
        Cpu::new()
    }
}
