//! The free space of a disk.

use std::path::Path;

use crate::Result;

/// Bytes that may still be written at `path`, which need not exist yet. `None` if the system does
/// not tell.
///
/// # Errors
/// If the nearest existing folder cannot be asked.
pub fn free_space(path: &Path) -> Result<Option<u64>> {
    // The parent of a bare file name is the empty path: it means the current folder.
    let above = path.ancestors().find(|folder| folder.exists());
    let folder = above.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    space_at(folder)
}

#[cfg(unix)]
fn space_at(folder: &Path) -> Result<Option<u64>> {
    let answer = rustix::fs::statvfs(folder).map_err(std::io::Error::from);
    let answer = answer.map_err(crate::io_error("ask for the free space of", folder))?;
    // Blocks free for ordinary users, not those reserved for root.
    Ok(Some(answer.f_bavail.saturating_mul(answer.f_frsize)))
}

#[cfg(not(unix))]
fn space_at(_folder: &Path) -> Result<Option<u64>> {
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_folder_that_is_not_there_yet_has_the_space_of_the_one_above() {
        let folder = tempfile::tempdir().unwrap();
        let here = free_space(folder.path()).unwrap().unwrap();
        let there = free_space(&folder.path().join("a/b/c")).unwrap().unwrap();
        assert!(here > 0 && there > 0);
        assert!(free_space(Path::new("relative")).unwrap().is_some());
    }
}
