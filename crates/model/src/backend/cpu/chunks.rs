//! How work is cut into tasks.

/// Elements that one task works on; a constant, so that chunks do not follow the number of threads.
pub(super) const CHUNK: usize = 1 << 14;

/// Rows of `columns` elements that one task works on.
pub(super) fn rows_of_chunk(columns: usize) -> usize {
    (CHUNK / columns.max(1)).max(1)
}
