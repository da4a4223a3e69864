//! Runs nothing, and tells what would be run.

use std::sync::{Mutex, PoisonError};

use super::{Executor, Job, JobId, JobState, typed};

/// Keeps the list of jobs, as lines.
#[derive(Debug, Default)]
pub struct DryRun {
    lines: Mutex<Vec<String>>,
}

impl DryRun {
    /// One line a job, in the order they were submitted: its id, what it waits for, its command
    /// line.
    pub fn listing(&self) -> String {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).concat()
    }
}

impl Executor for DryRun {
    fn submit(&self, jobs: &[Job]) -> anyhow::Result<Vec<JobId>> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        for job in jobs {
            let after = if job.after.is_empty() {
                String::new()
            } else {
                format!(" after {}", job.after.join(", "))
            };
            let done = if job.result.is_file() { ", done" } else { "" };
            lines.push(format!("# {}{after}{done}\nregrow {}\n", job.id, typed(&job.argv)));
        }
        Ok(jobs.iter().map(|job| JobId(job.id.clone())).collect())
    }

    fn status(&self, jobs: &[JobId]) -> anyhow::Result<Vec<JobState>> {
        Ok(vec![JobState::Waiting; jobs.len()])
    }

    fn cancel(&self, _jobs: &[JobId]) -> anyhow::Result<()> {
        Ok(())
    }
}
