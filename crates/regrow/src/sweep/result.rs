//! The result of a sweep.

use std::path::{Path, PathBuf};

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
    pub(crate) points: PathBuf,
    pub(crate) law_file: PathBuf,
    pub(crate) report: PathBuf,
    pub(crate) law: Law,
    pub(crate) runs: Vec<String>,
    pub(crate) left_out: Vec<LeftOutJob>,
}

impl SweepResult {
    /// The table of points.
    pub fn points(&self) -> &Path {
        &self.points
    }

    /// The fitted law.
    pub fn law_file(&self) -> &Path {
        &self.law_file
    }

    /// The page.
    pub fn report(&self) -> &Path {
        &self.report
    }

    /// The law in `law_file`.
    pub fn law(&self) -> &Law {
        &self.law
    }

    /// Names of the runs in the table.
    pub fn runs(&self) -> &[String] {
        &self.runs
    }

    /// Jobs that failed or were skipped.
    pub fn left_out(&self) -> &[LeftOutJob] {
        &self.left_out
    }
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
