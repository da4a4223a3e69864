//! Runs jobs on a Slurm cluster: as arrays by level of dependency, each task a job.
//!
//! Slurm keeps the queue, so the process that submits may end. What was submitted is noted in the
//! folder of the sweep before and after `sbatch` runs; another process finds it there.

mod array;
mod ask;
mod record;
mod script;
mod settings;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use self::array::{PlannedArray, arrays};
use self::ask::{ask, ask_for};
use self::record::{ArrayRecord, Records};
use self::script::{Places, SKIPPED, options, script};
pub use self::settings::SlurmSettings;
pub use self::state::Ending;
use self::state::{Task, TaskState, read_sacct, read_sbatch, read_scontrol, read_squeue};
use super::contract::Executor;
use super::job::{Job, JobId, JobState, RESUMABLE};
use super::orphan::Processes;
use super::process::last_error;
use crate::error::{Context, Result, bail};
use crate::shell::quoted;

/// How long Slurm may be silent before that is an error: controllers are restarted now and then.
const SILENCE: Duration = Duration::from_secs(600);

/// Runs jobs on a Slurm cluster.
#[derive(Debug)]
pub struct SlurmExecutor {
    settings: SlurmSettings,
    logs: PathBuf,
    records: Records,
    known: Mutex<Known>,
}

/// What this process knows.
#[derive(Debug, Default)]
struct Known {
    /// In the order of submission.
    jobs: Vec<Job>,
    /// The states that were told last.
    told: BTreeMap<String, JobState>,
    /// When a result or a task was first missed.
    missed: BTreeMap<String, Instant>,
    silent_since: Option<Instant>,
}

/// Where a job is in Slurm.
#[derive(Clone, Debug)]
struct Submitted {
    task: Task,
    /// How often it was submitted.
    attempts: usize,
}

impl SlurmExecutor {
    /// Submits jobs as `settings` say. Records and logs go to the folder `logs`.
    pub fn new(logs: PathBuf, settings: SlurmSettings) -> Self {
        let records = Records::new(logs.join("slurm"));
        Self { settings, logs, records, known: Mutex::default() }
    }

    /// What would be submitted: for each array the command, and the script that it reads.
    /// The jobs that `again` names count as not done, although their results exist.
    pub fn listing(&self, jobs: &[Job], again: &[String]) -> String {
        let is_left = |job: &&Job| !job.is_done() || again.iter().any(|name| name == job.name());
        let left: Vec<Job> = jobs.iter().filter(is_left).cloned().collect();
        let planned = arrays(&left, self.settings.array_size);
        let known = |name: &str| jobs.iter().find(|job| job.name() == name).cloned();
        let mut text = String::new();
        for (at, array) in planned.iter().enumerate() {
            let after: Vec<String> =
                array.after.iter().map(|at| format!("<number of array {at}>")).collect();
            let words =
                options(array, &format!("<name>-{at}"), &after, &self.settings, self.places());
            let sbatch = self.settings.command("sbatch");
            let words = std::iter::once(quoted(sbatch.as_os_str()))
                .chain(words.iter().map(|word| quoted(word)));
            text += &format!(
                "# array {at}: {}\n{} <<'END'\n{}END\n\n",
                array.jobs.iter().map(Job::name).collect::<Vec<_>>().join(", "),
                words.collect::<Vec<_>>().join(" "),
                script(array, &known, &self.settings, self.places()),
            );
        }
        text
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn places(&self) -> Places<'_> {
        Places { logs: &self.logs, ended: self.records.folder() }
    }

    /// The file in which a task notes its end.
    fn ended(&self, job: &Job) -> PathBuf {
        self.records.folder().join(job.name())
    }

    /// The newest array of every job, and how often it was submitted.
    fn submitted(&self) -> Result<BTreeMap<String, Submitted>> {
        let mut found: BTreeMap<String, Submitted> = BTreeMap::new();
        for record in self.records.all()? {
            let Some(number) = record.number else { continue };
            for (index, name) in record.jobs.into_iter().enumerate() {
                let attempts = found.get(&name).map_or(0, |before| before.attempts) + 1;
                found.insert(name, Submitted { task: (number, index), attempts });
            }
        }
        Ok(found)
    }

