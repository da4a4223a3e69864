//! Runs jobs as processes of this machine, some at a time.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;

use super::orphan::{self, Processes};
use super::{Executor, Job, JobId, JobState};

/// The largest part of a log that is searched for what went wrong.
const TAIL: usize = 16 << 10;

/// How often a process that is no child of this one is looked at while it stops.
const PAUSE: Duration = Duration::from_millis(20);

/// Processes of one program, with no more threads together than the machine is given.
#[derive(Debug)]
pub struct Local {
    program: PathBuf,
    logs: PathBuf,
    threads: usize,
    entries: Mutex<Vec<Entry>>,
}

#[derive(Debug)]
struct Entry {
    job: Job,
    at: At,
}

#[derive(Debug)]
enum At {
    Waiting,
    /// A process that was started here.
    Child(Child),
    /// A process that an earlier executor started and left behind.
    Orphan(u32),
    Ended(JobState),
}

impl Local {
    /// Runs `program` with each job's arguments, on `threads` threads together; what a job says
    /// goes to `ID.log` in `logs`.
    ///
    /// # Errors
    /// Where the folder of logs cannot be made.
    pub fn new(program: PathBuf, logs: PathBuf, threads: usize) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&logs).map_err(disk::io_error("create", &logs))?;
        Ok(Self { program, logs, threads: threads.max(1), entries: Mutex::new(Vec::new()) })
    }

    /// Where a job's messages go.
    pub fn log(&self, id: &str) -> PathBuf {
        self.logs.join(format!("{id}.log"))
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        // A panic elsewhere leaves the list as it was: every change of it is one assignment.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self, job: &Job) -> anyhow::Result<Child> {
        if let Some(parent) = job.folder.parent() {
            std::fs::create_dir_all(parent).map_err(disk::io_error("create", parent))?;
        }
        let path = self.log(&job.id);
        let log = File::create(&path).map_err(disk::io_error("create", &path))?;
        let errors = log.try_clone().map_err(disk::io_error("write", &path))?;
        Command::new(&self.program)
            .args(&job.argv)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .with_context(|| {
                format!("`{}` cannot be started for `{}`", self.program.display(), job.id)
            })
    }

    /// Sees who has ended.
    fn reap(&self, entries: &mut [Entry]) -> anyhow::Result<()> {
        for Entry { job, at } in entries {
            let state = match at {
                At::Child(child) => {
                    let waited = child.try_wait();
                    let Some(status) = waited.with_context(|| format!("`{}` was lost", job.id))?
                    else {
                        continue;
                    };
                    if status.success() && job.result.is_file() {
                        At::Ended(JobState::Done)
                    } else if let Some(id) = Processes::here().with_arguments(&job.argv) {
                        // One that was left behind before it bore its arguments, and so was not
                        // seen: it holds the lock that this one was
                        // refused.
                        At::Orphan(id)
                    } else {
                        let said = last_error(&self.log(&job.id));
                        let why = said.unwrap_or_else(|| {
                            format!("{status}, without `{}`", job.result.display())
                        });
                        At::Ended(JobState::Failed { why })
                    }
                }
                At::Orphan(id) if !orphan::is_alive(*id, &job.argv) => At::Waiting,
                _ => continue,
            };
            *at = state;
        }
        Ok(())
    }

    /// Ends what need not or cannot be run, and starts what can, in the order of submission.
    fn start(&self, entries: &mut [Entry]) -> anyhow::Result<()> {
        let mut used: usize =
            entries.iter().filter(|entry| entry.is_running()).map(Entry::threads).sum();
        for at in 0..entries.len() {
            let Entry { job, at: At::Waiting } = &entries[at] else { continue };
            if job.result.is_file() {
                entries[at].at = At::Ended(JobState::Done);
                continue;
            }
            let needed = |id: &String| entries.iter().find(|entry| entry.job.id == *id);
            if let Some(because) = job.after.iter().find(|id| needed(id).is_none_or(Entry::is_lost))
            {
                let because = because.clone();
                entries[at].at = At::Ended(JobState::Skipped { because });
                continue;
            }
            let ready = job.after.iter().all(|id| needed(id).is_some_and(Entry::is_done));
            // What takes more than there is runs alone.
            let fits = used == 0 || used + job.resources.threads <= self.threads;
            if ready && fits {
                used += job.resources.threads;
                let child = self.spawn(job)?;
                entries[at].at = At::Child(child);
            }
        }
        Ok(())
    }
}

