//! Reads whole files, up to a limit.
//!
//! A repository that was cloned without Git LFS holds a short pointer in place of each large file.
//! Every reader refuses such a pointer by its name: as a file of its kind it would look damaged.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

use crate::error::DiskFailure;
use crate::{Error, Result, io_error};

/// How the pointer begins that Git LFS puts in place of a file.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// Whether a file that begins like this is a Git LFS pointer.
pub fn is_pointer(start: &[u8]) -> bool {
    start.starts_with(POINTER)
}

/// Reads a whole regular file of at most `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let (file, length) = open(path)?;
    if length > limit {
        return Err(DiskFailure::TooLarge { path: path.to_path_buf(), found: length, limit }.into());
    }
    // The file may grow after its length was asked, so the read has a limit too.
    read_from(file, path, limit)
}

/// Reads standard input to its end, at most `limit` bytes.
pub fn read_stdin(limit: u64) -> Result<Vec<u8>> {
    read_from(io::stdin().lock(), Path::new("standard input"), limit)
}

fn read_from(source: impl Read, path: &Path, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    // One byte more than the limit shows that there is more.
    source.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(io_error("read", path))?;
    let found = bytes.len() as u64;
    if found > limit {
        return Err(DiskFailure::TooLarge { path: path.to_path_buf(), found, limit }.into());
    }
    if is_pointer(&bytes) {
        return Err(Error::pointer(path));
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
    fn what_has_no_length_is_read_up_to_the_limit() {
        let name = Path::new("standard input");
        assert_eq!(read_from(&b"12345"[..], name, 5).unwrap(), b"12345");
        let error = read_from(io::repeat(b'1'), name, 4).unwrap_err();
        assert_eq!(error.to_string(), "`standard input` is 5 bytes, expected at most 4");
    }

    #[test]
    fn a_git_lfs_pointer_is_named_by_every_reader() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:5a5a\nsize 12\n";
        fs::write(&path, pointer).unwrap();
        let expected =
            "model.safetensors` is a Git LFS pointer, expected the file that it points to";
        for error in [
            read(&path, 999).unwrap_err(),
            read_to_string(&path, 999).unwrap_err(),
            crate::Map::open(&path).unwrap_err(),
        ] {
            assert!(error.is_pointer() && error.to_string().ends_with(expected), "{error}");
        }
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
