//! Jobs that outlived a killed executor: they are found by their command line and waited for, not
//! run twice.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::job::Job;

/// Processes of this machine, by what `/proc` says; on systems without it there are none.
#[derive(Debug)]
pub(super) struct Processes {
    found: Vec<(u32, Vec<OsString>)>,
}

impl Processes {
    /// Those that work in the folder where this process works: only there do relative paths mean
    /// the same.
    pub(super) fn here() -> Self {
        let mut found = Vec::new();
        let own = std::process::id();
        let here = std::env::current_dir().ok();
        for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
            let id = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
            let Some(id) = id.filter(|&id| id != own) else { continue };
            if std::fs::read_link(entry.path().join("cwd")).ok() == here
                && let Some(argv) = arguments(&entry.path())
            {
                found.push((id, argv));
            }
        }
        Self { found }
    }

    /// The process that runs a job.
    pub(super) fn of_job(&self, job: &Job) -> Option<u32> {
        self.found.iter().find(|(_, found)| runs(found, job)).map(|(id, _)| *id)
    }
}

/// Whether a process still runs a job. Ids are used again, so the id alone would not tell.
pub(super) fn is_alive(id: u32, job: &Job) -> bool {
    arguments(&Path::new("/proc").join(id.to_string())).is_some_and(|found| runs(&found, job))
}

/// Whether a command line is that of a job, whatever the path of its program.
fn runs(found: &[OsString], job: &Job) -> bool {
    let name = |program: &OsString| Path::new(program).file_name().map(OsStr::to_os_string);
    found
        .split_first()
        .is_some_and(|(program, argv)| argv == job.argv() && name(program) == name(job.program()))
}

#[cfg(unix)]
fn arguments(process: &Path) -> Option<Vec<OsString>> {
    use std::os::unix::ffi::OsStringExt;
    let bytes = std::fs::read(process.join("cmdline")).ok()?;
    // Each argument ends with a zero byte; a process that has ended has none.
    let bytes = bytes.strip_suffix(&[0])?;
    Some(bytes.split(|&byte| byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect())
}

#[cfg(not(unix))]
fn arguments(_process: &Path) -> Option<Vec<OsString>> {
    None
}
