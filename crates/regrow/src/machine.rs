//! The choice of backend. This is the only place outside `model` that names one.

use ledger::Precision;
use model::backend::cpu::Cpu;
use model::backend::profiled::{Account, Profiled};

/// The backend for evaluation and generation.
pub type HostMachine = Cpu<f32>;

/// The backend for training: the same, with an account of its time if requested.
pub type TrainingMachine = Profiled<HostMachine>;

/// The weights of a model, on this backend.
pub type HostWeights = <HostMachine as model::backend::Backend>::Buffer;

/// A backend that computes in single precision.
pub fn machine() -> HostMachine {
    HostMachine::new()
}

/// A backend for training, with matrix products in `precision`.
pub(crate) fn training_machine(precision: Precision, account: Option<Account>) -> TrainingMachine {
    TrainingMachine::new(HostMachine::with(precision), account)
}

/// The training backend without an account, for measuring its speed.
pub(crate) fn unaccounted(precision: Precision) -> HostMachine {
    HostMachine::with(precision)
}
