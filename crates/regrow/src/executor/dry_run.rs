//! An executor that runs nothing and lists what it would run.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::command_line::typed;
use super::contract::Executor;
use super::job::{Job, JobId, JobState, Resources};
use crate::error::Result;

/// Collects the submitted jobs as lines of text.
#[derive(Debug, Default)]
pub struct DryRun {
    lines: Mutex<Vec<String>>,
    again: BTreeSet<String>,
}

impl DryRun {
    /// Shows the jobs of these names as not done, although their results exist.
    #[must_use]
    pub fn doing_again(mut self, names: impl IntoIterator<Item = String>) -> Self {
        self.again.extend(names);
        self
    }

    /// Two lines per job, in the order of submission. The first has its name and dependencies, the
    /// second its command line.
    pub fn listing(&self) -> String {
        self.lines().concat()
    }

    fn lines(&self) -> MutexGuard<'_, Vec<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Executor for DryRun {
    fn pace(&self) -> Duration {
        Duration::ZERO
    }

    /// Nothing is ever running.
    fn attach(&self, jobs: &[Job]) -> Result<Vec<Option<JobId>>> {
        Ok(vec![None; jobs.len()])
    }

    fn submit(&self, jobs: &[Job]) -> Result<Vec<JobId>> {
        self.lines().extend(
            jobs.iter()
                .map(|job| described(job, job.is_done() && !self.again.contains(job.name()))),
        );
        Ok(jobs.iter().map(|job| JobId::new(job.name())).collect())
    }

    fn states(&self, jobs: &[JobId]) -> Result<Vec<JobState>> {
        Ok(vec![JobState::Waiting; jobs.len()])
    }

    fn cancel(&self, _jobs: &[JobId]) -> Result<()> {
        Ok(())
    }
}

fn described(job: &Job, done: bool) -> String {
    let mut line = format!("# {}", job.name());
    if !job.after().is_empty() {
        line += &format!(" after {}", job.after().join(", "));
    }
    // The thread count is visible in the command line.
    let Resources { threads: _, memory, time, gpus } = job.resources();
    if let Some(bytes) = memory {
        line += &format!(", {bytes} bytes of memory");
    }
    if let Some(time) = time {
        line += &format!(", at most {} s", time.as_secs());
    }
    if *gpus > 0 {
        line += &format!(", {gpus} GPUs");
    }
    if done {
        line += ", done";
    }
    format!("{line}\n{}\n", typed(job))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_shows_all_that_would_be_submitted() {
        let base = Job::new("base", "/opt/bin/regrow", "bases/8x3", "done.json").unwrap();
        let resources = Resources {
            threads: 4,
            memory: Some(1 << 30),
            time: Some(Duration::from_secs(3600)),
            gpus: 2,
        };
        let run = Job::new("run", "torchrun", "runs/8x3", "done.json")
            .unwrap()
            .with_env([("OMP_NUM_THREADS", "4")])
            .with_argv(["train.py", "--spec", "my spec.toml"])
            .with_after(["base", "corpus"])
            .with_resources(resources);
        let executor = DryRun::default();
        executor.attach_or_submit(&[base.with_argv(["train"]), run]).unwrap();
        let expected = "\
# base
regrow train
# run after base, corpus, 1073741824 bytes of memory, at most 3600 s, 2 GPUs
OMP_NUM_THREADS=4 torchrun train.py --spec 'my spec.toml'
";
        assert_eq!(executor.listing(), expected);
    }
}
