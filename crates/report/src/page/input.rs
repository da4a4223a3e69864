//! What the page is made from.

use law::Law;
use ledger::{Done, PointRow, RunRecord};

/// All that the page shows. Every number on it is one of these, or a mark on an axis.
#[derive(Clone, Copy, Debug)]
pub struct PageInput<'a> {
    /// What was looked at, in a few words.
    pub title: &'a str,
    /// The law, as in `law.json`.
    pub law: &'a Law,
    /// Every measured point, as in `points.csv`, controls and points set aside among them.
    pub rows: &'a [PointRow],
    /// What is known of the runs beyond their points; a run may be missing.
    pub runs: &'a [RunFacts],
    /// The models before pruning, each with what its own training said; may be empty.
    pub bases: &'a [RunFacts],
    /// Runs that are not in `rows`, and why.
    pub left_out: &'a [SkippedRun],
    /// The entropy of the text, where it is known.
    pub entropy: Option<Entropy>,
    /// How the page was made: commit, seeds, hashes, machine, versions, command.
    pub facts: &'a [Fact],
}

/// One run's own files.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFacts {
    /// Its name, which is the `run` of the points.
    pub name: String,
    /// `record.json`.
    pub record: RunRecord,
    /// `done.json`; `None` for a run that has not ended.
    pub done: Option<Done>,
}

/// A run that nothing was taken from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedRun {
    /// Its name.
    pub run: String,
    /// Why, in a sentence.
    pub why: String,
}

/// One line about how the page was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What.
    pub name: String,
    /// The value.
    pub value: String,
}

/// What no model of a text can get below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entropy {
    /// Nats per token.
    pub nats: f64,
    /// The standard error of a held-out loss, where it is known.
    pub standard_error: Option<f64>,
}
