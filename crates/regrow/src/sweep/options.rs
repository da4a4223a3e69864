//! What a sweep is asked for besides its recipe.

use std::ffi::OsString;
use std::path::PathBuf;

/// Where a sweep is run, and by which program.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SweepOptions {
    /// The folder: a new one, or one that the same recipe has begun.
    pub out: PathBuf,
    /// The `regrow` command, which runs every job.
    pub program: OsString,
    /// The heading of the page.
    pub title: String,
}

impl SweepOptions {
    /// A sweep in the folder `out`, whose jobs are run by `program`.
    pub fn new(out: impl Into<PathBuf>, program: impl Into<OsString>) -> Self {
        Self { out: out.into(), program: program.into(), title: "regrow".to_owned() }
    }

    /// The page is headed `title`.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }
}
