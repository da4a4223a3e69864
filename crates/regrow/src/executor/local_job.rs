//! One job of the local executor: its stage, and how it is stopped.

use std::process::Child;
use std::time::Duration;

use super::job::{Job, JobId, JobState};
use super::orphan::is_alive;
use super::process::terminate;
use crate::error::{Context, Result};

/// How often an orphan is polled while it stops. The system offers `wait` only for child processes.
const PAUSE: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct LocalJob {
    pub(super) job: Job,
    pub(super) stage: LocalStage,
}

#[derive(Debug)]
pub(super) enum LocalStage {
    Waiting,
    /// A process that this executor started.
    Child(Child),
    /// A process that an earlier, killed executor started; its process id.
    Orphan(u32),
    Ended(JobState),
}

impl LocalJob {
    pub(super) fn is_running(&self) -> bool {
        matches!(self.stage, LocalStage::Child(_) | LocalStage::Orphan(_))
    }

    pub(super) fn threads(&self) -> usize {
        self.job.resources().threads
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.stage, LocalStage::Ended(JobState::Done))
    }

    pub(super) fn is_lost(&self) -> bool {
        matches!(&self.stage, LocalStage::Ended(state) if *state != JobState::Done)
    }

    pub(super) fn is(&self, id: &JobId) -> bool {
        self.job.name() == id.as_str()
    }

    pub(super) fn state(&self) -> JobState {
        match &self.stage {
            LocalStage::Waiting => JobState::Waiting,
            LocalStage::Child(_) | LocalStage::Orphan(_) => JobState::Running,
            LocalStage::Ended(state) => state.clone(),
        }
    }

    /// Asks its process to save and stop.
    pub(super) fn ask_to_stop(&mut self) {
        match &mut self.stage {
            LocalStage::Child(child) => {
                if !terminate(child.id()) {
                    // Killed without saving, it can still resume from its last checkpoint. An error
                    // means that it has ended already, so it is ignored.
                    let _ = child.kill();
                }
            }
            LocalStage::Orphan(id) => {
                terminate(*id);
            }
            LocalStage::Waiting => self.stage = LocalStage::Ended(JobState::Cancelled),
            LocalStage::Ended(_) => {}
        }
    }

    /// Waits until its process has stopped.
    pub(super) fn wait(&mut self) -> Result<()> {
        match &mut self.stage {
            LocalStage::Child(child) => {
                child.wait().with_context(|| format!("`{}` was lost", self.job.name()))?;
            }
            LocalStage::Orphan(id) => {
                while is_alive(*id, &self.job) {
                    std::thread::sleep(PAUSE);
                }
            }
            LocalStage::Waiting | LocalStage::Ended(_) => return Ok(()),
        }
        // It may have finished before the signal arrived.
        let done = self.job.is_done();
        self.stage = LocalStage::Ended(if done { JobState::Done } else { JobState::Cancelled });
        Ok(())
    }
}

/// Adds a job. It replaces an ended job of the same name; a running one stays.
pub(super) fn enter(jobs: &mut Vec<LocalJob>, job: &Job, stage: LocalStage) {
    match jobs.iter_mut().find(|known| known.job.name() == job.name()) {
        Some(known) if known.is_running() => {}
        Some(known) => *known = LocalJob { job: job.clone(), stage },
        None => jobs.push(LocalJob { job: job.clone(), stage }),
    }
}
