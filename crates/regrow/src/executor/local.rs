//! Runs jobs as processes on this machine, as many at a time as threads allow.

use std::path::PathBuf;
use std::process::ExitStatus;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::contract::Executor;
use super::job::{Job, JobId, JobState, RESUMABLE};
use super::local_job::{LocalJob, LocalStage, enter};
use super::orphan::{Processes, is_alive};
use super::process::{last_error, spawn};
use crate::error::{Context, Result};

/// How often states are polled. When a process ends, the next one can start.
const PACE: Duration = Duration::from_millis(25);

/// Runs jobs as processes on this machine, within a total number of threads. It does not limit
/// memory, time or graphics processors.
#[derive(Debug)]
pub struct LocalExecutor {
    logs: PathBuf,
    threads: usize,
    jobs: Mutex<Vec<LocalJob>>,
}

impl LocalExecutor {
    /// Runs jobs on `threads` threads in total. The output of a job goes to `NAME.log` in `logs`,
    /// which is created with the first job.
    pub fn new(logs: PathBuf, threads: usize) -> Self {
        Self { logs, threads: threads.max(1), jobs: Mutex::new(Vec::new()) }
    }

    /// The log file of a job.
    pub fn log(&self, job: &Job) -> PathBuf {
        self.logs.join(format!("{}.log", job.name()))
    }

    fn jobs(&self) -> MutexGuard<'_, Vec<LocalJob>> {
        // A poisoned lock is safe to use: every change of the list is a single assignment, so a
        // panic cannot leave it half changed.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notices processes that have ended.
    fn reap(&self, jobs: &mut [LocalJob]) -> Result<()> {
        for LocalJob { job, stage } in jobs {
            *stage = match stage {
                LocalStage::Child(child) => {
                    let waited = child.try_wait();
                    match waited.with_context(|| format!("`{}` was lost", job.name()))? {
                        Some(status) => self.ended(job, status),
                        None => continue,
                    }
                }
                // An orphan's exit status is lost, because it is not our child. `Waiting` lets
                // `start` decide: done if its result exists, else started again.
                LocalStage::Orphan(id) if !is_alive(*id, job) => LocalStage::Waiting,
                _ => continue,
            };
        }
        Ok(())
    }

    /// The next stage of a job whose process has ended.
    fn ended(&self, job: &Job, status: ExitStatus) -> LocalStage {
        // Both are needed: a program that failed may have left a result of an earlier start.
        if status.success() && job.is_done() {
            return LocalStage::Ended(JobState::Done);
        }
        if let Some(id) = Processes::now().of_job(job) {
            // A process that a killed executor had only just started did not show its arguments yet
            // when we looked for it. It holds the lock that our child was refused, so we wait for
            // it instead.
            return LocalStage::Orphan(id);
        }
        if status.code() == Some(RESUMABLE) {
            return LocalStage::Ended(JobState::Resumable);
        }
        let why = last_error(&self.log(job))
            .unwrap_or_else(|| format!("{status}, without `{}`", job.result().display()));
        LocalStage::Ended(JobState::Failed { why })
    }

    /// Ends jobs that are done or cannot run, and starts those that can, in the order of
    /// submission.
    fn start(&self, jobs: &mut [LocalJob]) -> Result<()> {
        let running = jobs.iter().filter(|job| job.is_running());
        // Orphans count too: they use the same cores.
        let mut used: usize = running.map(LocalJob::threads).sum();
        for at in 0..jobs.len() {
            let LocalJob { job, stage: LocalStage::Waiting } = &jobs[at] else { continue };
            if job.is_done() {
                jobs[at].stage = LocalStage::Ended(JobState::Done);
                continue;
            }
            let needed = |name: &String| jobs.iter().find(|other| other.job.name() == name);
            // A job that was never submitted counts as lost, or its dependents would wait for ever.
            let lost = |name: &&String| needed(name).is_none_or(LocalJob::is_lost);
            if let Some(because) = job.after().iter().find(lost) {
                let because = because.clone();
                jobs[at].stage = LocalStage::Ended(JobState::Skipped { because });
                continue;
            }
            let ready = job.after().iter().all(|name| needed(name).is_some_and(LocalJob::is_done));
            // A job that needs more threads than there are runs alone.
            let threads = job.resources().threads;
            let fits = used == 0 || used + threads <= self.threads;
            if ready && fits {
                used += threads;
                let child = spawn(job, &self.log(job))?;
                jobs[at].stage = LocalStage::Child(child);
            }
        }
        Ok(())
    }
}

impl Executor for LocalExecutor {
    fn pace(&self) -> Duration {
        PACE
    }

    fn attach(&self, jobs: &[Job]) -> Result<Vec<Option<JobId>>> {
        let processes = Processes::now();
        let mut known = self.jobs();
        let mut attach = |job: &Job| {
            let orphan = processes.of_job(job).filter(|_| !job.is_done())?;
            enter(&mut known, job, LocalStage::Orphan(orphan));
            Some(JobId::new(job.name()))
        };
        Ok(jobs.iter().map(&mut attach).collect())
    }

