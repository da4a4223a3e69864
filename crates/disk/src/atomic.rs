//! Files that appear whole or not at all: written aside, synced, renamed.

use std::fs::Permissions;
use std::io::{self, BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::paths::split;
use crate::{Result, io_error, read, sync_folder};

/// A file being written under a hidden name beside its target.
///
/// [`Aside::commit`] renames it to the target, replacing what stood there; dropping it leaves nothing. Only a
/// killed process can leave the hidden file `.<name>.<random>.aside` behind, and no reader looks at it.
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
}

impl Aside {
    /// Starts a file that will stand at `target`; its folder must exist.
    pub fn create(target: &Path) -> Result<Self> {
        let (folder, name) = split(target)?;
        let mut prefix = std::ffi::OsString::from(".");
        prefix.push(name);
        prefix.push(".");
        let mut builder = Builder::new();
        builder.prefix(&prefix).suffix(".aside");
        if let Some(permissions) = ordinary(0o666) {
            builder.permissions(permissions);
        }
        let file = builder.tempfile_in(folder).map_err(io_error("create", target))?;
        Ok(Self { target: target.to_path_buf(), file: BufWriter::with_capacity(1 << 18, file) })
    }

    /// Syncs the file, renames it to its target and syncs the folder.
    pub fn commit(self) -> Result<()> {
        let Self { target, file } = self;
        let file = file.into_inner().map_err(|error| io_error("write", &target)(error.into_error()))?;
        file.as_file().sync_all().map_err(io_error("sync", &target))?;
        file.persist(&target).map_err(|error| io_error("create", &target)(error.error))?;
        sync_folder(split(&target)?.0)
    }
}

impl Write for Aside {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
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

/// Writes a whole file: aside, synced, renamed over what stood there.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = Aside::create(path)?;
    file.write_all(bytes).map_err(io_error("write", path))?;
    file.commit()
}

/// Copies the bytes of a regular file; the copy appears whole, with ordinary permissions.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    let (mut source, _) = read::open(from)?;
    let mut file = Aside::create(to)?;
    io::copy(&mut source, &mut file).map_err(io_error("copy", from))?;
    file.commit()
}

/// Temporary files are private by default; ours become real ones, so the user's umask decides.
#[cfg(unix)]
pub(crate) fn ordinary(mode: u32) -> Option<Permissions> {
    use std::os::unix::fs::PermissionsExt;
    Some(Permissions::from_mode(mode))
}

#[cfg(not(unix))]
pub(crate) fn ordinary(_mode: u32) -> Option<Permissions> {
    None
}

#[cfg(test)]
mod tests {
    use std::fs;

    use proptest::prelude::*;

    use super::*;

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
            assert!(matches!(Aside::create(Path::new(path)), Err(crate::Error::Nameless { .. })), "{path}");
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
        assert!(matches!(copied, Err(crate::Error::NotAFile { .. })));
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
