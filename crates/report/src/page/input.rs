//! The input of the page.

use law::Law;
use law::validate::Validation;
use ledger::{Done, PointRow, RunRecord};

/// Everything that the page shows. Each number on it is one of these, or a mark on an axis.
#[derive(Clone, Copy, Debug)]
pub struct PageInput<'a> {
    /// What was studied, in a few words.
    pub title: &'a str,
    /// The law, as in `law.json`.
    pub law: &'a Law,
    /// What the law is worth on points that it has not seen, if that was looked at.
    pub validation: Option<&'a Validation>,
    /// All measured points, as in `points.csv`, including controls and points set aside.
    pub rows: &'a [PointRow],
    /// What is known about the runs besides their points. A run may be missing.
    pub runs: &'a [RunFacts],
    /// The models before pruning, with the results of their own training. May be empty.
    pub bases: &'a [RunFacts],
    /// Runs that are not in `rows`, and why.
    pub left_out: &'a [SkippedRun],
    /// The entropy of the text, if it is known.
    pub entropy: Option<Entropy>,
    /// How the page was made: commit, seeds, hashes, machine, versions, command.
    pub facts: &'a [Fact],
}

/// The files of one run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFacts {
    /// Its name, which is the `run` of the points.
    pub name: String,
    /// `record.json`.
    pub record: RunRecord,
    /// `done.json`; `None` for a run that has not ended.
    pub done: Option<Done>,
}

/// A run that the page does not use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedRun {
    /// Its name.
    pub run: String,
    /// Why, in a sentence.
    pub why: String,
}

/// One fact about how the page was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// The name of the fact.
    pub name: String,
    /// The value.
    pub value: String,
}

/// The lowest loss that any model of a text can reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entropy {
    /// Nats per token.
    pub nats: f64,
    /// The standard error of a held-out loss, if it is known.
    pub standard_error: Option<f64>,
}
