//! Starts and stops the process of a job, and reads the last error from its log.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::job::Job;
use crate::error::{Context, Result};

/// How many bytes at the end of a log are searched for an error.
const TAIL: usize = 16 << 10;

/// Starts the program of a job; its output goes to `log`.
pub(super) fn spawn(job: &Job, log: &Path) -> Result<Child> {
    // Only the parent: the program itself creates the job's folder, so that it appears complete.
    for parent in [job.folder().parent(), log.parent()].into_iter().flatten() {
        std::fs::create_dir_all(parent).map_err(disk::io_error("create", parent))?;
    }
    let file = File::create(log).map_err(disk::io_error("create", log))?;
    let errors = file.try_clone().map_err(disk::io_error("write", log))?;
    let mut command = Command::new(job.program());
    // Ctrl-C in a terminal reaches the whole group of this process. A job is asked to stop by the
    // executor alone: a second signal would end it before it has saved.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
        .args(job.argv())
        .envs(job.env().iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(errors)
        .spawn()
        .with_context(|| {
            let program = Path::new(job.program()).display();
            format!("`{program}` cannot be started for `{}`", job.name())
        })
}

/// Asks a process to save and stop. Returns whether the signal was sent.
pub(super) fn terminate(id: u32) -> bool {
    // The program `kill` instead of the system call, because this crate forbids unsafe code.
    let ask = || Command::new("kill").arg("-TERM").arg(id.to_string()).status();
    cfg!(unix) && ask().is_ok_and(|status| status.success())
}

/// The last error in a log, on one line.
pub(super) fn last_error(log: &Path) -> Option<String> {
    let bytes = std::fs::read(log).ok()?;
    let tail = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(TAIL)..]).into_owned();
    let start = tail.rfind("error: ").or_else(|| tail.rfind("panicked at "))?;
    let lines = tail[start..].lines().map(str::trim).take_while(|line| !line.is_empty());
    let text = lines.collect::<Vec<_>>().join(" ");
    Some(text.strip_prefix("error: ").unwrap_or(&text).to_owned())
}
