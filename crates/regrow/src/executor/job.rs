//! A job: one program with its arguments, and a folder of its own.

use crate::error::{Result, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The exit status of a program that was stopped, has saved, and can be resumed: `EX_TEMPFAIL` of
/// `sysexits.h`.
pub const RESUMABLE: i32 = 75;

/// The longest name of a job. It becomes a file name with an ending such as `.log`, and file
/// systems allow 255 bytes.
const LONGEST_NAME: usize = 240;

/// One program to run. It creates its folder, or resumes from what is there. It is done once its
/// result file exists.
///
/// ```
/// use regrow::executor::Job;
/// let job = Job::new("run-1", "regrow", "runs/1", "done.json")?
///     .with_argv(["train", "model", "--out", "runs/1"])
///     .with_after(["base-1"]);
/// assert_eq!(job.result(), std::path::Path::new("runs/1/done.json"));
/// # Ok::<(), regrow::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    name: String,
    program: OsString,
    env: Vec<(OsString, OsString)>,
    argv: Vec<OsString>,
    folder: PathBuf,
    result: PathBuf,
    after: Vec<String>,
    resources: Resources,
}

impl Job {
    /// A job without arguments and dependencies, on one thread. It is done once the file `result`
    /// exists in `folder`.
    ///
    /// # Errors
    /// Where the name is not a plain file name, or the result is not directly in the folder.
    pub fn new(
        name: impl Into<String>,
        program: impl Into<OsString>,
        folder: impl Into<PathBuf>,
        result: &str,
    ) -> Result<Self> {
        let (name, folder) = (name.into(), folder.into());
        // The name is used for log files and cluster jobs.
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_.:".contains(letter);
        if name.is_empty()
            || name.len() > LONGEST_NAME
            || name.starts_with(['.', '-'])
            || !name.chars().all(plain)
        {
            bail!("job name `{name}`, expected letters, digits, `-`, `_`, `.` and `:`");
        }
        if Path::new(result).file_name().is_none_or(|file| file != result) {
            bail!("result `{result}` of job `{name}`, expected the name of a file in its folder");
        }
        Ok(Self {
            name,
            program: program.into(),
            env: Vec::new(),
            argv: Vec::new(),
            result: folder.join(result),
            folder,
            after: Vec::new(),
            resources: Resources::default(),
        })
    }

    /// Sets the arguments, without the program's own name. No shell interprets them.
    #[must_use]
    pub fn with_argv(mut self, argv: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.argv = argv.into_iter().map(Into::into).collect();
        self
    }

    /// Sets environment variables, in addition to those of the executor.
    #[must_use]
    pub fn with_env<K: Into<OsString>, V: Into<OsString>>(
        mut self,
        env: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.env = env.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        self
    }

    /// Names of the jobs that have to be done before it.
    #[must_use]
    pub fn with_after(mut self, after: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.after = after.into_iter().map(Into::into).collect();
        self
    }

    /// What it takes.
    #[must_use]
    pub fn with_resources(mut self, resources: Resources) -> Self {
        self.resources = resources;
        self
    }

    /// Its name among the jobs that are submitted with it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The program: a path, or a name in the search path.
    pub fn program(&self) -> &OsString {
        &self.program
    }

    /// Its own environment variables.
    pub fn env(&self) -> &[(OsString, OsString)] {
        &self.env
    }

    /// Its arguments.
    pub fn argv(&self) -> &[OsString] {
        &self.argv
    }

    /// The folder that it creates or resumes.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file whose existence means that it is done.
    pub fn result(&self) -> &Path {
        &self.result
    }

    /// Names of the jobs that have to be done before it.
    pub fn after(&self) -> &[String] {
        &self.after
    }

    /// What it takes.
    pub fn resources(&self) -> &Resources {
        &self.resources
    }

    /// Whether its result exists.
    pub fn is_done(&self) -> bool {
        self.result.is_file()
    }
}

/// The resources of a job. The executor chooses whatever is `None`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resources {
    /// Threads that it computes with.
    pub threads: usize,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// How long it may run before it is asked to save and stop.
    pub time: Option<std::time::Duration>,
    /// Graphics processors.
    pub gpus: usize,
}

impl Default for Resources {
    fn default() -> Self {
        Self { threads: 1, memory: None, time: None, gpus: 0 }
    }
}

/// The id that an executor gives a job, for example its name or a cluster's job number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobId(String);

impl JobId {
    /// An id, in the words of the executor that gives it.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The id, as the executor gave it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The state of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobState {
    /// Not started.
    Waiting,
    /// Running.
    Running,
    /// Its result exists.
    Done,
    /// It ended without its result.
    Failed {
        /// The last error in its log.
        why: String,
    },
    /// It was stopped from outside and has saved. It resumes when it is submitted again.
    Resumable,
    /// A job that it depends on ended without a result.
    Skipped {
        /// The name of that job.
        because: String,
    },
    /// Cancelled on request. It resumes when it is submitted again.
    Cancelled,
}

impl JobState {
    /// Whether its state changes no more, unless it is submitted again.
    pub fn has_ended(&self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_of_a_file_and_the_result_lies_in_the_folder() {
        let job = |name: &str, result: &str| Job::new(name, "sh", "runs/1", result);
        let run = job("run-8x3-2:4_0.17", "done.json").unwrap();
        assert_eq!(run.result(), Path::new("runs/1/done.json"));
        for name in ["", ".", "../a", "a/b", "-a", "a b", "é", &"a".repeat(300)] {
            assert!(job(name, "done.json").is_err(), "{name}");
        }
        for result in ["", "..", "/done.json", "a/done.json", "done.json/"] {
            assert!(job("run", result).is_err(), "{result}");
        }
    }
}
