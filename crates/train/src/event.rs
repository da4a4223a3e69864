//! The events that a run reports to its listener. The list is closed.

use std::path::PathBuf;

use ledger::Point;

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The run starts or resumes after `step` of `steps`.
    Started {
        /// Steps already taken.
        step: u64,
        /// Steps in all.
        steps: u64,
    },
    /// Held-out text is being read.
    Evaluating {
        /// Tokens predicted so far.
        tokens: u64,
        /// Tokens to predict.
        of: u64,
    },
    /// A step is done, or the model was evaluated before the first step.
    Point(Point),
    /// From this step on, the run reads training text a second time.
    SecondEpoch {
        /// The step, counted from 1.
        step: u64,
    },
    /// A checkpoint is about to be written. The listener should first save to disk what it has
    /// heard so far.
    Saving {
        /// Steps taken.
        step: u64,
    },
    /// A checkpoint is in place.
    Saved {
        /// Steps taken.
        step: u64,
        /// Its folder.
        path: PathBuf,
    },
}
