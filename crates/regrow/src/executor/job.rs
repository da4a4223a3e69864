//! A job: one program with its arguments, and a folder of its own.

use crate::error::{Result, bail};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The exit status of a program that was stopped, has saved, and goes on when it is started again:
/// `EX_TEMPFAIL` of `sysexits.h`.
pub const RESUMABLE: i32 = 75;

/// The longest name of a job: it becomes the name of a file, with an ending.
const LONGEST_NAME: usize = 240;

/// One program to run. It makes its folder, or goes on with what it finds there; it is done once
/// its result is there.
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
    /// A job without arguments that waits for no other and takes one thread. The file `result`,
    /// inside `folder`, says that it is done.
    ///
    /// # Errors
    /// Where the name is no plain name of a file, or the result lies elsewhere.
    pub fn new(
        name: impl Into<String>,
        program: impl Into<OsString>,
        folder: impl Into<PathBuf>,
        result: &str,
    ) -> Result<Self> {
        let (name, folder) = (name.into(), folder.into());
        // Logs and cluster jobs go by the name.
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

    /// The arguments, the program's own name aside. No shell reads them.
    #[must_use]
    pub fn with_argv(mut self, argv: impl IntoIterator<Item = impl Into<OsString>>) -> Self {
        self.argv = argv.into_iter().map(Into::into).collect();
        self
    }

    /// Variables that the program finds in its environment, besides those of the executor.
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

    /// The program, by its path or as the search path knows it.
    pub fn program(&self) -> &OsString {
        &self.program
    }

    /// Variables of its environment that are its own.
    pub fn env(&self) -> &[(OsString, OsString)] {
        &self.env
    }

    /// Its arguments.
    pub fn argv(&self) -> &[OsString] {
        &self.argv
    }

    /// The folder it makes or goes on with.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file whose existence says that it is done.
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

    /// Whether its result is there.
    pub fn is_done(&self) -> bool {
        self.result.is_file()
    }
}

/// What a job takes. What is left open is the executor's to choose.
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

/// How an executor knows a job: its name, the number of a process, or that of a cluster's job.
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

/// How a job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum JobState {
    /// Not begun.
    Waiting,
    /// At work.
    Running,
    /// Its result is there.
    Done,
    /// It ended without its result.
    Failed {
        /// What it said last.
        why: String,
    },
    /// It was stopped from outside and has saved: submitted again, it goes on.
    Resumable,
    /// A job that it needs did not end with its result.
    Skipped {
        /// The name of that job.
        because: String,
    },
    /// Cancelled on request; submitted again, it goes on.
    Cancelled,
}

impl JobState {
    /// Whether nothing more comes of it unless it is submitted again.
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
