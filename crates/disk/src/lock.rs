//! A lock file: one writer at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use crate::error::DiskFailure;
use crate::{Result, io_error};

/// An exclusive lock on a file, held until dropped. The system releases it when the process ends,
/// however that happens.
///
/// The lock file stays. If it were removed, two processes could each lock a file of the same name.
/// Some file systems, mostly network ones, have no locks: [`Lock::is_held`] is then false, and
/// nothing keeps a second process out.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    held: bool,
}

impl Lock {
    /// Takes the lock, or fails at once with [`is_locked`](crate::Error::is_locked). A missing file
    /// is created.
    pub fn acquire(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            // Another process may hold the file open, so its content is left alone.
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(io_error("create", path))?;
        let held = judge(path, file.try_lock())?;
        Ok(Self { _file: file, held })
    }

    /// Whether it keeps others out: false if the file system has no locks.
    pub fn is_held(&self) -> bool {
        self.held
    }
}

/// Turns the answer of the system into whether the lock is held.
fn judge(path: &Path, answer: std::result::Result<(), TryLockError>) -> Result<bool> {
    match answer {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => {
            Err(DiskFailure::Locked { path: path.to_path_buf() }.into())
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
        assert!(matches!(failure(&Lock::acquire(&path)), Some(DiskFailure::Locked { .. })));
        drop(first);
        Lock::acquire(&path).unwrap();
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
