//! Observers hear the progress of long work. The command shows it; other programs may do as they
//! like.

use std::time::Duration;

use ledger::Point;

/// Receives events while a function of this library works.
///
/// Any closure that takes an [`Event`] is an observer. [`Silent`] ignores everything.
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
    /// Receives one event.
    fn hear(&mut self, event: &Event<'_>);
}

/// An event during long work. Texts are one sentence, for people.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Information about what happened.
    Note(&'a str),
    /// A detail, shown only on request.
    Detail(&'a str),
    /// A command or a file that the caller asked for, to start the training by themselves.
    Command(&'a str),
    /// A doubt about the result; the work continues.
    Warning(&'a str),
    /// A stage starts. Its progress counts up to `total`.
    Begun {
        /// The name of the stage.
        stage: &'a str,
        /// The count at its end.
        total: u64,
        /// The unit of the count.
        unit: &'static str,
        /// The count at its start, for example after a resume. It must not enter the speed.
        done: u64,
    },
    /// Progress of the stage.
    Progress {
        /// The count so far.
        done: u64,
        /// Further information; may be empty.
        message: &'a str,
    },
    /// A point of a run's curve was measured.
    Measured(&'a Point),
    /// The loss of the model before pruning is not known, and laws need it.
    LossBeforeUnknown,
    /// The state of a sweep's jobs.
    Jobs {
        /// Tokens that its runs have trained on so far.
        tokens: u64,
        /// Jobs that have ended.
        ended: usize,
        /// All jobs.
        jobs: usize,
        /// The estimated remaining time, if there is one yet.
        left: Option<Duration>,
        /// The running jobs, with their progress.
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

/// Ignores all events.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Observer for Silent {
    fn hear(&mut self, _event: &Event<'_>) {}
}

/// Reports a stage of work. Dropping it reports the end, so the end is reported after an error too.
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
