//! Orphans: jobs that outlived a killed executor. They are found by their command line and waited
//! for, so that no job runs twice.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::job::Job;

/// The processes listed in `/proc`. On systems without `/proc` the list is empty.
#[derive(Debug)]
pub(super) struct Processes {
    found: Vec<Process>,
}

/// A process, as far as the system shows it.
#[derive(Debug)]
struct Process {
    id: u32,
    argv: Vec<OsString>,
    /// Its working directory.
    folder: PathBuf,
}

impl Processes {
    /// The processes that this one may look at.
    pub(super) fn now() -> Self {
        let own = std::process::id();
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        Self { found: ids.filter(|&id| id != own).filter_map(Process::of).collect() }
    }

    /// Whether one has this argument.
    pub(super) fn have_argument(&self, word: &OsStr) -> bool {
        self.found.iter().any(|process| process.argv.iter().any(|own| own == word))
    }

    /// The process that runs a job.
    pub(super) fn of_job(&self, job: &Job) -> Option<u32> {
        self.found.iter().find(|process| process.runs(job)).map(|process| process.id)
    }
}

impl Process {
    fn of(id: u32) -> Option<Self> {
        let entry = Path::new("/proc").join(id.to_string());
        let folder = std::fs::read_link(entry.join("cwd")).ok()?;
        Some(Self { id, argv: arguments(&entry)?, folder })
    }

    /// Whether it runs a job: its command line is that of the job, with paths that may be written
    /// from another working directory. Only the program's file name is compared, not its path.
    fn runs(&self, job: &Job) -> bool {
        let Some((program, argv)) = self.argv.split_first() else { return false };
        if Path::new(program).file_name() != Path::new(job.program()).file_name()
            || argv.len() != job.argv().len()
        {
            return false;
        }
        let Ok(here) = std::env::current_dir() else { return false };
        if self.folder == here {
            return argv == job.argv();
        }
        let place = |folder: &Path, word: &OsStr| {
            let path = folder.join(word);
            // A folder that is still being made is not there yet.
            let parent = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
            path.canonicalize().ok().or_else(parent).unwrap_or(path)
        };
        let same = |(one, other): (&OsString, &OsString)| {
            one == other || place(&self.folder, one) == place(&here, other)
        };
        // Equal words may still mean two files, so one word must lead to the folder of the job.
        let folder = place(&here, job.folder().as_os_str());
        argv.iter().zip(job.argv()).all(same)
            && argv.iter().any(|word| place(&self.folder, word) == folder)
    }
}

/// Whether a process still runs a job. The system reuses process ids, so the command line is
/// compared too.
pub(super) fn is_alive(id: u32, job: &Job) -> bool {
    Process::of(id).is_some_and(|process| process.runs(job))
}

#[cfg(unix)]
fn arguments(process: &Path) -> Option<Vec<OsString>> {
    use std::os::unix::ffi::OsStringExt;
    let bytes = std::fs::read(process.join("cmdline")).ok()?;
    // Each argument ends with a zero byte. The list is empty for a process that has ended but was
    // not yet waited for.
    let bytes = bytes.strip_suffix(&[0])?;
    Some(bytes.split(|&byte| byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect())
}

#[cfg(not(unix))]
fn arguments(_process: &Path) -> Option<Vec<OsString>> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(folder: &Path, words: &[&str]) -> Process {
        Process { id: 1, argv: words.iter().map(OsString::from).collect(), folder: folder.into() }
    }

    #[test]
    fn a_job_is_found_however_its_paths_are_written_and_never_another() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path().canonicalize().unwrap();
        std::fs::create_dir_all(root.join("sweep/runs/a")).unwrap();
        let out = root.join("sweep/runs/a");
        let argv = ["train", "--out", out.to_str().unwrap(), "--threads", "1"];
        let job = Job::new("a", "regrow", out.clone(), "done").unwrap().with_argv(argv);
        let relative = ["/bin/regrow", "train", "--out", "sweep/runs/a", "--threads", "1"];
        assert!(process(&root, &relative).runs(&job));
        // From the folder below, the same words mean another run.
        assert!(!process(&root.join("sweep"), &relative).runs(&job));
        let absolute = [&["regrow"], &argv[..]].concat();
        assert!(process(Path::new("/"), &absolute).runs(&job));
        assert!(!process(&root, &[&absolute[..], &["--resume"]].concat()).runs(&job));
        let other = ["python", "train", "--out", "sweep/runs/a", "--threads", "1"];
        assert!(!process(&root, &other).runs(&job));
        // Equal words and no word that leads to the folder of the job.
        let job = Job::new("b", "regrow", "runs/b", "done").unwrap().with_argv(["x"]);
        assert!(!process(&root, &["regrow", "x"]).runs(&job));
    }
}