    /// The states of all tasks that Slurm still shows; `None` where it is silent.
    fn queue(&self) -> Result<Option<BTreeMap<Task, TaskState>>> {
        let names: Vec<String> =
            self.records.all()?.into_iter().map(|record| record.name).collect();
        if names.is_empty() {
            return Ok(Some(BTreeMap::new()));
        }
        let words = ["-h", "-r", "-t", "all", "-o", "%F|%K|%T|%r", "-n"].map(OsString::from);
        let mut words = words.to_vec();
        words.push(names.join(",").into());
        let answer = ask(&self.settings, "squeue", &words, None)?;
        let mut known = self.known();
        if answer.succeeded {
            known.silent_since = None;
            return Ok(Some(read_squeue(&answer.text)));
        }
        let since = *known.silent_since.get_or_insert_with(Instant::now);
        if since.elapsed() > SILENCE {
            bail!("`squeue` has refused for {} s: {}", SILENCE.as_secs(), answer.complaint);
        }
        Ok(None)
    }

    /// The state of a task that `squeue` no longer shows: from accounting, or from the controller.
    fn remembered(&self, task: Task) -> Option<TaskState> {
        let id = format!("{}_{}", task.0, task.1);
        let sacct = ["-P", "-n", "-X", "-o", "JobID,State", "-j", &id].map(OsString::from);
        let answer = ask(&self.settings, "sacct", &sacct, None).ok();
        let found = answer.filter(|answer| answer.succeeded);
        if let Some(state) = found.and_then(|answer| read_sacct(&answer.text).remove(&task)) {
            return Some(state);
        }
        let scontrol = ["-o", "show", "job", &id].map(OsString::from);
        let answer = ask(&self.settings, "scontrol", &scontrol, None).ok()?;
        read_scontrol(&answer.text).remove(&task)
    }

    /// The exit status that a task noted. A note of an earlier array does not count.
    fn noted(&self, job: &Job, task: Task) -> Option<i32> {
        let text = disk::read_to_string(&self.ended(job), 256).ok()?;
        let (code, id) = text.trim().split_once(' ')?;
        (id == format!("{}_{}", task.0, task.1)).then(|| code.parse().ok())?
    }

    /// The first job without a result that another needs.
    fn missing(&self, job: &Job) -> Option<String> {
        let known = self.known();
        let is_done =
            |name: &String| known.jobs.iter().any(|other| other.name() == name && other.is_done());
        job.after().iter().find(|name| !is_done(name)).or(job.after().first()).cloned()
    }

    /// Whether something is missed for longer than a file of another machine may take to be seen.
    fn is_overdue(&self, name: &str) -> bool {
        let mut known = self.known();
        let since = *known.missed.entry(name.to_owned()).or_insert_with(Instant::now);
        since.elapsed() > Duration::from_secs(self.settings.file_patience)
    }

