//! Reads whole files, up to a limit.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::error::DiskFailure;
use crate::{Result, io_error};

/// Reads a whole regular file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let (file, length) = open(path)?;
    if length > limit {
        return Err(DiskFailure::TooLarge { path: path.to_path_buf(), found: length, limit }.into());
    }
    let mut bytes = Vec::new();
    // The file may grow after its length was asked, so the read has a limit too. One byte more than
    // the limit shows that it grew.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(io_error("read", path))?;
    let found = bytes.len() as u64;
    if found > limit {
        return Err(DiskFailure::TooLarge { path: path.to_path_buf(), found, limit }.into());
    }
    Ok(bytes)
}

/// Reads a whole UTF-8 file of at most `limit` bytes.
pub fn read_to_string(path: &Path, limit: u64) -> Result<String> {
    String::from_utf8(read(path, limit)?).map_err(|error| {
        let offset = error.utf8_error().valid_up_to();
        DiskFailure::NotText { path: path.to_path_buf(), offset }.into()
    })
}

/// Opens a regular file for reading, and returns its length in bytes.
pub(crate) fn open(path: &Path) -> Result<(File, u64)> {
    // Checked before opening: opening a pipe waits for its writer.
    if !fs::metadata(path).map_err(io_error("open", path))?.is_file() {
        return Err(DiskFailure::NotAFile { path: path.to_path_buf() }.into());
    }
    let file = File::open(path).map_err(io_error("open", path))?;
    let length = file.metadata().map_err(io_error("open", path))?.len();
    Ok((file, length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::failure;

    #[test]
    fn a_file_at_the_limit_is_read_and_one_byte_more_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("five");
        fs::write(&path, b"12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert!(matches!(
            failure(&read(&path, 4)),
            Some(DiskFailure::TooLarge { found: 5, limit: 4, .. })
        ));
    }

    #[test]
    fn text_that_is_not_utf8_is_refused_with_the_offset() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad");
        fs::write(&path, b"ok\xff").unwrap();
        assert!(matches!(
            failure(&read_to_string(&path, 9)),
            Some(DiskFailure::NotText { offset: 2, .. })
        ));
    }

    #[test]
    fn a_folder_or_nothing_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(failure(&read(folder.path(), 9)), Some(DiskFailure::NotAFile { .. })));
        assert!(read(&folder.path().join("none"), 9).unwrap_err().is_not_found());
    }
}
