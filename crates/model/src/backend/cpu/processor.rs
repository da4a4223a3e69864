//! The processor and its kernel.

use ledger::Precision;
use pulp::Arch;

use super::kernel::{Engine, KernelChoice};

/// The processor. It computes in `T`, on the threads of the current rayon pool.
#[derive(Debug, Clone, Copy)]
pub struct Cpu<T: Engine> {
    pub(super) arch: Arch,
    pub(super) kernel: T::Choice,
}

impl<T: Engine> Cpu<T> {
    /// Detects the features of the processor once.
    pub fn new() -> Self {
        Cpu::with(Precision::F32)
    }

    /// With [`Precision::Bf16`], products round their operands to bf16 and sum in `f32`. Everything
    /// else stays as it is, and so does `f64`.
    pub fn with(precision: Precision) -> Self {
        Cpu { arch: Arch::new(), kernel: T::Choice::best(precision) }
    }
}

impl<T: Engine> Default for Cpu<T> {
    fn default() -> Self {
        Cpu::new()
    }
}
