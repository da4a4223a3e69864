//! Starts the torch job, hears its progress from the curve, and asks it to stop.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ledger::Point;
use store::{CurveTail, RunFolder};

use super::command::TorchCommand;
use crate::error::{Context, Error, Result};
use crate::stop::Stop;

/// How often the curve is looked at.
const PAUSE: Duration = Duration::from_millis(200);
/// How long a job that is not believed may take to end by itself.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many bytes at the end of a log are searched for an error.
const TAIL: u64 = 64 << 10;
/// The error of torchrun after that of a process.
const AROUND: &str = "ChildFailedError";
/// What the torch job puts before an error.
const MARK: &str = "regrow_torch: error: ";

/// How the job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driven {
    /// It wrote `done.json`.
    Done,
    /// It was asked to stop, and the run can be resumed.
    Stopped {
        /// Whether the time limit was the reason.
        limit: bool,
    },
}

/// Starts the job and waits for its end. `hear` receives every point of the curve as it appears; if
/// it returns an error, the job is ended.
///
/// # Errors
/// If the job cannot be started, ends with an error, or `hear` refuses a point.
pub(crate) fn drive(
    command: &TorchCommand,
    folder: &RunFolder,
    deadline: Option<Instant>,
    stop: &Stop,
    hear: &mut dyn FnMut(&Point) -> Result<()>,
) -> Result<Driven> {
    let log = folder.path().join(RunFolder::OUTSIDE_LOG);
    let mut curve = CurveTail::new(folder);
    folder.forget_stop()?;
    let mut child = Kept(start(command, &log, deadline)?);
    // The other end of the job's input. The job stops once it is closed, also by our own death.
    let mut input = child.0.stdin.take();
    let status = loop {
        let ended = child.0.try_wait().map_err(disk::io_error("wait for", &log))?;
        // After the status, so that no point is missed.
        for point in curve.read()? {
            if let Err(error) = hear(&point) {
                drop(input);
                end(&mut child.0);
                return Err(error);
            }
        }
        if let Some(status) = ended {
            break status;
        }
        if stop.is_requested() {
            input = None;
        }
        std::thread::sleep(PAUSE);
    };
    if let Some(limit) = folder.stopped()? {
        return Ok(Driven::Stopped { limit });
    }
    if folder.is_done() {
        return Ok(Driven::Done);
    }
    if stop.is_requested() {
        // Asked before it had anything to save.
        return Ok(Driven::Stopped { limit: false });
    }
    Err(failure(status, &log))
}

/// A job that nobody waits for any more is ended.
struct Kept(Child);

impl Drop for Kept {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            end(&mut self.0);
        }
    }
}

fn start(command: &TorchCommand, log: &Path, deadline: Option<Instant>) -> Result<Child> {
    let output = File::create(log).map_err(disk::io_error("create", log))?;
    let errors = output.try_clone().map_err(disk::io_error("write", log))?;
    let mut process = command.process();
    process.arg("--watch-input");
    if let Some(deadline) = deadline {
        // The processes of a job share no clock but that of the day.
        let left = deadline.saturating_duration_since(Instant::now());
        let end = SystemTime::now() + left;
        let end = end.duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        process.args(["--end-at", &format!("{end:.3}")]);
    }
    // Ctrl-C in a terminal reaches the whole group of this process: torchrun would end the job
    // before it has saved.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut process, 0);
    process
        .stdin(Stdio::piped())
        .stdout(output)
        .stderr(errors)
        .spawn()
        .with_context(|| format!("`{}` cannot be started", Path::new(command.program()).display()))
}

/// Ends a job: its input is closed already, and what does not heed that is killed.
fn end(child: &mut Child) {
    drop(child.stdin.take());
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(PAUSE);
    }
    // It may have ended meanwhile; then there is nothing to kill.
    let _ = child.kill();
    let _ = child.wait();
}

/// The error of a job, from its own words.
fn failure(status: ExitStatus, log: &Path) -> Error {
    let text = end_of(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let own = text.lines().find_map(|line| line.split_once(MARK)).map(|(_, said)| said);
    match own {
        Some(said) => Error::msg(format!("the torch job: {said}")),
        None => {
            // Without an error of its own: the last words of Python.
            let is_told = |line: &&str| line.contains("Error: ") && !line.contains(AROUND);
            let odd = text.lines().rfind(is_told);
            let odd = odd.map_or_else(String::new, |line| format!(": {}", line.trim()));
            Error::msg(format!(
                "the torch job ended ({status}) without finishing the run{odd}; all it said is in `{}`",
                log.display()
            ))
        }
    }
}

fn end_of(log: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL)))?;
    let mut text = Vec::new();
    file.take(TAIL).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_jobs_own_error_is_told_from_what_python_prints_around_it() {
        use std::os::unix::process::ExitStatusExt;
        let place = tempfile::tempdir().unwrap();
        let log = place.path().join("torch.log");
        let said = |text: &str| {
            std::fs::write(&log, text).unwrap();
            failure(ExitStatus::from_raw(256), &log).to_string()
        };
        let text = "[rank0]: regrow_torch: error: `a` is locked\nE1130 ChildFailedError: \n";
        assert_eq!(said(text), "the torch job: `a` is locked");
        let other =
            said("Traceback\nModuleNotFoundError: No module named 'numpy'\nChildFailedError: \n");
        assert!(
            other.contains("(exit status: 1) without finishing the run: ModuleNotFound"),
            "{other}"
        );
        assert!(other.ends_with("torch.log`"), "{other}");
    }
}
