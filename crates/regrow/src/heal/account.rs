//! The time of a training step by operation, compared with the least time possible.

use ledger::RunSpec;
use model::backend::profiled::{Account, Rates, Work};
use train::Event;

use crate::machine::unaccounted;

/// The time of training steps, by operation.
#[derive(Clone, Debug, PartialEq)]
pub struct StepAccount {
    steps: u64,
    seconds: f64,
    spent: Vec<OperationTime>,
    rates: (f64, f64),
}

/// Time spent on one operation, over all steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OperationTime {
    name: &'static str,
    seconds: f64,
    least: f64,
    flop: f64,
    calls: u64,
}

impl StepAccount {
    /// Steps that were timed.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Seconds that they took.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// Operations, in a fixed order.
    pub fn spent(&self) -> &[OperationTime] {
        &self.spent
    }

    /// Measured floating-point operations per second of matrix products.
    pub fn flop_rate(&self) -> f64 {
        self.rates.0
    }

    /// Measured bytes per second, read and written.
    pub fn byte_rate(&self) -> f64 {
        self.rates.1
    }
}

impl OperationTime {
    /// The operation.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Seconds in it.
    pub fn seconds(&self) -> f64 {
        self.seconds
    }

    /// The least seconds that it could take, at the measured rates.
    pub fn least(&self) -> f64 {
        self.least
    }

    /// Floating-point operations.
    pub fn flop(&self) -> f64 {
        self.flop
    }

    /// Calls.
    pub fn calls(&self) -> u64 {
        self.calls
    }
}

/// Steps that were timed.
#[derive(Debug, Default)]
pub(super) struct Timed {
    steps: u64,
    seconds: f64,
    tokens: u64,
}

impl Timed {
    /// Counts a step, if the event is one.
    pub(super) fn hear(&mut self, event: &Event) {
        let Event::Point(point) = event else { return };
        if let Some(speed) = point.tokens_per_second.filter(|&speed| speed > 0.0) {
            let tokens = point.tokens.0.saturating_sub(self.tokens);
            // After a resume, the first point's tokens include those of the earlier attempt. Their
            // difference to 0 is not the size of one step, so the point is skipped.
            if self.tokens > 0 || point.step == 1 {
                self.steps += 1;
                self.seconds += tokens as f64 / speed;
            }
        }
        self.tokens = point.tokens.0;
    }

    /// The account of these steps. This measures the speed of the machine.
    pub(super) fn account(&self, account: &Account, spec: &RunSpec) -> model::Result<StepAccount> {
        // On a backend without an account, so that the measurement does not count itself.
        let rates = Rates::measure(&unaccounted(spec.precision))?;
        let spent = |work: Work| {
            let spent = account.of(work);
            OperationTime {
                name: work.name(),
                seconds: spent.seconds,
                least: rates.floor(&spent),
                flop: spent.flop,
                calls: spent.calls,
            }
        };
        let spent = Work::ALL.into_iter().map(spent).collect();
        let rates = (rates.flop, rates.bytes);
        Ok(StepAccount { steps: self.steps, seconds: self.seconds, spent, rates })
    }
}
