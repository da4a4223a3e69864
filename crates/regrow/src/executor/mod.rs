//! Who runs jobs. An executor knows command lines, folders and resources, and nothing of models.

mod dry_run;
mod local;
mod orphan;

use std::ffi::OsString;
use std::path::PathBuf;

pub use dry_run::DryRun;
pub use local::Local;

/// One command line of this program, with a folder of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Its name, of one sweep.
    pub id: String,
    /// The folder it makes or goes on with.
    pub folder: PathBuf,
    /// The file whose existence says that it is done, inside the folder.
    pub result: PathBuf,
    /// The arguments of the program, the program's own name aside.
    pub argv: Vec<OsString>,
    /// Ids of the jobs that have to be done before it.
    pub after: Vec<String>,
    /// What it takes.
    pub resources: Resources,
}

/// What a job takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resources {
    /// Threads that it computes with.
    pub threads: usize,
}

/// The name of a submitted job.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct JobId(pub String);

/// How a job stands.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// A job that it needs has failed.
    Skipped {
        /// The id of that job.
        because: String,
    },
    /// Stopped on request; it can go on another time.
    Cancelled,
}

impl JobState {
    /// Whether nothing more comes of it.
    pub fn has_ended(&self) -> bool {
        !matches!(self, Self::Waiting | Self::Running)
    }
}

/// Runs jobs somewhere.
pub trait Executor {
    /// Takes jobs on, those that come first first; a job whose result exists is not run again.
    ///
    /// # Errors
    /// Where they cannot be taken on.
    fn submit(&self, jobs: &[Job]) -> anyhow::Result<Vec<JobId>>;

    /// How jobs stand; asking is what moves a local executor on.
    ///
    /// # Errors
    /// Where this cannot be found out.
    fn status(&self, jobs: &[JobId]) -> anyhow::Result<Vec<JobState>>;

    /// Asks jobs to save and stop.
    ///
    /// # Errors
    /// Where they cannot be asked.
    fn cancel(&self, jobs: &[JobId]) -> anyhow::Result<()>;
}

/// A command line as it would be typed.
pub(crate) fn typed(argv: &[OsString]) -> String {
    let quoted = |word: &OsString| {
        let word = word.to_string_lossy();
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./,=:+@%".contains(letter);
        if !word.is_empty() && word.chars().all(plain) {
            word.into_owned()
        } else {
            format!("'{}'", word.replace('\'', r"'\''"))
        }
    };
    argv.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_command_line_means_the_same_to_a_shell() {
        let words = ["a", "--out=x/y", "two words", "it's", "", "$HOME"].map(OsString::from);
        assert_eq!(typed(&words), r"a --out=x/y 'two words' 'it'\''s' '' '$HOME'");
    }
}
