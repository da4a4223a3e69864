//! What killed processes left under hidden names.

use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::hidden::{OLD, is_hidden, is_hidden_for};
use crate::paths::split;
use crate::{Result, io_error};

/// What was found so far, one sentence each, until somebody takes it.
static FOUND: Mutex<Vec<String>> = Mutex::new(Vec::new());

/// What was removed or put back since the last call, one sentence each, for people.
pub fn take_leftovers() -> Vec<String> {
    std::mem::take(&mut *FOUND.lock().unwrap_or_else(PoisonError::into_inner))
}

fn tell(sentence: String) {
    FOUND.lock().unwrap_or_else(PoisonError::into_inner).push(sentence);
}

/// Removes what killed processes left of `target`, beside it, under hidden names. What a living
/// process is writing stays: it holds a lock on it.
///
/// An old folder that a killed process had moved away is put back where nothing has taken its
/// place.
pub fn clear_leftovers(target: &Path) -> Result<()> {
    let (parent, name) = split(target)?;
    // In a folder that is itself being made there is nothing of other processes.
    if parent.file_name().is_some_and(is_hidden) {
        return Ok(());
    }
    let Ok(entries) = fs::read_dir(parent) else { return Ok(()) };
    for entry in entries {
        let entry = entry.map_err(io_error("list", parent))?;
        let (hidden, path) = (entry.file_name(), entry.path());
        if !is_hidden_for(&hidden, name) || !is_ours(&path) || !is_dead(&path) {
            continue;
        }
        let old = path.join(name);
        let moved_away = has_suffix(&hidden, OLD) && fs::symlink_metadata(&old).is_ok();
        if moved_away && fs::symlink_metadata(target).is_err() {
            fs::rename(&old, target).map_err(io_error("restore", target))?;
            tell(format!(
                "`{}` is put back: a process was killed while it replaced it",
                target.display()
            ));
        }
        remove(&path)?;
    }
    Ok(())
}

/// Removes what killed processes left in a folder under hidden names, unfinished or replaced.
/// Returns how many there were.
///
/// The caller must hold the lock that all writers in the folder take.
pub fn remove_leftovers(folder: &Path) -> Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(folder).map_err(io_error("list", folder))? {
        let entry = entry.map_err(io_error("list", folder))?;
        if is_hidden(&entry.file_name()) && is_ours(&entry.path()) {
            remove(&entry.path())?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn remove(path: &Path) -> Result<()> {
    let is_folder = fs::symlink_metadata(path).is_ok_and(|data| data.is_dir());
    let gone = if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match gone {
        Ok(()) => tell(format!("`{}` is removed: a killed process had left it", path.display())),
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => {
            let path = path.display();
            tell(format!("`{path}`, which a killed process had left, cannot be removed: {error}"));
        }
    }
    Ok(())
}

/// Whether no process is writing it. Where that cannot be known, it counts as alive.
fn is_dead(path: &Path) -> bool {
    // A link is not ours.
    let plain = fs::symlink_metadata(path).is_ok_and(|data| !data.is_symlink());
    plain && matches!(lock(path), Some(Ok(_)))
}

/// Makes something under a hidden name, and says by a lock that it is alive. The lock lasts as long
/// as the handle; there is none where the system has no such locks.
pub(crate) fn make_alive<T>(
    make: impl Fn() -> io::Result<T>,
    path_of: impl Fn(&T) -> &Path,
) -> io::Result<(T, Option<File>)> {
    loop {
        let made = make()?;
        let path = path_of(&made);
        match lock(path) {
            // Another process took it for a leftover, in the moment before it had its lock.
            Some(Err(TryLockError::WouldBlock)) => continue,
            _ if fs::symlink_metadata(path).is_err() => continue,
            Some(Ok(file)) => return Ok((made, Some(file))),
            Some(Err(TryLockError::Error(_))) | None => return Ok((made, None)),
        }
    }
}

/// Locks a file or folder. `None` if it cannot be opened: Windows opens no folder as a file.
fn lock(path: &Path) -> Option<std::result::Result<File, TryLockError>> {
    let file = File::open(path).ok()?;
    Some(file.try_lock().map(|()| file))
}

/// Whether something with a hidden name is what we make under it. A folder that was moved away lies
/// alone in one of its own; a file `.notes.backup.old` is somebody's backup.
fn is_ours(hidden: &Path) -> bool {
    let name = hidden.file_name().unwrap_or_default();
    if !has_suffix(name, OLD) {
        return true;
    }
    let target = |entry: fs::DirEntry| is_hidden_for(name, &entry.file_name());
    // Not through a link, which is not ours.
    fs::symlink_metadata(hidden).is_ok_and(|data| data.is_dir())
        && fs::read_dir(hidden)
            .is_ok_and(|entries| entries.into_iter().all(|entry| entry.is_ok_and(target)))
}

fn has_suffix(name: &OsStr, suffix: &str) -> bool {
    name.to_string_lossy().ends_with(suffix)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::hidden::{ASIDE, hidden};

    fn leave(folder: &Path, name: &str, suffix: &str) -> PathBuf {
        let made = hidden(OsStr::new(name), suffix, 0o777, |builder| builder.tempdir_in(folder));
        made.unwrap().keep()
    }

    #[test]
    fn leftovers_of_a_target_go_and_what_is_alive_or_of_others_stays() {
        let root = tempfile::tempdir().unwrap();
        let dead = leave(root.path(), "out", ASIDE);
        fs::write(dead.join("half"), "x").unwrap();
        let other = leave(root.path(), "other", ASIDE);
        let alive = leave(root.path(), "out", ASIDE);
        let _lock = lock(&alive).unwrap().unwrap();
        for kept in [".out.txt.aside", ".out.aside", ".out.123456.asides", "out.123456.aside"] {
            fs::write(root.path().join(kept), "x").unwrap();
        }
        clear_leftovers(&root.path().join("out")).unwrap();
        assert!(!dead.exists() && other.exists() && alive.exists());
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 6);
        let said = take_leftovers();
        assert!(said.iter().any(|line| line.contains(&dead.display().to_string())), "{said:?}");
    }

    #[test]
    fn a_backup_of_somebody_is_no_leftover() {
        let root = tempfile::tempdir().unwrap();
        let old = leave(root.path(), "out", OLD);
        fs::write(old.join("mine"), "x").unwrap();
        fs::write(root.path().join(".out.backup.old"), "x").unwrap();
        clear_leftovers(&root.path().join("out")).unwrap();
        assert_eq!(remove_leftovers(root.path()).unwrap(), 0);
        assert!(old.exists() && root.path().join(".out.backup.old").exists());
    }

    #[test]
    fn a_folder_that_was_moved_away_comes_back_unless_another_took_its_place() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("out");
        for taken in [false, true] {
            let old = leave(root.path(), "out", OLD);
            fs::create_dir(old.join("out")).unwrap();
            fs::write(old.join("out/file"), if taken { "older" } else { "old" }).unwrap();
            clear_leftovers(&target).unwrap();
            assert!(!old.exists());
            assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "old");
        }
    }
}
