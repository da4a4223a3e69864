//! The warning for file systems without locks.

use std::path::Path;

/// The warning that a folder's file system has no locks.
pub(crate) fn without_locks(folder: &Path) -> String {
    format!(
        "the file system of `{}` has no locks: nothing keeps a second process from writing in this folder",
        folder.display()
    )
}
