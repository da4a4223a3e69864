//! Files that appear complete or not at all: written under a hidden name, synced, renamed.

use std::fs::File;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use tempfile::NamedTempFile;

use crate::hidden::{ASIDE, hidden};
use crate::leftovers::{clear_leftovers, make_alive};
use crate::live::{Live, hold};
use crate::paths::split;
use crate::sync::sync_folder;
use crate::{Map, Result, io_error, read};

/// A file being written under a hidden name beside its target.
///
/// [`Aside::commit`] renames it to the target and replaces what was there. Dropping it removes it.
/// Only a killed process can leave the hidden file `.<name>.<random>.aside` behind. No reader looks
/// at it, and whoever writes the same target next removes it.
///
/// ```
/// use std::io::Write;
/// let folder = tempfile::tempdir()?;
/// let target = folder.path().join("weights");
/// let mut file = disk::Aside::create(&target)?;
/// file.write_all(b"abc")?;
/// assert!(!target.exists());
/// file.commit()?;
/// assert_eq!(disk::read(&target, 3)?, b"abc");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Aside {
    target: PathBuf,
    file: BufWriter<NamedTempFile>,
    behind: Option<Behind>,
    live: Live,
    /// Bytes written since the last background sync began.
    since: u64,
}

/// Bytes after which a background sync begins. The final sync then waits only for the last of them.
const BEHIND: u64 = 1 << 26;

/// A thread that syncs what is written while more is written.
#[derive(Debug)]
struct Behind {
    more: mpsc::Sender<()>,
    thread: JoinHandle<io::Result<()>>,
}

impl Aside {
    /// Starts a file that will be at `target`. The folder of `target` must exist.
    pub fn create(target: &Path) -> Result<Self> {
        let (folder, name) = split(target)?;
        clear_leftovers(target)?;
        let make = || hidden(name, ASIDE, 0o666, |builder| builder.tempfile_in(folder));
        let (file, alive) =
            make_alive(make, NamedTempFile::path).map_err(io_error("create", target))?;
        let live = Live::enter(file.path(), alive);
        let file = BufWriter::with_capacity(1 << 18, file);
        Ok(Self { target: target.to_path_buf(), file, behind: None, live, since: 0 })
    }

    /// Writes bytes of a mapped file. The system copies them itself if it can.
    ///
    /// # Panics
    /// If the range is not inside the map.
    pub fn write_from(&mut self, map: &Map, range: Range<usize>) -> Result<()> {
        // The system writes past the buffer, so what is in the buffer must go first.
        let written = self.file.flush().and_then(|()| {
            for start in range.clone().step_by(BEHIND as usize) {
                let piece = start..range.end.min(start + BEHIND as usize);
                let copied = copied(map.file(), piece.clone(), self.file.get_ref().as_file());
                self.count(copied as u64)?;
                // What the system did not copy is copied here.
                self.write_all(&map[piece][copied..])?;
                self.file.flush()?;
            }
            Ok(())
        });
        written.map_err(io_error("write", &self.target))
    }

    /// Counts written bytes, and begins a background sync once there are many.
    fn count(&mut self, written: u64) -> io::Result<()> {
        self.since += written;
        if self.since >= BEHIND {
            self.since = 0;
            if self.behind.is_none() {
                self.behind = Some(Behind::begin(self.file.get_ref().as_file().try_clone()?));
            }
            // Sending fails if the thread has ended with an error. The commit returns that error.
            let _ = self.behind.as_ref().map(|behind| behind.more.send(()));
        }
        Ok(())
    }

    /// Syncs the file, renames it to its target and syncs the folder.
    pub fn commit(self) -> Result<()> {
        let Self { target, file, behind, live, .. } = self;
        let file =
            file.into_inner().map_err(|error| io_error("write", &target)(error.into_error()))?;
        // The system reports a failed write once, to the first call that syncs. That may be the
        // call of the thread, so its result is checked.
        behind.map_or(Ok(()), Behind::end).map_err(io_error("sync", &target))?;
        file.as_file().sync_all().map_err(io_error("sync", &target))?;
        let names = hold();
        file.persist(&target).map_err(|error| io_error("create", &target)(error.error))?;
        drop(names);
        drop(live);
        // Without this, a power failure could undo the rename.
        sync_folder(split(&target)?.0)
    }
}

