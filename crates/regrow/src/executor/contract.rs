//! The interface of executors.

use std::time::Duration;

use super::job::{Job, JobId, JobState};
use crate::error::Result;

/// Runs jobs: as processes on this machine, on a cluster, or as a dry run.
///
/// A job names the jobs that it depends on by [`Job::name`]. Each name is unique within one
/// executor. Only the job folders outlive the executor. After a kill, the caller therefore submits
/// the same jobs again: finished jobs do not run again, and [`Executor::attach`] finds those still
/// running.
pub trait Executor {
    /// How long to wait between two calls of [`Executor::states`].
    fn pace(&self) -> Duration;

    /// Checks, before anything is submitted, that jobs can be run at all.
    ///
    /// # Errors
    /// Where they cannot; the text gives the reason.
    fn check(&self, jobs: &[Job]) -> Result<()> {
        let _ = jobs;
        Ok(())
    }

    /// Finds jobs that an earlier executor of this kind left running. The answer has one entry per
    /// job, `None` for a job that is not running. A job that is found counts as submitted.
    ///
    /// # Errors
    /// Where this cannot be found out.
    fn attach(&self, jobs: &[Job]) -> Result<Vec<Option<JobId>>>;

    /// Cancels the jobs of these names that an earlier process left waiting or running, and waits
    /// until they have ended. Returns their names. Jobs that live no longer than the process that
    /// submits them need none of this.
    ///
    /// # Errors
    /// Where they cannot be cancelled.
    fn withdraw(&self, names: &[String]) -> Result<Vec<String>> {
        let _ = names;
        Ok(Vec::new())
    }

    /// Submits jobs, in order. A job's dependencies must be submitted before or with it. A job
    /// whose result exists does not run again. A job that ended without a result may be submitted
    /// again.
    ///
    /// # Errors
    /// Where they cannot be submitted.
    fn submit(&self, jobs: &[Job]) -> Result<Vec<JobId>>;

    /// The states of jobs, one entry per id. A local executor starts and reaps processes only in
    /// this call, so it must be called regularly.
    ///
    /// # Errors
    /// Where this cannot be found out.
    fn states(&self, jobs: &[JobId]) -> Result<Vec<JobState>>;

    /// Asks jobs to save and stop.
    ///
    /// # Errors
    /// Where they cannot be asked.
    fn cancel(&self, jobs: &[JobId]) -> Result<()>;

    /// Attaches to the jobs that are still running, and submits the others.
    ///
    /// # Errors
    /// Where either fails.
    fn attach_or_submit(&self, jobs: &[Job]) -> Result<Vec<JobId>> {
        let found = self.attach(jobs)?;
        let rest: Vec<Job> = jobs
            .iter()
            .zip(&found)
            .filter(|(_, found)| found.is_none())
            .map(|(job, _)| job.clone())
            .collect();
        // Merged back into the order of `jobs`: each gap in `found` takes the next submitted id.
        let mut submitted = self.submit(&rest)?.into_iter();
        Ok(found.into_iter().filter_map(|id| id.or_else(|| submitted.next())).collect())
    }
}