impl Entry {
    fn is_running(&self) -> bool {
        matches!(self.at, At::Child(_) | At::Orphan(_))
    }

    fn threads(&self) -> usize {
        self.job.resources.threads
    }

    fn is_done(&self) -> bool {
        matches!(self.at, At::Ended(JobState::Done))
    }

    fn is_lost(&self) -> bool {
        matches!(&self.at, At::Ended(state) if *state != JobState::Done)
    }

    fn state(&self) -> JobState {
        match &self.at {
            At::Waiting => JobState::Waiting,
            At::Child(_) | At::Orphan(_) => JobState::Running,
            At::Ended(state) => state.clone(),
        }
    }
}

impl Executor for Local {
    fn submit(&self, jobs: &[Job]) -> anyhow::Result<Vec<JobId>> {
        let processes = Processes::here();
        let mut entries = self.entries();
        for job in jobs {
            let orphan = processes.with_arguments(&job.argv).filter(|_| !job.result.is_file());
            entries.push(Entry { job: job.clone(), at: orphan.map_or(At::Waiting, At::Orphan) });
        }
        Ok(jobs.iter().map(|job| JobId(job.id.clone())).collect())
    }

    fn status(&self, jobs: &[JobId]) -> anyhow::Result<Vec<JobState>> {
        let mut entries = self.entries();
        self.reap(&mut entries)?;
        self.start(&mut entries)?;
        let state = |id: &JobId| {
            let entry = entries.iter().find(|entry| entry.job.id == id.0);
            entry.map(Entry::state).with_context(|| format!("no job `{}` was submitted", id.0))
        };
        jobs.iter().map(state).collect()
    }

    fn cancel(&self, jobs: &[JobId]) -> anyhow::Result<()> {
        let mut entries = self.entries();
        let asked = |entry: &&mut Entry| jobs.iter().any(|id| id.0 == entry.job.id);
        let mut stopping: Vec<&mut Entry> = entries.iter_mut().filter(asked).collect();
        for entry in &mut stopping {
            match &mut entry.at {
                At::Child(child) => {
                    if !terminate(child.id()) {
                        // It can go on from its last checkpoint all the same. An error means that
                        // it has ended.
                        let _ = child.kill();
                    }
                }
                At::Orphan(id) => {
                    terminate(*id);
                }
                At::Waiting => entry.at = At::Ended(JobState::Cancelled),
                At::Ended(_) => {}
            }
        }
        for entry in stopping {
            match &mut entry.at {
                At::Child(child) => {
                    child.wait().with_context(|| format!("`{}` was lost", entry.job.id))?;
                }
                At::Orphan(id) => {
                    while orphan::is_alive(*id, &entry.job.argv) {
                        std::thread::sleep(PAUSE);
                    }
                }
                At::Waiting | At::Ended(_) => continue,
            }
            let done = entry.job.result.is_file();
            entry.at = At::Ended(if done { JobState::Done } else { JobState::Cancelled });
        }
        Ok(())
    }
}

/// Asks a process to save and stop; whether it could be asked.
fn terminate(id: u32) -> bool {
    let ask = || Command::new("kill").arg("-TERM").arg(id.to_string()).status();
    cfg!(unix) && ask().is_ok_and(|status| status.success())
}

/// What a log says went wrong: its last error, on one line.
fn last_error(log: &Path) -> Option<String> {
    let bytes = std::fs::read(log).ok()?;
    let tail = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(TAIL)..]).into_owned();
    let start = tail.rfind("error: ").or_else(|| tail.rfind("panicked at "))?;
    let lines = tail[start..].lines().map(str::trim).take_while(|line| !line.is_empty());
    let text = lines.collect::<Vec<_>>().join(" ");
    Some(text.strip_prefix("error: ").unwrap_or(&text).to_owned())
}