    fn submit(&self, jobs: &[Job]) -> Result<Vec<JobId>> {
        let mut known = self.jobs();
        for job in jobs {
            enter(&mut known, job, LocalStage::Waiting);
        }
        Ok(jobs.iter().map(|job| JobId::new(job.name())).collect())
    }

    fn states(&self, ids: &[JobId]) -> Result<Vec<JobState>> {
        let mut jobs = self.jobs();
        self.reap(&mut jobs)?;
        self.start(&mut jobs)?;
        let state = |id: &JobId| {
            let job = jobs.iter().find(|job| job.is(id));
            job.map(LocalJob::state)
                .with_context(|| format!("no job `{}` was submitted", id.as_str()))
        };
        ids.iter().map(state).collect()
    }

    fn cancel(&self, ids: &[JobId]) -> Result<()> {
        let mut jobs = self.jobs();
        let mut asked: Vec<&mut LocalJob> =
            jobs.iter_mut().filter(|job| ids.iter().any(|id| job.is(id))).collect();
        // All are asked before we wait for any, so that they save at the same time.
        asked.iter_mut().for_each(|job| job.ask_to_stop());
        asked.iter_mut().try_for_each(|job| job.wait())
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// A job that runs `script` in a shell, in a folder of its name.
    fn shell(folder: &Path, name: &str, script: &str) -> Job {
        let own = folder.join(name);
        std::fs::create_dir(&own).unwrap();
        // The path makes the command line unique, so that parallel tests do not find each other's
        // processes.
        let script = format!("D={}; {script}", own.display());
        Job::new(name, "sh", own, "done").unwrap().with_argv(["-c", &script])
    }

    /// The states once all have ended.
    fn run(executor: &LocalExecutor, jobs: &[Job]) -> Vec<JobState> {
        let ids = executor.attach_or_submit(jobs).unwrap();
        loop {
            let states = executor.states(&ids).unwrap();
            if states.iter().all(JobState::has_ended) {
                return states;
            }
            std::thread::sleep(executor.pace());
        }
    }

    #[test]
    fn a_job_that_was_stopped_and_saved_is_resumable_and_goes_on_when_submitted_again() {
        let folder = tempfile::tempdir().unwrap();
        let executor = LocalExecutor::new(folder.path().join("logs"), 2);
        // The first start leaves a mark and ends as an interrupted run does; the second start
        // finishes.
        let stopped = shell(
            folder.path(),
            "stopped",
            "if [ -e $D/begun ]; then touch $D/done; else touch $D/begun; exit 75; fi",
        );
        let next = shell(folder.path(), "next", "touch $D/done").with_after(["stopped"]);
        let jobs = [stopped, next];
        let skipped = JobState::Skipped { because: "stopped".into() };
        assert_eq!(run(&executor, &jobs), [JobState::Resumable, skipped]);
        assert_eq!(run(&executor, &jobs), [JobState::Done, JobState::Done]);
    }

    #[test]
    fn what_fails_says_why_and_what_needs_it_is_skipped() {
        let folder = tempfile::tempdir().unwrap();
        let executor = LocalExecutor::new(folder.path().join("logs"), 1);
        let jobs = [
            shell(folder.path(), "fails", "echo 'error: no room' >&2; exit 1"),
            shell(folder.path(), "silent", "true"),
            shell(folder.path(), "next", "touch $D/done").with_after(["silent"]),
            shell(folder.path(), "apart", "[ $OWN = 7 ] && touch $D/done").with_env([("OWN", "7")]),
        ];
        let states = run(&executor, &jobs);
        assert_eq!(states[0], JobState::Failed { why: "no room".into() });
        let JobState::Failed { why } = &states[1] else { panic!("{states:?}") };
        assert!(why.starts_with("exit status: 0, without `"), "{why}");
        assert_eq!(states[2], JobState::Skipped { because: "silent".into() });
        assert_eq!(states[3], JobState::Done);
    }

    #[test]
    fn an_executor_attaches_to_what_another_left_at_work_and_cancels_it() {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        let job = shell(folder.path(), "long", "trap 'exit 75' TERM; while :; do sleep 0.01; done");
        let jobs = [job];
        let first = LocalExecutor::new(logs.clone(), 1);
        let ids = first.attach_or_submit(&jobs).unwrap();
        assert_eq!(first.states(&ids).unwrap(), [JobState::Running]);
        // The second executor plays a sweep that was killed and started again. Right after its
        // start, a process does not show its arguments yet, so we try several times.
        let second = LocalExecutor::new(logs, 1);
        let begun = std::time::Instant::now();
        let id = loop {
            match &second.attach(&jobs).unwrap()[..] {
                [Some(id)] => break id.clone(),
                _ => assert!(begun.elapsed().as_secs() < 10, "the process is not found"),
            }
        };
        assert_eq!(second.states(std::slice::from_ref(&id)).unwrap(), [JobState::Running]);
        second.cancel(std::slice::from_ref(&id)).unwrap();
        assert_eq!(second.states(&[id]).unwrap(), [JobState::Cancelled]);
    }
}
