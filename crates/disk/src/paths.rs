//! Paths that come from files and may be hostile.

use std::ffi::OsStr;
use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::error::DiskFailure;
use crate::{Result, io_error};

/// The path `folder/relative`, after a check that it stays inside `folder`.
///
/// Refuses an empty or absolute path, `..`, a NUL, and a link that leads out of the folder or
/// nowhere. The path itself need not exist; `folder` must. The cache of the Hugging Face hub keeps
/// its files in `blobs` and fills `snapshots/<revision>` with links to them. Links from there into
/// that `blobs` are followed.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// assert!(disk::inside(folder.path(), "model-00001-of-00002.safetensors").is_ok());
/// assert!(disk::inside(folder.path(), "../secret").is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn inside(folder: &Path, relative: &str) -> Result<PathBuf> {
    let refuse = |why| {
        let (folder, relative) = (folder.to_path_buf(), relative.to_string());
        Err(DiskFailure::Outside { folder, relative, why }.into())
    };
    if relative.is_empty() {
        return refuse("it is empty");
    }
    if relative.contains('\0') {
        return refuse("it holds a NUL");
    }
    let mut named = false;
    // Checked by component: `a..b` is an ordinary name.
    for component in Path::new(relative).components() {
        match component {
            Component::Normal(_) => named = true,
            Component::CurDir => {}
            Component::ParentDir => return refuse("it leaves the folder by `..`"),
            Component::RootDir | Component::Prefix(_) => return refuse("it is absolute"),
        }
    }
    if !named {
        return refuse("it names the folder itself");
    }

    let root = fs::canonicalize(folder).map_err(io_error("open", folder))?;
    let path = folder.join(relative);
    // If the path does not exist yet, its nearest existing parent decides where it would be.
    let mut part = path.as_path();
    // Not `exists()`: a link that leads nowhere must be found, and refused below.
    while fs::symlink_metadata(part).is_err() {
        match part.parent() {
            Some(above) if above.starts_with(folder) && above != folder => part = above,
            _ => return Ok(path),
        }
    }
    match fs::canonicalize(part) {
        Ok(real) if real.starts_with(&root) => Ok(path),
        Ok(real) if hub_blobs(&root).is_some_and(|blobs| real.starts_with(blobs)) => Ok(path),
        Ok(_) => refuse("a link in it leads out of the folder"),
        Err(_) => refuse("a link in it leads nowhere"),
    }
}

/// The folder of a path (`.` for a bare name), and its last name.
pub(crate) fn split(path: &Path) -> Result<(&Path, &OsStr)> {
    let nameless = || DiskFailure::Nameless { path: path.to_path_buf() };
    let name = path.file_name().ok_or_else(nameless)?;
    let parent = path.parent().ok_or_else(nameless)?;
    Ok((if parent.as_os_str().is_empty() { Path::new(".") } else { parent }, name))
}

/// The folder in which the cache of the hub keeps the files of a snapshot: `<model>/blobs` for
/// `<model>/snapshots/<revision>`.
fn hub_blobs(folder: &Path) -> Option<PathBuf> {
    let snapshots =
        folder.parent().filter(|parent| parent.file_name() == Some(OsStr::new("snapshots")))?;
    Some(snapshots.parent()?.join("blobs"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::error::failure;

    #[test]
    fn paths_that_leave_the_folder_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for relative in ["", ".", "./", "/etc/passwd", "..", "../a", "a/../../b", "a/..", "a\0b"] {
            let found = inside(folder.path(), relative);
            assert!(
                matches!(failure(&found), Some(DiskFailure::Outside { .. })),
                "{relative:?}: {found:?}"
            );
        }
    }

    #[test]
    fn plain_paths_are_taken_whether_they_exist_or_not() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("a")).unwrap();
        for relative in ["x", "a", "a/x", "./a/x", "b/c/d", "..hidden", "a..b"] {
            assert_eq!(inside(folder.path(), relative).unwrap(), folder.path().join(relative));
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_may_not_lead_out_or_nowhere() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("model");
        fs::create_dir_all(folder.join("real")).unwrap();
        fs::write(root.path().join("secret"), "x").unwrap();
        symlink(root.path().join("secret"), folder.join("file")).unwrap();
        symlink(root.path(), folder.join("up")).unwrap();
        symlink(root.path().join("gone"), folder.join("dangling")).unwrap();
        symlink(folder.join("real"), folder.join("within")).unwrap();
        for relative in
            ["file", "up", "up/secret", "up/not-there", "up/not/there", "dangling", "dangling/x"]
        {
            let found = inside(&folder, relative);
            assert!(
                matches!(failure(&found), Some(DiskFailure::Outside { .. })),
                "{relative}: {found:?}"
            );
        }
        assert!(inside(&folder, "within/new").is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_snapshot_of_the_hub_may_link_to_its_blobs_and_nowhere_else() {
        use std::os::unix::fs::symlink;
        let root = tempfile::tempdir().unwrap();
        let model = root.path().join("models--a--b");
        let snapshot = model.join("snapshots/0123");
        fs::create_dir_all(&snapshot).unwrap();
        fs::create_dir(model.join("blobs")).unwrap();
        fs::write(model.join("blobs/abc"), "x").unwrap();
        fs::write(model.join("secret"), "x").unwrap();
        symlink("../../blobs/abc", snapshot.join("model.safetensors")).unwrap();
        symlink("../../secret", snapshot.join("config.json")).unwrap();
        assert!(inside(&snapshot, "model.safetensors").is_ok());
        assert!(matches!(
            failure(&inside(&snapshot, "config.json")),
            Some(DiskFailure::Outside { .. })
        ));
        // Without a folder `snapshots` it is not the hub's cache.
        fs::rename(model.join("snapshots"), model.join("others")).unwrap();
        let found = inside(&model.join("others/0123"), "model.safetensors");
        assert!(matches!(failure(&found), Some(DiskFailure::Outside { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_reached_by_a_link_is_itself() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("real")).unwrap();
        fs::write(root.path().join("real/x"), "x").unwrap();
        std::os::unix::fs::symlink(root.path().join("real"), root.path().join("link")).unwrap();
        assert!(inside(&root.path().join("link"), "x").is_ok());
    }

    proptest! {
        #[test]
        fn an_accepted_path_never_climbs(relative in "[a./\\\\\0]{0,12}") {
            let folder = tempfile::tempdir().unwrap();
            if let Ok(path) = inside(folder.path(), &relative) {
                let rest = path.strip_prefix(folder.path()).unwrap();
                prop_assert!(rest.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)));
                prop_assert!(rest.file_name().is_some());
            }
        }
    }
}
