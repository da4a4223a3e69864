//! The options of a sweep, besides its recipe.

use std::ffi::OsString;
use std::path::PathBuf;

/// Where a sweep runs, and with which program.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SweepOptions {
    /// The folder: a new one, or one that was started with the same recipe.
    pub out: PathBuf,
    /// The `regrow` command, which runs every job.
    pub program: OsString,
    /// The heading of the page.
    pub title: String,
}

impl SweepOptions {
    /// A sweep in the folder `out`, with `program` for its jobs.
    pub fn new(out: impl Into<PathBuf>, program: impl Into<OsString>) -> Self {
        Self { out: out.into(), program: program.into(), title: "regrow".to_owned() }
    }

    /// Sets the heading of the page.
    #[must_use]
    pub fn with_title(mut self, title: impl Into<String>) -> Self {
        self.title = title.into();
        self
    }
}
