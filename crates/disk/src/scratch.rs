//! An unnamed file for numbers that do not fit in memory. It is deleted when it is dropped, even if
//! the process is killed.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::{Result, io_error};

/// An unnamed file in a folder.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let mut scratch = disk::ScratchFile::create(folder.path())?;
/// scratch.write_at(4, b"abcd")?;
/// let mut read = [0; 6];
/// scratch.read_at(2, &mut read)?;
/// assert_eq!(&read, b"\0\0abcd");
/// assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ScratchFile {
    folder: PathBuf,
    file: File,
}

impl ScratchFile {
    /// Creates one; the folder must exist.
    pub fn create(folder: &Path) -> Result<Self> {
        // The file has no name in the folder, so the system frees it with the last handle.
        let file = tempfile::tempfile_in(folder).map_err(io_error("create a file in", folder))?;
        Ok(Self { folder: folder.to_path_buf(), file })
    }

    /// Writes bytes at an offset. Gaps that were never written read as zeros.
    pub fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        let written =
            self.file.seek(SeekFrom::Start(offset)).and_then(|_| self.file.write_all(bytes));
        written.map_err(io_error("write a file in", &self.folder))
    }

    /// Reads bytes that were written.
    pub fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> Result<()> {
        let read =
            self.file.seek(SeekFrom::Start(offset)).and_then(|_| self.file.read_exact(bytes));
        read.map_err(io_error("read a file in", &self.folder))
    }
}
