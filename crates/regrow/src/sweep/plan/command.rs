//! Builds a `regrow` command for a job.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::job::{Purpose, SweepJob, Trains};
use crate::error::Result;
use crate::executor::Job;
use crate::sweep::recipe::{ExecutorKeys, JobKind};

/// The arguments of a command, so far.
pub(super) struct RegrowCommand<'a> {
    words: Vec<OsString>,
    executor: &'a ExecutorKeys,
}

impl<'a> RegrowCommand<'a> {
    pub(super) fn new(subcommand: &str, executor: &'a ExecutorKeys) -> Self {
        Self { words: vec![subcommand.into()], executor }
    }

    pub(super) fn word(&mut self, word: impl Into<OsString>) -> &mut Self {
        self.words.push(word.into());
        self
    }

    pub(super) fn flag(&mut self, name: &str, value: impl AsRef<OsStr>) -> &mut Self {
        let value = value.as_ref();
        if value.as_encoded_bytes().starts_with(b"-") {
            // By itself it would be taken for another flag.
            let mut word = OsString::from(format!("{name}="));
            word.push(value);
            return self.word(word);
        }
        self.word(name).word(value)
    }

    /// The job that runs the command with `program`, after the jobs named `after`. Unless the
    /// recipe says otherwise it gets one thread: many small models train faster side by side than
    /// one after another on all threads.
    pub(super) fn job<'b>(
        mut self,
        program: &OsStr,
        (name, folder, result): (&str, PathBuf, &str),
        after: impl IntoIterator<Item = &'b str>,
        purpose: Purpose,
        trains: Option<Trains>,
    ) -> Result<SweepJob> {
        let kind = match purpose {
            Purpose::Corpus => JobKind::Corpus,
            Purpose::Base { .. } => JobKind::Base,
            // All read text with a base, and train nothing.
            Purpose::Cut | Purpose::Measure | Purpose::Teach { .. } => JobKind::Cut,
            Purpose::Heal { .. } | Purpose::Control { .. } => JobKind::Heal,
        };
        let resources = self.executor.resources(kind);
        self.flag("--threads", resources.threads.to_string());
        let job = Job::new(name, program, folder, result)?
            .with_argv(self.words)
            .with_after(after)
            .with_resources(resources);
        Ok(SweepJob { job, purpose, trains })
    }
}
