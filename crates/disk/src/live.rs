//! What this process is writing under hidden names. A signal that ends the process removes it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

static LIVE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// How often a removal is tried: another thread may still be adding files to a folder.
const ATTEMPTS: usize = 20;

/// The entry of a hidden file or folder. Dropping it removes the entry, not the file.
#[derive(Debug)]
pub(crate) struct Live {
    path: PathBuf,
    /// The lock that tells other processes that it is no leftover.
    _alive: Option<File>,
}

impl Live {
    pub(crate) fn enter(path: &Path, alive: Option<File>) -> Self {
        hold().push(path.to_path_buf());
        Self { path: path.to_path_buf(), _alive: alive }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let mut live = hold();
        if let Some(at) = live.iter().position(|path| *path == self.path) {
            live.swap_remove(at);
        }
    }
}

/// Keeps [`abandon`] out while a name changes. Without this, it could remove what has just got its
/// final name.
pub(crate) fn hold() -> MutexGuard<'static, Vec<PathBuf>> {
    // Every change of the list is one step, so a panic cannot leave it half changed.
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Removes everything that this process is writing under hidden names.
///
/// Call it only right before the process ends: from then on, no other thread can begin, rename or
/// drop such a file. Whoever tries waits for the end of the process.
pub fn abandon() {
    let live = hold();
    for path in live.iter() {
        for _ in 0..ATTEMPTS {
            let gone = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
            if gone.is_ok() || fs::symlink_metadata(path).is_err() {
                break;
            }
        }
    }
    std::mem::forget(live);
}
