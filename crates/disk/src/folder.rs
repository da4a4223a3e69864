//! Folders that appear complete or not at all.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::existing::Existing;
use crate::hidden::{ASIDE, OLD, hidden};
use crate::kinds::FolderKind;
use crate::leftovers::{clear_leftovers, make_alive};
use crate::live::{Live, hold};
use crate::paths::split;
use crate::sync::{sync_all, sync_folder};
use crate::{Result, io_error};

/// A folder being built under a hidden name beside its target.
///
/// [`NewFolder::commit`] syncs and renames it. Dropping it removes it and leaves the old folder
/// untouched.
#[derive(Debug)]
pub struct NewFolder {
    target: PathBuf,
    existing: Existing,
    kind: &'static FolderKind,
    // Before `aside`: dropped first, so that the lock is no longer there for a folder that is gone.
    live: Live,
    aside: TempDir,
}

impl NewFolder {
    /// Starts a folder of a kind that will be at `target`. Missing parent folders are created. What
    /// killed processes left of the same target is removed.
    pub fn create(target: &Path, existing: Existing, kind: &'static FolderKind) -> Result<Self> {
        let (parent, _) = split(target)?;
        clear_leftovers(target)?;
        kind.check(target, existing, &[])?;
        fs::create_dir_all(parent).map_err(io_error("create", parent))?;
        let (aside, alive) = hidden_folder(target, ASIDE)?;
        let live = Live::enter(aside.path(), alive);
        Ok(Self { target: target.to_path_buf(), existing, kind, live, aside })
    }

    /// The hidden folder: write here until the commit.
    pub fn path(&self) -> &Path {
        self.aside.path()
    }

    /// Syncs everything in the folder and renames the folder to its target.
    ///
    /// With [`Existing::Replace`], old and new folder change places in one step, and then the old
    /// one is removed. Where the system cannot do that, the old folder is moved away first, and
    /// moved back if the renaming fails. A process killed between the two leaves the old folder,
    /// complete, in `.<name>.<random>.old`; whoever writes the same target next puts it back.
    pub fn commit(self) -> Result<()> {
        let Self { target, existing, kind, live, aside } = self;
        sync_all(aside.path())?;
        // Checked again: another process may have made something there since `create`.
        kind.check(&target, existing, &[])?;
        // From here on a signal waits: what stands at the target is whole at any moment.
        let names = hold();
        let replaced = existing != Existing::Refuse && fs::symlink_metadata(&target).is_ok();
        if !replaced {
            fs::rename(aside.path(), &target).map_err(io_error("create", &target))?;
        } else if !exchange(aside.path(), &target)? {
            replace_in_two_steps(aside.path(), &target)?;
        }
        drop(names);
        sync_folder(split(&target)?.0)?;
        // Under the hidden name there is nothing now, or the old folder, or an old link to one.
        let hidden = aside.keep();
        remove(&hidden).map_err(io_error("remove", &hidden))?;
        drop(live);
        Ok(())
    }
}

/// Lets two names change places. Returns false if the system cannot do that.
#[cfg(target_os = "linux")]
fn exchange(one: &Path, other: &Path) -> Result<bool> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE) {
        Ok(()) => Ok(true),
        // Old kernels, and file systems that do not know it.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Ok(false),
        Err(errno) => Err(io_error("replace", other)(errno.into())),
    }
}

#[cfg(not(target_os = "linux"))]
fn exchange(_one: &Path, _other: &Path) -> Result<bool> {
    Ok(false)
}

/// Moves the old folder away, the new one into its place, and removes the old one.
fn replace_in_two_steps(new: &Path, target: &Path) -> Result<()> {
    // A folder that is not empty cannot be renamed over, so the old one moves away first.
    let (old, _alive) = hidden_folder(target, OLD)?;
    let away = old.path().join(split(target)?.1);
    fs::rename(target, &away).map_err(io_error("replace", target))?;
    if let Err(error) = fs::rename(new, target) {
        fs::rename(&away, target).map_err(io_error("restore", target))?;
        return Err(io_error("replace", target)(error));
    }
    let path = old.path().to_path_buf();
    old.close().map_err(io_error("remove", &path))
}

/// Removes a folder, file or link, if it is there.
fn remove(path: &Path) -> io::Result<()> {
    let gone = match fs::symlink_metadata(path) {
        Ok(data) if data.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    // Another process may have taken it for a leftover.
    gone.or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => Ok(()),
        _ => Err(error),
    })
}