    /// The state of a job, and how it ended where that may be tried again.
    fn state(
        &self,
        job: &Job,
        task: Task,
        shown: Option<&TaskState>,
    ) -> (JobState, Option<Ending>) {
        if job.is_done() {
            return (JobState::Done, None);
        }
        let state = shown.cloned().or_else(|| self.remembered(task));
        let ending = match state {
            Some(TaskState::Waiting(_)) => return (JobState::Waiting, None),
            Some(TaskState::Running) => return (JobState::Running, None),
            Some(TaskState::Completed) => None,
            // The script notes how its program ended. Without a note the script itself was killed,
            // as when its node dies and the controller hears of the task first; or the note of
            // another machine is late.
            Some(TaskState::Ended(Ending::Failed)) if self.noted(job, task).is_none() => {
                Some(Ending::Lost)
            }
            Some(TaskState::Ended(ending)) => Some(ending),
            None => match self.noted(job, task) {
                Some(0) => None,
                Some(_) => Some(Ending::Failed),
                None => Some(Ending::Lost),
            },
        };
        // Listing the folder asks the file server again.
        let _ = job.folder().parent().map(std::fs::read_dir);
        let waits = matches!(ending, None | Some(Ending::Lost));
        if waits && !job.is_done() && !self.is_overdue(job.name()) {
            return (JobState::Running, None);
        }
        if job.is_done() {
            return (JobState::Done, None);
        }
        let failed = |why: String| JobState::Failed { why };
        match (ending, self.noted(job, task)) {
            (None, _) => (failed(format!("it ended without `{}`", job.result().display())), None),
            (Some(Ending::Failed), Some(RESUMABLE)) => (JobState::Resumable, None),
            (Some(Ending::Failed), Some(SKIPPED)) => {
                let because = self.missing(job).unwrap_or_default();
                (JobState::Skipped { because }, None)
            }
            (Some(Ending::Cancelled), _) => (JobState::Cancelled, Some(Ending::Cancelled)),
            (Some(ending), noted) => {
                let said = last_error(&self.logs.join(format!("{}.log", job.name())));
                let status = noted.map(|code| format!("exit status {code}"));
                let why = match ending {
                    Ending::Failed => said.or(status),
                    _ => None,
                };
                (failed(why.unwrap_or_else(|| ending.words().to_owned())), Some(ending))
            }
        }
    }

    /// Submits jobs as arrays. `queue` holds what earlier arrays are doing.
    fn submit_arrays(&self, jobs: &[Job], queue: &BTreeMap<Task, TaskState>) -> Result<()> {
        let submitted = self.submitted()?;
        let word = self.records.word()?;
        let first = self.records.all()?.len();
        let all = self.known().jobs.clone();
        let known = |name: &str| all.iter().find(|job| job.name() == name).cloned();
        let planned = arrays(jobs, self.settings.array_size);
        let mut numbers: Vec<String> = Vec::new();
        for (at, array) in planned.iter().enumerate() {
            for job in &array.jobs {
                // A note of an earlier attempt would be taken for one of this.
                let _ = std::fs::remove_file(self.ended(job));
            }
            let mut after: BTreeSet<String> =
                array.after.iter().map(|at| numbers[*at].clone()).collect();
            let earlier =
                array.jobs.iter().flat_map(Job::after).filter_map(|name| submitted.get(name));
            let alive = |submitted: &&Submitted| {
                matches!(
                    queue.get(&submitted.task),
                    Some(TaskState::Waiting(_) | TaskState::Running)
                )
            };
            after.extend(earlier.filter(alive).map(|submitted| submitted.task.0.to_string()));
            let after: Vec<String> = after.into_iter().collect();
            numbers.push(self.submit_array((first + at, &word), array, &known, &after)?);
        }
        Ok(())
    }

    /// Submits one array, and returns its number.
    fn submit_array(
        &self,
        (at, word): (usize, &str),
        array: &PlannedArray,
        known: &dyn Fn(&str) -> Option<Job>,
        after: &[String],
    ) -> Result<String> {
        let name = format!("{word}-{at}");
        let text = script(array, known, &self.settings, self.places());
        let jobs = array.jobs.iter().map(|job| job.name().to_owned()).collect();
        let mut record = ArrayRecord::new(name.clone(), jobs);
        // Noted first: a process that is killed before it hears the number is followed by one that
        // finds the array by its name.
        self.records.keep(at, &record, &text)?;
        let words = options(array, &name, after, &self.settings, self.places());
        let answer = ask_for(&self.settings, "sbatch", &words, Some(&text)).with_context(|| {
            format!("`{}` and others cannot be submitted", array.jobs[0].name())
        })?;
        let number = read_sbatch(&answer)
            .with_context(|| format!("`sbatch` says `{}`, expected a number", answer.trim()))?;
        record.number = Some(number);
        self.records.keep(at, &record, &text)?;
        Ok(number.to_string())
    }

