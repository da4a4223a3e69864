//! Read-only memory maps, for weights and corpora that may be larger than memory.

use std::fs::File;
use std::ops::{Deref, Range};
use std::path::Path;

use memmap2::Mmap;

use crate::{Result, io_error, read};

/// A file's bytes, mapped.
///
/// While a map exists, nobody may shorten its file or write into it. The system would end the
/// process, or the bytes would change. Our own files are only replaced by renaming, which leaves a
/// map intact.
#[derive(Debug)]
pub struct Map {
    // `None` for an empty file, which some systems cannot map.
    map: Option<Mmap>,
    file: File,
}

impl Map {
    /// Maps a regular file.
    pub fn open(path: &Path) -> Result<Self> {
        let (file, length) = read::open(path)?;
        if length == 0 {
            return Ok(Self { map: None, file });
        }
        // SAFETY: the map is read-only. That the file keeps its bytes is the condition stated
        // above; every reader of mapped weights relies on it.
        let map = unsafe { Mmap::map(&file) }.map_err(io_error("map", path))?;
        Ok(Self { map: Some(map), file })
    }

    /// The file that is mapped.
    pub(crate) fn file(&self) -> &File {
        &self.file
    }

    /// Reads a range of bytes from the file in one go. Without it, the range is read page by page
    /// as it is touched.
    ///
    /// The range is cut to the map. This is a hint: it does nothing if the system has no such
    /// call.
    pub fn fetch(&self, range: Range<usize>) {
        let Some(map) = &self.map else { return };
        let (start, end) = (range.start.min(map.len()), range.end.min(map.len()));
        if start < end {
            populate(map, start, end - start);
        }
    }

    /// Releases the memory of a range of bytes. Touching the bytes reads them from the file again.
    ///
    /// The range is cut to the map. This is a hint: it does nothing if the system has no such
    /// call.
    pub fn release(&self, range: Range<usize>) {
        let Some(map) = &self.map else { return };
        let (start, end) = (range.start.min(map.len()), range.end.min(map.len()));
        if start < end {
            discard(map, start, end - start);
        }
    }
}

impl Deref for Map {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.map.as_deref().unwrap_or(&[])
    }
}

impl AsRef<[u8]> for Map {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

#[cfg(target_os = "linux")]
fn populate(map: &Mmap, start: usize, length: usize) {
    // Older systems refuse the call. Pages are then read when they are touched.
    drop(map.advise_range(memmap2::Advice::PopulateRead, start, length));
}

#[cfg(not(target_os = "linux"))]
fn populate(_map: &Mmap, _start: usize, _length: usize) {}

#[cfg(unix)]
fn discard(map: &Mmap, start: usize, length: usize) {
    // SAFETY: the map is backed by a file and never written, so a released page comes back with the
    // same bytes. The call changes what is resident, not what is read.
    let advised =
        unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, start, length) };
    // A refused hint costs memory, not correctness.
    drop(advised);
}

#[cfg(not(unix))]
fn discard(_map: &Mmap, _start: usize, _length: usize) {}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::error::{DiskFailure, failure};

    #[test]
    fn an_empty_file_maps_to_no_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("empty");
        fs::write(&path, b"").unwrap();
        let map = Map::open(&path).unwrap();
        assert!(map.is_empty());
        map.release(0..10);
    }

    #[test]
    fn released_bytes_read_the_same_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bytes");
        let bytes: Vec<u8> = (0..100_000_u32).map(|i| (i % 251) as u8).collect();
        fs::write(&path, &bytes).unwrap();
        let map = Map::open(&path).unwrap();
        assert_eq!(&map[..], &bytes[..]);
        for range in [0..bytes.len(), 5000..70_001, 99_999..usize::MAX, usize::MAX..usize::MAX] {
            map.release(range.clone());
            map.fetch(range);
        }
        assert_eq!(&map[..], &bytes[..]);
    }

    #[test]
    fn a_map_outlives_the_replacement_of_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights");
        crate::write(&path, b"before").unwrap();
        let map = Map::open(&path).unwrap();
        crate::write(&path, b"after").unwrap();
        assert_eq!(&map[..], b"before");
    }

    #[test]
    fn a_folder_is_not_mapped() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(failure(&Map::open(folder.path())), Some(DiskFailure::NotAFile { .. })));
    }
}