/// Creates a folder under a hidden name beside a target, with the lock that says it is no leftover.
fn hidden_folder(target: &Path, suffix: &str) -> Result<(TempDir, Option<File>)> {
    let (parent, name) = split(target)?;
    let make = || hidden(name, suffix, 0o777, |builder| builder.tempdir_in(parent));
    make_alive(make, TempDir::path).map_err(io_error("create", target))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::error::{DiskFailure, failure};

    const KIND: FolderKind = FolderKind::new("a test", &[("sub/file", "")], |name| name == "extra");

    fn create(target: &Path, existing: Existing) -> Result<NewFolder> {
        NewFolder::create(target, existing, &KIND)
    }

    fn build(target: &Path, existing: Existing, content: &str) -> Result<()> {
        let new = create(target, existing)?;
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
        let new = create(&target, Existing::Refuse).unwrap();
        fs::write(new.path().join("file"), "x").unwrap();
        assert!(!target.exists());
        new.commit().unwrap();
        assert_eq!(fs::read_to_string(target.join("file")).unwrap(), "x");
        assert_eq!(names(target.parent().unwrap()), ["run"]);
    }

    #[test]
    fn a_dropped_folder_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        let new = create(&root.path().join("run"), Existing::Refuse).unwrap();
        fs::write(new.path().join("file"), "x").unwrap();
        drop(new);
        assert!(names(root.path()).is_empty());
    }

    #[test]
    fn refuse_stops_before_writing_and_again_at_commit() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("run");
        let new = create(&target, Existing::Refuse).unwrap();
        fs::create_dir(&target).unwrap();
        assert!(matches!(
            failure(&create(&target, Existing::Refuse)),
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
        drop(create(&target, Existing::Replace).unwrap());
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
            failure(&create(&link, Existing::Refuse)),
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
        let NewFolder { aside, live, .. } = create(&whole, Existing::Replace).unwrap();
        fs::write(aside.path().join("half"), "x").unwrap();
        let _ = aside.keep();
        let _ = hidden_folder(&whole, OLD).unwrap().0.keep();
        std::mem::forget(crate::Aside::create(&root.path().join("file")).unwrap());
        for kept in [".lock", ".hidden", "a.aside", ".aside.txt", ".a.aside", ".a.12.45-.aside"] {
            fs::write(root.path().join(kept), "x").unwrap();
        }
        assert_eq!(names(root.path()).len(), 10);
        // What is alive stays, the rest goes with the next folder of the same name.
        drop(create(&whole, Existing::Replace).unwrap());
        assert_eq!(names(root.path()).len(), 9);
        drop(live);
        drop(create(&whole, Existing::Replace).unwrap());
        assert_eq!(names(root.path()).len(), 8);
        // The lock of a whole folder allows to remove all.
        assert_eq!(crate::remove_leftovers(root.path()).unwrap(), 1);
        assert_eq!(names(root.path()).len(), 7);
        assert!(whole.join("sub/file").exists() && root.path().join(".lock").exists());
    }

    #[test]
    fn a_stranger_is_refused_before_anything_is_written_and_again_at_commit() {
        let root = tempfile::tempdir().unwrap();
        let target = root.path().join("texts");
        fs::create_dir(&target).unwrap();
        let new = create(&target, Existing::Replace).unwrap();
        fs::write(target.join("mine.txt"), "x").unwrap();
        assert!(new.commit().unwrap_err().is_not_ours());
        assert!(create(&target, Existing::Replace).unwrap_err().is_not_ours());
        assert_eq!(names(root.path()), ["texts"]);
        build(&target, Existing::Own, "new").unwrap();
        assert!(!target.join("mine.txt").exists());
    }

    #[test]
    fn old_and_new_change_places_also_where_the_system_needs_two_steps() {
        let root = tempfile::tempdir().unwrap();
        let (target, new) = (root.path().join("run"), root.path().join("new"));
        build(&target, Existing::Refuse, "old").unwrap();
        build(&new, Existing::Refuse, "new").unwrap();
        replace_in_two_steps(&new, &target).unwrap();
        assert_eq!(fs::read_to_string(target.join("sub/file")).unwrap(), "new");
        assert_eq!(names(root.path()), ["run"]);
    }

    #[test]
    fn errors_show_names_that_users_know() {
        let root = tempfile::tempdir().unwrap();
        let new = create(&root.path().join("corpus"), Existing::Refuse).unwrap();
        fs::remove_dir_all(new.path()).unwrap();
        let error = crate::write(&new.path().join("train.bin"), b"x").unwrap_err().to_string();
        let expected = root.path().join("corpus/train.bin");
        assert!(error.starts_with(&format!("cannot create `{}`: ", expected.display())), "{error}");
        assert!(!error.contains(ASIDE), "{error}");
    }
}
