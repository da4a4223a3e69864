//! What came of a sweep.

use std::path::PathBuf;

use law::Law;

/// How a sweep ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum SweepOutcome {
    /// The table, the law and the page are written.
    Done(Box<SweepResult>),
    /// It was stopped, or some of its jobs were; the same call goes on.
    Interrupted,
}

/// A sweep whose table, law and page are written.
#[derive(Debug)]
#[non_exhaustive]
pub struct SweepResult {
    /// The table of points.
    pub points: PathBuf,
    /// The fitted law.
    pub law_file: PathBuf,
    /// The page.
    pub report: PathBuf,
    /// What `law_file` holds.
    pub law: Law,
    /// Names of the runs in the table.
    pub runs: Vec<String>,
    /// Jobs that failed or were skipped.
    pub left_out: Vec<LeftOutJob>,
}

/// A job that has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftOutJob {
    /// Its name.
    pub job: String,
    /// Why it has none.
    pub why: String,
}
