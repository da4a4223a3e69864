//! One writer at a time.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;

use crate::error::DiskFailure;
use crate::{Result, io_error};

/// An exclusive lock on a file, held until dropped; the system drops it with the process, however
/// that ends.
///
/// The lock file itself stays: removing it would let two processes hold locks on two files of one
/// name. Some file systems, mostly over a network, have no locks: [`Lock::is_held`] then says so,
/// and nothing keeps a second process out.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    held: bool,
}

impl Lock {
    /// Takes the lock at once or says [`Error::is_locked`]; the file is made when it is missing.
    pub fn acquire(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .map_err(io_error("create", path))?;
        let held = judge(path, file.try_lock())?;
        Ok(Self { _file: file, held })
    }

    /// Whether it keeps others out; false where the file system has no locks.
    pub fn is_held(&self) -> bool {
        self.held
    }
}

/// Whether a lock is held after this answer of the system.
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
    // Network file systems that were mounted without their lock service answer so.
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
