//! Large pages for large buffers: products walk down columns, and small pages would miss at every
//! step.

/// Asks the system to back the spare room of `buffer` with large pages. It may refuse: nothing but
/// speed depends on it.
pub(in crate::backend::cpu) fn prefer_large<T>(buffer: &mut Vec<T>) {
    #[cfg(target_os = "linux")]
    {
        const LARGE: usize = 2 << 20;
        let room = buffer.spare_capacity_mut();
        let start = room.as_mut_ptr() as usize;
        let first = start.next_multiple_of(LARGE);
        let end = (start + size_of_val(room)) / LARGE * LARGE;
        if first < end {
            // SAFETY: the range lies inside the buffer's own allocation, and MADV_HUGEPAGE changes
            // neither what it holds nor whether it may be read or written.
            unsafe { libc::madvise(first as *mut libc::c_void, end - first, libc::MADV_HUGEPAGE) };
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = buffer;
}
