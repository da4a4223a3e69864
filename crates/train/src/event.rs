//! What a run tells whoever listens: a closed list.

use std::path::PathBuf;

use ledger::Point;

/// Something that happened in a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The run begins, or goes on, after `step` of `steps`.
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
    /// A step is done, or the state before the first was evaluated.
    Point(Point),
    /// From this step on, text is read again.
    SecondEpoch {
        /// The step, counted from 1.
        step: u64,
    },
    /// A checkpoint is about to be written: what was heard so far should be on disk first.
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
