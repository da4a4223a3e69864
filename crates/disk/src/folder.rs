//! Folders that appear complete or not at all.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::hidden::{ASIDE, OLD, hidden};
use crate::paths::split;
use crate::sync::{sync_all, sync_folder};
use crate::{Error, Result, io_error};

/// What to do when the target of a new folder exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// Return an error before anything is written.
    Refuse,
    /// Keep the old folder until the new one is complete, then remove it.
    Replace,
}

/// A folder being built under a hidden name beside its target.
///
/// [`NewFolder::commit`] syncs and renames it. Dropping it removes it and leaves the old folder
/// untouched.
#[derive(Debug)]
pub struct NewFolder {
    target: PathBuf,
    existing: Existing,
    aside: TempDir,
}

impl NewFolder {
    /// Starts a folder that will be at `target`. Missing parent folders are created.
    pub fn create(target: &Path, existing: Existing) -> Result<Self> {
        if existing == Existing::Refuse {
            refuse(target)?;
        }
        let (parent, _) = split(target)?;
        fs::create_dir_all(parent).map_err(io_error("create", parent))?;
        let aside = hidden_folder(target, ASIDE)?;
        Ok(Self { target: target.to_path_buf(), existing, aside })
    }

    /// The hidden folder: write here until the commit.
    pub fn path(&self) -> &Path {
        self.aside.path()
    }

    /// Syncs everything in the folder and renames the folder to its target.
    ///
    /// With [`Existing::Replace`] the old folder is moved away first. It is moved back if the
    /// renaming fails. A process killed between the two leaves the old folder, complete, in
    /// `.<name>.<random>.old`.
    pub fn commit(self) -> Result<()> {
        let Self { target, existing, aside } = self;
        sync_all(aside.path())?;
        match existing {
            Existing::Refuse => {
                // Checked again: another process may have made the folder since `create`.
                refuse(&target)?;
                fs::rename(aside.path(), &target).map_err(io_error("create", &target))?;
            }
            Existing::Replace if fs::symlink_metadata(&target).is_err() => {
                fs::rename(aside.path(), &target).map_err(io_error("create", &target))?;
            }
            Existing::Replace => {
                // A folder that is not empty cannot be renamed over, so the old one moves away
                // first.
                let old = hidden_folder(&target, OLD)?;
                let away = old.path().join(split(&target)?.1);
                fs::rename(&target, &away).map_err(io_error("replace", &target))?;
                if let Err(error) = fs::rename(aside.path(), &target) {
                    fs::rename(&away, &target).map_err(io_error("restore", &target))?;
                    return Err(io_error("replace", &target)(error));
                }
                let path = old.path().to_path_buf();
                old.close().map_err(io_error("remove", &path))?;
            }
        }
        // The folder was renamed, so nothing is left under the hidden name to remove.
        let _ = aside.keep();
        sync_folder(split(&target)?.0)
    }
}

/// Removes what killed processes left in a folder under hidden names, unfinished or replaced.
/// Returns how many there were.
///
/// The caller must hold the lock that all writers in the folder take.
pub fn remove_leftovers(folder: &Path) -> Result<usize> {
    let mut removed = 0;
    for entry in fs::read_dir(folder).map_err(io_error("list", folder))? {
        let entry = entry.map_err(io_error("list", folder))?;
        let (name, path) = (entry.file_name(), entry.path());
        let name = name.to_string_lossy();
        if !name.starts_with('.') || !(name.ends_with(ASIDE) || name.ends_with(OLD)) {
            continue;
        }
        let is_folder = entry.file_type().map_err(io_error("remove", &path))?.is_dir();
        let gone = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        gone.map_err(io_error("remove", &path))?;
        removed += 1;
    }
    Ok(removed)
}

fn refuse(target: &Path) -> Result<()> {
    // Not `exists()`, which is false for a link that leads nowhere.
    match fs::symlink_metadata(target) {
        Ok(_) => Err(Error::exists(target)),
        Err(_) => Ok(()),
    }
}