impl Write for Aside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.count(written as u64)?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Seek for Aside {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

/// Has the system copy bytes from file to file, at the current position of `to`. Returns how many
/// bytes it copied. It stops early if the disk is full, the file systems differ, or the system is
/// too old.
#[cfg(target_os = "linux")]
fn copied(from: &File, range: Range<usize>, to: &File) -> usize {
    // The system may copy less than it was asked for, so it is asked again.
    let (mut at, end) = (range.start as u64, range.end as u64);
    while at < end {
        let left = (end - at) as usize;
        match rustix::fs::copy_file_range(from, Some(&mut at), to, None, left) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    at as usize - range.start
}

#[cfg(not(target_os = "linux"))]
fn copied(_from: &File, _range: Range<usize>, _to: &File) -> usize {
    0
}

impl Behind {
    fn begin(file: File) -> Self {
        let (more, wanted) = mpsc::channel();
        let thread = thread::spawn(move || {
            while wanted.recv().is_ok() {
                file.sync_data()?;
            }
            Ok(())
        });
        Self { more, thread }
    }

    fn end(self) -> io::Result<()> {
        let Self { more, thread } = self;
        // The thread ends once no sender is left.
        drop(more);
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Writes a whole file under a hidden name, syncs it and renames it to `path`.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = Aside::create(path)?;
    file.write_all(bytes).map_err(io_error("write", path))?;
    file.commit()
}

/// Copies the bytes of a regular file. The copy appears complete, with ordinary permissions.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let (mut source, _) = read::open(from)?;
    let mut file = Aside::create(to)?;
    io::copy(&mut source, &mut file).map_err(io_error("copy", from))?;
    file.commit()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;
    use crate::error::{DiskFailure, failure};

    fn names(folder: &Path) -> Vec<std::ffi::OsString> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn the_old_content_stands_until_commit() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        write(&target, b"old").unwrap();
        let mut file = Aside::create(&target).unwrap();
        file.write_all(b"new").unwrap();
        file.flush().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"old");
        file.commit().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"new");
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn a_dropped_file_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut file = Aside::create(&folder.path().join("a")).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_file_that_goes_to_the_disk_while_it_is_written_is_whole() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        let mut file = Aside::create(&target).unwrap();
        let piece: Vec<u8> = (0..(BEHIND as usize / 3)).map(|at| (at % 253) as u8).collect();
        for _ in 0..8 {
            file.write_all(&piece).unwrap();
        }
        assert!(file.behind.is_some());
        file.commit().unwrap();
        let whole = fs::read(&target).unwrap();
        assert_eq!(whole.len(), 8 * piece.len());
        assert!(whole.chunks(piece.len()).all(|found| found == piece));
        // And one that is dropped in the middle leaves nothing.
        let mut file = Aside::create(&target).unwrap();
        (0..4).for_each(|_| file.write_all(&piece).unwrap());
        drop(file);
        assert_eq!(names(folder.path()), ["a"]);
    }

    #[test]
    fn what_is_written_from_a_map_follows_what_was_written_before() {
        let folder = tempfile::tempdir().unwrap();
        let (source, target) = (folder.path().join("source"), folder.path().join("a"));
        let bytes: Vec<u8> = (0..300_000_u32).map(|at| (at % 253) as u8).collect();
        fs::write(&source, &bytes).unwrap();
        let map = Map::open(&source).unwrap();
        let mut file = Aside::create(&target).unwrap();
        file.write_all(b"head").unwrap();
        file.write_from(&map, 5..280_001).unwrap();
        file.write_all(b"between").unwrap();
        file.write_from(&map, 7..7).unwrap();
        file.write_from(&map, 299_990..300_000).unwrap();
        file.commit().unwrap();
        let expected = [b"head", &bytes[5..280_001], b"between", &bytes[299_990..]].concat();
        assert!(fs::read(&target).unwrap() == expected);
    }

    #[test]
    fn a_header_can_be_filled_in_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("a");
        let mut file = Aside::create(&target).unwrap();
        file.write_all(b"????body").unwrap();
        file.seek(SeekFrom::Start(0)).unwrap();
        file.write_all(b"head").unwrap();
        file.commit().unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"headbody");
    }

    #[test]
    fn a_path_without_a_name_is_refused() {
        for path in ["", "/", ".."] {
            assert!(
                matches!(
                    failure(&Aside::create(Path::new(path))),
                    Some(DiskFailure::Nameless { .. })
                ),
                "{path}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_written_file_has_ordinary_permissions() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let ours = folder.path().join("ours");
        let plain = folder.path().join("plain");
        write(&ours, b"").unwrap();
        fs::write(&plain, b"").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }

    #[test]
    fn a_folder_is_not_copied_as_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let copied = copy(folder.path(), &folder.path().join("b"));
        assert!(matches!(failure(&copied), Some(DiskFailure::NotAFile { .. })));
        assert!(names(folder.path()).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn what_is_written_and_copied_is_read_back(bytes in proptest::collection::vec(any::<u8>(), 0..4096)) {
            let folder = tempfile::tempdir().unwrap();
            let (one, two) = (folder.path().join("one"), folder.path().join("two"));
            write(&one, &bytes).unwrap();
            copy(&one, &two).unwrap();
            prop_assert_eq!(crate::read(&two, 4096).unwrap(), bytes);
        }
    }
}
