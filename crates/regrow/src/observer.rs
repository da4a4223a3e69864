//! Who hears how long work goes on: the command shows it, another program may do as it likes.

use std::time::Duration;

use ledger::Point;

/// Hears what happens while a function of this library works.
///
/// Any closure that takes an [`Event`] is one; [`Silent`] hears nothing.
///
/// ```
/// use regrow::{Event, Observer};
/// let mut warnings = 0;
/// let mut observer = |event: &Event<'_>| {
///     if let Event::Warning(_) = event {
///         warnings += 1;
///     }
/// };
/// observer.hear(&Event::Warning("the folder has no locks"));
/// assert_eq!(warnings, 1);
/// ```
pub trait Observer: Send {
    /// Hears one event.
    fn hear(&mut self, event: &Event<'_>);
}

/// What happens while something works. Texts are one sentence, for people.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// What has happened.
    Note(&'a str),
    /// A detail that few want to hear.
    Detail(&'a str),
    /// Something doubtful; the work goes on.
    Warning(&'a str),
    /// A stage begins that counts up to `total`.
    Begun {
        /// What is done in it.
        stage: &'a str,
        /// What it counts up to.
        total: u64,
        /// What it counts.
        unit: &'static str,
        /// What was done before: it says nothing about the speed.
        done: u64,
    },
    /// The stage stands at `done`.
    Progress {
        /// So much of its total is done.
        done: u64,
        /// What else can be said about it; may be empty.
        message: &'a str,
    },
    /// A point of a run's curve was measured.
    Measured(&'a Point),
    /// The loss of the model before pruning is not known, and laws need it.
    LossBeforeUnknown,
    /// The jobs of a sweep, as they stand.
    Jobs {
        /// Tokens that its runs have trained on.
        tokens: u64,
        /// Jobs that have ended.
        ended: usize,
        /// All jobs.
        jobs: usize,
        /// What the rest will take, as far as can be known.
        left: Option<Duration>,
        /// The jobs at work, with how far they are.
        working: &'a [String],
    },
    /// The stage has ended.
    Ended,
}

impl<F: FnMut(&Event<'_>) + Send> Observer for F {
    fn hear(&mut self, event: &Event<'_>) {
        self(event);
    }
}

/// Hears nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn hear(&mut self, _event: &Event<'_>) {}
}

/// A stage of work that is told of from its beginning to its end, also where that is an error.
pub(crate) struct ShownStage<'a> {
    observer: &'a mut dyn Observer,
}

impl<'a> ShownStage<'a> {
    pub(crate) fn begin(
        observer: &'a mut dyn Observer,
        stage: &str,
        total: u64,
        unit: &'static str,
    ) -> Self {
        observer.hear(&Event::Begun { stage, total, unit, done: 0 });
        Self { observer }
    }

    pub(crate) fn at(&mut self, done: u64) {
        self.observer.hear(&Event::Progress { done, message: "" });
    }
}

impl Drop for ShownStage<'_> {
    fn drop(&mut self) {
        self.observer.hear(&Event::Ended);
    }
}
