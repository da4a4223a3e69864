//! Remembers which large files had the right hash, so that they are read once and not at each use.
//!
//! A file that changed since has another time, and is read again. The note lies beside the file; in
//! a folder that cannot be written it is left out, and the file is read each time.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::Result;

/// Smaller files are read each time: it takes a fraction of a second.
const SMALL: u64 = 64 << 20;
/// A file that was written this short a time ago may change again within one tick of its clock.
const SETTLED: Duration = Duration::from_secs(5);
/// The largest note that is read, in bytes.
const LIMIT: u64 = 4096;

/// Runs a check of the file's hash, unless it passed before for this hash and the file is as it was
/// then. The answer is whether it ran.
pub(super) fn once(path: &Path, hash: &str, check: impl FnOnce() -> Result<()>) -> Result<bool> {
    let found = std::fs::metadata(path).map_err(disk::io_error("read", path))?;
    let small = found.len() <= SMALL;
    let note = note(path);
    let expected = line(&found, hash);
    if !small && disk::read(&note, LIMIT).is_ok_and(|noted| noted == expected.as_bytes()) {
        return Ok(false);
    }
    check()?;
    let settled = changed(&found).is_some_and(|at| {
        SystemTime::now().duration_since(at).is_ok_and(|passed| passed > SETTLED)
    });
    if !small && settled {
        // Without the note, the next use reads the file again: slower, and as right.
        let _ = disk::write(&note, expected.as_bytes());
    }
    Ok(true)
}

/// `.train.bin.checked` beside `train.bin`.
fn note(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.checked"))
}

/// What must be the same for a file to count as unchanged.
fn line(found: &Metadata, hash: &str) -> String {
    let stamp = |time: Option<SystemTime>| {
        time.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map_or(0, |time| time.as_nanos())
    };
    format!("{hash} {} {} {}\n", found.len(), stamp(found.modified().ok()), stamp(changed(found)))
}

/// When the file or its attributes changed last. Unlike the time of writing, no program sets it.
#[cfg(unix)]
fn changed(found: &Metadata) -> Option<SystemTime> {
    use std::os::unix::fs::MetadataExt;
    let seconds = Duration::from_secs(u64::try_from(found.ctime()).ok()?);
    let rest = Duration::from_nanos(u64::try_from(found.ctime_nsec()).ok()?);
    UNIX_EPOCH.checked_add(seconds)?.checked_add(rest)
}

#[cfg(not(unix))]
fn changed(found: &Metadata) -> Option<SystemTime> {
    found.modified().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::TextFailure;

    #[test]
    fn a_small_file_is_checked_at_each_use() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heldout.bin");
        std::fs::write(&path, b"tokens").unwrap();
        for _ in 0..2 {
            assert!(once(&path, "a", || Ok(())).unwrap());
        }
        assert!(once(&path, "a", || Err(TextFailure::NoText.into())).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no note is left");
    }

    #[test]
    fn a_large_file_is_checked_once_and_again_when_it_changed_or_another_hash_is_meant() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("train.bin");
        // A file of holes: it takes no room.
        std::fs::File::create(&path).unwrap().set_len(SMALL + 1).unwrap();
        assert!(once(&path, "a", || Ok(())).unwrap());
        assert!(!note(&path).exists(), "written a moment ago, it may change again unseen");
        let found = std::fs::metadata(&path).unwrap();
        std::fs::write(note(&path), line(&found, "a")).unwrap();
        assert!(!once(&path, "a", || Err(TextFailure::NoText.into())).unwrap());
        assert!(once(&path, "b", || Ok(())).unwrap());
        std::fs::File::options().write(true).open(&path).unwrap().set_len(SMALL + 2).unwrap();
        assert!(once(&path, "a", || Err(TextFailure::NoText.into())).is_err());
    }
}
