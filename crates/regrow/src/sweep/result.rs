//! The result of a sweep.

use std::path::PathBuf;

use law::Law;

/// How a sweep ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum SweepOutcome {
    /// The table, the law and the page are written.
    Done(Box<SweepResult>),
    /// The sweep or some of its jobs were stopped. The same call resumes it.
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
    /// The law in `law_file`.
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
    /// Why it has no result.
    pub why: String,
}
