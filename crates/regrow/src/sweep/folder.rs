//! The folder of a sweep: its layout, and its lock.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use disk::Lock;

use super::recipe::SweepRecipe;
use crate::error::{Error, ErrorKind, Result};

/// How long to wait for a lock, and how often to try.
const PATIENCE: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(10);

/// The layout of a sweep's folder.
#[derive(Clone, Debug)]
pub(super) struct SweepFolder {
    path: PathBuf,
}

impl SweepFolder {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf() }
    }

    /// A file or folder directly in it.
    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The generated text.
    pub(super) fn grammar(&self) -> PathBuf {
        self.path.join("text")
    }

    pub(super) fn corpus(&self) -> PathBuf {
        self.path.join("corpus")
    }

    /// The run whose final model is pruned.
    pub(super) fn base(&self, id: &str) -> PathBuf {
        self.path.join("bases").join(id)
    }

    /// The first run of a base, where a second run (`settle`) follows before pruning.
    pub(super) fn scratch(&self, id: &str) -> PathBuf {
        self.path.join("scratch").join(id)
    }

    /// A pruned model.
    pub(super) fn model(&self, id: &str) -> PathBuf {
        self.path.join("models").join(id)
    }

    /// The run of a pruned model, or of a control.
    pub(super) fn run(&self, id: &str) -> PathBuf {
        self.path.join("runs").join(id)
    }

    /// Locks the folder. It must be new, or started with the same recipe.
    ///
    /// # Errors
    /// Where it contains something else, another process uses it, or it cannot be written.
    pub(super) fn take(&self, recipe: &SweepRecipe) -> Result<Lock> {
        let file = self.join("recipe.toml");
        let begun = file.is_file();
        // A sweep writes `recipe.toml` first, so a folder without it is not a sweep's.
        if !begun && self.holds_anything() {
            let error = disk::Error::exists(&self.path);
            return Err(Error::passed_as(ErrorKind::NotASweepFolder, error));
        }
        std::fs::create_dir_all(&self.path).map_err(disk::io_error("create", &self.path))?;
        let lock = acquire(&self.join(".lock"))?;
        if !begun {
            disk::write(&file, recipe.text().as_bytes())?;
        } else if !SweepRecipe::read(&file)?.says_the_same(recipe) {
            let (folder, file) = (self.path.display(), file.display());
            let message = format!("`{folder}` was begun with another recipe, `{file}`");
            return Err(Error::new(ErrorKind::OtherRecipe, message));
        }
        Ok(lock)
    }

    /// Whether it contains anything. A lone lock file does not count: a sweep may have been killed
    /// right after creating it.
    fn holds_anything(&self) -> bool {
        std::fs::read_dir(&self.path).is_ok_and(|mut entries| {
            entries.any(|entry| entry.is_ok_and(|entry| entry.file_name() != ".lock"))
        })
    }
}

/// Takes the lock, and waits a little if it is held. A killed sweep may have been starting a
/// process, which holds a copy of the lock until it has become its program.
fn acquire(path: &Path) -> Result<Lock> {
    let begun = Instant::now();
    loop {
        match Lock::acquire(path) {
            Err(error) if error.is_locked() && begun.elapsed() < PATIENCE => {
                std::thread::sleep(PAUSE);
            }
            acquired => return Ok(acquired?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_that_is_let_go_of_soon_is_waited_for_and_another_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lock");
        let held = Lock::acquire(&path).unwrap();
        let same = path.clone();
        let waiting = std::thread::spawn(move || acquire(&same));
        std::thread::sleep(5 * PAUSE);
        drop(held);
        let lock = waiting.join().unwrap().unwrap();
        assert!(lock.is_held());
        let error = acquire(&path).unwrap_err();
        assert!(error.to_string().contains("is locked by another process"), "{error}");
    }
}
