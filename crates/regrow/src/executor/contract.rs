//! What an executor promises.

use std::time::Duration;

use super::job::{Job, JobId, JobState};
use crate::error::Result;

/// Runs jobs somewhere: as processes of this machine, on a cluster, or only on paper.
///
/// Jobs name those that they come after by [`Job::name`]; a name is used once among the jobs of one
/// executor. A job's folder is the only thing that outlives the executor, so whoever was killed
/// while it waited submits the same jobs again: what is done is not run again, and what is still at
/// work is found by [`Executor::attach`].
pub trait Executor {
    /// How long to wait between two questions about [`Executor::states`].
    fn pace(&self) -> Duration;

    /// Finds jobs that an earlier executor of this kind left at work, position for position;
    /// nothing for a job that is not at work. What is found counts as submitted.
    ///
    /// # Errors
    /// Where this cannot be found out.
    fn attach(&self, jobs: &[Job]) -> Result<Vec<Option<JobId>>>;

    /// Takes jobs on, in order: each comes after the jobs that it names, submitted before or with
    /// it. A job whose result exists is not run again; one that has ended without may be submitted
    /// anew.
    ///
    /// # Errors
    /// Where they cannot be taken on.
    fn submit(&self, jobs: &[Job]) -> Result<Vec<JobId>>;

    /// How jobs stand, position for position; asking is what moves a local executor on.
    ///
    /// # Errors
    /// Where this cannot be found out.
    fn states(&self, jobs: &[JobId]) -> Result<Vec<JobState>>;

    /// Asks jobs to save and stop.
    ///
    /// # Errors
    /// Where they cannot be asked.
    fn cancel(&self, jobs: &[JobId]) -> Result<()>;

    /// Attaches to the jobs that are at work and submits the others.
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
        let mut submitted = self.submit(&rest)?.into_iter();
        Ok(found.into_iter().filter_map(|id| id.or_else(|| submitted.next())).collect())
    }
}
