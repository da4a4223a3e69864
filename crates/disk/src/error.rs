//! Errors of files. Every message names the path.

use std::io;
use std::path::{Path, PathBuf};

use crate::hidden::{plain, shown};

/// A failure of a file or folder.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<DiskFailure>);

#[derive(Debug, thiserror::Error)]
pub(crate) enum DiskFailure {
    /// The operating system refused an action.
    #[error("cannot {action} `{}`: {error}", path.display())]
    Io {
        /// What was tried, as a verb: `read`, `create`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// A file is larger than its reader accepts.
    #[error("`{}` is {found} bytes, expected at most {limit}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size in bytes; at least this many for a file that grew while it was read.
        found: u64,
        /// The most bytes the reader accepts.
        limit: u64,
    },
    /// Text was expected.
    #[error("`{}` is not UTF-8 text: the first bad byte is at offset {offset}", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// Offset of the first byte that is not UTF-8.
        offset: usize,
    },
    /// A regular file was expected: a folder, pipe or device has no size to check.
    #[error("`{}` is not a regular file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Git LFS left a pointer where the file should be.
    #[error("`{}` is a Git LFS pointer, expected the file that it points to", path.display())]
    Pointer {
        /// The file.
        path: PathBuf,
    },
    /// The target of a new file or folder is taken.
    #[error("`{}` already exists", path.display())]
    Exists {
        /// The target.
        path: PathBuf,
    },
    /// What is to be replaced is not clearly something that this tool made.
    #[error("`{}` is not {what} made by regrow: {why}", path.display())]
    NotOurs {
        /// The target.
        path: PathBuf,
        /// What it should be, such as `a corpus`.
        what: &'static str,
        /// What speaks against it.
        why: String,
    },
    /// What is to be replaced is read for what replaces it.
    #[error("`{}` is or holds `{}`, which is read", path.display(), input.display())]
    HoldsInput {
        /// The target.
        path: PathBuf,
        /// The input.
        input: PathBuf,
    },
    /// Another process, or another handle of this one, holds the lock.
    #[error("`{}` is locked by another process{}", path.display(), named(holder))]
    Locked {
        /// The lock file.
        path: PathBuf,
        /// Who holds it, if known.
        holder: Option<String>,
    },
    /// A path ends in nothing that can be created: `/`, `..` or empty.
    #[error("`{}` does not name a file or folder that can be created", path.display())]
    Nameless {
        /// The path.
        path: PathBuf,
    },
    /// A path from a file may not be followed.
    #[error("`{}` may not be used inside `{}`: {why}", relative.escape_debug(), folder.display())]
    Outside {
        /// The folder that the path must stay in.
        folder: PathBuf,
        /// The path as written.
        relative: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

impl Error {
    /// The target of a new file or folder is taken.
    pub fn exists(path: &Path) -> Self {
        DiskFailure::Exists { path: path.to_path_buf() }.into()
    }

    /// A file is a Git LFS pointer.
    pub fn pointer(path: &Path) -> Self {
        DiskFailure::Pointer { path: path.to_path_buf() }.into()
    }

    /// Whether a file is a Git LFS pointer, not the file that was meant.
    pub fn is_pointer(&self) -> bool {
        matches!(*self.0, DiskFailure::Pointer { .. })
    }

    /// Whether the file or folder does not exist.
    pub fn is_not_found(&self) -> bool {
        self.is_io(|kind| kind == io::ErrorKind::NotFound)
    }

    /// The file or folder that does not exist.
    pub fn missing(&self) -> Option<&Path> {
        match &*self.0 {
            DiskFailure::Io { path, .. } if self.is_not_found() => Some(path),
            _ => None,
        }
    }

    /// Whether the target of a new file or folder exists already.
    pub fn is_exists(&self) -> bool {
        matches!(*self.0, DiskFailure::Exists { .. })
    }

    /// Whether what is to be replaced is not something that this tool made.
    pub fn is_not_ours(&self) -> bool {
        matches!(*self.0, DiskFailure::NotOurs { .. })
    }

    /// Whether what is to be replaced is, or holds, an input.
    pub fn is_input(&self) -> bool {
        matches!(*self.0, DiskFailure::HoldsInput { .. })
    }

    /// Whether another process, or another handle of this one, holds the lock.
    pub fn is_locked(&self) -> bool {
        matches!(*self.0, DiskFailure::Locked { .. })
    }

    /// Whether the disk, a quota or a limit leaves no room to write.
    pub fn is_full(&self) -> bool {
        use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        self.is_io(|kind| matches!(kind, StorageFull | QuotaExceeded | FileTooLarge))
    }

    fn is_io(&self, is: impl Fn(io::ErrorKind) -> bool) -> bool {
        matches!(&*self.0, DiskFailure::Io { error, .. } if is(error.kind()))
    }
}

/// Who holds a lock, in brackets.
fn named(holder: &Option<String>) -> String {
    holder.as_ref().map_or_else(String::new, |holder| format!(" ({holder})"))
}

impl From<DiskFailure> for Error {
    fn from(failure: DiskFailure) -> Self {
        Self(Box::new(failure))
    }
}

#[cfg(test)]
pub(crate) fn failure<T>(result: &Result<T>) -> Option<&DiskFailure> {
    result.as_ref().err().map(|error| &*error.0)
}

/// The result of a file operation.
pub type Result<T> = std::result::Result<T, Error>;

/// Names the action and the path of an [`io::Error`]; for `map_err`.
///
/// ```
/// # use std::path::Path;
/// let path = Path::new("nowhere/at all");
/// let error = std::fs::File::open(path).map_err(disk::io_error("open", path)).unwrap_err();
/// assert!(error.to_string().starts_with("cannot open `nowhere/at all`: "));
/// ```
pub fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    // Users do not know the hidden names that files have until they are complete.
    move |error| DiskFailure::Io { action, path: shown(path), error: plain(error) }.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_told_from_a_missing_file() {
        let failed = |kind: io::ErrorKind| io_error("write", Path::new("a"))(kind.into());
        let (full, missing) = (failed(io::ErrorKind::StorageFull), failed(io::ErrorKind::NotFound));
        assert!(full.is_full() && !full.is_not_found());
        assert!(missing.is_not_found() && !missing.is_full() && !missing.is_exists());
        assert!(Error::exists(Path::new("a")).is_exists());
    }
}