    /// Finds the numbers of arrays whose submission was cut off.
    fn complete_records(&self) -> Result<()> {
        for (at, mut record) in self.records.all()?.into_iter().enumerate() {
            if record.number.is_some() {
                continue;
            }
            // A process that was killed may have left an `sbatch` behind that is still at work.
            let begun = Instant::now();
            let own = OsString::from(format!("--job-name={}", record.name));
            while Processes::now().have_argument(&own) && begun.elapsed() < SILENCE {
                std::thread::sleep(Duration::from_millis(100));
            }
            let words = ["-h", "-t", "all", "-o", "%F", "-n", &record.name].map(OsString::from);
            let answer = ask_for(&self.settings, "squeue", &words, None)?;
            let Some(number) = read_sbatch(&answer) else { continue };
            record.number = Some(number);
            let path = self.records.folder().join(format!("{at:06}.sh"));
            let text = disk::read_to_string(&path, 4 << 20)?;
            self.records.keep(at, &record, &text)?;
        }
        Ok(())
    }

    fn enter(&self, jobs: &[Job]) {
        let mut known = self.known();
        for job in jobs {
            match known.jobs.iter_mut().find(|other| other.name() == job.name()) {
                Some(other) => *other = job.clone(),
                None => known.jobs.push(job.clone()),
            }
            known.missed.remove(job.name());
            known.told.remove(job.name());
        }
    }
}

impl Executor for SlurmExecutor {
    fn pace(&self) -> Duration {
        self.settings.pace()
    }

    /// Asks Slurm whether some node could ever run such jobs.
    fn check(&self, jobs: &[Job]) -> Result<()> {
        let mut seen: Vec<&super::job::Resources> = Vec::new();
        for job in jobs {
            if seen.contains(&job.resources()) {
                continue;
            }
            seen.push(job.resources());
            self.settings.leaves_time(job.resources().time)?;
            let array = PlannedArray { jobs: vec![job.clone()], after: Vec::new() };
            let mut words = vec![OsString::from("--test-only")];
            words.extend(options(&array, "test", &[], &self.settings, self.places()));
            ask_for(&self.settings, "sbatch", &words, Some("#!/bin/bash\n"))
                .with_context(|| format!("no node can run `{}`", job.name()))?;
        }
        Ok(())
    }

    fn attach(&self, jobs: &[Job]) -> Result<Vec<Option<JobId>>> {
        self.complete_records()?;
        let submitted = self.submitted()?;
        let Some(queue) = self.queue()? else { bail!("`squeue` does not answer") };
        let is_alive = |job: &Job| {
            let shown = submitted.get(job.name()).and_then(|found| queue.get(&found.task));
            !job.is_done() && matches!(shown, Some(TaskState::Waiting(_) | TaskState::Running))
        };
        let found: Vec<&Job> = jobs.iter().filter(|job| is_alive(job)).collect();
        self.enter(&found.iter().map(|job| (*job).clone()).collect::<Vec<_>>());
        let is_found = |job: &Job| found.iter().any(|other| other.name() == job.name());
        Ok(jobs.iter().map(|job| is_found(job).then(|| JobId::new(job.name()))).collect())
    }

    fn withdraw(&self, names: &[String]) -> Result<Vec<String>> {
        self.complete_records()?;
        let submitted = self.submitted()?;
        let begun = Instant::now();
        let mut withdrawn: Vec<String> = Vec::new();
        loop {
            let queue = self.queue()?;
            let alive = |name: &&String| {
                let task = submitted.get(*name).map(|found| found.task);
                let shown = queue.as_ref().zip(task).and_then(|(queue, task)| queue.get(&task));
                matches!(shown, Some(TaskState::Waiting(_) | TaskState::Running))
            };
            let left: Vec<String> = names.iter().filter(alive).cloned().collect();
            if queue.is_some() && left.is_empty() {
                return Ok(withdrawn);
            }
            if begun.elapsed() > SILENCE {
                bail!("Slurm does not end {}", left.join(", "));
            }
            let news: Vec<JobId> =
                left.iter().filter(|name| !withdrawn.contains(name)).map(JobId::new).collect();
            if !news.is_empty() {
                self.cancel(&news)?;
                withdrawn.extend(news.iter().map(|id| id.as_str().to_owned()));
            }
            std::thread::sleep(self.settings.pace().min(Duration::from_secs(1)));
        }
    }

