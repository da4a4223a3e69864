//! A job of a sweep, and what the sweep knows about it.

use crate::executor::Job;

/// What a token costs whatever the size, in parameters: measured on models of 40,000 to 200,000
/// parameters.
const PARAMETERS_OF_OVERHEAD: f64 = 100_000.0;

/// A job, and what it is for.
#[derive(Clone, Debug)]
pub(in crate::sweep) struct SweepJob {
    pub(in crate::sweep) job: Job,
    pub(in crate::sweep) purpose: Purpose,
}

/// What a job is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::sweep) enum Purpose {
    /// Text, or its tokens.
    Corpus,
    /// A model from scratch; `settled` where it is pruned as it is at its end.
    Base { training: Workload, settled: bool },
    /// A smaller model.
    Cut,
    /// A run whose points are fitted to the law of its group.
    Heal { training: Workload, group: SweepGroup },
    /// A run of an unpruned base: its points are shown.
    Control { training: Workload },
}

/// How much a run trains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sweep) struct Workload {
    pub(in crate::sweep) tokens: u64,
    pub(in crate::sweep) parameters: u64,
}

/// The runs that one law is fitted to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::sweep) struct SweepGroup {
    pub(in crate::sweep) series: String,
    pub(in crate::sweep) method: String,
}

impl Purpose {
    /// How much is trained, where anything is.
    pub(in crate::sweep) fn training(&self) -> Option<Workload> {
        match self {
            Self::Corpus | Self::Cut => None,
            Self::Base { training, .. }
            | Self::Heal { training, .. }
            | Self::Control { training } => Some(*training),
        }
    }
}

impl SweepJob {
    /// How long it takes, compared with other jobs: 0 where it trains nothing.
    pub(in crate::sweep) fn cost(&self) -> f64 {
        self.purpose.training().map_or(0.0, |Workload { tokens, parameters }| {
            tokens as f64 * (parameters as f64 + PARAMETERS_OF_OVERHEAD)
        })
    }

    /// Training tokens, 0 where it trains nothing.
    pub(in crate::sweep) fn tokens(&self) -> u64 {
        self.purpose.training().map_or(0, |training| training.tokens)
    }
}
