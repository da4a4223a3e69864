//! What is said where nothing keeps two processes apart.

use std::path::Path;

/// Says that the file system of a folder has no locks.
pub(crate) fn without_locks(folder: &Path) -> String {
    format!(
        "the file system of `{}` has no locks: nothing keeps a second process from writing in this folder",
        folder.display()
    )
}
