//! A job of a sweep, and what the sweep knows about it.

use shape::config::ModelConfig;
use shape::count::Count;

use crate::executor::Job;
use crate::recipe::Recipe;
use crate::sweep::recipe::Overrides;

/// The fixed cost of a token, expressed as parameters. Measured on models of 40,000 to 200,000
/// parameters.
const PARAMETERS_OF_OVERHEAD: f64 = 100_000.0;

/// A job and its purpose.
#[derive(Clone, Debug)]
pub(in crate::sweep) struct SweepJob {
    pub(in crate::sweep) job: Job,
    pub(in crate::sweep) purpose: Purpose,
    /// What it trains, and how.
    pub(in crate::sweep) trains: Option<Trains>,
}

/// The model that a job trains, and the keys of its recipe.
#[derive(Clone, Debug)]
pub(in crate::sweep) struct Trains {
    pub(in crate::sweep) config: ModelConfig,
    pub(in crate::sweep) keys: Overrides,
    /// Whom it learns from beside the text.
    pub(in crate::sweep) teacher: Option<PlannedTeacher>,
}

/// A teacher, as far as it is known before it is made.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sweep) enum PlannedTeacher {
    /// A model, which runs beside the one that is trained.
    Model(Box<ModelConfig>),
    /// A cache with so many tokens at each position.
    Cache { top: usize },
}

/// The purpose of a job.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::sweep) enum Purpose {
    /// Makes the text or its tokens.
    Corpus,
    /// Trains a base. `settled` means that its final model is the one to prune.
    Base { training: Workload, settled: bool },
    /// Prunes a base.
    Cut,
    /// Measures the loss of a base, once for all of its runs.
    Measure,
    /// Writes what a base says at every position of the text.
    Teach { base: Box<ModelConfig> },
    /// Heals a pruned model; the law of its group is fitted to its points.
    Heal { training: Workload, group: SweepGroup },
    /// Trains an unpruned base further; its points are shown, not fitted.
    Control { training: Workload },
}

/// The amount of training of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sweep) struct Workload {
    pub(in crate::sweep) tokens: u64,
    pub(in crate::sweep) parameters: u64,
    /// Parameters of a teacher that runs beside it; 0 without one.
    pub(in crate::sweep) teacher: u64,
}

/// The runs that one law is fitted to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::sweep) struct SweepGroup {
    pub(in crate::sweep) series: String,
    pub(in crate::sweep) method: String,
    pub(in crate::sweep) objective: &'static str,
}

/// What a run learns, and what must be there for it.
#[derive(Debug, Default)]
pub(in crate::sweep) struct Learning {
    /// The word for its objective in names; text alone needs none.
    pub(in crate::sweep) word: Option<&'static str>,
    /// The keys about its objective and its teacher.
    pub(in crate::sweep) keys: Recipe,
    pub(in crate::sweep) teacher: Option<PlannedTeacher>,
    /// The job that makes the teacher.
    pub(in crate::sweep) after: Option<String>,
}

impl PlannedTeacher {
    /// Parameters that run beside a training.
    pub(in crate::sweep) fn parameters(&self) -> u64 {
        match self {
            Self::Model(config) => Count::of(config).total(),
            Self::Cache { .. } => 0,
        }
    }
}

impl Purpose {
    /// The amount of training; `None` where nothing is trained.
    pub(in crate::sweep) fn training(&self) -> Option<Workload> {
        match self {
            Self::Corpus | Self::Cut | Self::Measure | Self::Teach { .. } => None,
            Self::Base { training, .. }
            | Self::Heal { training, .. }
            | Self::Control { training } => Some(*training),
        }
    }
}

impl SweepJob {
    /// Its relative duration: tokens times (parameters + overhead); 0 where it trains nothing. A
    /// teacher's forward pass is a third of a training pass.
    pub(in crate::sweep) fn cost(&self) -> f64 {
        self.purpose.training().map_or(0.0, |Workload { tokens, parameters, teacher }| {
            tokens as f64 * (parameters as f64 + teacher as f64 / 3.0 + PARAMETERS_OF_OVERHEAD)
        })
    }

    /// Training tokens, 0 where it trains nothing.
    pub(in crate::sweep) fn tokens(&self) -> u64 {
        self.purpose.training().map_or(0, |training| training.tokens)
    }
}
