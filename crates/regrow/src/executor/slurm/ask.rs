//! Asks Slurm's commands. Arguments are passed as arguments; no shell reads them.

use std::ffi::OsString;
use std::io::Write;
use std::process::{Command, Stdio};

use super::settings::SlurmSettings;
use crate::error::{Context, Error, ErrorKind, Result, bail};

/// What a command of Slurm printed.
pub(super) struct Answer {
    pub(super) text: String,
    /// What it complained of, on one line.
    pub(super) complaint: String,
    pub(super) succeeded: bool,
}

/// Runs one of Slurm's commands.
///
/// # Errors
/// [`ErrorKind::NoSlurm`] if it is not there.
pub(super) fn ask(
    settings: &SlurmSettings,
    name: &str,
    arguments: &[OsString],
    input: Option<&str>,
) -> Result<Answer> {
    let program = settings.command(name);
    let mut child = Command::new(&program)
        .args(arguments)
        // Fixed names of states and times, whatever the user's habits.
        .env("LC_ALL", "C")
        .env_remove("SQUEUE_FORMAT")
        .env_remove("SACCT_FORMAT")
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| {
            let message = format!("`{}` of Slurm cannot be started: {error}", program.display());
            Error::new(ErrorKind::NoSlurm, message)
        })?;
    if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
        // Where it does not read to the end, its own complaint says why.
        let _ = pipe.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().with_context(|| format!("`{name}` was lost"))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    Ok(Answer {
        text: String::from_utf8_lossy(&output.stdout).into_owned(),
        complaint: complaint.split_whitespace().collect::<Vec<_>>().join(" "),
        succeeded: output.status.success(),
    })
}

/// As [`ask`], where only a success will do.
///
/// # Errors
/// Also with Slurm's own reason where it refuses.
pub(super) fn ask_for(
    settings: &SlurmSettings,
    name: &str,
    arguments: &[OsString],
    input: Option<&str>,
) -> Result<String> {
    let answer = ask(settings, name, arguments, input)?;
    if !answer.succeeded {
        bail!("`{name}` refuses: {}", answer.complaint);
    }
    Ok(answer.text)
}
