//! Orphans: jobs that outlived a killed executor. They are found by their command line and waited
//! for, so that no job runs twice.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::job::Job;

/// The processes listed in `/proc`. On systems without `/proc` the list is empty.
#[derive(Debug)]
pub(super) struct Processes {
    found: Vec<(u32, Vec<OsString>)>,
}

impl Processes {
    /// The processes with the same working directory as this one. Elsewhere, relative paths in a
    /// command line would mean other files.
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

/// Whether a process still runs a job. The system reuses process ids, so the command line is
/// compared too.
pub(super) fn is_alive(id: u32, job: &Job) -> bool {
    arguments(&Path::new("/proc").join(id.to_string())).is_some_and(|found| runs(&found, job))
}

/// Whether a command line is that of a job. Only the program's file name is compared, not its path.
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
    // Each argument ends with a zero byte. The list is empty for a process that has ended but was
    // not yet waited for.
    let bytes = bytes.strip_suffix(&[0])?;
    Some(bytes.split(|&byte| byte == 0).map(|word| OsString::from_vec(word.to_vec())).collect())
}

#[cfg(not(unix))]
fn arguments(_process: &Path) -> Option<Vec<OsString>> {
    None
}