/// Creates a folder under a hidden name beside a target.
fn hidden_folder(target: &Path, suffix: &str) -> Result<TempDir> {
    let (parent, name) = split(target)?;
    let made = hidden(name, suffix, 0o777, |builder| builder.tempdir_in(parent));
    made.map_err(io_error("create", target))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::error::{DiskFailure, failure};

    fn build(target: &Path, existing: Existing, content: &str) -> Result<()> {
        let new = NewFolder::create(target, existing)?;
        fs::create_dir(new.path().join("sub")).unwrap();
        fs::write(new.path().join("sub/file"), content).unwrap();
        new.commit()
    }

    fn names(folder: &Path) -> Vec<OsString> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn a_folder_appears_only_at_commit_and_its_parents_are_made() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("a/b/run");
        let new = NewFolder::create(&target, Existing::Refuse).unwrap();
        fs::write(new.path().join("file"), "x").unwrap();
        assert!(!target.exists());
        new.commit().unwrap();
        assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "x");
        assert_eq!(names(target.parent().unwrap()), ["run"]);
    }

    #[test]
    fn a_dropped_folder_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let new = NewFolder::create(&root.path().join("run"), Existing::Refuse).unwrap();
        fs::write(new.path().join("file"), "x").unwrap();
        drop(new);
        assert!(names(root.path()).is_empty());
    }

    #[test]
    fn refuse_stops_before_writing_and_again_at_commit() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("run");
        let new = NewFolder::create(&target, Existing::Refuse).unwrap();
        fs::create_dir(&target).unwrap();
        assert!(matches!(
            failure(&NewFolder::create(&target, Existing::Refuse)),
            Some(DiskFailure::Exists { .. })
        ));
        assert!(matches!(failure(&new.commit()), Some(DiskFailure::Exists { .. })));
        assert_eq!(names(root.path()), ["run"]);
    }

    #[test]
    fn replace_keeps_the_old_folder_until_commit_and_removes_it_whole() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("run");
        build(&target, Existing::Replace, "old").unwrap();
        fs::write(target.join("extra"), "x").unwrap();
        drop(NewFolder::create(&target, Existing::Replace).unwrap());
        assert_eq!(fs::read_to_string(target.join("sub/file")).unwrap(), "old");
        build(&target, Existing::Replace, "new").unwrap();
        assert_eq!(fs::read_to_string(target.join("sub/file")).unwrap(), "new");
        assert!(!target.join("extra").exists());
        assert_eq!(names(root.path()), ["run"]);
    }

    #[cfg(unix)]
    #[test]
    fn replacing_a_link_leaves_what_it_points_to() {
        let root = tempfile::tempdir().unwrap();
        let (real, link) = (root.path().join("real"), root.path().join("link"));
        build(&real, Existing::Refuse, "kept").unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert!(matches!(
            failure(&NewFolder::create(&link, Existing::Refuse)),
            Some(DiskFailure::Exists { .. })
        ));
        build(&link, Existing::Replace, "new").unwrap();
        assert_eq!(fs::read_to_string(real.join("sub/file")).unwrap(), "kept");
        assert_eq!(fs::read_to_string(link.join("sub/file")).unwrap(), "new");
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let root = tempfile::tempdir().unwrap();
        let whole = root.path().join("whole");
        build(&whole, Existing::Refuse, "x").unwrap();
        // A killed process cleans up nothing, so neither does this test.
        let new = NewFolder::create(&whole, Existing::Replace).unwrap();
        fs::write(new.path().join("half"), "x").unwrap();
        let _ = new.aside.keep();
        let _ = hidden_folder(&whole, OLD).unwrap().keep();
        std::mem::forget(crate::Aside::create(&root.path().join("file")).unwrap());
        for kept in [".lock", ".hidden", "a.aside", ".aside.txt"] {
            fs::write(root.path().join(kept), "x").unwrap();
        }
        assert_eq!(names(root.path()).len(), 8);
        assert_eq!(remove_leftovers(root.path()).unwrap(), 3);
        assert_eq!(names(root.path()).len(), 5);
        assert!(whole.join("sub/file").exists() && root.path().join(".lock").exists());
    }
}
