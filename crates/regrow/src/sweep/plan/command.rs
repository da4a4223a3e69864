//! Builds a `regrow` command for a job.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::job::{Purpose, SweepJob};
use crate::error::Result;
use crate::executor::{Job, Resources};

/// The arguments of a command, so far.
pub(super) struct RegrowCommand(Vec<OsString>);

impl RegrowCommand {
    pub(super) fn new(subcommand: &str) -> Self {
        Self(vec![subcommand.into()])
    }

    pub(super) fn word(&mut self, word: impl Into<OsString>) -> &mut Self {
        self.0.push(word.into());
        self
    }

    pub(super) fn flag(&mut self, name: &str, value: impl AsRef<OsStr>) -> &mut Self {
        self.word(name).word(value.as_ref())
    }

    /// The job that runs the command with `program`, after the job named `after`. It gets one
    /// thread: many small models train faster side by side than one after another on all threads.
    pub(super) fn job(
        mut self,
        program: &OsStr,
        (name, folder, result): (&str, PathBuf, &str),
        after: Option<&str>,
        purpose: Purpose,
    ) -> Result<SweepJob> {
        let resources = Resources::default();
        self.flag("--threads", resources.threads.to_string());
        let job = Job::new(name, program, folder, result)?
            .with_argv(self.0)
            .with_after(after)
            .with_resources(resources);
        Ok(SweepJob { job, purpose })
    }
}