    fn submit(&self, jobs: &[Job]) -> Result<Vec<JobId>> {
        self.enter(jobs);
        let left: Vec<Job> = jobs.iter().filter(|job| !job.is_done()).cloned().collect();
        if !left.is_empty() {
            for job in &left {
                // The program itself makes the job's folder, so that it appears whole.
                for parent in
                    [job.folder().parent(), Some(self.records.folder())].into_iter().flatten()
                {
                    std::fs::create_dir_all(parent).map_err(disk::io_error("create", parent))?;
                }
            }
            let Some(queue) = self.queue()? else { bail!("`squeue` does not answer") };
            self.submit_arrays(&left, &queue)?;
        }
        Ok(jobs.iter().map(|job| JobId::new(job.name())).collect())
    }

    fn states(&self, ids: &[JobId]) -> Result<Vec<JobState>> {
        let jobs = self.known().jobs.clone();
        let of = |id: &JobId| jobs.iter().find(|job| job.name() == id.as_str());
        let Some(queue) = self.queue()? else {
            // Slurm is silent for now: what was told last still stands.
            let known = self.known();
            let told =
                |id: &JobId| known.told.get(id.as_str()).cloned().unwrap_or(JobState::Waiting);
            return Ok(ids.iter().map(told).collect());
        };
        let submitted = self.submitted()?;
        let mut states: Vec<JobState> = Vec::new();
        let mut again: Vec<Job> = Vec::new();
        for id in ids {
            let job = of(id).with_context(|| format!("no job `{}` was submitted", id.as_str()))?;
            let ended = self.known().told.get(job.name()).filter(|told| told.has_ended()).cloned();
            if let Some(ended) = ended {
                states.push(ended);
                continue;
            }
            let Some(Submitted { task, attempts }) = submitted.get(job.name()) else {
                // It was done before anything was submitted.
                states.push(if job.is_done() { JobState::Done } else { JobState::Waiting });
                continue;
            };
            let (state, ending) = self.state(job, *task, queue.get(task));
            let may = *attempts <= self.settings.retries;
            let retried = ending.is_some_and(|ending| self.settings.retry.contains(&ending));
            // A task that was skipped for one that is tried again, or whose result was only late,
            // is itself tried again.
            let healed = |name: &String| {
                let at = ids.iter().position(|id| id.as_str() == name);
                at.and_then(|at| states.get(at)).is_none_or(|state| {
                    matches!(state, JobState::Waiting | JobState::Running | JobState::Done)
                })
            };
            let skipped =
                matches!(state, JobState::Skipped { .. }) && job.after().iter().all(healed);
            if may && (retried || skipped) {
                again.push(job.clone());
                states.push(JobState::Waiting);
            } else {
                states.push(state);
            }
        }
        if !again.is_empty() {
            self.enter(&again);
            self.submit_arrays(&again, &queue)?;
        }
        let mut known = self.known();
        known.told =
            ids.iter().map(|id| id.as_str().to_owned()).zip(states.iter().cloned()).collect();
        Ok(states)
    }

    fn cancel(&self, ids: &[JobId]) -> Result<()> {
        let submitted = self.submitted()?;
        let tasks = ids.iter().filter_map(|id| submitted.get(id.as_str()));
        let words: Vec<OsString> =
            tasks.map(|found| format!("{}_{}", found.task.0, found.task.1).into()).collect();
        // Not all at once: a command line has a limit.
        for words in words.chunks(200) {
            // Tasks that have ended already are refused, and that is well.
            ask(&self.settings, "scancel", words, None)?;
        }
        Ok(())
    }
}

/// The folder in which an executor of this kind keeps its records, in a folder of logs.
pub fn has_records(logs: &Path) -> bool {
    logs.join("slurm").is_dir()
}
