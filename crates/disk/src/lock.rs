//! A lock file: one writer at a time.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::error::DiskFailure;
use crate::{Result, io_error};

/// How long to wait for a lock whose holder is alive ...
const PATIENCE: Duration = Duration::from_secs(1);
/// ... and for one whose holder has ended. A process that it was just starting holds a copy of the
/// lock until it has become its program, which takes long on a busy machine.
const PATIENCE_AFTER_DEATH: Duration = Duration::from_secs(20);
/// How often to try.
const PAUSE: Duration = Duration::from_millis(10);

/// An exclusive lock on a file, held until dropped. The system releases it when the process ends,
/// however that happens.
///
/// The lock file stays, and holds the number of the process that took it last. If it were removed,
/// two processes could each lock a file of the same name. Some file systems, mostly network ones,
/// have no locks: [`Lock::is_held`] is then false, and nothing keeps a second process out.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    held: bool,
}

impl Lock {
    /// Takes the lock. A missing file is created. Where the lock is held, waits a second, or
    /// longer if its holder has ended.
    ///
    /// # Errors
    /// [`is_locked`](crate::Error::is_locked) if another process keeps it; the text names it.
    pub fn acquire(path: &Path) -> Result<Self> {
        let begun = Instant::now();
        loop {
            let mut file = open(path)?;
            let answer = file.try_lock();
            if matches!(answer, Err(TryLockError::WouldBlock)) {
                let holder = Holder::of(&mut file);
                let patience = if holder.has_ended() { PATIENCE_AFTER_DEATH } else { PATIENCE };
                if begun.elapsed() < patience {
                    std::thread::sleep(PAUSE);
                    continue;
                }
                let (path, holder) = (path.to_path_buf(), holder.shown());
                return Err(DiskFailure::Locked { path, holder }.into());
            }
            let held = judge(path, answer)?;
            if held {
                // Only for people and for `Holder`. On a full disk the lock holds without it.
                let own = format!("{}\n", std::process::id());
                let _ = file.set_len(0).and_then(|()| file.write_all(own.as_bytes()));
            }
            return Ok(Self { _file: file, held });
        }
    }

    /// Whether it keeps others out: false if the file system has no locks.
    pub fn is_held(&self) -> bool {
        self.held
    }
}

fn open(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    // Another process may hold the file open, so its content is left alone.
    options.create(true).truncate(false).read(true).write(true);
    options.open(path).map_err(io_error("create", path))
}

/// The process that holds a lock, as far as its file and the system tell.
struct Holder {
    id: Option<u32>,
}

impl Holder {
    fn of(file: &mut File) -> Self {
        let mut text = String::new();
        let read = file.take(16).read_to_string(&mut text);
        Self { id: read.ok().and_then(|_| text.trim().parse().ok()) }
    }

    /// Whether it is known to have ended.
    fn has_ended(&self) -> bool {
        let Some(id) = self.id.filter(|_| Path::new("/proc/self/stat").exists()) else {
            return false;
        };
        // A process that was ended and not yet waited for still has a number, and no arguments.
        self.arguments().is_none_or(|arguments| arguments.is_empty()) && id != std::process::id()
    }

    fn arguments(&self) -> Option<String> {
        let bytes = fs::read(format!("/proc/{}/cmdline", self.id?)).ok()?;
        Some(String::from_utf8_lossy(&bytes).replace('\0', " ").trim_end().to_owned())
    }

    /// Its number, and the start of its command line.
    fn shown(&self) -> Option<String> {
        let id = self.id.filter(|_| !self.has_ended())?;
        let command: String = self.arguments().unwrap_or_default().chars().take(60).collect();
        Some(if command.is_empty() {
            format!("process {id}")
        } else {
            format!("process {id}: `{command}`")
        })
    }
}

/// Turns the answer of the system into whether the lock is held.
fn judge(path: &Path, answer: std::result::Result<(), TryLockError>) -> Result<bool> {
    match answer {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => {
            Err(DiskFailure::Locked { path: path.to_path_buf(), holder: None }.into())
        }
        Err(TryLockError::Error(error)) if is_without_locks(&error) => Ok(false),
        Err(TryLockError::Error(error)) => Err(io_error("lock", path)(error)),
    }
}

#[cfg(unix)]
fn is_without_locks(error: &io::Error) -> bool {
    // The answer of network file systems that were mounted without their lock service.
    let none_left = error.raw_os_error() == Some(rustix::io::Errno::NOLCK.raw_os_error());
    none_left || error.kind() == io::ErrorKind::Unsupported
}

#[cfg(not(unix))]
fn is_without_locks(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::Unsupported
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::failure;

    #[test]
    fn a_second_handle_is_refused_until_the_first_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lock");
        let first = Lock::acquire(&path).unwrap();
        let error = Lock::acquire(&path).unwrap_err();
        let named = format!("is locked by another process (process {}", std::process::id());
        assert!(error.is_locked() && error.to_string().contains(&named), "{error}");
        drop(first);
        Lock::acquire(&path).unwrap();
    }

    #[test]
    fn a_lock_that_is_let_go_of_soon_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lock");
        let held = Lock::acquire(&path).unwrap();
        let same = path.clone();
        let waiting = std::thread::spawn(move || Lock::acquire(&same));
        std::thread::sleep(5 * PAUSE);
        drop(held);
        assert!(waiting.join().unwrap().unwrap().is_held());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_lock_of_a_process_that_has_ended_is_waited_for_longer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lock");
        // A process that ended, and a copy of its lock that lives on for longer than a second.
        let mut ended = std::process::Command::new("true").spawn().unwrap();
        ended.wait().unwrap();
        let held = Lock::acquire(&path).unwrap();
        fs::write(&path, format!("{}\n", ended.id())).unwrap();
        let same = path.clone();
        let waiting = std::thread::spawn(move || Lock::acquire(&same));
        std::thread::sleep(PATIENCE + Duration::from_millis(300));
        assert!(!waiting.is_finished());
        drop(held);
        assert!(waiting.join().unwrap().is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_system_without_locks_is_told_from_a_lock_that_is_held_and_from_a_failure() {
        use rustix::io::Errno;
        let path = Path::new(".lock");
        let said = |errno: Errno| {
            let error = io::Error::from_raw_os_error(errno.raw_os_error());
            judge(path, Err(TryLockError::Error(error)))
        };
        for errno in [Errno::NOSYS, Errno::NOTSUP, Errno::NOLCK] {
            assert!(!said(errno).unwrap(), "{errno}");
        }
        for errno in [Errno::IO, Errno::INTR, Errno::BADF] {
            assert!(
                matches!(failure(&said(errno)), Some(DiskFailure::Io { action: "lock", .. })),
                "{errno}"
            );
        }
        assert!(judge(path, Ok(())).unwrap());
        assert!(matches!(
            failure(&judge(path, Err(TryLockError::WouldBlock))),
            Some(DiskFailure::Locked { .. })
        ));
    }
}
