//! The one place outside `model` that names what computes: processors, in single precision.

use ledger::Precision;
use model::backend::cpu::Cpu;
use model::backend::profiled::{Account, Profiled};

/// What models are measured and generate on.
pub type HostMachine = Cpu<f32>;

/// What models are trained on: the same, with an account of its time where one is asked for.
pub type TrainingMachine = Profiled<HostMachine>;

/// Where weights stand.
pub type HostWeights = <HostMachine as model::backend::Backend>::Buffer;

/// What computes in single precision.
pub fn machine() -> HostMachine {
    HostMachine::new()
}

/// What trains, with products in `precision`.
pub(crate) fn training_machine(precision: Precision, account: Option<Account>) -> TrainingMachine {
    TrainingMachine::new(HostMachine::with(precision), account)
}

/// The training machine without its account: measuring its speed is no part of that.
pub(crate) fn unaccounted(precision: Precision) -> HostMachine {
    HostMachine::with(precision)
}
