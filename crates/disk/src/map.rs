//! Read-only memory maps, for weights and corpora that may be larger than memory.

use std::fs::File;
use std::io;
use std::ops::{Deref, Range};
use std::path::Path;
use std::time::SystemTime;

use memmap2::Mmap;

use crate::{Error, Result, io_error, read};

/// A file's bytes, mapped.
///
/// While a map exists, nobody may shorten its file or write into it. The system would end the
/// process, or the bytes would change. Our own files are only replaced by renaming, which leaves a
/// map intact. [`Map::is_changed`] tells of a change, and [`name_lost_maps`] lets the process end
/// with a word.
#[derive(Debug)]
pub struct Map {
    // `None` for an empty file, which some systems cannot map.
    map: Option<Mmap>,
    file: File,
    stamp: Stamp,
}

/// What changes when somebody writes into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(file: &File) -> io::Result<Self> {
        let found = file.metadata()?;
        Ok(Self { length: found.len(), modified: found.modified().ok() })
    }
}

impl Map {
    /// Maps a regular file.
    pub fn open(path: &Path) -> Result<Self> {
        let (file, _) = read::open(path)?;
        let stamp = Stamp::of(&file).map_err(io_error("map", path))?;
        if stamp.length == 0 {
            return Ok(Self { map: None, file, stamp });
        }
        // SAFETY: the map is read-only. That the file keeps its bytes is the condition stated
        // above; every reader of mapped weights relies on it.
        let map = unsafe { Mmap::map(&file) }.map_err(io_error("map", path))?;
        if read::is_pointer(&map) {
            return Err(Error::pointer(path));
        }
        lost::enter(&map, path);
        Ok(Self { map: Some(map), file, stamp })
    }

    /// Whether somebody wrote into the file since it was mapped, or shortened it.
    pub fn is_changed(&self) -> bool {
        Stamp::of(&self.file).is_ok_and(|found| found != self.stamp)
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

impl Drop for Map {
    fn drop(&mut self) {
        if let Some(map) = &self.map {
            lost::leave(map);
        }
    }
}

/// Lets the process end with a word where a mapped file became shorter, or its disk failed. Without
/// it, the system ends the process by a signal. Call it once, at the start of a program.
pub fn name_lost_maps() {
    lost::listen();
}

/// The signal that reading a lost part of a map gives. Only calls that are safe in a signal handler
/// are made there, so maps are listed in a table of atomic numbers.
#[cfg(unix)]
mod lost {
    use std::ffi::{CStr, CString};
    use std::os::unix::ffi::OsStrExt;
    use std::path::Path;
    use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

    /// Maps beyond these have no name in the message.
    const ROOM: usize = 256;
    /// As of any error.
    const STATUS: i32 = 1;

    struct Entry {
        /// First byte of the map; 0 of a free entry, 1 while it is filled.
        start: AtomicUsize,
        length: AtomicUsize,
        /// The name of the file, never freed while the entry may be read: it is kept for ever.
        name: AtomicPtr<libc::c_char>,
    }

    static MAPS: [Entry; ROOM] = [const {
        Entry {
            start: AtomicUsize::new(0),
            length: AtomicUsize::new(0),
            name: AtomicPtr::new(std::ptr::null_mut()),
        }
    }; ROOM];
    static LISTENING: AtomicUsize = AtomicUsize::new(0);

    pub(super) fn enter(map: &[u8], path: &Path) {
        // Names are kept for ever, so only for a program that asked.
        if LISTENING.load(Ordering::Acquire) == 0 {
            return;
        }
        let Ok(name) = CString::new(path.as_os_str().as_bytes()) else { return };
        let taken = MAPS.iter().find(|entry| {
            entry.start.compare_exchange(0, 1, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        });
        if let Some(entry) = taken {
            entry.length.store(map.len(), Ordering::Relaxed);
            entry.name.store(name.into_raw(), Ordering::Relaxed);
            entry.start.store(map.as_ptr() as usize, Ordering::Release);
        }
    }

    pub(super) fn leave(map: &[u8]) {
        let start = map.as_ptr() as usize;
        if let Some(entry) = MAPS.iter().find(|e| e.start.load(Ordering::Acquire) == start) {
            entry.start.store(0, Ordering::Release);
        }
    }

    pub(super) fn listen() {
        if LISTENING.swap(1, Ordering::AcqRel) == 1 {
            return;
        }
        // SAFETY: the handler has the signature that SA_SIGINFO asks for, and calls only functions
        // that are safe in a signal handler. A zeroed `sigaction` is a valid one.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handler as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigemptyset(&raw mut action.sa_mask);
            libc::sigaction(libc::SIGBUS, &raw const action, std::ptr::null_mut());
        }
    }

    extern "C" fn handler(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
        // SAFETY: the system passes a valid `info`, which holds an address for this signal.
        let address = unsafe { (*info).si_addr() } as usize;
        for entry in &MAPS {
            let start = entry.start.load(Ordering::Acquire);
            let length = entry.length.load(Ordering::Relaxed);
            if start > 1 && (start..start.saturating_add(length)).contains(&address) {
                let name = entry.name.load(Ordering::Relaxed);
                // SAFETY: a filled entry has a name that ends in zero and is never freed. Both
                // calls are safe in a signal handler.
                unsafe {
                    say(b"\nerror: `");
                    say(CStr::from_ptr(name).to_bytes());
                    say(b"` became shorter while it was read, or its disk failed\n");
                    libc::_exit(STATUS);
                }
            }
        }
        // Not one of ours: the signal comes again, and the system does what it always does.
        // SAFETY: `signal` is safe in a signal handler.
        unsafe {
            libc::signal(libc::SIGBUS, libc::SIG_DFL);
        }
    }

    /// # Safety
    /// Safe in a signal handler.
    unsafe fn say(bytes: &[u8]) {
        // SAFETY: the bytes are valid for as long as the call runs.
        let _ = unsafe { libc::write(2, bytes.as_ptr().cast(), bytes.len()) };
    }
}

#[cfg(not(unix))]
mod lost {
    pub(super) fn enter(_map: &[u8], _path: &std::path::Path) {}
    pub(super) fn leave(_map: &[u8]) {}
    pub(super) fn listen() {}
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
    fn a_write_into_a_mapped_file_is_told_and_a_replacement_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text");
        crate::write(&path, b"before").unwrap();
        let map = Map::open(&path).unwrap();
        crate::write(&path, b"after!").unwrap();
        assert!(!map.is_changed(), "the file under the map is the old one");
        let map = Map::open(&path).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(20));
        fs::write(&path, b"AFTER!").unwrap();
        assert!(map.is_changed());
    }

    #[test]
    fn a_folder_is_not_mapped() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(failure(&Map::open(folder.path())), Some(DiskFailure::NotAFile { .. })));
    }
}
