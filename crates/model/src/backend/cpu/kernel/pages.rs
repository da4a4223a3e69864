//! Large pages for large buffers. Products walk down columns, and with small pages every step would
//! miss the cache of page addresses.

/// Asks the system to back the spare capacity of `buffer` with large pages. It may refuse; only
/// speed depends on it.
pub(in crate::backend::cpu) fn prefer_large<T>(buffer: &mut Vec<T>) {
    #[cfg(target_os = "linux")]
    {
        const LARGE: usize = 2 << 20;
        let room = buffer.spare_capacity_mut();
        let start = room.as_mut_ptr() as usize;
        // Only whole large pages inside the buffer.
        let first = start.next_multiple_of(LARGE);
        let end = (start + size_of_val(room)) / LARGE * LARGE;
        if first < end {
            // SAFETY: the range lies inside the buffer's own allocation. MADV_HUGEPAGE changes
            // neither its contents nor whether it may be read or written.
            unsafe { libc::madvise(first as *mut libc::c_void, end - first, libc::MADV_HUGEPAGE) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = buffer;
}
